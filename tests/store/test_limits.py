"""Limits as arithmetic: when an hour or a day begins, and how many fit into a second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portero.engine import Metric, Per
from portero.store import limits
from portero.store.ids import uuid7
from portero.store.limits import GRAINS, LimitReached, Take, Window, window_end, window_start

MICROSECOND = timedelta(microseconds=1)
# Clocks that skip or repeat midnight, half an hour, or once a whole day; and some that do nothing.
ZONES = [
    "America/Havana", "America/Mexico_City", "America/Santiago", "America/Sao_Paulo",
    "Asia/Beirut", "Asia/Kathmandu", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Madrid",
    "Pacific/Apia", "Pacific/Auckland", "UTC",
]  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.datetimes(datetime(2011, 12, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants bounds without a zone
# Around the transitions of a year, where most of the trouble is.
turns = st.builds(
    lambda day, minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minutes),
    st.sampled_from([87, 88, 94, 95, 248, 249, 297, 298, 304, 305]),
    st.integers(0, 24 * 60 - 1),
)


@given(per=st.sampled_from([Per.HOUR, Per.DAY]), zone=zones, now=instants | turns)
def test_a_window_lasts_from_its_start_to_just_before_its_end(
    per: Per, zone: ZoneInfo, now: datetime
) -> None:
    start = window_start(per, now, zone)
    end = window_end(per, start, zone)

    assert start <= now < end
    assert window_start(per, end - MICROSECOND, zone) == start
    assert window_start(per, end, zone) != start


@given(zone=zones, now=instants | turns)
def test_a_day_is_what_the_calendar_on_the_wall_says(zone: ZoneInfo, now: datetime) -> None:
    start = window_start(Per.DAY, now, zone)
    day = now.astimezone(zone).date()

    assert start.astimezone(zone).date() == day
    assert (start - MICROSECOND).astimezone(zone).date() < day


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("America/Mexico_City", date(2026, 4, 5), "2026-04-05T06:00", 24),
        ("America/Mexico_City", date(2026, 10, 25), "2026-10-25T06:00", 24),
        # At midnight clocks go to one o'clock: the day begins at 01:00.
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00", 23),
        # At midnight clocks go back to 23:00: the old day lasts an hour longer.
        ("America/Santiago", date(2026, 4, 4), "2026-04-04T03:00", 25),
        ("America/Santiago", date(2026, 4, 5), "2026-04-05T04:00", 24),
        ("Europe/Madrid", date(2026, 3, 29), "2026-03-28T23:00", 23),
        ("Europe/Madrid", date(2026, 10, 25), "2026-10-24T22:00", 25),
        # Midnight comes twice; the day begins with the first.
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00", 25),
    ],
)
def test_days_that_clocks_make_shorter_or_longer(
    zone: str, day: date, begins: str, hours: int
) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))

    start = window_start(Per.DAY, noon, ZoneInfo(zone))
    end = window_end(Per.DAY, start, ZoneInfo(zone))

    assert start == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert (end - start) == timedelta(hours=hours)


def test_an_hour_that_clocks_repeat_is_two_hours() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    summer = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30
    winter = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 again

    assert summer.astimezone(madrid).hour == winter.astimezone(madrid).hour
    assert window_start(Per.HOUR, winter, madrid) - window_start(Per.HOUR, summer, madrid) == (
        timedelta(hours=1)
    )


# Seconds. Times are counted in whole microseconds, as the database does, to compare them exactly.

START_US = 1_795_632_354_000_000
pauses_us = st.one_of(
    st.integers(0, 20), st.integers(0, 30_000), st.integers(0, 1_100_000), st.just(1_000_000)
)
steps = st.lists(st.tuples(pauses_us, st.integers(1, 8)), max_size=120)
amounts = st.sampled_from([1, 2, 5, 16, 50, GRAINS, GRAINS + 1, 100])


def granted(amount: int, steps: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Ask a window step by step; returns (microsecond, units) of what it gave, and refusals that
    no second, longer by a grain for a large limit, can explain.
    """
    window, now_us = Window(amount), START_US
    given: list[tuple[int, int]] = []
    unexplained = 0
    slack_us = 0 if amount <= GRAINS else 1_000_000 // GRAINS + 1
    for pause, units in steps:
        now_us += pause
        if units <= window.free(now_us / 1e6):
            window.grant(units, now_us / 1e6)
            given.append((now_us, units))
            continue
        recent = sum(n for at, n in given if at > now_us - 1_000_000 - slack_us)
        unexplained += recent + units <= amount
    return given, unexplained


