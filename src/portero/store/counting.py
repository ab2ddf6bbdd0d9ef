"""How much of each limit is used, over all gateway processes.

The counts are rows, locked by the transaction that records the calls: exact, and undone with it.
A batch locks a row once, however many of its calls count against it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import asyncpg

from portero.engine import Metric
from portero.store.limits import Demand, LimitReached, Take, Window, window_end, window_start

RateKey = tuple[UUID, UUID]
CounterKey = tuple[UUID, UUID, datetime]


@dataclass(slots=True)
class _Counter:
    """One hour or day of one limit. `known` are the people it has counted, of those asked for."""

    key: CounterKey
    ends: datetime
    before: int
    used: int
    known: set[UUID] = field(default_factory=set)
    arrived: set[UUID] = field(default_factory=set)


class Counts:
    """Every count a batch touches: locked, changed in memory, written back once."""

    def __init__(self, windows: Mapping[RateKey, Window]) -> None:
        self._windows = windows
        self._used_windows: set[RateKey] = set()
        self._counters: dict[RateKey, _Counter] = {}
        self._now = datetime.min.replace(tzinfo=UTC)

    @classmethod
    async def lock(cls, connection: asyncpg.Connection, takes: Iterable[tuple[UUID, Take]]) -> Self:
        """Lock the seconds of (workspace, take). The time must be read after this.

        Two processes that grant from one window must not disagree about what is later.
        """
        amounts = {
            (workspace, take.limit): take.amount for workspace, take in takes if take.is_rate
        }
        if not amounts:
            return cls({})
        rows = await _lock_rows(connection, _LOCK_WINDOWS, _ENSURE_WINDOWS, sorted(amounts))
        windows = {}
        for row in rows:
            key = (row["workspace_id"], row["limit_id"])
            grants = list(zip(row["grants"], row["amounts"], strict=True))
            windows[key] = Window(amounts[key], grants)
        return cls(windows)

    async def take(
        self, connection: asyncpg.Connection, demands: Sequence[Demand], now: datetime
    ) -> list[LimitReached | None]:
        """Take what fits, in order; a demand takes from all of its limits or from none.

        Returns, for each demand, the limit that stopped it.
        """
        self._now = now
        await self._load_counters(connection, demands)
        reached = [self._take(demand) for demand in demands]
        await self._store(connection)
        return reached

    def _take(self, demand: Demand) -> LimitReached | None:
        for take in demand.takes:
            reached = self._reached(demand, take)
            if reached is not None:
                return reached
        for take in demand.takes:
            self._spend(demand, take)
        return None

    def _reached(self, demand: Demand, take: Take) -> LimitReached | None:
        units = self._units(demand, take)
        if units == 0:
            return None
        if take.metric is Metric.MONEY:
            # Errors deny: without a rate card nobody knows what a message costs.
            return LimitReached(take, self._now)
        key = (demand.workspace, take.limit)
        if take.is_rate:
            now = self._now.timestamp()
            if units <= self._windows[key].free(now):
                return None
            opens_at = self._windows[key].opens_at(units, now)
            return LimitReached(take, datetime.fromtimestamp(opens_at, UTC))
        counter = self._counters[key]
        return None if counter.used + units <= take.amount else LimitReached(take, counter.ends)

    def _spend(self, demand: Demand, take: Take) -> None:
        units = self._units(demand, take)
        if units == 0:
            return
        key = (demand.workspace, take.limit)
        if take.is_rate:
            self._windows[key].grant(units, self._now.timestamp())
            self._used_windows.add(key)
            return
        counter = self._counters[key]
        counter.used += units
        if take.metric is Metric.RECIPIENTS:
            counter.arrived |= demand.contacts - counter.known
            counter.known |= demand.contacts

    def _units(self, demand: Demand, take: Take) -> int:
        """What a call costs. Only messages have a price and recipients; reads are requests."""
        if take.metric is Metric.REQUESTS:
            return 1
        if take.metric is Metric.RECIPIENTS:
            return len(demand.contacts - self._counters[demand.workspace, take.limit].known)
        return demand.messages

    async def _load_counters(
        self, connection: asyncpg.Connection, demands: Sequence[Demand]
    ) -> None:
        people: set[tuple[UUID, UUID, datetime, UUID]] = set()
        for demand in demands:
            for take in demand.takes:
                if take.is_rate or take.metric is Metric.MONEY:
                    continue
                counter = self._counter_of(demand, take)
                if take.metric is Metric.RECIPIENTS:
                    people.update((*counter.key, contact) for contact in demand.contacts)
        if not self._counters:
            return
        keys = sorted(counter.key for counter in self._counters.values())
        for row in await _lock_rows(connection, _LOCK_COUNTERS, _ENSURE_COUNTERS, keys):
            counter = self._counters[row["workspace_id"], row["limit_id"]]
            counter.before = counter.used = row["used"]
        if people:
            for row in await connection.fetch(_KNOWN_PEOPLE, *_columns(sorted(people), 4)):
                self._counters[row["workspace_id"], row["limit_id"]].known.add(row["contact_id"])

    def _counter_of(self, demand: Demand, take: Take) -> _Counter:
        key = (demand.workspace, take.limit)
        counter = self._counters.get(key)
        if counter is None:
            starts = window_start(take.per, self._now, demand.zone)
            ends = window_end(take.per, starts, demand.zone)
            counter = self._counters[key] = _Counter((*key, starts), ends, 0, 0)
        return counter

    async def _store(self, connection: asyncpg.Connection) -> None:
        changed = [c for c in self._counters.values() if c.used != c.before]
        if not changed and not self._used_windows:
            return
        await connection.execute(
            _STORE,
            *_columns(self._window_rows(), 4),
            *_columns([(*counter.key, counter.used) for counter in changed], 4),
            *_columns([(*c.key, contact) for c in changed for contact in c.arrived], 4),
        )

    def _window_rows(self) -> list[tuple[UUID, UUID, str, str]]:
        rows = []
        for key in self._used_windows:
            grants = self._windows[key].grants
            # Python's repr of a float reads back as the same float.
            times = " ".join(repr(at) for at, _ in grants)
            rows.append((*key, times, " ".join(str(units) for _, units in grants)))
        return rows


async def _lock_rows(
    connection: asyncpg.Connection,
    lock: str,
    ensure: str,
    keys: Sequence[tuple[UUID, UUID] | CounterKey],
) -> list[asyncpg.Record]:
    """Lock the rows of sorted keys; those that were never there are made first."""
    columns = _columns(keys, len(keys[0]))
    rows = await connection.fetch(lock, *columns)
    if len(rows) < len(keys):
        await connection.execute(ensure, *columns)
        rows = await connection.fetch(lock, *columns)
    return rows


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


_ENSURE_COUNTERS = """
INSERT INTO limit_use (workspace_id, limit_id, starts, used)
SELECT w, l, s, 0 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
ON CONFLICT DO NOTHING
"""
# Sorted, so that two processes lock the rows they share in one order.
_LOCK_COUNTERS = """
SELECT u.workspace_id, u.limit_id, u.used
  FROM limit_use u
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
    ON u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
 ORDER BY u.workspace_id, u.limit_id, u.starts
   FOR UPDATE OF u
