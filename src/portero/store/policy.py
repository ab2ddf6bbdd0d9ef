"""A workspace's policy at its head: rows of either driver to the engine's data.

What cannot be read takes away: a malformed binding grants nothing, a malformed guardrail denies
everything, a malformed key is inactive.
"""

from __future__ import annotations

import gc
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from math import copysign, inf
from operator import attrgetter
from typing import Any, Protocol
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

from portero.engine import (
    PERMISSIONS,
    Binding,
    Bindings,
    Columns,
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
    Terms,
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
        SELECT head.version, head.people, workspace.timezone, workspace.suspended,
               (SELECT coalesce(json_agg(role), '[]') FROM (
                    SELECT role.id, role.name, version.cells::text
                      FROM role LEFT JOIN role_version AS version
                        ON version.workspace_id = role.workspace_id AND version.role_id = role.id
                       AND version.valid_to IS NULL
                     WHERE role.workspace_id = $1) AS role)::text AS roles,
               (SELECT coalesce(json_agg(rule), '[]') FROM (
                    SELECT id, name, kind, body::text
                      FROM guardrail WHERE workspace_id = $1 AND valid_to IS NULL) AS rule)::text AS guardrails,
               (SELECT coalesce(json_agg(rule), '[]') FROM (
                    SELECT id, holder_kind, coalesce(holder_id::text, '') AS holder, metric, per, amount,
                           permissions::text
                      FROM usage_limit WHERE workspace_id = $1 AND valid_to IS NULL) AS rule)::text AS limits,
               (SELECT coalesce(json_agg(key), '[]') FROM (
                    SELECT id, public_id, name, encode(digest, 'hex') AS digest, pepper_version,
                           principal_id AS principal, role_id AS role, scope::text, conditions::text,
                           permissions::text, counts_as, url_compatible, expires_at, revoked_at, disabled_reason
                      FROM api_key WHERE workspace_id = $1) AS key)::text AS keys
          FROM policy_head AS head JOIN workspace ON workspace.id = head.workspace_id
         WHERE head.workspace_id = $1
    """,
    "principals": """
        SELECT kind, active, owner, array_agg(id::text) AS ids, array_agg(name) AS names
          FROM (SELECT * FROM principal WHERE workspace_id = $1 ORDER BY id) AS principal
         GROUP BY kind, active, owner
    """,
    "members": """
        SELECT member.team_id::text AS team, string_agg(uuid_send(member.principal_id), ''::bytea) AS ids
          FROM team_member AS member
          JOIN principal AS team ON team.workspace_id = member.workspace_id AND team.id = member.team_id
         WHERE member.workspace_id = $1 AND team.active
         GROUP BY member.team_id ORDER BY member.team_id
    """,
    "bindings": """
        SELECT scope::text, conditions::text, reason,
               string_agg(uuid_send(id), ''::bytea) AS ids,
               string_agg(uuid_send(principal_id), ''::bytea) AS principals,
               string_agg(uuid_send(role_id), ''::bytea) AS roles,
               string_agg(timestamptz_send(since), ''::bytea) AS since,
               string_agg(timestamptz_send(until), ''::bytea) AS until
          FROM binding WHERE workspace_id = $1 AND valid_to IS NULL
         GROUP BY scope, conditions, reason, since IS NULL, until IS NULL
    """,
}
"""One parameter each, `$1` the workspace. All of them must see one state: see `load_policy`.

What there is little of comes with the head, as JSON: after a change every process reads it at once, and
a call that waits for it waits for as many round trips as there are queries.

There may be a hundred thousand people and a million bindings, of which many say the same: those come
as one row, with their ids end to end, for most of the time would go into making a row of each.
"""

_RULES = ("roles", "guardrails", "limits", "keys")
"""What comes with the head."""

_PEOPLE = ("principals", "members")
"""What is read again only when `policy_head.people` has moved, as triggers move it."""

_BINDINGS_SINCE = """
    SELECT id::text, principal_id::text AS principal, role_id::text AS role, scope::text,
           conditions::text, reason, timestamptz_send(since) AS since, timestamptz_send(until) AS until,
           false AS has_ended
      FROM binding WHERE workspace_id = $1 AND valid_from > $2 AND valid_to IS NULL
    UNION ALL
    SELECT id::text, '', '', '', '', '', NULL, NULL, true
      FROM binding WHERE workspace_id = $1 AND valid_to > $2 AND valid_from <= $2
"""

MOST_FOLLOWED = 1_000
"""Holders whose bindings have changed since the whole was loaded: beyond them it is loaded again."""

_ROOM = "SELECT set_config('work_mem', '256MB', true)"
"""Room for PostgreSQL to group a million bindings in: it sorts them on disk otherwise, for twice the time.

It takes what it needs of it, 72 MB for a million, and until the transaction ends.
"""


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
    """One state of a workspace: its rules, its time zone, its keys by public id.

    `people`: which state of its people this is; whoever has the same has the same principals.
    """

    policy: Policy
    timezone: str
    keys: Mapping[str, KeyRow]
    people: tuple[int, bool]


async def load_policy(
    connection: Connection, workspace: UUID, *, known: LoadedPolicy | None = None
) -> LoadedPolicy:
    """Load the policy at its head, inside `in_workspace(…, readonly=True)`. Raises NoPolicy.

    The queries see one state because that transaction is repeatable read. From what is `known`, an
    earlier state that was committed, only what has changed is read.
    """
    asking = _Asking(workspace, known)
    rows: dict[str, Sequence[Row]] = {}
    while (asked := asking.next(rows)) is not None:
        name, query, parameters = asked
        rows[name] = await connection.fetch(query, *parameters)
    return asking.answer(rows)


async def policy_rows(connection: Connection, workspace: UUID) -> Mapping[str, Sequence[Row]]:
    """Ask all of POLICY_QUERIES, as `load_policy` does without knowing any."""
    await connection.execute(_ROOM)
    return {
        name: await connection.fetch(query, workspace) for name, query in POLICY_QUERIES.items()
    }


def load_policy_locked(
    connection: psycopg.Connection[Any], workspace: UUID, *, known: LoadedPolicy | None = None
) -> LoadedPolicy:
    """Do as `load_policy` for psycopg, in the transaction of a caller who holds the lock."""
    asking = _Asking(workspace, known)
    rows: dict[str, Sequence[Row]] = {}
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        while (asked := asking.next(rows)) is not None:
            name, query, parameters = asked
            rows[name] = cursor.execute(query, list(parameters)).fetchall()
    return asking.answer(rows)


class _Asking:
    """Which queries are left to ask, given what the others have brought."""

    def __init__(self, workspace: UUID, known: LoadedPolicy | None) -> None:
        self._workspace = workspace
        self._known = known
        self._left: list[str] = ["head"]
        self._is_begun = False

    def next(self, rows: Mapping[str, Sequence[Row]]) -> tuple[str, str, tuple[object, ...]] | None:
        """A query with its parameters; None when all has been asked."""
        if not self._left and not self._is_begun:
            self._begin(rows)
        if not self._left:
            return None
        name = self._left.pop(0)
        if name == "room":
            return name, _ROOM, ()
        if name == "bindings" and self._known is not None:
            return name, _BINDINGS_SINCE, (self._workspace, self._known.policy.version)
        return name, POLICY_QUERIES[name], (self._workspace,)

    def _begin(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """With the head it is clear what there is to follow from, and what must be read."""
        self._is_begun = True
        if not rows["head"]:
            raise NoPolicy(str(self._workspace))
        known, head = self._known, rows["head"][0]
        if known is not None and (
            known.policy.version >= head["version"]
            or Bindings.among(known.policy.bindings).holders_changed > MOST_FOLLOWED
        ):
            known = self._known = None
        if known is None:
            self._left = ["room", *_PEOPLE, "bindings"]
        elif known.people == _people(head):
            self._left = ["bindings"]
        else:
            self._left = [*_PEOPLE, "bindings"]

    def answer(self, rows: Mapping[str, Sequence[Row]]) -> LoadedPolicy:
        if self._known is None:
            return policy_from_rows(self._workspace, rows)
        return _following(self._known, _opened(rows))


def _following(known: LoadedPolicy, rows: Mapping[str, Sequence[Row]]) -> LoadedPolicy:
    """What is known, with what has changed since. Parts that are the same stay the very objects."""
    head, before = rows["head"][0], known.policy
    changed, bindings = rows["bindings"], Bindings.among(before.bindings)
    ended = [bindings.find(row["id"]) for row in changed if row["has_ended"]]
    begun = list(_readable_bindings(row for row in changed if not row["has_ended"]))
    if changed:
        # What did not read was never there.
        bindings = bindings.changed(ended=[one for one in ended if one is not None], begun=begun)
    principals = before.principals
    if "principals" in rows:
        principals = _principals(rows["principals"], rows["members"], suspended=head["suspended"])
    return _loaded(before.workspace, rows, principals, bindings)


def _readable_bindings(rows: Iterable[Row]) -> Iterator[Binding]:
    for row in rows:
        try:
            scope, conditions = read_scope(row["scope"]), read_conditions(row["conditions"])
        except MalformedRule:
            continue
        [since], [until] = (
            _moments([row["since"]], [1], never=-inf),
            _moments([row["until"]], [1], never=inf),
        )
        yield Binding(
            row["id"],
            row["principal"],
            row["role"],
            scope,
            conditions,
            None if since == -inf else since,
            None if until == inf else until,
            row["reason"],
        )


def policy_from_rows(workspace: UUID, rows: Mapping[str, Sequence[Row]]) -> LoadedPolicy:
    """Make the policy of the answers to POLICY_QUERIES. Raises NoPolicy."""
    if not rows["head"]:
        raise NoPolicy(str(workspace))
    with _no_garbage():
        return _from_rows(workspace, _opened(rows))


def _opened(rows: Mapping[str, Sequence[Row]]) -> Mapping[str, Sequence[Row]]:
    """Put what came with the head beside the rest."""
    [head] = rows["head"]
    return {**rows, **{name: orjson.loads(head[name]) for name in _RULES}}


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Look for no cycles meanwhile: rules have none, and there may be a hundred thousand of them."""
    was_looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_looking:
            gc.enable()


def _from_rows(workspace: UUID, rows: Mapping[str, Sequence[Row]]) -> LoadedPolicy:
    suspended = rows["head"][0]["suspended"]
    principals = _principals(rows["principals"], rows["members"], suspended=suspended)
    bindings = _bindings(
        rows["bindings"],
        tuple(one.id for one in principals),
        tuple(row["id"] for row in rows["roles"]),
    )
    return _loaded(str(workspace), rows, principals, bindings)


def _loaded(
    workspace: str,
    rows: Mapping[str, Sequence[Row]],
    principals: tuple[Principal, ...],
    bindings: Bindings,
) -> LoadedPolicy:
    head = rows["head"][0]
    policy = Policy(
        workspace=workspace,
        version=head["version"],
        principals=principals,
        roles=tuple(_role(row) for row in rows["roles"] if row["cells"] is not None),
        bindings=bindings,
        guardrails=tuple(_guardrail(row) for row in rows["guardrails"]),
        limits=tuple(_limit(row) for row in rows["limits"]),
        credentials=tuple(_credential(row) for row in rows["keys"]),
    )
    keys = {row["public_id"]: _key(row) for row in rows["keys"]}
    return LoadedPolicy(policy, head["timezone"], keys, _people(head))


def _people(head: Row) -> tuple[int, bool]:
    return head["people"], head["suspended"]


def _principals(
    rows: Iterable[Row], members: Iterable[Row], *, suspended: bool
) -> tuple[Principal, ...]:
    """Make the principals, sorted by id. Whoever are in the same teams share one set of them."""
    teams = _teams(members)
    found = [
        Principal(id_, kind, name, teams.get(uuid, _NOWHERE), owner, active)
        for row in rows
        for kind, active in [(PrincipalKind(row["kind"]), row["active"] and not suspended)]
        for owner in [row["owner"]]
        for id_, name, uuid in zip(
            row["ids"], row["names"], _uuids([_bytes(row["ids"])]), strict=True
        )
    ]
    return tuple(sorted(found, key=attrgetter("id")))


def _teams(members: Iterable[Row]) -> Mapping[bytes, frozenset[str]]:
    """Find the teams of everybody who is in one."""
    teams: dict[bytes, frozenset[str]] = {}
    for row in members:
        team = row["team"]
        joined: dict[frozenset[str], frozenset[str]] = {}
        for id_ in _uuids([row["ids"]]):
            before = teams.get(id_, _NOWHERE)
            if before not in joined:
                joined[before] = before | {team}
            teams[id_] = joined[before]
    return teams


_NOWHERE: frozenset[str] = frozenset()


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


def _bindings(rows: Iterable[Row], principals: tuple[str, ...], roles: tuple[str, ...]) -> Bindings:
    """Lay the rows end to end. The principals are sorted, as columns want their holders."""
    readable = list(_readable(rows))
    counts = [len(row["ids"]) // _UUID for row, _ in readable]
    return Bindings.packed(
        Columns(
            ids=b"".join(row["ids"] for row, _ in readable),
            holders=principals,
            roles=roles,
            all_terms=tuple(terms for _, terms in readable),
            holder=_places(b"".join(row["principals"] for row, _ in readable), principals),
            role=_places(b"".join(row["roles"] for row, _ in readable), roles),
            terms=_repeated(range(len(readable)), counts),
            since=_moments((row["since"] for row, _ in readable), counts, never=-inf),
            until=_moments((row["until"] for row, _ in readable), counts, never=inf),
        )
    )


def _readable(rows: Iterable[Row]) -> Iterator[tuple[Row, Terms]]:
    for row in rows:
        try:
            scope, conditions = read_scope(row["scope"]), read_conditions(row["conditions"])
        except MalformedRule:
            continue
        yield row, Terms(scope, conditions, row["reason"])


_UUID = 16


def _places(ids: bytes, known: Sequence[str]) -> array[int]:
    """Find where each of many UUIDs, end to end, stands among those that are known.

    Half of a UUID is found in half the time, and will do where no two share it.
    """
    among = _bytes(known)
    halves = {half: place for place, half in enumerate(array("Q", among)[1::2])}
    if len(halves) == len(known):
        return array("I", [halves[half] for half in array("Q", ids)[1::2]])
    whole = {id_: place for place, id_ in enumerate(_uuids([among]))}
    return array("I", [whole[id_] for id_ in _uuids([ids])])


def _bytes(ids: Iterable[str]) -> bytes:
    return bytes.fromhex("".join(ids).replace("-", ""))


def _uuids(blobs: Iterable[bytes]) -> Iterator[bytes]:
    """Take apart the UUIDs that stand end to end."""
    return chain.from_iterable(struct.iter_unpack(f"{_UUID}s", b"".join(blobs)))


def _repeated(values: Iterable[int], counts: Iterable[int]) -> array[int]:
    found = array("I")
    for value, count in zip(values, counts, strict=True):
        found += array("I", [value]) * count
    return found


def _moments(blobs: Iterable[bytes | None], counts: Iterable[int], *, never: float) -> array[float]:
    """Read PostgreSQL's moments, microseconds since 2000, as seconds since 1970."""
    found = array("d")
    for blob, count in zip(blobs, counts, strict=True):
        if blob is None:
            found += array("d", [never]) * count
            continue
        found.extend(
            (microseconds + _FROM_1970_TO_2000) / 1e6
            if abs(microseconds) < _INFINITY
            else copysign(inf, microseconds)
            for (microseconds,) in struct.iter_unpack(">q", blob)
        )
    return found


_FROM_1970_TO_2000 = 946_684_800_000_000
_INFINITY = 2**63 - 1


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
        kept = row["permissions"]
        permissions = None if kept is None else read_names(orjson.loads(kept))
    except MalformedRule:
        return Credential(row["id"], row["principal"], active=False)
    return Credential(
        id=row["id"],
        principal=row["principal"],
        role=row["role"],
        scope=scope,
        conditions=conditions,
        until=datetime.fromisoformat(row["expires_at"]).timestamp(),
        active=active,
        permissions=permissions,
        counts_as=row["counts_as"],
    )


def _key(row: Row) -> KeyRow:
    revoked_at = row["revoked_at"]
    return KeyRow(
        id=row["id"],
        public_id=row["public_id"],
        name=row["name"],
        digest=bytes.fromhex(row["digest"]),
        pepper_version=row["pepper_version"],
        principal=row["principal"],
        url_compatible=row["url_compatible"],
        expires_at=datetime.fromisoformat(row["expires_at"]),
        revoked_at=None if revoked_at is None else datetime.fromisoformat(revoked_at),
        disabled_reason=row["disabled_reason"],
    )
