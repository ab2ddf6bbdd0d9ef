"""Limits: how many, over all gateway processes, counted in the transaction that records the call.

Hours and days are counters in the database, exact by row locks. Seconds are a sliding window kept
as a few grants per limit: a process leases a slice of it and spends the slice on its own, so that
one hot row is not fought over for every message; small limits lease one call at a time and are
exact. Nothing here is ever exceeded; an unused slice is lost, never carried over.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from portero.engine import Metric, Per

SMALL_LIMIT = 16  # up to here a slice is one call, and the window exactly one second
SLICES = 8
SLICE_LIFE_S = 0.05

_UNITS = {Metric.REQUESTS: "requests", Metric.MESSAGES: "messages", Metric.RECIPIENTS: "recipients"}


@dataclass(frozen=True, slots=True)
class Take:
    """One limit a call counts against. `holder` is the word people read: key, workspace …"""

    limit: UUID
    holder: str
    metric: Metric
    per: Per
    amount: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call wants from its limits. `contacts` are the distinct people it reaches."""

    workspace: UUID
    zone: ZoneInfo
    takes: tuple[Take, ...]
    messages: int
    contacts: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The limit that stopped a call, and when it opens again."""

    take: Take
    opens_at: datetime

    @property
    def reason(self) -> str:
        return "rate_limited" if self.take.per is Per.SECOND else "day_limit"

    def sentence(self, zone: ZoneInfo) -> str:
        unit = _UNITS.get(self.take.metric, self.take.metric.value)
        if self.take.metric is Metric.MONEY:
            return "The money limit cannot be evaluated: this workspace has no rate card."
        what = "distinct recipients" if self.take.metric is Metric.RECIPIENTS else unit
        opens = self.opens_at.astimezone(zone).isoformat(timespec="milliseconds")
        return (
            f"The limit of {self.take.amount} {what} a {self.take.per.value} "
            f"of this {self.take.holder} is used up; it opens again at {opens}."
        )


Key = tuple[UUID, UUID, datetime]
SliceKey = tuple[UUID, UUID]


def window_start(per: Per, now: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the local second, hour or day around `now` began."""
    local = now.astimezone(zone)
    if per is Per.DAY:
        start = datetime.combine(local.date(), time.min, tzinfo=zone)
    elif per is Per.HOUR:
        start = local.replace(minute=0, second=0, microsecond=0)
    else:
        start = local.replace(microsecond=0)
    return start.astimezone(UTC)


def window_end(per: Per, start: datetime, zone: ZoneInfo) -> datetime:
    if per is Per.DAY:
        tomorrow = start.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time.min, tzinfo=zone).astimezone(UTC)
    return start + (timedelta(hours=1) if per is Per.HOUR else timedelta(seconds=1))


@dataclass(slots=True)
class Window:
    """The last second of one rate limit: grants as (epoch seconds, calls), oldest first."""

    amount: int
    grants: list[tuple[float, int]] = field(default_factory=list)

    @property
    def span_s(self) -> float:
        return 1.0 if self.amount <= SMALL_LIMIT else 1.0 + SLICE_LIFE_S

    def lease(self, wanted: int, now: float) -> int:
        """Grant between 0 and a slice's worth of calls, at least `wanted` when there is room."""
        self.grants = [(at, n) for at, n in self.grants if at > now - self.span_s]
        free = self.amount - sum(n for _, n in self.grants)
        if free < wanted:
            return 0
        slice_size = 1 if self.amount <= SMALL_LIMIT else self.amount // SLICES
        granted = min(free, max(wanted, slice_size))
        self.grants.append((now, granted))
        return granted

    def opens_at(self, now: float) -> float:
        return self.grants[0][0] + self.span_s if self.grants else now


@dataclass(slots=True)
class _Slice:
    left: int
    ends: float  # database time


