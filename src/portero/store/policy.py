"""A workspace's policy at its head: rows of either driver to the engine's data.

What cannot be read takes away: a malformed binding grants nothing, a malformed guardrail denies
everything, a malformed key is inactive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

from portero.engine import (
    PERMISSIONS,
    Binding,
    Credential,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Limit,
    Metric,
    Per,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
)
from portero.store.listed import Connection
from portero.store.rules import (
    MalformedRule,
    read_conditions,
    read_hours,
    read_integer,
    read_names,
    read_object,
    read_scope,
)


class Row(Protocol):
    """A row as either driver gives it. The queries turn ids and jsonb into text."""

    def __getitem__(self, column: str, /) -> Any: ...


_GUARDRAIL_KEYS = (
    "permissions", "scope", "principals", "fresh_factor_s", "networks", "hours", "threshold",
)  # fmt: skip

_REACHES = {reach.name.lower(): reach for reach in Reach}

POLICY_QUERIES: Mapping[str, str] = {
    "head": """
        SELECT head.version, workspace.timezone, workspace.suspended
          FROM policy_head AS head JOIN workspace ON workspace.id = head.workspace_id
         WHERE head.workspace_id = $1
    """,
    "principals": """
        SELECT id::text, kind, name, active, owner FROM principal WHERE workspace_id = $1
    """,
    "members": """
        SELECT member.team_id::text AS team, member.principal_id::text AS principal
          FROM team_member AS member
          JOIN principal AS team ON team.workspace_id = member.workspace_id AND team.id = member.team_id
         WHERE member.workspace_id = $1 AND team.active
    """,
    "roles": """
        SELECT role.id::text, role.name, version.cells::text
          FROM role JOIN role_version AS version
            ON version.workspace_id = role.workspace_id AND version.role_id = role.id
         WHERE role.workspace_id = $1 AND version.valid_to IS NULL
    """,
    "bindings": """
        SELECT id::text, principal_id::text AS principal, role_id::text AS role, scope::text,
               conditions::text, extract(epoch FROM since)::float8 AS since,
               extract(epoch FROM until)::float8 AS until, reason
          FROM binding WHERE workspace_id = $1 AND valid_to IS NULL
    """,
    "guardrails": """
        SELECT id::text, name, kind, body::text
          FROM guardrail WHERE workspace_id = $1 AND valid_to IS NULL
    """,
    "limits": """
        SELECT id::text, holder_kind, coalesce(holder_id::text, '') AS holder, metric, per, amount,
               permissions::text
          FROM usage_limit WHERE workspace_id = $1 AND valid_to IS NULL
    """,
    "keys": """
        SELECT id::text, public_id, name, digest, pepper_version, principal_id::text AS principal,
               role_id::text AS role, scope::text, conditions::text, url_compatible, expires_at,
               revoked_at, disabled_reason
          FROM api_key WHERE workspace_id = $1
    """,
}
"""One parameter each, `$1` the workspace. All of them must see one state: see `load_policy`."""


class NoPolicy(LookupError):
    """There is no such workspace, or this login may not see it."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the database has it. The engine sees it as the credential of the same id."""

    id: str
    public_id: str
    name: str
    digest: bytes
    pepper_version: int
    principal: str
    url_compatible: bool
    expires_at: datetime
    revoked_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """One state of a workspace: its rules, its time zone, its keys by public id."""

    policy: Policy
    timezone: str
    keys: Mapping[str, KeyRow]


async def load_policy(connection: Connection, workspace: UUID) -> LoadedPolicy:
    """Load the policy at its head, inside `in_workspace(…, readonly=True)`. Raises NoPolicy.

    The queries see one state because that transaction is repeatable read.
    """
    rows = {
        name: await connection.fetch(query, workspace) for name, query in POLICY_QUERIES.items()
    }
    return policy_from_rows(workspace, rows)


def load_policy_locked(connection: psycopg.Connection[Any], workspace: UUID) -> LoadedPolicy:
    """Do as `load_policy` for psycopg, in the transaction of a caller who holds the lock."""
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        rows = {
            name: cursor.execute(query, [workspace]).fetchall()
            for name, query in POLICY_QUERIES.items()
        }
    return policy_from_rows(workspace, rows)


