"""Ways to a permission, and whether one of them allows a request that none of some others allows.

To find such a request, or to know that there is none, it is enough to try few values in each
dimension: between two values that no rule tells apart there is nothing to try. The rules' own tests
are asked, so that this cannot differ from a decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from portero.engine.policy import Conditions, Reach, Scope
from portero.engine.request import Context, Resource
from portero.engine.restrictions import (
    FreshFactor,
    InHours,
    InNetworks,
    Overlap,
    Restriction,
    Since,
    Until,
    ValueIn,
    WithinReach,
    dates,
    moments,
    places,
)

ME, _SOMEBODY = "me", "somebody else"
_DAY = 24 * 60
_WEEK = 7 * _DAY
_BITS = {4: 32, 6: 128}
Tests = frozenset[Restriction]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a permission: a cell of a role, through a binding."""

    reach: Reach
    scope: Scope
    conditions: Conditions
    since: float | None
    until: float | None


def restrictions_of(way: Way, teams: frozenset[str]) -> Tests:
    """All that a request by way of this one has to pass."""
    reach = () if way.reach is Reach.ALL else (WithinReach(way.reach, ME, teams),)
    when = (*moments(way.conditions), *dates(way.since, way.until))
    return frozenset((*places(way.scope), *reach, *when))


def is_plainly_beyond(mine: Tests, others: Iterable[Tests], now: float) -> bool:
    """Whether one request far out passes: wherever `mine` says nothing, of what no rule names.

    It is of no number, country or team that is named, somebody else's, long after every end, from
    nowhere and without a factor. Only hours and beginnings have nothing outside of all. False where it
    is not plain, also of what `mine` itself lets nothing through.
    """
    said = {_DIMENSION[type(test)](test) for test in mine}
    return (
        len(said) == len(mine)  # two of one dimension may exclude each other
        and all(_is_plainly_possible(test, now) for test in mine)
        and all(
            any(
                type(test) not in _ALWAYS_MET_SOMEWHERE and _DIMENSION[type(test)](test) not in said
                for test in other
            )
            for other in others
        )
    )


def _is_plainly_possible(test: Restriction, now: float) -> bool:
    match test:
        case ValueIn() | Overlap():
            return bool(test.wanted)
        case WithinReach():
            return test.wanted > Reach.NONE
        case Until():
            return test.wanted > now
        case _:
            return False


def request_beyond(
    tests: Tests, others: Sequence[Tests], *, teams: frozenset[str], now: float
) -> tuple[Resource, Context] | None:
    """A request that passes all of the tests, and fails one of each of the others; None if there is none.

    In each dimension every point that matters is tried, and what is kept of it is which of the
    others would still let it pass. Dimensions are free of each other (a date says nothing of the
    hour), so what lets a combination pass is what all of its points have in common.
    """
    if any(other <= tests for other in others):
        return None
    left: dict[int, tuple[_Point, ...]] = {(1 << len(others)) - 1: ()}
    for dimension, points in _dimensions(tests.union(*others), teams, now):
        mine = _of_dimension(tests, dimension)
        theirs = [_of_dimension(other, dimension) for other in others]
        kept: dict[int, _Point] = {}
        for point in points:
            if all(test.holds(*point) for test in mine):
                passing = sum(
                    1 << n
                    for n, some in enumerate(theirs)
                    if all(test.holds(*point) for test in some)
                )
                kept.setdefault(passing, point)
        left = _least(
            {
                before & passing: (*so_far, point)
                for before, so_far in left.items()
                for passing, point in kept.items()
            }
        )
    # Nothing is left where nothing passes even the tests of its own.
    return _request(left[0], now) if 0 in left else None


def _of_dimension(tests: Tests, dimension: str) -> list[Restriction]:
    return [test for test in tests if _DIMENSION[type(test)](test) == dimension]


def _least(found: Mapping[int, tuple[_Point, ...]]) -> dict[int, tuple[_Point, ...]]:
    """Without those that pass all that another passes: they are never the better ones to go on with."""
    least: dict[int, tuple[_Point, ...]] = {}
    for mask in sorted(found, key=int.bit_count):
        if not any(other & mask == other for other in least):
            least[mask] = found[mask]
    return least


def _request(points: Iterable[_Point], now: float) -> tuple[Resource, Context]:
    """The one request that has, in each dimension, the point of that dimension."""
    about: dict[str, Any] = {}
    when: dict[str, Any] = {"now": now}
    for resource, context in points:
        about |= _said(resource, _NOTHING)
        when |= _said(context, _MOMENT)
    if "factor_at" in when:
        when["factor_at"] += when["now"]
    return replace(_NOTHING, **about), replace(_MOMENT, **when)


