"""A gateway process's lease, and the policy versions it has seen.

A revocation returns once every live process has *confirmed* it, that is, has published a database
snapshot in which the change is visible, or has let its lease lapse. Three rules make that enough:

* the heads a beat reads are in memory before the beat publishes its snapshot;
* a process whose lease has lapsed by its own clock forwards nothing;
* heads count only if others saw a live lease from before they were read until the lease that
  follows from them: after a gap the process publishes, and then reads again before it forwards.

Without the third, a change could commit and be waited for within the gap, by somebody who saw no
lease to wait for, while this process carried heads read before it into a lease that begins after.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg

from portero.store.failures import DATABASE_ERRORS

LEASE_S = 1.0
# The server adds LEASE_S to a time later than ours, so ours always ends first; the margin covers
# two clocks that do not tick at quite the same rate.
LEASE_MARGIN_S = 0.02
BEAT_S = 0.25
CHANNEL = "portero_policy"

_READ = """
SELECT pg_current_snapshot()::text AS seen,
       pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
       ARRAY(SELECT workspace_id FROM policy_head WHERE xid >= $1::text::xid8 ORDER BY workspace_id) AS workspaces,
       ARRAY(SELECT version FROM policy_head WHERE xid >= $1::text::xid8 ORDER BY workspace_id) AS versions
"""
_PUBLISH = """
INSERT INTO gateway_process (id, started_at, lease_until, seen)
VALUES ($1, clock_timestamp(), clock_timestamp() + make_interval(secs => $3),
        $2::text::pg_snapshot)
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, lease_until = excluded.lease_until
"""
_LEAVE = "UPDATE gateway_process SET lease_until = clock_timestamp() WHERE id = $1"

# A clock that also runs while the machine sleeps, where there is one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

logger = logging.getLogger(__name__)


class LeaseLapsed(Exception):
    """This process may not forward: it could not tell the database that it is alive."""


class PolicyMoved(Exception):
    """The policy a call was admitted under is no longer the head."""


class Presence:
    """This process, as the others see it: its lease and how far it has read the policy heads."""

    def __init__(
        self,
        *,
        process: UUID,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
    ) -> None:
        self.process = process
        self._connect = connect
        self._heads: dict[UUID, int] = {}
        self._read_from = "0"
        self._lease_ends = 0.0  # until when this process may forward
        self._published_ends = 0.0  # until when, at the least, others see it alive
        self._wake = asyncio.Event()
        self._hearer: Callable[[UUID], None] = lambda _workspace: None

    def when_moved(self, hearer: Callable[[UUID], None]) -> None:
        """Have somebody called with the workspace whenever a head is found to have moved."""
        self._hearer = hearer

    def head(self, workspace: UUID) -> int:
        """The newest version this process knows of; 0 when it never met the workspace."""
        return self._heads.get(workspace, 0)

    def moved(self, workspace: UUID, version: int) -> None:
        """Take note of a head read elsewhere, by an admission for example. Never goes back."""
        if version > self._heads.get(workspace, 0):
            self._heads[workspace] = version
            self._hearer(workspace)

    def alive(self) -> bool:
        return _now() < self._lease_ends

    def require(self, workspace: UUID, version: int) -> None:
        """The last look before a first byte leaves. No await may stand between this and it."""
        if not self.alive():
            raise LeaseLapsed
        if self._heads.get(workspace, 0) != version:
            raise PolicyMoved

    async def run(self) -> None:
        """Beat until cancelled; after an error, start over on a fresh connection."""
        while True:
            try:
                await self._beat_on_one_connection()
            except Exception as error:  # noqa: BLE001 - without a beat nothing is ever forwarded again
                logger.warning("lease: the database is away: %s", type(error).__name__)
                await asyncio.sleep(BEAT_S)

    async def leave(self) -> None:
        """Say goodbye, so that no revocation waits for a process that has stopped.

        The row stays for `reconcile`, which ends what this process had to leave open.
        """
        self._lease_ends = 0.0
        with contextlib.suppress(*DATABASE_ERRORS):
            connection = await self._connect()
            try:
                await connection.execute(_LEAVE, self.process, timeout=LEASE_S)
            finally:
                connection.terminate()

    async def _beat_on_one_connection(self) -> None:
        with contextlib.ExitStack() as ended:
            # NOTIFY gets a connection of its own: one that arrives amid a query can be missed.
            listener = await self._connect()
            ended.callback(listener.terminate)
            connection = await self._connect()
            ended.callback(connection.terminate)
            listener.add_termination_listener(lambda _connection: self._wake.set())
            await listener.add_listener(CHANNEL, lambda *_notice: self._wake.set())
            self._read_from = "0"  # whoever answers now may count transactions anew
            while True:
                self._wake.clear()
                await self._beat(connection)
                if listener.is_closed():
                    raise ConnectionResetError("the listening connection ended")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), BEAT_S)

    async def _beat(self, connection: asyncpg.Connection) -> None:
        row = await connection.fetchrow(_READ, self._read_from, timeout=LEASE_S)
        assert row is not None  # noqa: S101 - without a FROM there is one row
        for workspace, version in zip(row["workspaces"], row["versions"], strict=True):
            self.moved(workspace, version)
        # Rows from the oldest transaction still running are read again: it may commit below us.
        self._read_from = row["xmin"]
        asked_at = _now()
        await connection.execute(_PUBLISH, self.process, row["seen"], LEASE_S, timeout=LEASE_S)
        unbroken = _now() < self._published_ends
        self._published_ends = asked_at + LEASE_S - LEASE_MARGIN_S
        if unbroken:
            self._lease_ends = self._published_ends
        else:
            self._wake.set()  # seen alive from now on; the next beat, at once, reads under that


def _now() -> float:
    return time.clock_gettime(_CLOCK)
