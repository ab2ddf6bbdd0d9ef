"""Rows to rules: what both drivers load is the same, and what cannot be read takes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from psycopg import sql

from databases import Database, insert
from portero import engine
from portero.engine import Conditions, Hours, Reach, Scope
from portero.store import policy, rules
from portero.store.ids import uuid7
from portero.store.listed import Connection, in_workspace
from portero.store.policy import LoadedPolicy

WORKSPACE = UUID("0197a3a0-0000-7000-8000-00000000000a")
ANA, BETO, TEAM, ROLE, BINDING, GUARDRAIL, LIMIT, KEY = (
    UUID(f"0197a3a0-0000-7000-8000-0000000000{number:02d}") for number in range(8)
)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def furnished(database: Database) -> Database:
    """A workspace with one of everything, written by a superuser."""
    in_force = {"workspace_id": WORKSPACE, "valid_from": 1}
    with psycopg.connect(database.dsn(), autocommit=True) as connection:
        for table, row in (
            ("workspace", {"id": WORKSPACE, "name": "A", "timezone": "America/Bogota"}),
            ("policy_head", {"workspace_id": WORKSPACE, "version": 7}),
            ("principal", _principal(ANA, "person", owner=True)),
            ("principal", _principal(BETO, "service_account")),
            ("principal", _principal(TEAM, "team")),
            ("team_member", {"workspace_id": WORKSPACE, "team_id": TEAM, "principal_id": BETO}),
            ("role", {"workspace_id": WORKSPACE, "id": ROLE, "name": "Sender"}),
            (
                "role_version",
                {**in_force, "id": uuid7(), "role_id": ROLE, "cells": {"send:text": "queue"}},
            ),
            (
                "binding",
                {
                    **in_force,
                    "id": BINDING,
                    "principal_id": TEAM,
                    "role_id": ROLE,
                    "scope": {"numbers": ["1", "2"], "countries": ["MX"]},
                    "conditions": {
                        "hours": [{"days": [0, 4], "start": 540, "end": 1080}],
                        "networks": ["10.0.0.0/8"],
                        "fresh_factor_s": 300,
                    },
                    "until": NOON,
                    "reason": "season",
                },
            ),
            (
                "guardrail",
                {
                    **in_force,
                    "id": GUARDRAIL,
                    "name": "No text",
                    "kind": "deny",
                    "body": {"permissions": ["send:text"], "scope": {"numbers": ["3"]}},
                },
            ),
            (
                "usage_limit",
                {
                    **in_force,
                    "id": LIMIT,
                    "holder_kind": "key",
                    "holder_id": KEY,
                    "metric": "messages",
                    "per": "day",
                    "amount": 5,
                    "permissions": ["send:text"],
                },
            ),
            ("api_key", _key(KEY, {"numbers": ["1"]})),
        ):
            insert(connection, table, row)  # fmt: skip
    return database


def _principal(principal: UUID, kind: str, **more: object) -> dict[str, object]:
    return {"workspace_id": WORKSPACE, "id": principal, "kind": kind, "name": kind, **more}


def _key(key: UUID, scope: object) -> dict[str, object]:
    return {
        "workspace_id": WORKSPACE, "id": key, "public_id": "abcdefghijkl", "kind": "svc",
        "principal_id": BETO, "name": "bot", "digest": b"d" * 32, "pepper_version": 1,
        "role_id": ROLE, "scope": scope, "conditions": {}, "expires_at": NOON,
    }  # fmt: skip


def load_as_gateway(database: Database, workspace: UUID = WORKSPACE) -> LoadedPolicy:
    return load_while(database, lambda: None, workspace)


def load_while(
    database: Database, interfere: Callable[[], None], workspace: UUID = WORKSPACE
) -> LoadedPolicy:
    """Load as a gateway does, while something happens between the first query and the second."""

    async def load() -> LoadedPolicy:
        async with (
            asyncpg.create_pool(database.dsn("gateway"), min_size=1) as pool,
            in_workspace(pool, workspace, readonly=True) as connection,
        ):
            return await policy.load_policy(Interrupted(connection, interfere), workspace)

    return asyncio.run(load())


def test_a_policy_is_loaded_whole(furnished: Database) -> None:
    loaded = load_as_gateway(furnished)

    assert loaded.timezone == "America/Bogota"
    assert (loaded.policy.workspace, loaded.policy.version) == (str(WORKSPACE), 7)
    people = {principal.id: principal for principal in loaded.policy.principals}
    assert people[str(ANA)].owner
    assert people[str(BETO)].teams == {str(TEAM)}
    assert loaded.policy.roles == (engine.Role(str(ROLE), "Sender", {"send:text": Reach.QUEUE}),)
    assert tuple(loaded.policy.bindings) == (
        engine.Binding(
            str(BINDING),
            str(TEAM),
            str(ROLE),
            Scope(numbers=frozenset({"1", "2"}), countries=frozenset({"MX"})),
            Conditions(
                hours=(Hours(frozenset({0, 4}), 540, 1080),),
                networks=("10.0.0.0/8",),
                fresh_factor_s=300,
            ),
            until=NOON.timestamp(),
            reason="season",
        ),
    )
    (guardrail,) = loaded.policy.guardrails
    assert guardrail.scope == Scope(numbers=frozenset({"3"}))
    (limit,) = loaded.policy.limits
    assert (limit.holder, limit.amount, limit.permissions) == (str(KEY), 5, {"send:text"})
    (credential,) = loaded.policy.credentials
    assert credential.scope == Scope(numbers=frozenset({"1"}))
    assert (credential.active, credential.until) == (True, NOON.timestamp())
    key = loaded.keys["abcdefghijkl"]
    assert (key.id, key.principal, key.digest, key.pepper_version) == (
        str(KEY), str(BETO), b"d" * 32, 1,
    )  # fmt: skip


def test_both_drivers_load_the_same(furnished: Database) -> None:
    with psycopg.connect(furnished.dsn("app")) as connection:
        connection.execute("SELECT set_config('portero.workspace', %s, true)", (str(WORKSPACE),))
        by_psycopg = policy.load_policy_locked(connection, WORKSPACE)

    assert by_psycopg == load_as_gateway(furnished)


def test_t01_the_app_loads_no_policy_of_another_workspace(furnished: Database) -> None:
    with psycopg.connect(furnished.dsn("app")) as connection:
        connection.execute("SELECT set_config('portero.workspace', %s, true)", (str(uuid7()),))

        with pytest.raises(policy.NoPolicy):
            policy.load_policy_locked(connection, WORKSPACE)


def test_rules_that_ended_and_teams_that_are_off_are_not_loaded(furnished: Database) -> None:
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        for table in ("binding", "guardrail", "usage_limit", "role_version"):
            statement = sql.SQL("UPDATE {} SET valid_to = 7").format(sql.Identifier(table))
            connection.execute(statement)
        connection.execute("UPDATE principal SET active = false WHERE kind = 'team'")

    loaded = load_as_gateway(furnished).policy

    assert (loaded.roles, loaded.guardrails, loaded.limits) == ((), (), ())
    assert len(loaded.bindings) == 0
    assert all(principal.teams == frozenset() for principal in loaded.principals)


def test_a_suspended_workspace_has_no_active_principal(furnished: Database) -> None:
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("UPDATE workspace SET suspended = true")

    assert not any(principal.active for principal in load_as_gateway(furnished).policy.principals)


@pytest.mark.parametrize(
    ("since", "until", "read"),
    [
        (None, None, (None, None)),
        ("2026-11-25 12:00:00.123457+00", None, (NOON.timestamp() + 0.123457, None)),
        ("1969-12-31 23:59:59+00", "1999-01-01 00:00:00+00", (-1.0, 915148800.0)),
        ("-infinity", "infinity", (None, None)),
        ("infinity", "-infinity", (float("inf"), float("-inf"))),
    ],
)
def test_dates_are_read_to_the_microsecond_and_an_infinite_one_as_it_is(
    furnished: Database, since: str | None, until: str | None, read: object
) -> None:
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("UPDATE binding SET since = %s, until = %s", (since, until))

    (binding,) = load_as_gateway(furnished).policy.bindings

    assert (binding.since, binding.until) == read


def test_a_binding_to_a_role_without_a_version_gives_nothing(furnished: Database) -> None:
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("UPDATE role_version SET valid_to = 7")

    loaded = load_as_gateway(furnished).policy

    assert loaded.roles == ()
    assert [binding.role for binding in loaded.bindings] == [str(ROLE)]


def test_people_whose_ids_end_alike_are_told_apart(furnished: Database) -> None:
    alike = [UUID(int=n << 80 | 7 << 76 | ANA.int % (1 << 64)) for n in (1, 2, 3)]
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        for person in alike:
            insert(connection, "principal", _principal(person, "person"))
        for person in alike[:2]:
            row = {"id": uuid7(), "principal_id": person, "role_id": ROLE, "reason": ""}
            where = {"workspace_id": WORKSPACE, "valid_from": 1, "scope": {}, "conditions": {}}
            insert(connection, "binding", {**row, **where})

    bindings = load_as_gateway(furnished).policy.bindings

    assert isinstance(bindings, engine.Bindings)
    assert [len(bindings.of(str(person))) for person in alike] == [1, 1, 0]
    assert sorted(b.principal for b in bindings) == sorted(map(str, [*alike[:2], TEAM]))


def test_many_bindings_with_much_in_common_are_each_read(furnished: Database) -> None:
    scopes = [{}, {"numbers": ["1"]}, {"numbers": ["1", "2"]}]
    wanted = set()
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("DELETE FROM binding")
        for n in range(60):
            row = {
                "id": uuid7(),
                "principal_id": (ANA, BETO, TEAM)[n % 3],
                "role_id": ROLE,
                "scope": scopes[n % 7 % 3],
                "conditions": {"fresh_factor_s": 60} if n % 5 == 0 else {},
                "until": datetime.fromtimestamp(1_800_000_000 + n, UTC) if n % 2 else None,
                "reason": "season" if n % 11 == 0 else "",
            }
            insert(connection, "binding", {"workspace_id": WORKSPACE, "valid_from": 1, **row})
            wanted.add(
                engine.Binding(
                    str(row["id"]),
                    str(row["principal_id"]),
                    str(ROLE),
                    rules.read_scope(json.dumps(row["scope"])),
                    rules.read_conditions(json.dumps(row["conditions"])),
                    until=1_800_000_000.0 + n if n % 2 else None,
                    reason=str(row["reason"]),
                )
            )

    bindings = load_as_gateway(furnished).policy.bindings

    assert set(bindings) == wanted
    assert len(bindings) == 60


@pytest.mark.parametrize(
    "malformed", [[], "x", None, {"planets": ["earth"]}, {"numbers": "1"}, {"numbers": [1]}]
)
def test_i7_a_rule_that_does_not_read_takes_away(furnished: Database, malformed: object) -> None:
    text = json.dumps(malformed)
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("UPDATE binding SET scope = %s", (text,))
        connection.execute("UPDATE api_key SET scope = %s", (text,))
        connection.execute("UPDATE guardrail SET body = %s", (text,))

    loaded = load_as_gateway(furnished).policy

    assert len(loaded.bindings) == 0
    assert not loaded.credentials[0].active
    (guardrail,) = loaded.guardrails
    assert guardrail.kind is engine.GuardrailKind.DENY
    assert guardrail.scope == Scope()
    assert guardrail.permissions == frozenset(engine.PERMISSIONS)


@pytest.mark.parametrize("malformed", [["all"], {}, 4, True, None, "ALL", "everything"])
def test_i7_a_cell_that_does_not_read_gives_nothing(furnished: Database, malformed: object) -> None:
    cells = json.dumps({"send:text": malformed, "send:image": "all"})
    with psycopg.connect(furnished.dsn(), autocommit=True) as connection:
        connection.execute("UPDATE role_version SET cells = %s", (cells,))

    [role] = load_as_gateway(furnished).policy.roles

    assert role.cells == {"send:image": Reach.ALL}


def test_the_queries_are_one_state_although_the_policy_moves_between_them(
    furnished: Database,
) -> None:
    """The head is read first; a change committed after it must not show in the later queries."""

    def interfere() -> None:
        with psycopg.connect(furnished.dsn(), autocommit=True) as other:
            other.execute("UPDATE binding SET valid_to = 8")
            other.execute("UPDATE policy_head SET version = 8")

    loaded = load_while(furnished, interfere)

    assert loaded.policy.version == 7
    assert len(loaded.policy.bindings) == 1


class Interrupted:
    """A connection on which something happens between the first query and the second."""

    def __init__(self, connection: Connection, interfere: Callable[[], None]):
        self._connection = connection
        self._interfere = interfere
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        self._asked += 1
        if self._asked == 2:
            self._interfere()
        return await self._connection.fetch(query, *arguments)


def test_scopes_and_conditions_read_as_they_were_written() -> None:
    scope = Scope(numbers=frozenset({"2", "1"}), labels=frozenset())
    conditions = Conditions(
        hours=(Hours(frozenset({6, 0}), 1320, 360),), networks=("::1/128",), fresh_factor_s=60
    )

    assert rules.read_scope(json.dumps(rules.write_scope(scope))) == scope
    assert rules.read_conditions(json.dumps(rules.write_conditions(conditions))) == conditions
    assert rules.write_scope(Scope()) == {}
    assert rules.write_conditions(Conditions()) == {}
