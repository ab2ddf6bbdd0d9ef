"""Posts on their way in: each kept once with what it teaches, however they come together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from portero.store import intake
from portero.store.contacts import Identity
from portero.store.intake import Post, store_posts
from portero.store.listed import read_committed
from portero.store.registry import Resource
from store.shop import Shop, isolated_by_default


def post(shop: Shop, number: int, *people: Sequence[Identity]) -> Post:
    body = f"post {number}".encode()
    learned = [
        Resource(shop.id, "number", "7", "9"),
        Resource(shop.id, "message", f"wamid.{number:04}", "9", "7"),
    ]
    return Post(shop.id, hashlib.sha256(body).digest(), body, learned, people)


def with_pool(shop: Shop, work: Callable[[asyncpg.Pool], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        dsn = shop.database.dsn("gateway")
        async with asyncpg.create_pool(dsn, min_size=2, init=read_committed) as pool:
            return await work(pool)

    return asyncio.run(go())


def store(shop: Shop, *posts: Post) -> Sequence[Exception | None]:
    told: Sequence[Exception | None] = with_pool(shop, lambda pool: store_posts(pool, posts))
    return told


def bodies(shop: Shop) -> list[bytes]:
    rows = shop.rows("SELECT body FROM webhook_event WHERE workspace_id = %s ORDER BY id")
    return [bytes(row["body"]) for row in rows]


def test_posts_of_several_workspaces_are_kept_as_they_came_with_what_they_teach(shop: Shop) -> None:
    other = Shop.open(shop.database)

    assert store(shop, post(shop, 2), post(other, 3), post(shop, 1)) == [None] * 3

    assert bodies(shop) == [b"post 2", b"post 1"]
    assert bodies(other) == [b"post 3"]
    assert [one.count("resource") for one in (shop, other)] == [3, 2]


@pytest.mark.parametrize("level", ["read committed", "serializable"])
def test_w02_repetitions_side_by_side_in_any_order_are_kept_once_and_wait_for_no_circle(
    shop: Shop, level: str
) -> None:
    posts = [post(shop, number) for number in range(60)]

    async def both(pool: asyncpg.Pool) -> None:
        for _ in range(20):
            told = await asyncio.gather(
                store_posts(pool, posts), store_posts(pool, list(reversed(posts)))
            )
            assert told == [[None] * 60] * 2

    with isolated_by_default(shop, level):
        with_pool(shop, both)

    assert sorted(bodies(shop)) == sorted(one.body for one in posts)
    assert shop.count("resource") == 61


def test_who_is_named_in_several_ways_is_known_by_all_of_them_with_the_post(shop: Shop) -> None:
    names = [
        Identity(shop.id, kind, kind.encode().ljust(32), lambda row: row.bytes)
        for kind in ("phone", "bsuid")
    ]

    assert store(shop, post(shop, 1, names)) == [None]

    rows = shop.rows("SELECT contact_id FROM contact_identity WHERE workspace_id = %s")
    assert len(rows) == 2
    assert len({row["contact_id"] for row in rows}) == 1
    assert shop.count("webhook_event") == 1


def test_control_without_the_list_of_workspaces_nothing_is_let_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlisted = intake._STORE.replace("set_config('portero.workspaces', $1, true)", "$1::text")
    monkeypatch.setattr(intake, "_STORE", unlisted)

    [failure] = store(shop, post(shop, 1))

    assert isinstance(failure, asyncpg.InsufficientPrivilegeError)
    assert shop.count("webhook_event") == shop.count("resource") == 0


def test_a_list_outlives_no_statement(shop: Shop) -> None:
    async def left(pool: asyncpg.Pool) -> object:
        await store_posts(pool, [post(shop, 1)])
        async with pool.acquire() as connection:
            return await connection.fetchval("SELECT count(*) FROM webhook_event")

    assert with_pool(shop, left) == 0
