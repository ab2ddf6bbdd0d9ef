"""`portero bench visible`: the first page of a list, under every shape of rights.

The rights are real policies, compiled by the engine and written to SQL by the store; the rows are
`conversations`. The figure is the database's own: planning and execution, as EXPLAIN ANALYZE tells
them with its per-node clocks off. Neither the driver nor this process is in it, and planning, which a
prepared statement saves, is. Each shape is asked for by many principals with different rights.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import psycopg
from psycopg.errors import QueryCanceled

from portero.engine import (
    Binding,
    Context,
    Guardrail,
    GuardrailKind,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
    Scope,
    Snapshot,
    Visible,
    compile_policy,
)
from portero.project.bench import conversations, plans
from portero.project.bench.conversations import (
    LISTING,
    NUMBERS,
    OURS,
    PEOPLE,
    RARE_NUMBERS,
    RARE_PEOPLE,
    TEAMS,
    label,
    number,
    person,
    team,
)
from portero.project.bench.database import DATABASE, server
from portero.project.bench.machine import machine
from portero.project.bench.measuring import Contestant, take_turns
from portero.project.bench.report import Report
from portero.store import filters
from portero.store.filters import Parameters, Placeholders, Query

LIMIT = 50
COUNTED = 1000
PERMISSION = "send:text"
"""Conversations have no permission of their own yet; these are those one may answer in."""
NOON = Context(now=0.0, weekday=0, minute=720)

PAGE = "page one, p95 ms"
MEDIAN = "page one, median ms"
SECOND = "page two, p95 ms"
COUNT = f"count up to {COUNTED:,}, p95 ms"
RIVAL = "page one by one WHERE with OR, median ms (cut off at 2,000)"

# The rival may walk the whole table for one page, so it is asked by fewer principals: as many as fit.
_RIVAL_MS = 1_000.0
_CUT_OFF_MS = 2_000.0


@dataclass(frozen=True, slots=True)
class Size:
    """A table to measure, and the goal for each shape over it."""

    name: str
    rows: int
    principals: int
    bar_ms: float


MILLION = Size("A million rows", 1_000_000, 100, 1.0)
TEN_MILLION = Size("Ten million rows", 10_000_000, 100, 2.0)
QUICK = Size("Ten thousand rows", 10_000, 5, 1.0)


@dataclass(frozen=True, slots=True)
class Rights:
    """What one principal holds."""

    person: int
    bindings: tuple[tuple[Reach, Scope], ...]
    teams: frozenset[str] = frozenset()


def _everywhere(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.ALL, Scope()),))


def _five_numbers(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.ALL, _numbers(dice, 5)),))


def _rare_number(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.ALL, _rare(dice)),))


def _own(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.OWN, Scope()),))


def _two_teams(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.ALL, Scope(teams=_teams(dice, 2))),))


def _team_or_numbers(dice: Random, who: int) -> Rights:
    bindings = ((Reach.TEAM, Scope()), (Reach.ALL, _numbers(dice, 3)))
    return Rights(who, bindings, _teams(dice, 1))


def _own_or_rare_number(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.OWN, Scope()), (Reach.ALL, _rare(dice))))


def _own_on_number(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.OWN, _numbers(dice, 1)),))


def _own_on_number_or_rare_number(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.OWN, _numbers(dice, 1)), (Reach.ALL, _rare(dice))))


def _queue(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.QUEUE, Scope()),), _teams(dice, 2))


def _labels(dice: Random, who: int) -> Rights:
    names = frozenset(map(label, dice.sample(conversations.LABELS, 2)))
    return Rights(who, ((Reach.ALL, Scope(labels=names)),))


def _team(dice: Random, who: int) -> Rights:
    return Rights(who, ((Reach.TEAM, Scope()),), _teams(dice, 2))


def _numbers(dice: Random, count: int) -> Scope:
    return Scope(numbers=frozenset(map(number, dice.sample(NUMBERS, count))))


def _rare(dice: Random) -> Scope:
    return Scope(numbers=frozenset({number(dice.choice(RARE_NUMBERS))}))


def _teams(dice: Random, count: int) -> frozenset[str]:
    return frozenset(map(team, dice.sample(TEAMS, count)))


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of rights that many principals hold, each in other places."""

    name: str
    rights: Callable[[Random, int], Rights]
    people: range = PEOPLE
    guardrails: tuple[Guardrail, ...] = ()


