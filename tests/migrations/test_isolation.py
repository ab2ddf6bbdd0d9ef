"""Two workspaces in one database, and every known way to look over the wall (B7, T01 to T07)."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from databases import Database, count, insert
from portero.project.logins import Login
from two_workspaces import NOW, A, B, furnish, id_of

UNREADABLE = {"credential", "meta_app"}  # by the app: write-only


def enter(connection: psycopg.Connection, workspace: UUID) -> None:
    connection.execute("SELECT set_config('portero.workspace', %s, true)", (str(workspace),))


def list_for_batch(connection: psycopg.Connection, *workspaces: UUID) -> None:
    listed = ",".join(map(str, workspaces))
    connection.execute("SELECT set_config('portero.workspaces', %s, true)", (listed,))


def parents(tables: list[str]) -> list[str]:
    return [name for name in tables if not name.startswith(("record_2", "record_default"))]


def test_every_table_holds_a_row_of_both_workspaces(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    """Without rows the other tests would see nothing and be content."""
    for table in parents(workspace_tables):
        assert count(superuser, table) >= 2, table


def test_t02_the_app_sees_its_own_workspace_only_without_any_filter(
    two: Database, workspace_tables: list[str]
) -> None:
    readable = [name for name in parents(workspace_tables) if name not in UNREADABLE]
    for workspace in (A, B):
        with psycopg.connect(two.dsn("app")) as connection:
            enter(connection, workspace)
            for table in readable:
                rows = connection.execute(
                    sql.SQL("SELECT DISTINCT workspace_id FROM {}").format(sql.Identifier(table))
                ).fetchall()
                assert rows == [(workspace,)], table
            assert connection.execute("SELECT id FROM workspace").fetchall() == [(workspace,)]


def test_t02_without_a_workspace_the_app_sees_nothing(
    two: Database, workspace_tables: list[str]
) -> None:
    with psycopg.connect(two.dsn("app"), autocommit=True) as connection:
        for table in parents(workspace_tables):
            if table not in UNREADABLE:
                assert count(connection, table) == 0, table


def test_t02_control_without_row_level_security_the_same_queries_see_both(
    two: Database, superuser: psycopg.Connection
) -> None:
    """The wall is what stops them: with it down, they would see."""
    superuser.execute("ALTER TABLE principal DISABLE ROW LEVEL SECURITY")
    superuser.execute("SET LOCAL ROLE portero_app")
    enter(superuser, A)

    rows = superuser.execute("SELECT DISTINCT workspace_id FROM principal ORDER BY 1").fetchall()

    assert rows == [(A,), (B,)]


def test_b7_1_the_owner_sees_nothing_because_it_is_forced(
    two: Database, workspace_tables: list[str]
) -> None:
    with psycopg.connect(two.dsn("migrate")) as connection:
        connection.execute("SET ROLE portero_owner")
        for table in [*workspace_tables, "workspace"]:
            assert count(connection, table) == 0, table

        connection.execute("ALTER TABLE principal NO FORCE ROW LEVEL SECURITY")
        assert count(connection, "principal") == 6
        connection.rollback()


def test_b7_2_after_a_transaction_with_a_workspace_the_next_without_one_sees_nothing(
    two: Database,
) -> None:
    """The setting reads '' then, not NULL: a plain cast would raise."""
    with psycopg.connect(two.dsn("app"), autocommit=True) as connection:
        with connection.transaction():
            enter(connection, A)
            assert count(connection, "principal") == 3

        left = connection.execute("SELECT current_setting('portero.workspace', true)").fetchone()
        assert left == ("",)
        assert count(connection, "principal") == 0


def test_b7_2_a_workspace_that_is_no_uuid_is_an_error_not_everything(two: Database) -> None:
    with psycopg.connect(two.dsn("app")) as connection:
        connection.execute("SELECT set_config('portero.workspace', 'all', true)")

        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            count(connection, "principal")


def test_b7_3_t03_a_local_setting_never_reaches_the_next_client_of_a_pooled_connection(
    two: Database,
) -> None:
    """A pool of one connection, two clients taking turns, as a transaction pooler serves them."""
    with psycopg.connect(two.dsn("app"), autocommit=True) as pooled:
        for turn in range(1000):
            workspace = A if turn % 2 else B
            with pooled.transaction():
                enter(pooled, workspace)
                seen = pooled.execute("SELECT DISTINCT workspace_id FROM principal").fetchall()
            assert seen == [(workspace,)]
            assert pooled.execute("SELECT count(*) FROM principal").fetchone() == (0,)


def test_b7_3_control_a_session_setting_does_leak_to_the_next_client(two: Database) -> None:
    """Why nothing of ours may use SET: this is what the local setting protects from."""
    with psycopg.connect(two.dsn("app"), autocommit=True) as pooled:
        with pooled.transaction():
            pooled.execute(sql.SQL("SET portero.workspace = {}").format(sql.Literal(str(A))))

        assert count(pooled, "principal") == 3


def test_b7_5_t06_a_reference_to_another_workspaces_row_is_refused(two: Database) -> None:
    with psycopg.connect(two.dsn("app")) as connection:
        enter(connection, A)

        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            insert(
                connection,
                "team_member",
                {
                    "workspace_id": A,
                    "team_id": id_of(A, "team"),
                    "principal_id": id_of(B, "person"),
                },
            )


def test_b7_5_t07_the_same_value_as_another_workspaces_is_accepted(two: Database) -> None:
    """Both have a number of Meta id 2, a contact of one phone number and one webhook event."""
    with psycopg.connect(two.dsn()) as connection:
        for table, column in (
            ("number", "meta_id"),
            ("contact_identity", "digest"),
            ("webhook_event", "digest"),
        ):
            rows = connection.execute(
                sql.SQL("SELECT count(*), count(DISTINCT {}) FROM {}").format(
                    sql.Identifier(column), sql.Identifier(table)
                )
            ).fetchone()
            assert rows == (2, 1), table


@pytest.mark.parametrize("login", ["app", "gateway", "log"])
def test_b7_5_truncate_is_refused(two: Database, login: Login, workspace_tables: list[str]) -> None:
    for table in workspace_tables:
        with (
            psycopg.connect(two.dsn(login), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))


@pytest.mark.parametrize("login", ["app", "gateway", "log"])
def test_b7_5_a_partition_cannot_be_read_around_its_parent(
    two: Database, login: Login, workspace_tables: list[str]
) -> None:
    partitions = [n for n in workspace_tables if n.startswith(("record_2", "record_default"))]
    assert partitions
    with psycopg.connect(two.dsn(login), autocommit=True) as connection:
        for partition in partitions:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                count(connection, partition)


def test_b7_5_a_partition_granted_by_mistake_still_shows_nothing(
    superuser: psycopg.Connection, workspace_tables: list[str]
) -> None:
    partitions = [n for n in workspace_tables if n.startswith(("record_2", "record_default"))]
    for partition in partitions:
        superuser.execute(
            sql.SQL("GRANT SELECT ON {} TO portero_app").format(sql.Identifier(partition))
        )
    superuser.execute("SET LOCAL ROLE portero_app")
    enter(superuser, A)

    assert sum(count(superuser, partition) for partition in partitions) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE principal DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE principal NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY app ON principal",
        "CREATE POLICY more ON principal USING (true)",
        "SET ROLE portero_owner",
        "SET SESSION AUTHORIZATION portero_owner",
        "SET row_security = off; SELECT * FROM principal",
        "ALTER ROLE portero_app BYPASSRLS",
    ],
)
def test_t05_the_app_cannot_take_the_wall_down(two: Database, statement: LiteralString) -> None:
    with (
        psycopg.connect(two.dsn("app"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_t05_the_app_cannot_give_itself_what_it_was_not_given(two: Database) -> None:
    with psycopg.connect(two.dsn("app"), autocommit=True) as connection:
        connection.execute("GRANT SELECT ON credential TO portero_app")  # a warning, no effect

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            count(connection, "credential")


def test_t01_the_app_cannot_write_into_another_workspace(two: Database) -> None:
    row = {"workspace_id": B, "id": id_of(A, "new"), "kind": "team", "name": "planted"}
    with psycopg.connect(two.dsn("app")) as connection:
        enter(connection, A)

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(connection, "principal", row)


def test_t01_the_app_cannot_move_or_change_another_workspaces_rows(two: Database) -> None:
    with psycopg.connect(two.dsn("app")) as connection:
        enter(connection, A)

        changed = connection.execute(
            "UPDATE principal SET name = 'x' WHERE workspace_id = %s", (B,)
        )
        deleted = connection.execute("DELETE FROM resource WHERE workspace_id = %s", (B,))

        assert (changed.rowcount, deleted.rowcount) == (0, 0)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE principal SET workspace_id = %s", (B,))


def test_b6_2_the_app_can_store_a_credential_and_not_read_it(two: Database) -> None:
    row = dict(next(row for table, row in furnish(A) if table == "credential"))
    with psycopg.connect(two.dsn("app")) as connection:
        enter(connection, A)
        insert(connection, "credential", {**row, "id": id_of(A, "second")})

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            count(connection, "credential")


UNREAD = {"outbox", "stream_ticket"}  # the one it only writes, the other is none of its business
EVERYWHERE = {"workspace", "policy_head", "api_key", "meta_app", "waba"}


def test_t01_the_gateway_finds_only_what_names_a_workspace_in_all_of_them(
    two: Database, workspace_tables: list[str]
) -> None:
    with psycopg.connect(two.dsn("gateway"), autocommit=True) as connection:
        for table in [*parents(workspace_tables), "workspace"]:
            if table in UNREAD:
                continue
            assert (count(connection, table) > 0) is (table in EVERYWHERE), table


def test_t01_the_gateway_sees_the_workspaces_of_its_batch(
    two: Database, workspace_tables: list[str]
) -> None:
    with psycopg.connect(two.dsn("gateway")) as connection:
        list_for_batch(connection, A)
        for table in set(parents(workspace_tables)) - EVERYWHERE - UNREAD:
            rows = connection.execute(
                sql.SQL("SELECT DISTINCT workspace_id FROM {}").format(sql.Identifier(table))
            ).fetchall()
            assert rows == [(A,)], table


def test_t01_the_gateway_writes_to_the_workspaces_of_its_batch_only(two: Database) -> None:
    with psycopg.connect(two.dsn("gateway")) as connection:
        list_for_batch(connection, A)
        insert(connection, "contact", {"workspace_id": A, "id": id_of(A, "another")})

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(connection, "contact", {"workspace_id": B, "id": id_of(B, "another")})


def test_t01_the_gateway_cannot_change_a_key_of_a_workspace_it_did_not_list(two: Database) -> None:
    with psycopg.connect(two.dsn("gateway")) as connection:
        list_for_batch(connection, A)

        changed = connection.execute("UPDATE api_key SET last_used_at = %s", (NOW,))

        assert changed.rowcount == 1


def test_b7_7_the_log_role_numbers_records_of_all_workspaces_and_sees_nothing_else(
    two: Database, workspace_tables: list[str]
) -> None:
    with psycopg.connect(two.dsn("log"), autocommit=True) as connection:
        for table in [*parents(workspace_tables), "person"]:
            if table in {"record", "record_leaf"}:
                assert count(connection, table) == 2
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                count(connection, table)
        assert count(connection, "workspace") == 2


def test_b7_7_the_log_role_keeps_months_ready_without_owning_the_table(two: Database) -> None:
    with psycopg.connect(two.dsn("log")) as connection:
        made = connection.execute("SELECT create_record_partitions(15)").fetchone()
        connection.rollback()

    assert made == (2,)


def test_a_record_falls_into_the_partition_of_its_month(superuser: psycopg.Connection) -> None:
    rows = superuser.execute(
        "SELECT DISTINCT tableoid::regclass::text FROM record WHERE at = %s", (NOW,)
    ).fetchall()

    assert rows == [("record_2026_11",)]