def policy_from_rows(workspace: UUID, rows: Mapping[str, Sequence[Row]]) -> LoadedPolicy:
    """Make the policy of the answers to POLICY_QUERIES. Raises NoPolicy."""
    if not rows["head"]:
        raise NoPolicy(str(workspace))
    head = rows["head"][0]
    policy = Policy(
        workspace=str(workspace),
        version=head["version"],
        principals=_principals(rows["principals"], rows["members"], suspended=head["suspended"]),
        roles=tuple(_role(row) for row in rows["roles"]),
        bindings=tuple(_bindings(rows["bindings"])),
        guardrails=tuple(_guardrail(row) for row in rows["guardrails"]),
        limits=tuple(_limit(row) for row in rows["limits"]),
        credentials=tuple(_credential(row) for row in rows["keys"]),
    )
    return LoadedPolicy(
        policy, head["timezone"], {row["public_id"]: _key(row) for row in rows["keys"]}
    )


def _principals(
    rows: Iterable[Row], members: Iterable[Row], *, suspended: bool
) -> tuple[Principal, ...]:
    teams: dict[str, set[str]] = {}
    for member in members:
        teams.setdefault(member["principal"], set()).add(member["team"])
    return tuple(
        Principal(
            id=row["id"],
            kind=PrincipalKind(row["kind"]),
            name=row["name"],
            teams=frozenset(teams.get(row["id"], ())),
            owner=row["owner"],
            active=row["active"] and not suspended,
        )
        for row in rows
    )


def _role(row: Row) -> Role:
    """Read a role; a cell that does not read gives nothing."""
    cells = orjson.loads(row["cells"])
    readable = cells.items() if isinstance(cells, dict) else ()
    return Role(
        id=row["id"],
        name=row["name"],
        cells={
            permission: _REACHES[how]
            for permission, how in readable
            if isinstance(how, str) and how in _REACHES
        },
    )


def _bindings(rows: Iterable[Row]) -> Iterable[Binding]:
    for row in rows:
        try:
            scope, conditions = read_scope(row["scope"]), read_conditions(row["conditions"])
        except MalformedRule:
            continue
        yield Binding(
            row["id"], row["principal"], row["role"], scope, conditions,
            row["since"], row["until"], row["reason"],
        )  # fmt: skip


def _guardrail(row: Row) -> Guardrail:
    try:
        return _read_guardrail(row)
    except ValueError:
        everything = frozenset(PERMISSIONS)
        return Guardrail(row["id"], row["name"], GuardrailKind.DENY, everything)


def _read_guardrail(row: Row) -> Guardrail:
    body = read_object(row["body"], _GUARDRAIL_KEYS)
    return Guardrail(
        id=row["id"],
        name=row["name"],
        kind=GuardrailKind(row["kind"]),
        permissions=read_names(body.get("permissions")),
        scope=read_scope(orjson.dumps(body.get("scope", {}))),
        principals=read_names(body["principals"]) if "principals" in body else None,
        fresh_factor_s=read_integer(body["fresh_factor_s"]) if "fresh_factor_s" in body else None,
        networks=tuple(sorted(read_names(body["networks"]))) if "networks" in body else None,
        hours=read_hours(body["hours"]) if "hours" in body else None,
        threshold=read_integer(body["threshold"]) if "threshold" in body else None,
    )


def _limit(row: Row) -> Limit:
    """Read a limit; one whose permissions do not read counts whatever is asked."""
    try:
        text = row["permissions"]
        permissions = None if text is None else read_names(orjson.loads(text))
    except MalformedRule:
        permissions = None
    return Limit(
        id=row["id"],
        holder_kind=HolderKind(row["holder_kind"]),
        holder=row["holder"],
        metric=Metric(row["metric"]),
        per=Per(row["per"]),
        amount=row["amount"],
        permissions=permissions,
    )


def _credential(row: Row) -> Credential:
    active = row["revoked_at"] is None and row["disabled_reason"] is None
    try:
        scope, conditions = read_scope(row["scope"]), read_conditions(row["conditions"])
    except MalformedRule:
        return Credential(row["id"], row["principal"], active=False)
    return Credential(
        id=row["id"],
        principal=row["principal"],
        role=row["role"],
        scope=scope,
        conditions=conditions,
        until=row["expires_at"].timestamp(),
        active=active,
    )


def _key(row: Row) -> KeyRow:
    return KeyRow(
        id=row["id"],
        public_id=row["public_id"],
        name=row["name"],
        digest=bytes(row["digest"]),
        pepper_version=row["pepper_version"],
        principal=row["principal"],
        url_compatible=row["url_compatible"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        disabled_reason=row["disabled_reason"],
    )
