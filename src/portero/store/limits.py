"""Limits: what a call may take, and when a used-up limit opens again.

Hours and days are those of the workspace's own clock. A second is any second: a sliding window.
How the counts of all gateway processes are kept is in `portero.store.counting`.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.engine import Metric, Per
from portero.engine.values import valueclass

WINDOW_S = 1.0
# So many grants describe a second: a smaller limit is counted call by call, a larger one in grains.
GRAINS = 64

_EACH = {Per.SECOND: "a second", Per.HOUR: "an hour", Per.DAY: "a day"}


@valueclass(frozen=True, slots=True)
class Take:
    """One limit a call counts against. `holder` is the word people read, "key" or "workspace"."""

    limit: UUID
    holder: str
    metric: Metric
    per: Per
    amount: int

    @property
    def is_rate(self) -> bool:
        return self.per is Per.SECOND


@valueclass(frozen=True, slots=True)
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
        return "rate_limited" if self.take.is_rate else "day_limit"

    def sentence(self, zone: ZoneInfo) -> str:
        take = self.take
        if take.metric is Metric.MONEY:
            return "The money limit cannot be evaluated: this workspace has no rate card."
        what = "distinct recipients" if take.metric is Metric.RECIPIENTS else take.metric.value
        opens = self.opens_at.astimezone(zone).isoformat(timespec="milliseconds")
        return (
            f"The limit of {take.amount} {what} {_EACH[take.per]} "
            f"of this {take.holder} is used up; it opens again at {opens}."
        )


def window_start(per: Per, now: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the local hour or day around `now` began."""
    local = now.astimezone(zone)
    if per is Per.DAY:
        # Where clocks skip or repeat midnight, the day begins when its date first shows.
        return datetime.combine(local.date(), time.min, tzinfo=zone).astimezone(UTC)
    # Back by what the clock shows, in real minutes: an hour that clocks repeat is two hours.
    shown = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return now.astimezone(UTC) - shown


def window_end(per: Per, start: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the next one begins."""
    if per is Per.DAY:
        tomorrow = start.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time.min, tzinfo=zone).astimezone(UTC)
    return start + timedelta(hours=1)


@dataclass(slots=True)
class Window:
    """The last second of one rate limit: grants as (epoch seconds, units), oldest first.

    Never more than `amount` in any second. A large limit counts a grant until the end of its grain
    a second later, so that it may refuse up to a grain's length too long, and never too little.
    """

    amount: int
    grants: list[tuple[float, int]] = field(default_factory=list)

    def free(self, now: float) -> int:
        """How many units may be granted now."""
        # A grant of the future is there when the database's clock was set back: a step of more
        # than the window must not close the limit until the clock comes by again.
        self.grants = [(at, units) for at, units in self.grants if abs(now - at) < WINDOW_S]
        return self.amount - sum(units for _, units in self.grants)

    def grant(self, units: int, now: float) -> None:
        """Take what `free` showed to be there."""
        at = now if self.amount <= GRAINS else math.ceil(now * GRAINS) / GRAINS
        if self.grants and self.grants[-1][0] == at:
            units += self.grants.pop()[1]
        self.grants.append((at, units))

    def opens_at(self, units: int, now: float) -> float:
        """When `units` have room if nobody else comes; for more than a whole second's, a guess."""
        missing = units - self.free(now)
        for at, granted in self.grants:
            missing -= granted
            if missing <= 0:
                return at + WINDOW_S
        return now + WINDOW_S


def seconds_until(moment: datetime, now: datetime) -> int:
    """Whole seconds for a Retry-After header, at least 1."""
    return max(1, math.ceil((moment - now).total_seconds()))