def most_in_a_second(given: Sequence[tuple[int, int]]) -> int:
    """The most units in any half-open second."""
    return max(
        (sum(n for at, n in given if begin <= at < begin + 1_000_000) for begin, _ in given),
        default=0,
    )


@given(amount=amounts, steps=steps)
def test_no_second_ever_has_more_than_the_limit(
    amount: int, steps: Sequence[tuple[int, int]]
) -> None:
    given, unexplained = granted(amount, steps)

    assert most_in_a_second(given) <= amount
    assert unexplained == 0


def test_a_window_that_forgets_too_early_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_S", 0.99)

    given, _ = granted(5, [(199_000, 1)] * 30)

    assert most_in_a_second(given) > 5


@given(amount=amounts, steps=steps, units=st.integers(1, 8))
def test_it_opens_when_it_says_and_no_earlier(
    amount: int, steps: Sequence[tuple[int, int]], units: int
) -> None:
    window, now = Window(amount), START_US / 1e6
    for pause, asked in steps:
        now += pause / 1e6
        if asked <= window.free(now):
            window.grant(asked, now)
    if units <= window.free(now) or units > amount:
        return

    opens_at = window.opens_at(units, now)

    assert now < opens_at <= now + 1 + 1 / GRAINS
    before, then = Window(amount, list(window.grants)), Window(amount, list(window.grants))
    assert before.free(opens_at - 1e-5) < units <= then.free(opens_at + 1e-6)


@given(steps=st.lists(pauses_us, min_size=1, max_size=400))
def test_a_window_stays_small_however_busy_it_is(steps: Sequence[int]) -> None:
    window, now = Window(1_000_000), START_US / 1e6

    for pause in steps:
        now += pause / 1e6
        window.free(now)
        window.grant(1, now)
        assert len(window.grants) <= GRAINS + 1


@pytest.mark.parametrize("back_s", [0.3, 0.9, 1.5, 3600.0])
def test_a_clock_set_back_neither_opens_nor_closes_a_limit(back_s: float) -> None:
    window, now = Window(3), START_US / 1e6
    window.grant(3, now)

    after = now - back_s

    assert window.free(after) == (0 if back_s < 1 else 3)
    assert window.free(after + 2) == 3


def test_what_a_refused_caller_reads_names_the_limit_and_when_it_opens() -> None:
    opens_at = datetime(2026, 11, 26, 6, tzinfo=UTC)
    mexico = ZoneInfo("America/Mexico_City")
    words = {
        (metric, per): LimitReached(Take(uuid7(), "key", metric, per, 5), opens_at)
        for metric, per in itertools.product(Metric, Per)
    }

    assert words[Metric.MESSAGES, Per.DAY].sentence(mexico) == (
        "The limit of 5 messages a day of this key is used up; "
        "it opens again at 2026-11-26T00:00:00.000-06:00."
    )
    assert "5 distinct recipients an hour" in words[Metric.RECIPIENTS, Per.HOUR].sentence(mexico)
    assert "no rate card" in words[Metric.MONEY, Per.DAY].sentence(mexico)
    assert words[Metric.REQUESTS, Per.SECOND].reason == "rate_limited"
    assert words[Metric.REQUESTS, Per.HOUR].reason == "day_limit"


def test_retry_after_is_rounded_up_and_never_zero() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    waits = [limits.seconds_until(now + timedelta(seconds=s), now) for s in (-5, 0, 0.2, 1, 1.001)]

    assert waits == [1, 1, 1, 1, 2]
