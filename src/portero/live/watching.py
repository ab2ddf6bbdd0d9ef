"""Who has a stream open, and what each is told.

A quarter of a second apart, and at once when a policy moves, one transaction for each workspace reads
its head, its latest record and which of its sessions are still open. Each stream is then decided
anew. What could not be looked at for a second is closed: a screen is shown nothing on old knowledge.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

import asyncpg

from portero.engine import ENTER_CONSOLE, Check, Context, ObligationKind, Resource
from portero.live.policies import Policies, State
from portero.live.tickets import Ticket, spend, workspace_of
from portero.store.failures import DATABASE_ERRORS
from portero.store.fairness import Shares
from portero.store.listed import Connection
from portero.store.presence import CHANNEL
from portero.store.sittings import (
    ABSOLUTE_S,
    IDLE_S,
    PRIVILEGED_ABSOLUTE_S,
    PRIVILEGED_IDLE_S,
    STILL_SITTING,
)

LOOK_S = 0.25
BLIND_S = 1.0
"""Longer than this no stream lives without having been looked at."""
SHARE = 2
"""Of the pool's connections, for any one workspace: many pages may open at once."""
LOOKS = 4
"""At so many workspaces at a time."""
SETTLED_S = 1.0
"""Records of one moment become visible in any order: so much later it is told once more."""
MOST_OF_ONE = 8
"""Streams of one person; a further one closes the oldest."""

_LOOK = """
SELECT (SELECT version FROM policy_head WHERE workspace_id = $1) AS version,
       (SELECT at FROM record WHERE workspace_id = $1 ORDER BY at DESC LIMIT 1) AS latest
"""

logger = logging.getLogger(__name__)


class Event(StrEnum):
    """What a screen is told. It asks the console for the rest, which decides what it shows."""

    POLICY = "policy"
    """Who may do what has changed."""
    RECORDS = "records"
    """Something was done or refused."""
    GONE = "gone"
    """This stream ends: the page is not theirs any more, or they are not signed in."""


@dataclass(eq=False, slots=True)
class Stream:
    """One open page: what it was last told of, and what it is to be told."""

    ticket: Ticket
    version: int
    latest: datetime | None
    """Of the records."""
    looked_at: float
    _settles_at: float | None = None
    due: set[Event] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: Event) -> None:
        self.due.add(event)
        self.wake.set()

    def follow(self, latest: datetime | None, now: float) -> None:
        """Tell of records that are new, at once and when they have settled."""
        if latest != self.latest:
            self.latest, self._settles_at = latest, now + SETTLED_S
            self.tell(Event.RECORDS)
        elif self._settles_at is not None and now >= self._settles_at:
            self._settles_at = None
            self.tell(Event.RECORDS)

    def take(self) -> set[Event]:
        """What is due; an event that is due twice is told once."""
        due, self.due = self.due, set()
        self.wake.clear()
        return due


