"""Pages of a workspace of ten thousand people ask as many questions as those of ten, each by an index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cast import playing
from console.visitors import at_the_door
from databases import Database
from portero.domain.audit.models import in_workspace
from portero.project.bench.console import pages_of
from portero.project.bench.seeding import Seeded, seed

SMALL, LARGE = (20, 12), (10_000, 100)
MANY = {"binding", "principal", "team_member", "person", "record", "record_open"}
"""Tables that grow with a workspace: nobody reads one from its begin."""
SEARCHES = {"people, a search", "the palette", "consequences of giving a role"}
"""They look into names: by the index of the workspace's, all of it; a role is given by a name, too."""


class Shop:
    """A seeded workspace, and its owner's browser."""

    def __init__(self, database: Database, size: tuple[int, int]) -> None:
        people, roles = size
        self.seeded: Seeded = seed(database.dsn(), people=people, roles=roles)
        self.browser: Client = at_the_door()
        self.browser.cookies["portero_session"] = self.seeded["session"]

    def pages(self) -> dict[str, str]:
        """By name, those that are only looked at."""
        pages = pages_of(self.seeded)
        return {page.name: page.path for page in pages if page.form is None}

    def asked(self, path: str) -> list[str]:
        """The statements of one page; what is loaded once for a process is loaded before."""
        assert self.browser.get(path).status_code == 200
        with CaptureQueriesContext(connection) as queries:
            answer = self.browser.get(path)
        assert answer.status_code == 200
        return [query["sql"] for query in queries.captured_queries]


@pytest.fixture(scope="module")
def shops(shared_database: Database) -> Iterator[Mapping[str, Shop]]:
    with playing(shared_database):
        yield {
            "small": Shop(shared_database, SMALL),
            "large": Shop(shared_database, LARGE),
        }


def scans(plan: Any) -> Iterator[str]:
    """The tables that a plan reads from their begin."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


def test_no_page_asks_more_when_there_is_more(shops: Mapping[str, Shop]) -> None:
    small, large = shops["small"], shops["large"]
    told = {
        name: (len(small.asked(small.pages()[name])), len(large.asked(path)))
        for name, path in large.pages().items()
    }

    assert len(told) >= 12
    # A statement or two are spared where there is nothing to ask about.
    assert {name: counts for name, counts in told.items() if counts[1] - counts[0] > 2} == {}


def test_no_page_reads_a_growing_table_from_its_begin(shops: Mapping[str, Shop]) -> None:
    large = shops["large"]
    wrong = []
    for name, path in large.pages().items():
        for statement in large.asked(path):
            if not statement.lstrip().upper().startswith("SELECT") or "set_config" in statement:
                continue
            with in_workspace(UUID(large.seeded["workspace"])), connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}".replace("%", "%%"), [])
                [found] = cursor.fetchone()
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            if bad := MANY.intersection(scans(plan)) - (
                {"principal"} if name in SEARCHES else set()
            ):
                wrong.append((name, bad, statement[:300]))

    assert wrong == []


def test_control_a_table_read_from_its_begin_is_seen(shops: Mapping[str, Shop]) -> None:
    with in_workspace(UUID(shops["large"].seeded["workspace"])), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) SELECT count(*) FROM person WHERE name LIKE '%%x%%'")
        [found] = cursor.fetchone()

    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    assert set(scans(plan)) == {"person"}
