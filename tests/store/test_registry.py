"""The id registry: what was once learned is added to, never blanked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import pytest

from portero.store import registry
from portero.store.registry import Resource
from store.shop import Shop, connected


def in_workspace(shop: Shop, work: Any) -> Any:
    async def go() -> Any:
        async with connected(shop.database, shop.id) as connection:
            return await work(connection)

    return asyncio.run(go())


def learn(shop: Shop, *resources: Resource) -> None:
    in_workspace(shop, lambda connection: registry.learn(connection, resources))


def find(shop: Shop, *meta_ids: str) -> Sequence[Resource]:
    found: Sequence[Resource] = in_workspace(
        shop, lambda connection: registry.find(connection, shop.id, meta_ids)
    )
    return found


def template(shop: Shop, parent: str | None = None, **attributes: str) -> Resource:
    return Resource(shop.id, "template", "7", parent, None, attributes)


def test_what_is_learned_is_found_with_all_that_is_known(shop: Shop) -> None:
    number = Resource(shop.id, "number", "1", "9", "1", {"display": "+52 55 1111 0001"})

    learn(shop, number, template(shop, "9", name="hello"))

    assert find(shop, "1") == [number]
    assert {r.kind for r in find(shop, "1", "7", "404")} == {"number", "template"}


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_newer_attributes_are_added_and_nothing_is_blanked(shop: Shop, in_one_batch: bool) -> None:
    told = [
        template(shop, "9", name="hello", status="PENDING"),
        template(shop, status="APPROVED"),
        template(shop, name="", status=""),
        template(shop),
    ]

    for part in [told] if in_one_batch else [[one] for one in told]:
        learn(shop, *part)

    assert find(shop, "7") == [template(shop, "9", name="hello", status="APPROVED")]


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_parent_is_filled_in_once_and_never_changed(shop: Shop, in_one_batch: bool) -> None:
    told = [template(shop), template(shop, ""), template(shop, "9"), template(shop, "another")]

    for part in [told] if in_one_batch else [[one] for one in told]:
        learn(shop, *part)

    assert find(shop, "7") == [template(shop, "9")]


@pytest.mark.parametrize("told", [{}, {"name": "hello"}])
def test_what_tells_nothing_new_writes_nothing_until_an_hour_has_passed(
    shop: Shop, told: dict[str, str]
) -> None:
    learn(shop, template(shop, "9", name="hello", status="APPROVED"))
    [first] = shop.rows(_VERSION)

    learn(shop, template(shop, "9", **told))
    assert shop.rows(_VERSION) == [first]

    with psycopg.connect(shop.database.dsn("superuser"), autocommit=True) as db:
        db.execute("UPDATE resource SET seen_at = seen_at - interval '61 minutes'")
    learn(shop, template(shop, "9", **told))
    [later] = shop.rows(_VERSION)
    assert later["seen_at"] > first["seen_at"]


_VERSION: Final = "SELECT ctid::text, seen_at FROM resource WHERE workspace_id = %s"


def test_learning_looks_at_no_row_but_those_it_is_told_of(shop: Shop) -> None:
    """Whatever the planner believes of the registry's size: a plan may be older than its rows."""

    one = template(shop, "9", name="hello")

    async def plan(connection: Any) -> list[str]:
        rows = await connection.fetch(f"EXPLAIN {registry._LEARN}", registry.rows_of([one]))
        return [row[0] for row in rows]

    lines = in_workspace(shop, plan)

    assert any("Conflict Arbiter Indexes: resource_pkey" in line for line in lines)
    assert not [line for line in lines if "Scan" in line and "Function Scan" not in line]


def test_one_id_may_bear_several_kinds(shop: Shop) -> None:
    learn(shop, template(shop, "9"), Resource(shop.id, "media", "7"))

    assert {r.kind for r in find(shop, "7")} == {"template", "media"}


def test_a_template_is_found_by_name_in_one_language_or_all(shop: Shop) -> None:
    for meta_id, name, language, waba in (
        ("1", "hello", "es_MX", "9"),
        ("2", "hello", "en_US", "9"),
        ("3", "hello", "es_MX", "another"),
        ("4", "bye", "es_MX", "9"),
    ):
        attributes = {"name": name, "language": language}
        learn(shop, Resource(shop.id, "template", meta_id, waba, None, attributes))

    async def found(connection: Any, language: str | None) -> list[str]:
        rows = await registry.find_template(connection, shop.id, "9", "hello", language)
        return sorted(row.meta_id for row in rows)

    assert in_workspace(shop, lambda c: found(c, None)) == ["1", "2"]
    assert in_workspace(shop, lambda c: found(c, "es_MX")) == ["1"]


def test_forgetting_is_of_one_kind_in_one_workspace(shop: Shop) -> None:
    other = Shop.open(shop.database)
    learn(shop, template(shop), Resource(shop.id, "media", "7"), Resource(shop.id, "media", "8"))
    learn(other, Resource(other.id, "media", "7"))

    in_workspace(shop, lambda c: registry.forget(c, shop.id, "media", ["7"]))
    in_workspace(shop, lambda c: registry.forget(c, other.id, "media", ["7"]))

    assert {(r.kind, r.meta_id) for r in find(shop, "7", "8")} == {
        ("template", "7"),
        ("media", "8"),
    }
    assert len(find(other, "7")) == 1