class Limiter:
    """Takes limits for a batch of calls. One per gateway process; holds its leased slices."""

    def __init__(self) -> None:
        self._slices: dict[SliceKey, _Slice] = {}

    async def take(
        self, connection: asyncpg.Connection, demands: Sequence[Demand], now: datetime
    ) -> "Taken":
        """Decide, in order, which demands fit. Call `Taken.keep()` once the transaction stands."""
        book = _Book(now, self._live_slices(now.timestamp()))
        await book.load(connection, demands)
        verdicts = tuple(book.settle(demand) for demand in demands)
        await book.store(connection)
        return Taken(verdicts, self, book.slices)

    def _live_slices(self, now: float) -> dict[SliceKey, _Slice]:
        return {
            key: _Slice(part.left, part.ends)
            for key, part in self._slices.items()
            if part.ends > now and part.left > 0
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """The verdicts of a batch, positional: None fits, else the limit that stopped it."""

    verdicts: tuple[LimitReached | None, ...]
    _limiter: Limiter
    _slices: dict[SliceKey, _Slice]

    def keep(self) -> None:
        self._limiter._slices = self._slices  # noqa: SLF001 - same module: a commit hands its slices back


class _Book:
    """Every counter and window a batch touches, locked, changed in memory, written back once."""

    def __init__(self, now: datetime, slices: dict[SliceKey, _Slice]) -> None:
        self.now = now
        self.slices = slices
        self._used: dict[Key, int] = {}
        self._known: dict[Key, set[UUID]] = {}
        self._new: dict[Key, set[UUID]] = {}
        self._windows: dict[SliceKey, Window] = {}
        self._touched: set[Key] = set()

    async def load(self, connection: asyncpg.Connection, demands: Iterable[Demand]) -> None:
        counters: set[Key] = set()
        people: dict[Key, set[UUID]] = {}
        windows: dict[SliceKey, int] = {}
        for demand in demands:
            for take in demand.takes:
                if _is_rate(take):
                    windows[demand.workspace, take.limit] = take.amount
                    continue
                key = self._key(demand, take)
                counters.add(key)
                if take.metric is Metric.RECIPIENTS:
                    people.setdefault(key, set()).update(demand.contacts)
        if windows:
            await self._load_windows(connection, windows)
        if counters:
            await self._load_counters(connection, sorted(counters))
        if people:
            await self._load_people(connection, people)

    def settle(self, demand: Demand) -> LimitReached | None:
        """All of the demand's limits or none of them."""
        for take in demand.takes:
            reached = self._reached(demand, take)
            if reached is not None:
                return reached
        for take in demand.takes:
            self._spend(demand, take)
        return None

    async def store(self, connection: asyncpg.Connection) -> None:
        if self._windows:
            await connection.executemany(
                _STORE_WINDOW,
                [
                    (*key, [at for at, _ in window.grants], [n for _, n in window.grants])
                    for key, window in sorted(self._windows.items())
                ],
            )
        if self._touched:
            touched = sorted(self._touched)
            await connection.execute(
                _STORE_COUNTERS, *_columns(touched), [self._used[key] for key in touched]
            )
        arrivals = sorted((*key, person) for key, new in self._new.items() for person in new)
        if arrivals:
            await connection.execute(_STORE_PEOPLE, *(list(c) for c in zip(*arrivals, strict=True)))

    def _key(self, demand: Demand, take: Take) -> Key:
        return (demand.workspace, take.limit, window_start(take.per, self.now, demand.zone))

    def _units(self, demand: Demand, take: Take, key: Key) -> int:
        if take.metric is Metric.REQUESTS:
            return 1
        if take.metric is Metric.MESSAGES:
            return demand.messages
        return len(demand.contacts - self._known.get(key, set()))

    def _reached(self, demand: Demand, take: Take) -> LimitReached | None:
        if take.metric is Metric.MONEY:
            # Errors deny: without a rate card nobody knows what a message costs.
            return LimitReached(take, self.now) if demand.messages else None
        if _is_rate(take):
            return self._rate_reached(demand, take)
        key = self._key(demand, take)
        units = self._units(demand, take, key)
        if units and self._used[key] + units > take.amount:
            return LimitReached(take, window_end(take.per, key[2], demand.zone))
        return None

    def _rate_reached(self, demand: Demand, take: Take) -> LimitReached | None:
        units = 1 if take.metric is Metric.REQUESTS else demand.messages
        key = (demand.workspace, take.limit)
        part = self.slices.get(key)
        if units == 0 or (part is not None and part.left >= units):
            return None
        now = self.now.timestamp()
        window = self._windows[key]
        granted = window.lease(units, now)
        if granted == 0:
            return LimitReached(take, datetime.fromtimestamp(window.opens_at(now), UTC))
        self.slices[key] = _Slice(granted, now + SLICE_LIFE_S)
        return None

    def _spend(self, demand: Demand, take: Take) -> None:
        if _is_rate(take):
            units = 1 if take.metric is Metric.REQUESTS else demand.messages
            if units:
                self.slices[demand.workspace, take.limit].left -= units
            return
        key = self._key(demand, take)
        units = self._units(demand, take, key)
        if units == 0:
            return
        self._used[key] += units
        self._touched.add(key)
        if take.metric is Metric.RECIPIENTS:
            arrivals = demand.contacts - self._known[key]
            self._known[key] |= arrivals
            self._new.setdefault(key, set()).update(arrivals)

    async def _load_windows(
        self, connection: asyncpg.Connection, amounts: Mapping[SliceKey, int]
    ) -> None:
        keys = sorted(amounts)
        columns = [list(column) for column in zip(*keys, strict=True)]
        await connection.execute(_ENSURE_WINDOWS, *columns)
        for row in await connection.fetch(_LOCK_WINDOWS, *columns):
            key = (row["workspace_id"], row["limit_id"])
            grants = list(zip(row["grants"], row["amounts"], strict=True))
            self._windows[key] = Window(amounts[key], grants)

    async def _load_counters(self, connection: asyncpg.Connection, keys: Sequence[Key]) -> None:
        await connection.execute(_ENSURE_COUNTERS, *_columns(keys))
        for row in await connection.fetch(_LOCK_COUNTERS, *_columns(keys)):
            self._used[row["workspace_id"], row["limit_id"], row["starts"]] = row["used"]

    async def _load_people(
        self, connection: asyncpg.Connection, people: Mapping[Key, set[UUID]]
    ) -> None:
        asked = [(*key, person) for key, persons in people.items() for person in persons]
        self._known = {key: set() for key in people}
        if not asked:
            return
        for row in await connection.fetch(
            _KNOWN_PEOPLE, *(list(c) for c in zip(*asked, strict=True))
        ):
            key = (row["workspace_id"], row["limit_id"], row["starts"])
            self._known[key].add(row["contact_id"])


def _is_rate(take: Take) -> bool:
    return take.per is Per.SECOND and take.metric in {Metric.REQUESTS, Metric.MESSAGES}


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[UUID], list[datetime]]:
    return [k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys]


