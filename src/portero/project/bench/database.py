"""A PostgreSQL of the benchmark's own: made, filled, measured and thrown away."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from portero.engine import Policy, Principal, PrincipalKind
from portero.project.migrate import migrate
from portero.project.postgres import Cluster
from portero.store.ids import uuid7
from portero.store.rules import write_conditions, write_scope
from portero.store.sealing import KeyRing
from portero.store.workspace_keys import PURPOSES, wrap_new_keys

DATABASE = "bench"


@contextmanager
def server() -> Iterator[Cluster]:
    """Run a server with our tables, in a folder that goes with it."""
    state = Path(tempfile.mkdtemp(prefix="portero-bench-"))
    state.chmod(0o755)  # the server's own account passes through
    cluster = Cluster(state)
    try:
        cluster.start()
        cluster.create_database(DATABASE)
        migrate(cluster.dsn("migrate", DATABASE))
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(state)


def write_policy(dsn: str, policy: Policy, kek: KeyRing) -> None:
    """Write a workspace's keys, and roles, people, teams and bindings, by a superuser's login."""
    workspace = UUID(policy.workspace)
    with psycopg.connect(dsn, autocommit=True) as connection:
        copy = Copying(connection, workspace)
        connection.execute("INSERT INTO workspace (id, name) VALUES (%s, 'Crowd')", [workspace])
        keys = wrap_new_keys(kek, workspace, [uuid7() for _ in PURPOSES])
        copy.rows("workspace_key", ("id", "purpose", "wrapped", "version"), [(*k, 1) for k in keys])
        copy.rows("policy_head", ("version",), [(policy.version,)])
        copy.rows("principal", ("id", "kind", "name"), map(_principal, policy.principals))
        copy_rules(copy, policy, version=1)
        connection.execute("VACUUM ANALYZE")


def copy_rules(copy: Copying, policy: Policy, *, version: int) -> None:
    """Teams' members, roles and bindings, in force from a version of the policy on."""
    people = (p for p in policy.principals if p.kind is not PrincipalKind.TEAM)
    copy.rows(
        "team_member",
        ("team_id", "principal_id"),
        ((team, person.id) for person in people for team in person.teams),
    )
    copy.rows("role", ("id", "name"), ((role.id, role.name) for role in policy.roles))
    versions = ("id", "role_id", "cells", "valid_from")
    copy.rows("role_version", versions, _role_versions(policy, version))
    copy.rows("binding", _BINDING, _binding_rows(policy, version))


_BINDING = (
    "id", "principal_id", "role_id", "scope", "conditions", "since", "until", "reason", "valid_from",
)  # fmt: skip


class Copying:
    """Copies rows of one workspace."""

    def __init__(self, connection: psycopg.Connection[Any], workspace: UUID) -> None:
        self._connection = connection
        self._workspace = workspace

    def rows(self, table: str, columns: tuple[str, ...], rows: Any) -> None:
        named = sql.SQL(", ").join(map(sql.Identifier, ("workspace_id", *columns)))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), named)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row((self._workspace, *row))


def _principal(principal: Principal) -> tuple[object, ...]:
    return principal.id, str(principal.kind), principal.name


def _role_versions(policy: Policy, version: int) -> Iterator[tuple[object, ...]]:
    for role in policy.roles:
        cells = {permission: reach.name.lower() for permission, reach in role.cells.items()}
        yield role.id, role.id, json.dumps(cells), version


def _binding_rows(policy: Policy, version: int) -> Iterator[tuple[object, ...]]:
    for binding in policy.bindings:
        yield (
            binding.id,
            binding.principal,
            binding.role,
            json.dumps(write_scope(binding.scope)),
            json.dumps(write_conditions(binding.conditions)),
            _moment(binding.since),
            _moment(binding.until),
            binding.reason,
            version,
        )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
