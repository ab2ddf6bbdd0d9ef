"""What the gateway knows of each workspace: policy, keys, numbers and sealed secrets, as one state.

A state is immutable and belongs to one policy version. It is read in one database snapshot,
from what is known of an earlier one, and replaced by reference when the head moves; nothing in it is
ever patched.
"""

import asyncio
import ctypes
import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from portero import engine
from portero.graphapi.kinds import Kind
from portero.graphapi.leaks import Needles, needles_of
from portero.graphapi.webhooks import Signer
from portero.store.limits import Take
from portero.store.listed import in_workspace
from portero.store.policy import KeyRow, LoadedPolicy, load_policy
from portero.store.presence import Presence
from portero.store.records import digest_of
from portero.store.registry import Resource
from portero.store.sealing import KeyRing
from portero.store.workspace_keys import WorkspaceKeys

T = TypeVar("T")
Row = Mapping[str, Any]

_HOLDER_WORDS = {
    engine.HolderKind.KEY: "key",
    engine.HolderKind.PRINCIPAL: "service account",
    engine.HolderKind.BINDING: "binding",
    engine.HolderKind.WORKSPACE: "workspace",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """One workspace at one policy version.

    Attributes:
        takes: id of a limit -> what a call that it counts takes of it.
        numbers: Meta id of each business number -> Meta id of its WABA.
        own: Meta id -> each of these numbers and accounts, as the registry has it.
        template_sets: template name -> ids of the sets it is in.
        names: id of a principal, role, guardrail, key, template set or number -> what people call it.
        tokens: Meta id of a WABA -> its sealed Meta token.
        app: the sealed secret of the Meta app, None when none is connected.
    """

    id: UUID
    version: int
    loaded: LoadedPolicy
    snapshot: engine.Snapshot
    zone: ZoneInfo
    keys: Mapping[str, KeyRow]
    takes: Mapping[str, Take]
    numbers: Mapping[str, str]
    own: Mapping[str, Resource]
    template_sets: Mapping[str, frozenset[str]]
    names: Mapping[str, str]
    secrets: WorkspaceKeys
    tokens: Mapping[str, "SealedValue"]
    app: "SealedValue | None"

    _opened: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)

    def token(self, waba: str | None) -> bytes:
        """The Meta token for an account, in clear: only to write the one outgoing header.

        Things above accounts, a business or an app, are asked with any of the workspace's tokens.
        """
        sealed = self.tokens.get(waba or "") or (
            None if waba else next(iter(self.tokens.values()), None)
        )
        if sealed is None:
            raise NoCredential(waba)
        return self._open("credential", "sealed", sealed)

    def app_secret(self) -> bytes | None:
        return None if self.app is None else self._open("meta_app", "app_secret", self.app)

    def signer(self) -> Signer | None:
        """What the Meta app signs its posts with; None without an app."""
        secret = self.app_secret()
        return None if secret is None else self._once("signer", lambda: Signer(secret))

    def proved_token(self, waba: str | None) -> tuple[bytes, str | None]:
        """The token for an account, and Meta's proof that its app sends it (B4.8), in hex.

        Without an app there is no proof.
        """
        return self._once(("proved", waba), lambda: self._proved(self.token(waba)))

    def _proved(self, token: bytes) -> tuple[bytes, str | None]:
        secret = self.app_secret()
        return token, None if secret is None else hmac.digest(secret, token, "sha256").hex()

    def digest_of(self, kind: str, value: str) -> str:
        """A thing as records name it; what is the workspace's own is worked out once."""
        if value not in self.own:
            return digest_of(self.secrets.digest_key(), kind, value)
        return self._once((kind, value), lambda: digest_of(self.secrets.digest_key(), kind, value))

    def never_shown(self) -> Needles:
        """Everything that must never stand in an answer, in every spelling."""
        return self._once("never shown", lambda: needles_of(self._all_secrets()))

    def _all_secrets(self) -> Iterator[bytes]:
        yield from (self._open("credential", "sealed", one) for one in self.tokens.values())
        if (secret := self.app_secret()) is not None:
            yield secret

    def _open(self, table: str, column: str, sealed: "SealedValue") -> bytes:
        return self._once(
            sealed.id, lambda: self.secrets.open(table, column, sealed.id, sealed.sealed)
        )

    def _once(self, name: object, work: Callable[[], T]) -> T:
        """Opened at first use and kept as long as the state: the keys that open it are, too."""
        try:
            found: T = self._opened[name]
        except KeyError:
            found = self._opened[name] = work()
        return found


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A secret as it is at rest."""

    id: UUID
    sealed: bytes = field(repr=False)


class NoCredential(Exception):
    """The workspace has no Meta token for the account a call is about."""


class Workspaces:
    """The states in use, each at the newest head this process knows of."""

    def __init__(self, *, pool: asyncpg.Pool, presence: Presence, kek: KeyRing) -> None:
        self._pool = pool
        self._presence = presence
        self._kek = kek
        self._states: dict[UUID, WorkspaceState] = {}
        self._loading: dict[UUID, asyncio.Task[WorkspaceState]] = {}
        self._workspace_of_key: dict[str, UUID] = {}
        self._moves = 0
        presence.when_moved(self._moved)

    async def of_key(self, public_id: str) -> WorkspaceState | None:
        """The workspace a key belongs to; None when no such key was ever made."""
        workspace = self._workspace_of_key.get(public_id)
        if workspace is None:
            row = await self._pool.fetchrow(_WORKSPACE_OF_KEY, public_id)
            if row is None:
                return None
            workspace = row["workspace_id"]
            self._presence.moved(workspace, row["version"])  # the key may be younger than our state
            self._workspace_of_key[public_id] = workspace  # a key never changes its workspace
        return await self.current(workspace)

    async def current(self, workspace: UUID) -> WorkspaceState:
        """The state at the newest known head; concurrent callers share one load."""
        while True:
            state = self._states.get(workspace)
            if state is not None and state.version >= self._presence.head(workspace):
                return state
            if workspace not in self._loading:
                self._begin_to_load(workspace)
            await asyncio.shield(self._loading[workspace])

    def moves(self) -> int | None:
        """How often a head has moved, of any workspace; None while nobody would tell us."""
        return self._moves if self._presence.alive() else None

    def _moved(self, workspace: UUID) -> None:
        self._moves += 1
        self._load_ahead(workspace)

    def _load_ahead(self, workspace: UUID) -> None:
        """Load what moved before the next call asks for it, so that a refusal is not waited for."""
        state = self._states.get(workspace)
        is_behind = state is not None and state.version < self._presence.head(workspace)
        if is_behind and workspace not in self._loading:
            self._begin_to_load(workspace)

    def _begin_to_load(self, workspace: UUID) -> None:
        task = asyncio.get_running_loop().create_task(self._load(workspace))
        self._loading[workspace] = task
        task.add_done_callback(partial(self._loaded, workspace))

    def _loaded(self, workspace: UUID, task: asyncio.Task[WorkspaceState]) -> None:
        self._loading.pop(workspace, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            # Whoever waits is told; the next call tries again.
            logger.warning("a policy could not be loaded: %s", type(error).__name__)
        else:
            self._load_ahead(workspace)  # it may have moved meanwhile

    async def _load(self, workspace: UUID) -> WorkspaceState:
        known = self._states.get(workspace)
        async with in_workspace(self._pool, workspace, readonly=True) as connection:
            loaded = await load_policy(
                connection, workspace, known=known.loaded if known is not None else None
            )
            rest = await connection.fetchrow(_REST, workspace)
        assert rest is not None  # noqa: S101 - without a FROM there is one row
        numbers, members, tokens, apps, wrapped = map(orjson.loads, rest)
        sets: dict[str, set[str]] = {}
        for row in members:
            sets.setdefault(row["template_name"], set()).add(row["set_id"])
        state = WorkspaceState(
            id=workspace,
            version=loaded.policy.version,
            loaded=loaded,
            snapshot=engine.compile_policy(
                loaded.policy, after=known.snapshot if known is not None else None
            ),
            zone=ZoneInfo(loaded.timezone),
            keys=loaded.keys,
            takes={limit.id: _take(limit) for limit in loaded.policy.limits},
            numbers={row["number"]: row["waba"] for row in numbers},
            own=_own(workspace, numbers),
            template_sets={name: frozenset(ids) for name, ids in sets.items()},
            names=_names(loaded.policy, loaded.keys.values(), numbers, members),
            secrets=WorkspaceKeys.unwrap(self._kek, workspace, map(_wrapped, wrapped)),
            tokens={row["waba"]: _sealed(row) for row in tokens},
            app=next(map(_sealed, apps), None),
        )
        if known is None and len(loaded.policy.bindings) > _MANY_BINDINGS:
            _give_memory_back()
        self._states[workspace] = state
        self._presence.moved(workspace, state.version)
        return state


def _sealed(row: Row) -> SealedValue:
    return SealedValue(UUID(row["id"]), bytes.fromhex(row["sealed"]))


def _wrapped(row: Row) -> Row:
    return {**row, "id": UUID(row["id"]), "wrapped": bytes.fromhex(row["wrapped"])}


def _take(limit: engine.Limit) -> Take:
    holder = _HOLDER_WORDS[limit.holder_kind]
    return Take(UUID(limit.id), holder, limit.metric, limit.per, limit.amount)


def _own(workspace: UUID, numbers: Iterable[Row]) -> dict[str, Resource]:
    """What is part of the state: the hot path asks no database for it."""
    wabas = {row["waba"]: Resource(workspace, Kind.WABA, row["waba"]) for row in numbers}
    return wabas | {
        row["number"]: Resource(
            workspace, Kind.NUMBER, row["number"], parent=row["waba"], number=row["number"]
        )
        for row in numbers
    }


_MANY_BINDINGS = 10_000


def _give_memory_back() -> None:
    """Hand the room that a large answer took back to the system; only GNU's C library is asked.

    It keeps what was freed for the next time otherwise, which may be after a day.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _names(
    policy: engine.Policy,
    keys: Iterable[KeyRow],
    numbers: Iterable[Row],
    sets: Iterable[Row],
) -> dict[str, str]:
    return {
        **{principal.id: principal.name for principal in policy.principals},
        **{role.id: role.name for role in policy.roles},
        **{guardrail.id: guardrail.name for guardrail in policy.guardrails},
        **{key.id: key.name for key in keys},
        **{row["number"]: row["name"] for row in numbers},
        **{row["set_id"]: row["name"] for row in sets},
    }