class Watch:
    """All streams of this process."""

    def __init__(
        self, *, pool: asyncpg.Pool, connect: Callable[[], Awaitable[asyncpg.Connection]]
    ) -> None:
        self._pool = pool
        self._connect = connect
        self._policies = Policies()
        self._shares = Shares(SHARE)
        self._streams: dict[UUID, list[Stream]] = defaultdict(list)
        self._moved = asyncio.Event()
        self._looks: dict[UUID, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(LOOKS)

    @asynccontextmanager
    async def stream(self, text: str) -> AsyncIterator[Stream | None]:
        """A stream for a ticket, while the block runs; None when the ticket opens none."""
        stream = await self._open(text)
        if stream is None:
            yield None
            return
        here = self._streams[stream.ticket.workspace]
        here.append(stream)
        self._make_room(here, stream)
        try:
            yield stream
        finally:
            here.remove(stream)

    async def _open(self, text: str) -> Stream | None:
        workspace = workspace_of(text)
        if workspace is None:
            return None
        # The ticket goes in a transaction of its own: it is spent also when it opens nothing.
        async with self._inside(workspace) as connection:
            ticket = await spend(connection, text)
        if ticket is None:
            return None
        async with self._inside(workspace, readonly=True) as connection:
            state, latest = await self._look(connection, workspace)
            sitting = await _still_sitting(connection, state, [ticket])
        if ticket not in sitting or not may_see(ticket, state):
            return None
        stream = Stream(ticket, state.version, latest, time.monotonic())
        if ticket.version != state.version:
            stream.tell(Event.POLICY)  # it changed between the page and its stream
        return stream

    def _make_room(self, here: list[Stream], new: Stream) -> None:
        mine = [one for one in here if one.ticket.principal == new.ticket.principal]
        for oldest in mine[:-MOST_OF_ONE]:
            oldest.tell(Event.GONE)

    async def run(self) -> None:
        """Look until cancelled; what goes wrong is tried again, and closes what it kept from sight."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._close_what_was_not_looked_at())
            try:
                while True:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._moved.wait(), LOOK_S)
                    self._moved.clear()
                    await self.look()
            finally:
                for look in self._looks.values():
                    look.cancel()

    async def look(self) -> None:
        """Look at every workspace once, at a few at a time.

        One that takes long keeps no other waiting: the next round begins without it, and it is not
        looked at twice at once.
        """
        for workspace in [one for one, streams in self._streams.items() if not streams]:
            del self._streams[workspace]
        self._policies.forget_all_but(set(self._streams))
        for workspace in self._streams.keys() - self._looks.keys():
            look = self._looks[workspace] = asyncio.create_task(self._try_to_look_at(workspace))
            look.add_done_callback(partial(self._has_looked, workspace))
        if self._looks:
            await asyncio.wait(self._looks.values(), timeout=LOOK_S)

    def _has_looked(self, workspace: UUID, _look: asyncio.Task[None]) -> None:
        del self._looks[workspace]

    async def _try_to_look_at(self, workspace: UUID) -> None:
        try:
            async with self._at_once:
                await asyncio.wait_for(self._look_at(workspace), BLIND_S)
        except Exception as error:  # noqa: BLE001 - else nobody would look, and nothing be closed
            logger.warning("streams: a workspace was not seen: %s", type(error).__name__)

    async def _look_at(self, workspace: UUID) -> None:
        streams = list(self._streams.get(workspace, ()))
        began = time.monotonic()
        async with self._inside(workspace, readonly=True) as connection:
            state, latest = await self._look(connection, workspace)
            sitting = await _still_sitting(connection, state, [one.ticket for one in streams])
        for stream in streams:
            if stream.ticket not in sitting or not may_see(stream.ticket, state):
                stream.tell(Event.GONE)
                continue
            stream.looked_at = began
            if state.version != stream.version:
                stream.version = state.version
                stream.tell(Event.POLICY)
            stream.follow(latest, began)

    async def _look(self, connection: Connection, workspace: UUID) -> tuple[State, datetime | None]:
        row = await connection.fetchrow(_LOOK, workspace)
        assert row is not None  # noqa: S101 - without a FROM there is one row
        state = await self._policies.at_head(connection, workspace, row["version"])
        return state, row["latest"]

    async def _close_what_was_not_looked_at(self) -> None:
        """Also while a look hangs."""
        while True:
            await asyncio.sleep(LOOK_S)
            oldest = time.monotonic() - BLIND_S
            for streams in self._streams.values():
                for stream in streams:
                    if stream.looked_at < oldest:
                        stream.tell(Event.GONE)

    async def _listen(self) -> None:
        """Look at once when a policy moves; without this it is seen a quarter of a second later."""
        while True:
            with contextlib.suppress(*DATABASE_ERRORS):
                connection = await self._connect()
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _connection, e=ended: e.set())
                    await connection.add_listener(CHANNEL, lambda *_notice: self._moved.set())
                    await ended.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(LOOK_S)

    @asynccontextmanager
    async def _inside(
        self, workspace: UUID, *, readonly: bool = False
    ) -> AsyncIterator[Connection]:
        async with (
            self._shares.of(workspace),
            self._pool.acquire() as connection,
            connection.transaction(
                isolation="repeatable_read" if readonly else "read_committed", readonly=readonly
            ),
        ):
            await connection.execute(
                "SELECT set_config('portero.workspace', $1, true)", str(workspace)
            )
            yield connection


def may_see(ticket: Ticket, state: State) -> bool:
    """Whether the page that the ticket is of opens now. What is asked in addition, nobody can show here."""
    now = datetime.now(UTC)
    local = now.astimezone(state.zone)
    context = Context(
        now=now.timestamp(),
        weekday=local.weekday(),
        minute=local.hour * 60 + local.minute,
        address=ticket.address,
        factor_at=ticket.factor_at.timestamp() if ticket.factor_at else None,
        passkey_at=ticket.passkey_at.timestamp() if ticket.passkey_at else None,
    )
    permission = ticket.permission or ENTER_CONSOLE
    check = Check(permission, Resource(permission.partition(":")[0]))
    decision = state.snapshot.decide(ticket.principal, [check], context)
    demanded = any(one.kind is ObligationKind.REQUIRE for one in decision.obligations)
    return decision.allowed and not demanded


async def _still_sitting(
    connection: Connection, state: State, tickets: Sequence[Ticket]
) -> set[Ticket]:
    """Those whose session is open, and whose person is still who they were in the workspace."""
    now = datetime.now(UTC).timestamp()
    people = {one.principal for one in tickets}
    keys = list({one.session for one in tickets})
    rows = await connection.fetch(
        STILL_SITTING,
        UUID(state.snapshot.workspace),
        keys,
        ABSOLUTE_S,
        IDLE_S,
        PRIVILEGED_ABSOLUTE_S,
        PRIVILEGED_IDLE_S,
        [UUID(one) for one in people if state.snapshot.is_privileged(one, now)],
    )
    found = {(row["session_key"], str(row["id"])) for row in rows}
    return {one for one in tickets if (one.session, one.principal) in found}
