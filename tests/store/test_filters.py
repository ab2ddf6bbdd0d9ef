"""What SQL shows is what a check of each row allows, page by page and in every driver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

import asyncpg
import psycopg
import pytest

from engine import generate
from engine.filtering import admits
from engine.readings import SEED, readings
from portero.engine import (
    Branch,
    Check,
    Context,
    Dimension,
    Exclusion,
    Resource,
    Snapshot,
    Term,
    Visible,
)
from portero.store import filters
from portero.store.filters import Column, Exists, Given, Listing, OrderKey, Parameters, Placeholders

EVERYTHING = Visible((Branch(),))
ROWS = 100_000
SHORT = 2_000
BARRED = Visible(
    (Branch(),),
    (
        Exclusion((Term(Dimension.LABEL, frozenset({"a"})),)),
        Exclusion(
            (Term(Dimension.NUMBER, frozenset({"a"})), Term(Dimension.LABEL, frozenset({"b"})))
        ),
    ),
)
"""A label is barred, and another on one number."""
OPEN = Given("item.state = {}", ("open",))
SCHEMA = """
CREATE TABLE item (
    id integer PRIMARY KEY, state text, waba text, number text, team text, country text,
    integration text, bot text, owner text, label text[] NOT NULL, template_set text[] NOT NULL,
    participant text[] NOT NULL, last_at integer NOT NULL
);
CREATE TABLE item_label (
    item integer, value text, waba text, number text, team text, country text,
    integration text, bot text, owner text, last_at integer NOT NULL
);
CREATE TABLE item_template_set (LIKE item_label INCLUDING ALL);
CREATE TABLE item_participant (LIKE item_label INCLUDING ALL);
"""
INDEXES = """
CREATE INDEX ON item (state, last_at, id);
CREATE INDEX ON item (state, owner, last_at, id);
CREATE INDEX ON item (state, number, last_at, id);
CREATE INDEX ON item (state, team, last_at, id);
CREATE INDEX ON item_label (item, value);
CREATE INDEX ON item_label (value, last_at, item);
CREATE INDEX ON item_template_set (item, value);
CREATE INDEX ON item_template_set (value, last_at, item);
CREATE INDEX ON item_participant (item, value);
CREATE INDEX ON item_participant (value, last_at, item);
ANALYZE;
"""
COLUMNS = ("waba", "number", "team", "country", "integration", "bot", "owner")


def side_table(name: str) -> Exists:
    return Exists(f"item_{name}", f"item_{name}.item = item.id", f"item_{name}.value", "text")


LISTING = Listing(
    table="item",
    order=(OrderKey("last_at", "integer"), OrderKey("id", "integer")),
    select="item.state",
    dimensions={
        Dimension.OWNER: Column("item.owner", "text"),
        Dimension.NUMBER: Column("item.number", "text"),
        Dimension.TEAM: Column("item.team", "text"),
        Dimension.WABA: Column("item.waba", "text"),
        Dimension.COUNTRY: Column("item.country", "text"),
        Dimension.INTEGRATION: Column("item.integration", "text"),
        Dimension.BOT: Column("item.bot", "text"),
        Dimension.LABEL: side_table("label"),
        Dimension.TEMPLATE_SET: side_table("template_set"),
        Dimension.PARTICIPANT: side_table("participant"),
    },
)

DRIVEN = replace(
    LISTING,
    dimensions={
        dimension: replace(serving, order=(f"{serving.table}.last_at", f"{serving.table}.item"))
        if isinstance(serving, Exists)
        else serving
        for dimension, serving in reversed(LISTING.dimensions.items())
    },
)
"""The same, but its side tables know the order too, and drive before any column does."""


def copying(listing: Listing, copies: Mapping[Dimension, Column]) -> Listing:
    """The same, but its side tables know those columns of the row too."""
    dimensions = {
        dimension: replace(
            serving,
            copies={d: replace(c, sql=f"{serving.table}.{c.sql}") for d, c in copies.items()},
        )
        if isinstance(serving, Exists)
        else serving
        for dimension, serving in listing.dimensions.items()
    }
    return replace(listing, dimensions=dimensions)


COPYING = copying(DRIVEN, {Dimension(name): Column(name, "text") for name in COLUMNS})


def with_arrays(listing: Listing, arrays: Mapping[Dimension, str]) -> Listing:
    """The same, but a row knows those values of its side tables itself."""
    dimensions = {
        dimension: replace(serving, array=arrays[dimension])
        if isinstance(serving, Exists) and dimension in arrays
        else serving
        for dimension, serving in listing.dimensions.items()
    }
    return replace(listing, dimensions=dimensions)


MANY_VALUED = {
    Dimension.LABEL: "labels",
    Dimension.TEMPLATE_SET: "template_sets",
    Dimension.PARTICIPANT: "participants",
}
ARRAYS = with_arrays(COPYING, {dimension: f"item.{dimension}" for dimension in MANY_VALUED})
LISTINGS = pytest.mark.parametrize(
    "listing", [LISTING, DRIVEN, ARRAYS], ids=["columns", "side_tables", "copies_and_arrays"]
)


@dataclass(frozen=True)
class Table:
    """Rows in the database, and the same rows here."""

    dsn: str
    connection: psycopg.Connection
    rows: list[Resource]
    last_at: list[int]

    def latest_first(self, ids: set[int]) -> list[int]:
        return sorted(ids, key=lambda n: (self.last_at[n], n), reverse=True)


@pytest.fixture(scope="module")
def table(cluster) -> Iterator[Table]:
    cluster.create_database("filters")
    dsn = cluster.dsn("superuser", "filters")
    random = Random(SEED)
    rows = [row(random) for _ in range(ROWS)]
    last_at = [random.randrange(ROWS // 2) for _ in rows]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)
        fill(connection, rows, last_at)
        connection.execute(INDEXES)
        yield Table(dsn, connection, rows, last_at)
    cluster.drop_database("filters")


def row(random: Random) -> Resource:
    """A row sends nothing, and knows its labels and template sets."""
    made = generate.resource(random, random.choice(generate.PEOPLE))
    known = {
        "labels": made.labels or frozenset(),
        "template_sets": made.template_sets or frozenset(),
    }
    return replace(made, contents=None, **known)


def fill(connection: psycopg.Connection, rows: list[Resource], last_at: list[int]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(
            f"COPY item (id, state, {', '.join([*COLUMNS, *MANY_VALUED])}, last_at) FROM STDIN"
        ) as copy:
            for n, made in enumerate(rows):
                state = "open" if n < SHORT or n % 2 else "closed"
                sets = [list(getattr(made, name)) for name in MANY_VALUED.values()]
                copy.write_row((n, state, *(getattr(made, c) for c in COLUMNS), *sets, last_at[n]))
        for dimension, attribute in MANY_VALUED.items():
            with cursor.copy(
                f"COPY item_{dimension} (item, value, {', '.join(COLUMNS)}, last_at) FROM STDIN"
            ) as copy:
                for n, made in enumerate(rows):
                    for value in getattr(made, attribute):
                        copy.write_row((n, value, *(getattr(made, c) for c in COLUMNS), last_at[n]))


@dataclass(frozen=True)
class Asked:
    """A question that some rows answer with yes, some with no."""

    snapshot: Snapshot
    principal: str
    permission: str
    context: Context
    credential: str | None

    @property
    def visible(self) -> Visible:
        return self.snapshot.visible(self.principal, self.permission, self.context, self.credential)

    def allows(self, resource: Resource) -> bool:
        checks = (Check(self.permission, resource),)
        return self.snapshot.decide(self.principal, checks, self.context, self.credential).allowed


def questions() -> Iterator[Asked]:
    for _, snapshot, asked in readings(1_000_000):
        if asked.checks:
            permission = asked.checks[0].permission
            question = Asked(snapshot, asked.principal, permission, asked.context, asked.credential)
            if question.visible.branches and question.visible != EVERYTHING:
                yield question


def shown_of(
    table: Table, visible: Visible, *, first: int = SHORT, listing: Listing = LISTING
) -> set[int]:
    """The ids that the whole filter shows among the `first` rows."""
    parameters = Parameters(Placeholders.PSYCOPG)
    condition = filters.where(listing, visible, parameters)
    query = f"SELECT id FROM item WHERE {condition} AND id < {first}"
    return {n for (n,) in table.connection.execute(query, parameters.values)}


def test_each_of_100000_rows_is_shown_exactly_when_a_check_allows_it(table):
    for asked in islice(questions(), 0, 80, 20):
        shown = shown_of(table, asked.visible, first=ROWS)

        assert shown == {n for n, made in enumerate(table.rows) if asked.allows(made)}


@pytest.mark.parametrize("listing", [LISTING, ARRAYS], ids=["columns", "copies_and_arrays"])
def test_many_filters_show_what_checks_allow(table, listing):
    excluding = branching = 0
    for asked in islice(questions(), 150):
        shown = shown_of(table, asked.visible, listing=listing)

        assert shown == {n for n, made in enumerate(table.rows[:SHORT]) if asked.allows(made)}
        excluding += bool(asked.visible.exclusions)
        branching += len(asked.visible.branches) > 1

    assert excluding >= 5
    assert branching >= 20


def test_a_dimension_that_no_column_serves_only_ever_hides(table):
    random = Random(SEED)
    hidden = 0
    for asked in islice(questions(), 60):
        served = random.sample(list(LISTING.dimensions), 5)
        listing = replace(LISTING, dimensions={d: LISTING.dimensions[d] for d in served})
        declared = {*served, Dimension.UNASSIGNED} if Dimension.OWNER in served else set(served)

        shown = shown_of(table, asked.visible, listing=listing)

        wanted = {
            n for n, made in enumerate(table.rows[:SHORT]) if admits(asked.visible, made, declared)
        }
        assert shown == wanted
        hidden += not shown

    assert hidden > 5


@LISTINGS
def test_pages_neither_repeat_nor_skip_a_row(table, listing):
    given = Given("item.state = {} AND item.id < {}", ("open", SHORT))
    for asked in islice(questions(), 60):
        shown = paged(table, listing, asked.visible, given, limit=150)

        allowed = {n for n, made in enumerate(table.rows[:SHORT]) if asked.allows(made)}
        assert shown == table.latest_first(allowed)


@LISTINGS
def test_pages_of_100000_rows_hold_each_that_a_check_allows(table, listing):
    for asked in islice(questions(), 10, 70, 20):
        shown = paged(table, listing, asked.visible, Given("true"), limit=20_000)

        allowed = {n for n, made in enumerate(table.rows) if asked.allows(made)}
        assert shown == table.latest_first(allowed)


@pytest.mark.parametrize("dimension", [Dimension.NUMBER, Dimension.OWNER])
def test_a_copy_that_is_not_equal_to_the_rows_is_seen_in_the_pages(table, dimension):
    wrong = copying(DRIVEN, {dimension: Column("waba", "text")})

    assert any(differs(table, wrong, asked) for asked in islice(questions(), 150))


@pytest.mark.parametrize("dimension", [Dimension.LABEL, Dimension.TEMPLATE_SET])
def test_an_array_that_is_not_equal_to_the_side_table_is_seen_in_the_pages(table, dimension):
    wrong = with_arrays(LISTING, {dimension: "item.participant"})

    assert any(differs(table, wrong, asked) for asked in islice(questions(), 150))


def differs(table: Table, listing: Listing, asked: Asked) -> bool:
    """Whether the list is another than checks allow."""
    given = Given("item.id < {}", (SHORT,))
    shown = paged(table, listing, asked.visible, given, limit=SHORT)
    allowed = {n for n, made in enumerate(table.rows[:SHORT]) if asked.allows(made)}
    return shown != table.latest_first(allowed)


@LISTINGS
def test_pages_are_the_same_however_many_values_a_branch_has(table, listing, monkeypatch):
    given = Given("item.id < {}", (SHORT,))
    asked = list(islice(questions(), 40))
    few = [paged(table, listing, a.visible, given, limit=150) for a in asked]
    monkeypatch.setattr(filters, "MOST_RANGES", 1)
    wide = [paged(table, listing, a.visible, given, limit=150) for a in asked]

    assert wide == few
    assert any(few)


def test_a_branch_may_have_thousands_of_values(table):
    numbers = frozenset(f"none-{n}" for n in range(5_000)) | {"a"}
    many = Visible((Branch((Term(Dimension.NUMBER, numbers),)),))

    shown = paged(table, LISTING, many, OPEN, limit=20_000)

    state = [n for n in range(ROWS) if n < SHORT or n % 2]
    assert shown == table.latest_first({n for n in state if table.rows[n].number == "a"})
    assert shown


def paged(
    table: Table, listing: Listing, visible: Visible, given: Given, *, limit: int
) -> list[int]:
    """The ids of all pages, in order."""
    shown, after = [], None
    while True:
        query = filters.page(
            listing, visible, given, limit=limit, style=Placeholders.PSYCOPG, after=after
        )
        rows = table.connection.execute(query.sql, query.values).fetchall()
        shown += [n for _, n, _ in rows]
        if len(rows) < limit:
            return shown
        after = rows[-1][:2]


def test_a_count_stops_after_one_more_than_asked(table):
    given = Given("item.id < {}", (SHORT,))
    stopped = 0
    for asked in islice(questions(), 40):
        query = filters.count(
            LISTING, asked.visible, given, at_most=500, style=Placeholders.PSYCOPG
        )
        [(counted,)] = table.connection.execute(query.sql, query.values)

        allowed = sum(asked.allows(made) for made in table.rows[:SHORT])
        assert counted == min(allowed, 501)
        stopped += counted == 501

    assert stopped > 5


def test_both_drivers_get_the_same_page(table):
    asked = list(islice(questions(), 20))

    async def pages_by_asyncpg() -> list[list[int]]:
        connection = await asyncpg.connect(table.dsn)
        try:
            queries = [page(a, Placeholders.ASYNCPG) for a in asked]
            rows = [await connection.fetch(query.sql, *query.values) for query in queries]
            return [[record["id"] for record in page] for page in rows]
        finally:
            await connection.close()

    by_psycopg = [
        [n for _, n, _ in table.connection.execute(query.sql, query.values)]
        for query in (page(a, Placeholders.PSYCOPG) for a in asked)
    ]

    assert asyncio.run(pages_by_asyncpg()) == by_psycopg
    assert any(by_psycopg)


def page(asked: Asked, style: Placeholders) -> filters.Query:
    return filters.page(LISTING, asked.visible, OPEN, limit=50, style=style)


def test_who_sees_nothing_gets_an_empty_page(table):
    query = filters.page(LISTING, Visible(), OPEN, limit=50, style=Placeholders.PSYCOPG)

    assert table.connection.execute(query.sql, query.values).fetchall() == []
    assert shown_of(table, Visible()) == set()


def test_an_exclusion_that_nothing_serves_hides_everything(table):
    everything = Visible((Branch(),), (Exclusion((Term(Dimension.LABEL, frozenset({"a"})),)),))
    listing = replace(LISTING, dimensions={})

    assert shown_of(table, everything, listing=listing) == set()


def test_values_travel_as_parameters_only(table):
    hostile = "x'); DROP TABLE item; --"
    visible = Visible((Branch((Term(Dimension.NUMBER, frozenset({hostile})),)),))

    query = filters.page(LISTING, visible, OPEN, limit=50, style=Placeholders.PSYCOPG)

    assert hostile not in query.sql
    assert table.connection.execute(query.sql, query.values).fetchall() == []


def test_rare_branches_read_little_though_an_or_would_walk_the_whole_list(table):
    rare = Visible(
        (
            Branch((Term(Dimension.OWNER, frozenset({"nobody"})),)),
            Branch((Term(Dimension.PARTICIPANT, frozenset({"nobody"})),)),
            Branch((Term(Dimension.NUMBER, frozenset({"none", "nowhere"})),)),
        )
    )
    query = filters.page(DRIVEN, rare, OPEN, limit=50, style=Placeholders.PSYCOPG)

    plan = table.connection.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query.sql}", query.values
    ).fetchone()[0][0]["Plan"]

    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 50


def test_exclusions_are_asked_of_the_rows_of_the_page_alone(table):
    query = filters.page(LISTING, BARRED, OPEN, limit=50, style=Placeholders.PSYCOPG)

    plan = plan_of(table, query)
    assert "Join" not in plan
    assert "hashed" not in plan


def test_exclusions_that_are_no_queries_of_their_own_are_seen_in_the_plan(table):
    query = filters.page(LISTING, BARRED, OPEN, limit=50, style=Placeholders.PSYCOPG)
    bare = replace(query, sql=query.sql.replace("(SELECT EXISTS", "(EXISTS"))

    plan = plan_of(table, bare)
    assert "Join" in plan
    assert "hashed" in plan


def plan_of(table: Table, query: filters.Query) -> str:
    explained = table.connection.execute(f"EXPLAIN {query.sql}", query.values)
    return "\n".join(line for (line,) in explained)
