"""Lists at a size where a wrong plan shows: what pages read, and that they show what checks allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from portero.engine import Check, Resource, Visible
from portero.project.bench import conversations, plans, visible
from portero.project.bench.conversations import TABLES, WORKSPACE
from portero.project.bench.visible import NOON, PERMISSION, SHAPES, Measured, Shape
from portero.project.postgres import Cluster
from portero.store.filters import Exists

ROWS = 100_000
PRINCIPALS = 5
BY_NAME = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
DATABASE = "conversations"
BARRED = "mine or my teams', but a label is barred"


@pytest.fixture(scope="module")
def superuser(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A database with the rows; what is changed in it is rolled back."""
    cluster.create_database(DATABASE)
    conversations.load(cluster.dsn("superuser", DATABASE), ROWS)
    with psycopg.connect(cluster.dsn("superuser", DATABASE)) as connection:
        yield connection
    cluster.drop_database(DATABASE)


@pytest.fixture(scope="module")
def measured(cluster: Cluster, superuser: object) -> Iterator[Measured]:
    with conversations.within(cluster.dsn("app", DATABASE)) as connection:
        yield Measured(connection)


@pytest.fixture(scope="module")
def resources(superuser: psycopg.Connection[Any]) -> dict[UUID, Resource]:
    """Each conversation of the workspace as a check would be asked about it, latest first."""
    rows = superuser.execute(
        "SELECT id, waba, number, team_id::text, owner_id::text, country, integration_id::text,"
        " bot_id::text,"
        " ARRAY(SELECT label_id::text FROM conversation_label l"
        "   WHERE (l.workspace_id, l.conversation_id) = (c.workspace_id, c.id)),"
        " ARRAY(SELECT principal_id::text FROM conversation_participant p"
        "   WHERE (p.workspace_id, p.conversation_id) = (c.workspace_id, c.id))"
        " FROM conversation c WHERE workspace_id = %s ORDER BY last_at DESC, id DESC",
        [WORKSPACE],
    )
    return {
        id_: Resource(
            "conversation",
            waba=waba,
            number=number,
            team=team,
            owner=owner,
            country=country,
            integration=integration,
            bot=bot,
            labels=frozenset(labels),
            participants=frozenset(participants),
        )
        for id_, waba, number, team, owner, country, integration, bot, labels, participants in rows
    }


@BY_NAME
def test_a_page_reads_the_first_rows_of_index_ranges_and_no_more(
    measured: Measured, shape: Shape
) -> None:
    for _, _, filter_ in visible.filters_of(shape, 20):
        assert measured.faults(filter_) == []


@BY_NAME
def test_the_list_of_100000_rows_is_what_checks_allow(
    measured: Measured, resources: dict[UUID, Resource], shape: Shape
) -> None:
    snapshot, principal, filter_ = next(visible.filters_of(shape, PRINCIPALS))

    listed = [row[1] for row in measured.rows(visible.page(filter_, limit=ROWS))]

    allowed = [
        id_
        for id_, resource in resources.items()
        if snapshot.decide(principal, (Check(PERMISSION, resource),), NOON).allowed
    ]
    assert listed == allowed


@pytest.mark.parametrize(
    ("shape", "driver"), [("mine, busy", "owner_id"), ("a rare number", "number")]
)
def test_a_missing_index_is_seen_in_the_plan(
    superuser: psycopg.Connection[Any], shape: str, driver: str
) -> None:
    filter_ = filter_of(shape)
    superuser.execute(f"DROP INDEX conversation_workspace_id_{driver}_last_at_id_idx")
    try:
        faults = Measured(superuser).faults(filter_)
    finally:
        superuser.rollback()

    assert faults != []


def test_side_tables_that_do_not_know_the_order_are_seen_in_the_plan(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = visible.LISTING
    unordered = {
        dimension: replace(serving, order=()) if isinstance(serving, Exists) else serving
        for dimension, serving in listing.dimensions.items()
    }
    monkeypatch.setattr(visible, "LISTING", replace(listing, dimensions=unordered))

    assert measured.faults(filter_of("mine, two in a million")) != []


def test_of_somebodys_conversations_those_on_other_numbers_are_not_read(
    measured: Measured,
) -> None:
    assert passed_over_on_a_number(measured) == 0


def test_a_side_table_that_does_not_know_the_number_is_seen_in_what_is_read(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = visible.LISTING
    bare = {
        dimension: replace(serving, copies={}) if isinstance(serving, Exists) else serving
        for dimension, serving in listing.dimensions.items()
    }
    monkeypatch.setattr(visible, "LISTING", replace(listing, dimensions=bare))

    assert passed_over_on_a_number(measured) > 20


def test_a_missing_index_on_a_copy_is_seen_in_what_is_read(
    superuser: psycopg.Connection[Any],
) -> None:
    [(index,)] = superuser.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'conversation_participant'"
        " AND indexdef LIKE '%(workspace_id, principal_id, number,%'"
    ).fetchall()
    superuser.execute(f'DROP INDEX "{index}"')
    try:
        passed_over = passed_over_on_a_number(Measured(superuser))
    finally:
        superuser.rollback()

    assert passed_over > 20


def passed_over_on_a_number(measured: Measured) -> float:
    [shape] = [shape for shape in SHAPES if shape.name == "mine on a number"]
    return sum(
        plans.passed_over(measured.explain(visible.page(filter_)))
        for _, _, filter_ in visible.filters_of(shape, 20)
    )


def test_a_barred_label_is_not_looked_up(measured: Measured) -> None:
    assert "conversation_label" not in str(measured.explain(visible.page(filter_of(BARRED))))


def test_a_row_that_does_not_know_its_labels_is_seen_in_the_plan(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = visible.LISTING
    bare = {
        dimension: replace(serving, array="") if isinstance(serving, Exists) else serving
        for dimension, serving in listing.dimensions.items()
    }
    monkeypatch.setattr(visible, "LISTING", replace(listing, dimensions=bare))

    assert "conversation_label" in str(measured.explain(visible.page(filter_of(BARRED))))


def test_one_where_with_or_is_seen_in_the_plan(measured: Measured) -> None:
    query = visible.page_by_or(filter_of("mine, rare, or a rare number"))

    assert plans.faults(measured.explain(query), limits=1) != []


def filter_of(name: str) -> Visible:
    [shape] = [shape for shape in SHAPES if shape.name == name]
    return next(visible.filters_of(shape, PRINCIPALS))[2]


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_stand_behind_the_same_wall_as_the_products(
    superuser: psycopg.Connection[Any], pg_dsn: str, table: str
) -> None:
    wall = (
        "SELECT p.qual, p.roles, c.relrowsecurity, c.relforcerowsecurity FROM pg_policies p"
        " JOIN pg_class c ON c.relname = p.tablename WHERE p.tablename = %s AND policyname = 'app'"
    )
    with psycopg.connect(pg_dsn) as product:
        expected = product.execute(wall, ["contact"]).fetchall()

    assert superuser.execute(wall, [table]).fetchall() == expected


def test_a_quick_run_measures_every_shape() -> None:
    report = visible.run(rounds=1, quick=True, progress=lambda _: None)

    [(_, results)] = report.sections
    assert set(results.figures) == {shape.name for shape in SHAPES}
    assert all(figures[visible.PAGE].least > 0 for figures in results.figures.values())
    agreeing = next(goal for goal in report.goals if "differ" in goal.claim)
    assert agreeing.holds
    assert len(report.goals) == len(SHAPES) + 3
