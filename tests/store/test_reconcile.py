"""What a dead process left open is ended `unknown`: once, and nothing else is touched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest

from portero.store import reconcile
from portero.store.admission import Admission, Note
from portero.store.ids import uuid7
from portero.store.presence import Presence
from portero.store.reconcile import DEAD_AFTER_S, close_the_dead
from portero.store.records import Outcome, RecordKind
from store.shop import Shop, connector, limit_of, recording


@pytest.fixture(autouse=True)
def _only_our_own_dead(shop: Shop, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.ERROR, "portero.store.reconcile")
    yield
    with psycopg.connect(shop.database.dsn()) as db:
        db.execute("DELETE FROM gateway_process")


def process(shop: Shop, process_id: UUID, lease_ended_s_ago: float) -> None:
    with psycopg.connect(shop.database.dsn()) as db:
        db.execute(
            "INSERT INTO gateway_process (id, started_at, lease_until, seen)"
            " VALUES (%s, now(), clock_timestamp() - make_interval(secs => %s), '1:1:')",
            [process_id, lease_ended_s_ago],
        )


def die(shop: Shop, *calls: Admission | Note, lease_ended_s_ago: float = DEAD_AFTER_S + 1) -> None:
    """Let the shop's process admit and note, and never be heard of again."""

    async def go() -> None:
        async with recording(connector(shop.database)) as recorder:
            for call in calls:
                if isinstance(call, Admission):
                    await recorder.admit(call)
                else:
                    await recorder.note(call)

    asyncio.run(go())
    process(shop, shop.process, lease_ended_s_ago)


async def close(shop: Shop) -> int:
    connection = await connector(shop.database)()
    try:
        return await close_the_dead(connection)
    finally:
        await connection.close()


def outcomes(shop: Shop) -> dict[UUID, str]:
    return {r["call_id"]: r["outcome"] for r in shop.records(RecordKind.OUTCOME)}


def test_the_open_calls_of_a_dead_process_end_unknown(shop: Shop) -> None:
    left_open, done = shop.admission(record=shop.intent(attempt=2)), shop.admission()
    limit = limit_of(0)
    die(
        shop,
        left_open,
        done,
        Note(record=done.record.ended(Outcome.DONE, "done")),
        shop.admission(takes=(limit,)),  # refused: there is nothing to end
    )

    assert asyncio.run(close(shop)) == 1

    assert outcomes(shop) == {done.record.call: "done", left_open.record.call: "unknown"}
    [unknown] = [r for r in shop.records(RecordKind.OUTCOME) if r["outcome"] == "unknown"]
    assert (unknown["reason"], unknown["attempt"]) == ("process_died", 2)
    assert unknown["process"] == shop.process
    assert asyncio.run(close(shop)) == 0


def test_its_idempotency_keys_stay_taken_and_unknown(shop: Shop) -> None:
    record = shop.intent()
    die(shop, shop.admission(record=record, claim=shop.claim(record.call)))

    asyncio.run(close(shop))

    [row] = shop.rows("SELECT state FROM idempotency WHERE workspace_id = %s")
    assert row["state"] == "unknown"


@pytest.mark.parametrize("lease_ended_s_ago", [-1.0, DEAD_AFTER_S - 1])
def test_a_process_that_lives_or_may_only_be_slow_is_left_alone(
    shop: Shop, lease_ended_s_ago: float
) -> None:
    die(shop, shop.admission(), lease_ended_s_ago=lease_ended_s_ago)

    assert asyncio.run(close(shop)) == 0

    assert outcomes(shop) == {}


def test_other_processes_calls_are_left_alone(shop: Shop) -> None:
    alive = uuid7()
    process(shop, alive, -5)
    theirs = shop.admission(record=shop.intent(process=alive))
    die(shop, shop.admission(), theirs)

    assert asyncio.run(close(shop)) == 1

    assert theirs.record.call not in outcomes(shop)


def test_a_process_that_left_in_order_leaves_nothing_open_for_long(shop: Shop) -> None:
    async def leave() -> None:
        one = Presence(process=shop.process, connect=connector(shop.database))
        await one.leave()

    die(shop, shop.admission(), lease_ended_s_ago=-100)
    asyncio.run(leave())
    with psycopg.connect(shop.database.dsn()) as db:
        db.execute("UPDATE gateway_process SET lease_until = lease_until - interval '4 seconds'")

    assert asyncio.run(close(shop)) == 1
    with psycopg.connect(shop.database.dsn()) as db:
        assert db.execute("SELECT count(*) FROM gateway_process").fetchone() == (0,)


def test_every_workspace_is_looked_through_in_parts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_CHUNK", 1)
    other = Shop.open(shop.database)
    die(
        shop,
        shop.admission(),
        other.admission(record=other.intent(process=shop.process)),
        other.admission(record=other.intent(process=shop.process)),
    )

    assert asyncio.run(close(shop)) == 3

    assert (len(outcomes(shop)), len(outcomes(other))) == (1, 2)


# Several reconcilers


async def closed_by_three(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Three reconcilers at once, each slow between looking and writing.

    Returns how many calls each closed, or why it failed.
    """
    original = reconcile.insert_records

    async def slowly(*arguments: Any) -> None:
        await asyncio.sleep(0.05)
        await original(*arguments)

    monkeypatch.setattr(reconcile, "insert_records", slowly)
    return await asyncio.gather(*(close(shop) for _ in range(3)), return_exceptions=True)


def test_three_reconcilers_at_once_end_each_call_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(shop, *(shop.admission() for _ in range(40)))
    for _ in range(3):
        process(shop, uuid7(), 10)

    closed = asyncio.run(closed_by_three(shop, monkeypatch))

    assert sum(closed) == 40
    assert len(shop.records(RecordKind.OUTCOME)) == len(outcomes(shop)) == 40


def test_without_the_row_lock_reconcilers_get_into_each_others_way(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked = reconcile._DEAD.replace("FOR UPDATE SKIP LOCKED", "")
    monkeypatch.setattr(reconcile, "_DEAD", unlocked)
    die(shop, *(shop.admission() for _ in range(40)))

    closed = asyncio.run(closed_by_three(shop, monkeypatch))

    assert any(isinstance(one, asyncpg.UniqueViolationError) for one in closed)
    assert len(shop.records(RecordKind.OUTCOME)) == 40  # the key of records holds all the same


def test_a_process_that_comes_back_begins_anew(shop: Shop) -> None:
    """One that slept and was taken for dead: its row is gone, and it makes another."""
    die(shop, shop.admission())

    async def go() -> bool:
        one = Presence(process=shop.process, connect=connector(shop.database))
        await close(shop)
        connection = await connector(shop.database)()
        try:
            await one._beat(connection)
            await one._beat(connection)
        finally:
            await connection.close()
        return one.alive()

    assert asyncio.run(go())
    assert asyncio.run(close(shop)) == 0
    assert list(outcomes(shop).values()) == ["unknown"]