_BARRED = Guardrail(
    "barred",
    "Nobody answers what is in dispute",
    GuardrailKind.DENY,
    frozenset({PERMISSION}),
    Scope(labels=frozenset({label(conversations.LABELS[-1])})),
)
SHAPES = (
    Shape("everything", _everywhere),
    Shape("5 of 20 numbers", _five_numbers),
    Shape("a rare number", _rare_number),
    Shape("mine, busy", _own),
    Shape("mine, two in a million", _own, RARE_PEOPLE),
    Shape("2 of 12 teams", _two_teams),
    Shape("mine or my team's or 3 numbers", _team_or_numbers),
    Shape("mine, rare, or a rare number", _own_or_rare_number, RARE_PEOPLE),
    Shape("mine on a number", _own_on_number),
    Shape("mine, rare, on a number, or a rare number", _own_on_number_or_rare_number, RARE_PEOPLE),
    Shape("my queue in 2 teams", _queue),
    Shape("2 labels", _labels),
    Shape("mine or my teams', but a label is barred", _team, guardrails=(_BARRED,)),
)


def policy(shape: Shape, principals: int) -> Policy:
    """Write a workspace in which so many people hold rights of this shape."""
    dice = Random(shape.name)
    held = [shape.rights(dice, who) for who in dice.sample(shape.people, principals)]
    return Policy(
        str(conversations.WORKSPACE),
        1,
        principals=tuple(
            Principal(person(one.person), PrincipalKind.PERSON, f"Person {one.person}", one.teams)
            for one in held
        ),
        roles=tuple(Role(reach.name, reach.name, {PERMISSION: reach}) for reach in Reach),
        bindings=tuple(
            Binding(f"{one.person}-{n}", person(one.person), reach.name, scope)
            for one in held
            for n, (reach, scope) in enumerate(one.bindings)
        ),
        guardrails=shape.guardrails,
    )


def filters_of(shape: Shape, principals: int) -> Iterator[tuple[Snapshot, str, Visible]]:
    """Ask the engine what each principal of a shape may see."""
    snapshot = compile_policy(policy(shape, principals))
    for principal in snapshot.policy.principals:
        yield snapshot, principal.id, snapshot.visible(principal.id, PERMISSION, NOON)


def page(visible: Visible, after: Sequence[object] | None = None, limit: int = LIMIT) -> Query:
    return filters.page(
        LISTING, visible, OURS, limit=limit, style=Placeholders.PSYCOPG, after=after
    )


def count(visible: Visible) -> Query:
    return filters.count(LISTING, visible, OURS, at_most=COUNTED, style=Placeholders.PSYCOPG)


def page_by_or(visible: Visible) -> Query:
    """Write the page as everybody writes it first."""
    parameters = Parameters(Placeholders.PSYCOPG)
    condition = f"{parameters.fill(OURS)} AND {filters.where(LISTING, visible, parameters)}"
    order = f"ORDER BY last_at DESC, id DESC LIMIT {LIMIT:d}"
    columns = f"conversation.last_at, conversation.id, {LISTING.select}"
    select = f"SELECT {columns} FROM conversation WHERE {condition} {order}"  # noqa: S608
    return Query(select, tuple(parameters.values))


class Measured:
    """The connection on which everything is asked."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def rows(self, query: Query) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.sql, query.values).fetchall()

    def explain(self, query: Query) -> plans.Node:
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF, BUFFERS OFF) {query.sql}"
        [(explained,)] = self._connection.execute(explain, query.values)
        return dict(explained[0])

    def ms(self, query: Query, times: int = 3) -> float:
        """Ask several times and take the median: the first warms what the others read."""
        return statistics.median(plans.milliseconds(self.explain(query)) for _ in range(times))

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Cancel what takes too long; raises QueryCanceled."""
        self._connection.execute(f"SET statement_timeout = {_CUT_OFF_MS:.0f}")
        try:
            yield
        finally:
            self._connection.execute("RESET statement_timeout")

    def rival_ms(self, query: Query) -> float:
        try:
            with self.cut_off():
                return self.ms(query, times=1)
        except QueryCanceled:
            return _CUT_OFF_MS

    def differs(self, asked: _Asked) -> bool:
        """Whether the rival answers, and answers otherwise."""
        try:
            with self.cut_off():
                return self.rows(asked.by_or) != self.rows(asked.first)
        except QueryCanceled:
            return False

    def faults(self, visible: Visible) -> list[str]:
        """Hold the plan of a page against what it asks for."""
        query = page(visible)
        return plans.faults(self.explain(query), limits=query.sql.count(" LIMIT "))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One principal's questions."""

    first: Query
    second: Query | None
    count: Query
    by_or: Query