def _said(one: Resource | Context, nothing: Resource | Context) -> dict[str, object]:
    return {
        field.name: value
        for field in fields(one)
        if (value := getattr(one, field.name)) != getattr(nothing, field.name)
    }


_Point = tuple[Resource, Context]
_NOTHING = Resource("")
_MOMENT = Context(now=0.0, weekday=0, minute=0)


class _Seen(NamedTuple):
    """What decides which points are worth trying in a dimension."""

    tests: list[Restriction]
    teams: frozenset[str]
    now: float


def _dimensions(
    tests: Collection[Restriction], teams: frozenset[str], now: float
) -> Iterator[tuple[str, list[_Point]]]:
    by_dimension: dict[str, list[Restriction]] = defaultdict(list)
    for test in tests:
        by_dimension[_DIMENSION[type(test)](test)].append(test)
    for dimension, some in by_dimension.items():
        points = _POINTS.get(dimension, _values)
        yield dimension, list(points(_Seen(some, teams, now)))


def _values(seen: _Seen) -> Iterator[_Point]:
    """Every value that a rule names, and none of them."""
    for test in seen.tests:
        if isinstance(test, ValueIn):
            for value in sorted(test.wanted):
                yield _with(test.dimension, value), _MOMENT
        elif isinstance(test, Overlap):
            # One label alone: whoever has more of them passes more rules, never fewer.
            for value in sorted(test.wanted):
                yield _with(f"{test.dimension}s", frozenset((value,))), _MOMENT
    yield _NOTHING, _MOMENT


def _with(attribute: str, value: Any) -> Resource:
    return replace(_NOTHING, **{attribute: value})


def _of_teams(seen: _Seen) -> Iterator[_Point]:
    """Each team that a rule names or that one is in, and whose the thing is there."""
    named = {team for test in seen.tests if isinstance(test, ValueIn) for team in test.wanted}
    for team in (*sorted(named | seen.teams), None):
        for owner in (ME, None, _SOMEBODY):
            yield replace(_NOTHING, team=team, owner=owner), _MOMENT


def _of_hours(seen: _Seen) -> Iterator[_Point]:
    """Whenever a window opens or closes."""
    minutes = {0}
    for test in seen.tests:
        if isinstance(test, InHours):
            for hours in test.wanted:
                lasts = (hours.end - hours.start) % _DAY or _DAY
                for day in hours.days:
                    opens = day * _DAY + hours.start
                    minutes |= {opens % _WEEK, (opens + lasts) % _WEEK}
    for minute in sorted(minutes):
        yield _NOTHING, replace(_MOMENT, weekday=minute // _DAY, minute=minute % _DAY)


def _of_networks(seen: _Seen) -> Iterator[_Point]:
    """Wherever a network begins or the addresses after it do."""
    edges = set()
    for test in seen.tests:
        if isinstance(test, InNetworks):
            for network in test.networks:
                size = (1 << _BITS[network.version]) - network.mask
                edges |= {(network.version, network.base), (network.version, network.base + size)}
    for version, number in sorted(edges):
        if number < 1 << _BITS[version]:
            address = IPv4Address(number) if version == 4 else IPv6Address(number)
            yield _NOTHING, replace(_MOMENT, address=str(address))
    yield _NOTHING, _MOMENT


def _of_factors(seen: _Seen) -> Iterator[_Point]:
    """As old as a rule still takes it, and never shown."""
    for test in seen.tests:
        if isinstance(test, FreshFactor):
            yield _NOTHING, replace(_MOMENT, factor_at=_MOMENT.now - test.wanted)
    yield _NOTHING, _MOMENT


def _of_dates(seen: _Seen) -> Iterator[_Point]:
    """Now, and whenever a rule begins or ends later."""
    edges = {test.wanted for test in seen.tests if isinstance(test, Since | Until)}
    for at in sorted({seen.now, *(edge for edge in edges if edge > seen.now)}):
        yield _NOTHING, replace(_MOMENT, now=at)  # ends are the later side of an edge


def _itself(test: Restriction) -> str:
    return test.dimension


def _team(_test: Restriction) -> str:
    return "team"  # a reach looks at the team too


def _date(_test: Restriction) -> str:
    return "date"


_DIMENSION: Mapping[type[Restriction], Callable[[Restriction], str]] = {
    ValueIn: _itself,
    Overlap: _itself,
    WithinReach: _team,
    InHours: _itself,
    InNetworks: _itself,
    FreshFactor: _itself,
    Since: _date,
    Until: _date,
}
_ALWAYS_MET_SOMEWHERE = frozenset({InHours, Since})
_POINTS: Mapping[str, Callable[[_Seen], Iterator[_Point]]] = {
    "team": _of_teams,
    "hours": _of_hours,
    "network": _of_networks,
    "factor": _of_factors,
    "date": _of_dates,
}