def seconds_until(moment: datetime, now: datetime) -> int:
    """Whole seconds for a Retry-After header, at least 1."""
    return max(1, math.ceil((moment - now).total_seconds()))


_ENSURE_COUNTERS = """
INSERT INTO limit_use (workspace_id, limit_id, starts, used)
SELECT w, l, s, 0 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
ON CONFLICT DO NOTHING
"""
# Sorted, so that two processes lock the rows of a shared batch in one order.
_LOCK_COUNTERS = """
SELECT u.workspace_id, u.limit_id, u.starts, u.used
  FROM limit_use u
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(w, l, s)
    ON u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
 ORDER BY u.workspace_id, u.limit_id, u.starts
   FOR UPDATE OF u
"""
_STORE_COUNTERS = """
UPDATE limit_use u SET used = t.n
  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[]) AS t(w, l, s, n)
 WHERE u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
"""
_KNOWN_PEOPLE = """
SELECT r.workspace_id, r.limit_id, r.starts, r.contact_id
  FROM limit_recipient r
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[]) AS t(w, l, s, c)
    ON r.workspace_id = t.w AND r.limit_id = t.l AND r.starts = t.s AND r.contact_id = t.c
"""
_STORE_PEOPLE = """
INSERT INTO limit_recipient (workspace_id, limit_id, starts, contact_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[])
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
_STORE_WINDOW = """
UPDATE limit_slice SET grants = $3, amounts = $4 WHERE workspace_id = $1 AND limit_id = $2
"""
