"""What the database's own catalogue says of every table, compared with what we promise."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import LiteralString

import psycopg
import pytest

from databases import Database
from portero.project.logins import OWNER, ROLE_OF

RUNNING = ("portero_app", "portero_gateway", "portero_log")
# People are global, and so is how they sign in.
SIGNING_IN = {
    "sign_in_budget",
    "person",
    "session",
    "mfa_authenticator",
    "account_emailaddress",
    "account_emailconfirmation",
    "console_cache",
    "sign_in_link",
    "sign_in_change",
}
# Of the library that runs them; see policies.sql.
JOBS = {
    "procrastinate_jobs",
    "procrastinate_events",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
}
# Made by libraries; nobody has a grant on them.
UNUSED = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
}
OF_NO_WORKSPACE = {"gateway_process", "django_migrations"} | SIGNING_IN | JOBS | UNUSED
# What somebody may see of their own before a workspace is set.
OF_ONESELF = {"principal", "workspace"}
DEFINER_FUNCTIONS = {"create_record_partitions"}


def names(connection: psycopg.Connection, statement: LiteralString) -> set[str]:
    return {name for (name,) in connection.execute(statement).fetchall()}


def test_t04_every_table_is_of_a_workspace_or_listed_as_of_none(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    tables = names(
        superuser,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'f')",
    )

    assert tables - set(workspace_tables) == OF_NO_WORKSPACE | {"workspace"}


def test_t04_b7_5_row_level_security_is_enabled_and_forced_everywhere(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    forced = names(
        superuser,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relrowsecurity AND relforcerowsecurity",
    )

    assert forced == {*workspace_tables, "workspace"}
    assert len([name for name in workspace_tables if name.startswith("record_2")]) >= 13
    assert "record_default" in workspace_tables


def test_t04_every_role_with_a_grant_has_a_policy_and_nobody_else_has_one(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    granted = set(
        superuser.execute(
            "SELECT DISTINCT c.relname, g.grantee::regrole::text FROM pg_class c"
            " JOIN LATERAL (SELECT (aclexplode(c.relacl)).grantee"
            "   UNION SELECT (aclexplode(a.attacl)).grantee FROM pg_attribute a"
            "   WHERE a.attrelid = c.oid) g ON true"
            " WHERE c.relname = ANY(%s) AND g.grantee <> c.relowner",
            (workspace_tables,),
        ).fetchall()
    )
    with_policy = set(
        superuser.execute(
            "SELECT tablename, unnest(roles)::text FROM pg_policies WHERE tablename = ANY(%s)",
            (workspace_tables,),
        ).fetchall()
    )

    assert granted == with_policy
    assert {role for _, role in granted} <= set(RUNNING)
    parents = [name for name in workspace_tables if not re.match(r"record_(2|default)", name)]
    assert {(name, "portero_app") for name in parents} <= granted
    assert {(name, "portero_gateway") for name in {*parents} - {"stream_ticket"}} <= granted
    assert ("stream_ticket", "portero_gateway") not in granted
    assert (
        granted & {(name, role) for name in workspace_tables for role in ("public", "-")} == set()
    )


def test_t04_every_policy_of_the_app_looks_at_the_workspace_of_the_transaction(
    superuser: psycopg.Connection,
) -> None:
    policies = superuser.execute(
        "SELECT tablename, qual, with_check FROM pg_policies"
        " WHERE roles = '{portero_app}' AND policyname = 'app'"
    ).fetchall()

    assert policies
    for table, using, check in policies:
        column = "id" if table == "workspace" else "workspace_id"
        wanted = f"({column} = (NULLIF(current_setting('portero.workspace'::text, true), ''::text))::uuid)"
        assert (using, check) == (wanted, wanted), table


def test_t04_the_app_sees_a_person_s_own_memberships_and_nothing_else_without_a_workspace(
    superuser: psycopg.Connection,
) -> None:
    others = superuser.execute(
        "SELECT tablename, cmd, qual FROM pg_policies"
        " WHERE roles = '{portero_app}' AND policyname <> 'app'"
    ).fetchall()

    assert {table for table, _, _ in others} == OF_ONESELF
    assert {command for _, command, _ in others} == {"SELECT"}
    assert all("portero.person" in using for _, _, using in others)


def test_t04_there_is_no_view_and_no_definer_function_but_the_listed(
    superuser: psycopg.Connection,
) -> None:
    views = names(
        superuser,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('v', 'm')",
    )
    definers = names(
        superuser,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef",
    )
    fixed_path = names(
        superuser,
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND 'search_path=public, pg_temp' = ANY(proconfig)",
    )

    assert views == set()
    assert definers == fixed_path == DEFINER_FUNCTIONS


@pytest.mark.parametrize("role", [*RUNNING, "portero_migrate"])
def test_t05_b7_1_a_login_has_no_power_over_the_walls(
    superuser: psycopg.Connection, role: str
) -> None:
    row = superuser.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit"
        " FROM pg_roles WHERE rolname = %s",
        (role,),
    ).fetchone()
    owned = superuser.execute(
        "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", (role,)
    ).fetchone()
    member_of = superuser.execute(
        "SELECT array_agg(roleid::regrole::text) FROM pg_auth_members WHERE member = %s::regrole",
        (role,),
    ).fetchone()

    assert row == (False,) * 6
    assert owned == (0,)
    assert member_of == (([OWNER],) if role == "portero_migrate" else (None,))


@pytest.mark.parametrize("role", RUNNING)
def test_t05_b7_1_nobody_may_truncate_reference_or_add_triggers(
    superuser: psycopg.Connection, workspace_tables: list[str], role: str
) -> None:
    for table in [*workspace_tables, "workspace", "person", "gateway_process"]:
        for privilege in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            row = superuser.execute(
                "SELECT has_table_privilege(%s, %s, %s)", (role, table, privilege)
            ).fetchone()
            assert row == (False,), (table, privilege)


def test_t05_nobody_can_make_things_in_the_schema_or_beside_it(two: Database) -> None:
    for login in ROLE_OF:
        with psycopg.connect(two.dsn(login), autocommit=True) as connection:
            for statement in (
                "CREATE TABLE public.t (x int)",
                "CREATE SCHEMA s",
                "CREATE TEMP TABLE t (x int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


@pytest.mark.parametrize("role", ["portero_app", "portero_log"])
def test_b6_2_only_the_gateway_reads_credentials(superuser: psycopg.Connection, role: str) -> None:
    for table in ("credential", "meta_app"):
        row = superuser.execute(
            "SELECT has_any_column_privilege(%s, %s, 'SELECT')", (role, table)
        ).fetchone()
        assert row == (False,)


@pytest.mark.parametrize("table", ["record", "record_open", "record_leaf"])
def test_b8_1_nobody_can_change_or_delete_a_record(
    superuser: psycopg.Connection, table: str
) -> None:
    for role in RUNNING:
        for privilege in ("UPDATE", "DELETE"):
            row = superuser.execute(
                "SELECT has_table_privilege(%s, %s, %s)", (role, table, privilege)
            ).fetchone()
            assert row == (False,), (role, privilege)
        column = superuser.execute(
            "SELECT has_any_column_privilege(%s, %s, 'UPDATE')", (role, table)
        ).fetchone()
        assert column == (False,)


@pytest.mark.parametrize("table", ["role_version", "binding", "guardrail", "usage_limit"])
def test_a_rule_can_be_ended_but_not_rewritten(superuser: psycopg.Connection, table: str) -> None:
    rows = superuser.execute(
        "SELECT attname FROM pg_attribute WHERE attnum > 0 AND attrelid = %s::regclass"
        " AND has_column_privilege('portero_app', attrelid, attnum, 'UPDATE')",
        (table,),
    ).fetchall()

    assert rows == [("valid_to",)]


def test_b7_5_every_unique_rule_is_per_workspace_or_holds_random_values_only(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    """T07: a unique index over workspaces would tell one that another has the same value."""
    unique = set(
        superuser.execute(
            "SELECT c.relname, i.indexrelid::regclass::text FROM pg_index i"
            " JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'"
            " WHERE i.indisunique AND a.attnum <> i.indkey[0] AND c.relname = ANY(%s)",
            (workspace_tables,),
        ).fetchall()
    )

    assert unique == {("api_key", "api_key_public_id")}


def test_t06_b7_5_every_reference_between_workspace_tables_begins_with_the_workspace(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    references = superuser.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text,"
        " (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]),"
        " (SELECT attname FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1])"
        " FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
    ).fetchall()

    assert len(references) >= 17
    for table, target, column, target_column in references:
        if target == "person" or table in SIGNING_IN | JOBS | UNUSED:
            continue
        expected = "id" if target == "workspace" else "workspace_id"
        assert (column, target_column) == ("workspace_id", expected), (table, target)


def test_the_policy_file_names_every_table(workspace_tables: list[str]) -> None:
    text = files("portero.store").joinpath("sql", "policies.sql").read_text()
    rows = re.findall(r"^ +\('(\w+)', +'.*(?:'every'|'listed'), +", text, re.MULTILINE)
    listed = set(rows)
    parents = {name for name in workspace_tables if not re.match(r"record_(2|default)", name)}

    assert listed == parents | {"workspace"}