"""
_KNOWN_PEOPLE = """
SELECT r.workspace_id, r.limit_id, r.contact_id
  FROM limit_recipient r
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[]) AS t(w, l, s, c)
    ON r.workspace_id = t.w AND r.limit_id = t.l AND r.starts = t.s AND r.contact_id = t.c
"""
_ENSURE_WINDOWS = """
INSERT INTO limit_slice (workspace_id, limit_id, grants, amounts)
SELECT w, l, '{}', '{}' FROM unnest($1::uuid[], $2::uuid[]) AS t(w, l)
ON CONFLICT DO NOTHING
"""
_LOCK_WINDOWS = """
SELECT s.workspace_id, s.limit_id, s.grants, s.amounts
  FROM limit_slice s
  JOIN unnest($1::uuid[], $2::uuid[]) AS t(w, l) ON s.workspace_id = t.w AND s.limit_id = t.l
 ORDER BY s.workspace_id, s.limit_id
   FOR UPDATE OF s
"""
# One statement for all three. Lists travel as text: PostgreSQL has no unnest over rows of ragged
# arrays. People need no ON CONFLICT: nobody else adds any while their counter is locked.
_STORE = """
WITH windows AS (
    UPDATE limit_slice s
       SET grants = string_to_array(t.g, ' ')::float8[], amounts = string_to_array(t.a, ' ')::int[]
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS t(w, l, g, a)
     WHERE s.workspace_id = t.w AND s.limit_id = t.l
), counters AS (
    UPDATE limit_use u SET used = t.n
      FROM unnest($5::uuid[], $6::uuid[], $7::timestamptz[], $8::bigint[]) AS t(w, l, s, n)
     WHERE u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
)
INSERT INTO limit_recipient (workspace_id, limit_id, starts, contact_id)
SELECT * FROM unnest($9::uuid[], $10::uuid[], $11::timestamptz[], $12::uuid[])
"""