_WORKSPACE_OF_KEY = """
SELECT k.workspace_id, h.version
  FROM api_key k JOIN policy_head h ON h.workspace_id = k.workspace_id WHERE k.public_id = $1
"""
# All that is not policy, as JSON in one row: a call that waits for a change waits for every round trip.
_REST = """
SELECT (SELECT coalesce(json_agg(one), '[]') FROM (
            SELECT n.meta_id AS number, n.name, w.meta_id AS waba
              FROM number n JOIN waba w ON w.workspace_id = n.workspace_id AND w.id = n.waba_id
             WHERE n.workspace_id = $1) AS one)::text AS numbers,
       (SELECT coalesce(json_agg(one), '[]') FROM (
            SELECT m.set_id, m.template_name, s.name
              FROM template_set_member m
              JOIN template_set s ON s.workspace_id = m.workspace_id AND s.id = m.set_id
             WHERE m.workspace_id = $1) AS one)::text AS members,
       (SELECT coalesce(json_agg(one), '[]') FROM (
            SELECT DISTINCT ON (waba) waba, id, encode(sealed, 'hex') AS sealed FROM credential
             WHERE workspace_id = $1 AND retired_at IS NULL AND kind = 'system_user_token'
             ORDER BY waba, created_at DESC) AS one)::text AS tokens,
       (SELECT coalesce(json_agg(one), '[]') FROM (
            SELECT id, encode(app_secret, 'hex') AS sealed FROM meta_app
             WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1) AS one)::text AS apps,
       (SELECT coalesce(json_agg(one), '[]') FROM (
            SELECT id, purpose, version, encode(wrapped, 'hex') AS wrapped FROM workspace_key
             WHERE workspace_id = $1 AND retired_at IS NULL) AS one)::text AS wrapped
"""
