"""How much of each limit is used, over all gateway processes.

The counts are rows, locked by the transaction that records the calls: exact, and undone with it.
A batch locks a row once, however many of its calls count against it. `looking.py` locks and reads
them; what became of them is written with the records of the calls (`appending.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from portero.engine import Metric
from portero.store.columns import columns
from portero.store.limits import Demand, LimitReached, Take, Window, window_end, window_start

LimitKey = tuple[UUID, UUID]
CounterKey = tuple[UUID, UUID, datetime]


class Counted(NamedTuple):
    """A limit that a call is going to count against."""

    workspace: UUID
    zone: ZoneInfo
    take: Take


@dataclass(slots=True)
class _Counter:
    """One hour or day of one limit. `known` are the people it has counted, of those asked for."""

    key: CounterKey
    ends: datetime
    before: int = 0
    used: int = 0
    known: set[UUID] = field(default_factory=set)
    arrived: set[UUID] = field(default_factory=set)


def _counter(workspace: UUID, zone: ZoneInfo, take: Take, now: datetime) -> _Counter:
    starts = window_start(take.per, now, zone)
    return _Counter((workspace, take.limit, starts), window_end(take.per, starts, zone))


def _is_counter(take: Take) -> bool:
    return not take.is_rate and take.metric is not Metric.MONEY


class Counts:
    """Every count a batch touches: locked, changed in memory, written back once."""

    def __init__(
        self, windows: Mapping[LimitKey, Window], counters: dict[LimitKey, _Counter]
    ) -> None:
        self._windows = windows
        self._used_windows: set[LimitKey] = set()
        self._counters = counters
        self._now = datetime.min.replace(tzinfo=UTC)

    @classmethod
    def of(cls, counted: Iterable[Counted], *, around: datetime) -> Self:
        """What to lock for these limits; `around` says in which hour and day."""
        windows: dict[LimitKey, Window] = {}
        counters: dict[LimitKey, _Counter] = {}
        for workspace, zone, take in set(counted):
            key = (workspace, take.limit)
            if take.is_rate:
                windows[key] = Window(take.amount)
            elif _is_counter(take):
                counters[key] = _counter(workspace, zone, take, around)
        return cls(windows, counters)

    @property
    def window_keys(self) -> list[LimitKey]:
        return sorted(self._windows)

    @property
    def counter_keys(self) -> list[CounterKey]:
        return sorted(counter.key for counter in self._counters.values())

    def fill(self, grants: Sequence[str], amounts: Sequence[str], used: Sequence[int]) -> bool:
        """Take over the rows of the keys, in their order; returns whether all of them were there."""
        if len(grants) < len(self._windows) or len(used) < len(self._counters):
            return False
        for key, times, units in zip(self.window_keys, grants, amounts, strict=True):
            moments = map(float, times.split())
            self._windows[key].grants = list(zip(moments, map(int, units.split()), strict=True))
        for (workspace, limit, _starts), so_far in zip(self.counter_keys, used, strict=True):
            counter = self._counters[workspace, limit]
            counter.before = counter.used = so_far
        return True

    async def take(
        self, connection: asyncpg.Connection, demands: Sequence[Demand], now: datetime
    ) -> list[LimitReached | None]:
        """Take what fits, in order; a demand takes from all of its limits or from none.

        `now` was read after the counts were locked. Returns, for each demand, the limit that
        stopped it.
        """
        self._now = now
        await self._see_to_counters(connection, demands)
        return [self._take(demand) for demand in demands]

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
            now, window = self._now.timestamp(), self._windows[key]
            # Two calls of a batch may be decided under two versions of the limit: each has its own.
            window.amount = take.amount
            if units <= window.free(now):
                return None
            opens_at = window.opens_at(units, now)
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

    async def _see_to_counters(
        self, connection: asyncpg.Connection, demands: Sequence[Demand]
    ) -> None:
        """Lock the counters of this hour and day, if the clock passed into another; read people."""
        moved: list[_Counter] = []
        people: set[tuple[UUID, UUID, datetime, UUID]] = set()
        met: set[LimitKey] = set()
        for demand in demands:
            for take in filter(_is_counter, demand.takes):
                key = (demand.workspace, take.limit)
                if key not in met:
                    met.add(key)
                    counter = _counter(demand.workspace, demand.zone, take, self._now)
                    if key not in self._counters or counter.key != self._counters[key].key:
                        self._counters[key] = counter
                        moved.append(counter)
                if take.metric is Metric.RECIPIENTS:
                    people.update((*self._counters[key].key, one) for one in demand.contacts)
        if moved:
            await _lock(connection, moved)
        if people:
            for row in await connection.fetch(_KNOWN_PEOPLE, *columns(sorted(people), 4)):
                self._counters[row["workspace_id"], row["limit_id"]].known.add(row["contact_id"])

    def changes(self) -> list[list[object]]:
        """The columns to write back: of windows, of counters, and of people counted."""
        changed = [c for c in self._counters.values() if c.used != c.before]
        return [
            *columns(self._window_rows(), 4),
            *columns([(*counter.key, counter.used) for counter in changed], 4),
            *columns([(*c.key, contact) for c in changed for contact in c.arrived], 4),
        ]

    def _window_rows(self) -> list[tuple[UUID, UUID, str, str]]:
        rows = []
        for key in self._used_windows:
            grants = self._windows[key].grants
            # Python's repr of a float reads back as the same float.
            times = " ".join(repr(at) for at, _ in grants)
            rows.append((*key, times, " ".join(str(units) for _, units in grants)))
        return rows


async def ensure(connection: asyncpg.Connection, counts: Counts) -> None:
    """Make the rows that were never there."""
    await connection.execute(_ENSURE_WINDOWS, *columns(counts.window_keys, 2))
    await connection.execute(_ENSURE_COUNTERS, *columns(counts.counter_keys, 3))


async def _lock(connection: asyncpg.Connection, counters: Sequence[_Counter]) -> None:
    by_key = {counter.key: counter for counter in counters}
    keys = columns(sorted(by_key), 3)
    await connection.execute(_ENSURE_COUNTERS, *keys)
    for row in await connection.fetch(_LOCK_COUNTERS, *keys):
        counter = by_key[row["workspace_id"], row["limit_id"], row["starts"]]
        counter.before = counter.used = row["used"]


_ENSURE_COUNTERS = """
INSERT INTO limit_use (workspace_id, limit_id, starts, used)
SELECT w, l, s, 0 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
ON CONFLICT DO NOTHING
"""
_ENSURE_WINDOWS = """
INSERT INTO limit_slice (workspace_id, limit_id, grants, amounts)
SELECT w, l, '{}', '{}' FROM unnest($1::uuid[], $2::uuid[]) AS t(w, l)
ON CONFLICT DO NOTHING
"""
# Sorted, so that two processes lock the rows they share in one order.
_LOCK_COUNTERS = """
SELECT u.workspace_id, u.limit_id, u.starts, u.used
  FROM limit_use u
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
    ON u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
 ORDER BY u.workspace_id, u.limit_id, u.starts
   FOR UPDATE OF u
"""
# A statement of its own: its snapshot must be younger than the lock of the counter.
_KNOWN_PEOPLE = """
SELECT r.workspace_id, r.limit_id, r.contact_id
  FROM limit_recipient r
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[]) AS t(w, l, s, c)
    ON r.workspace_id = t.w AND r.limit_id = t.l AND r.starts = t.s AND r.contact_id = t.c
"""