def run(*, rounds: int, quick: bool, progress: Callable[[str], None]) -> Report:
    with server() as cluster:
        dsn = cluster.dsn("superuser", DATABASE)
        report = Report("Lists: page one of 50 rows", {**machine(), **_database(dsn)})
        for size in (QUICK,) if quick else (MILLION, TEN_MILLION):
            progress(f"loading {size.rows:,} rows")
            conversations.load(dsn, size.rows)
            with conversations.within(cluster.dsn("app", DATABASE)) as connection:
                _measure(Measured(connection), size, report, rounds, progress)
    report.notes += [
        "Time in the database: planning and execution by EXPLAIN (ANALYZE, TIMING OFF), median of"
        " three; p95 over principals, each with other numbers, teams and conversations. Warm.",
        "The table is the benchmark's own; row-level security is forced and worded as the product's.",
        "One WHERE with OR is asked by as many of the same principals as one second allows.",
        f"Counts stop at {COUNTED + 1:,}; they and the second page have no goal.",
    ]
    return report


def _database(dsn: str) -> Mapping[str, str]:
    with psycopg.connect(dsn) as connection:
        settings = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0]
            for name in ("server_version", "shared_buffers")
        }
    return {"PostgreSQL": f"{settings['server_version']}, {settings['shared_buffers']} buffers"}


def _measure(
    measured: Measured,
    size: Size,
    report: Report,
    rounds: int,
    progress: Callable[[str], None],
) -> None:
    at_fault = differing = 0
    contestants = []
    for shape in SHAPES:
        progress(f"{size.name}: plans of {shape.name}")
        visibles = [visible for _, _, visible in filters_of(shape, size.principals)]
        at_fault += sum(bool(measured.faults(visible)) for visible in visibles)
        asked = [_ask(measured, visible) for visible in visibles]
        differing += measured.differs(asked[0])
        contestants.append(Contestant(shape.name, partial(_round, measured, asked)))
    results = take_turns(contestants, rounds=rounds, progress=progress)
    report.sections.append((size.name, results))
    for shape in SHAPES:
        claim = f"{size.name}: {shape.name}, p95 ms in the database"
        report.claim(claim, partial(results.median, shape.name, PAGE), "≤", size.bar_ms)
    report.claim(
        f"{size.name}: the slowest shape, times the unscoped page",
        lambda: max(results.ratio(shape.name, SHAPES[0].name, PAGE) for shape in SHAPES),
        "≤",
        10,
    )
    differing_said = f"{size.name}: pages that differ from those of one WHERE with OR"
    report.claim(differing_said, lambda: differing, "≤", 0)
    plans_said = f"{size.name}: plans that scan, sort or hash"
    report.claim(plans_said, lambda: at_fault, "≤", 0)


def _ask(measured: Measured, visible: Visible) -> _Asked:
    first = page(visible)
    rows = measured.rows(first)
    second = page(visible, after=rows[-1][:2]) if len(rows) == LIMIT else None
    return _Asked(first, second, count(visible), page_by_or(visible))


def _round(measured: Measured, asked: Sequence[_Asked]) -> Mapping[str, float]:
    first: list[float] = []
    second: list[float] = []
    counted: list[float] = []
    by_or: list[float] = []
    for one in asked:
        first.append(measured.ms(one.first))
        if sum(by_or) < _RIVAL_MS:
            by_or.append(measured.rival_ms(one.by_or))
        if one.second is not None:
            second.append(measured.ms(one.second, times=1))
        counted.append(measured.ms(one.count, times=1))
    return {
        MEDIAN: statistics.median(first),
        PAGE: _p95(first),
        **({SECOND: _p95(second)} if second else {}),
        COUNT: _p95(counted),
        RIVAL: statistics.median(by_or),
    }


def _p95(figures: Sequence[float]) -> float:
    return sorted(figures)[int(len(figures) * 0.95)]
