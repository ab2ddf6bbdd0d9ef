"""What all workspaces share: one that asks for ten times as much keeps no other waiting (T10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from databases import Database
from portero.store import listed
from portero.store import recorder as module
from portero.store.batching import Batching
from portero.store.fairness import Shares, in_turn
from portero.store.listed import SHARE, in_workspace
from portero.store.recorder import Recorder
from store.shop import Shop, connector, recording

CROWD = 400


def test_everybody_s_first_comes_before_anybody_s_second() -> None:
    items = ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]

    assert in_turn(items, 4, lambda one: one[0]) == (["a1", "a2", "b1", "c1"], ["a3", "a4", "b2"])
    assert in_turn(items, 9, lambda one: one[0]) == (items, [])
    assert in_turn([], 4, lambda one: one) == ([], [])


def admitted_before(noisy: Shop, quiet: Shop) -> int:
    """How many calls of a crowd are answered before the one call of another workspace is."""

    async def go() -> int:
        async with recording(connector(noisy.database)) as recorder:
            return await behind_a_crowd(recorder, noisy, quiet)

    return asyncio.run(go())


async def behind_a_crowd(recorder: Recorder, noisy: Shop, quiet: Shop) -> int:
    crowd = [asyncio.ensure_future(recorder.admit(noisy.admission())) for _ in range(CROWD)]
    await asyncio.sleep(0)  # they are waiting
    await recorder.admit(quiet.admission())
    before = sum(one.done() for one in crowd)
    await asyncio.gather(*crowd)
    return before


def test_t10_a_call_goes_with_the_next_commit_whatever_another_workspace_has_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_MAX", 16)

    assert admitted_before(Shop.open(database), Shop.open(database)) <= 32


def test_t10_control_first_come_first_served_waits_for_the_whole_crowd(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_MAX", 16)
    monkeypatch.setattr(module, "in_turn", lambda items, most, _whose: (items[:most], items[most:]))

    assert admitted_before(Shop.open(database), Shop.open(database)) >= CROWD - 16


def test_t10_of_what_comes_in_everybody_s_first_is_taken() -> None:
    done: list[str] = []

    async def work(items: Sequence[str]) -> Sequence[None]:
        await asyncio.sleep(0)
        done.extend(items)
        return [None] * len(items)

    async def go() -> None:
        batching = Batching(work, most=8, whose=lambda one: one[0])
        await asyncio.gather(*(batching(f"a{n}") for n in range(100)), batching("b0"))

    asyncio.run(go())
    assert done.index("b0") <= 8
    assert [one for one in done if one[0] == "a"] == [f"a{n}" for n in range(100)]


def test_t10_a_workspace_holds_its_share_of_the_connections_and_no_more(database: Database) -> None:
    noisy, quiet = Shop.open(database), Shop.open(database)

    async def go() -> int:
        held, over = 0, asyncio.Event()
        async with asyncpg.create_pool(
            database.dsn("gateway"), min_size=1, max_size=SHARE + 1
        ) as pool:

            async def holds() -> None:
                nonlocal held
                async with in_workspace(pool, noisy.id):
                    held += 1
                    await over.wait()

            crowd = [asyncio.create_task(holds()) for _ in range(10 * SHARE)]
            while held < SHARE:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            most = held
            try:
                async with asyncio.timeout(3), in_workspace(pool, quiet.id) as connection:
                    await connection.fetchval("SELECT version FROM policy_head")
            finally:
                over.set()
                await asyncio.gather(*crowd)
        assert held == len(crowd), "and they all come to it"
        return most

    assert asyncio.run(go()) <= SHARE


def test_t10_control_without_shares_one_workspace_holds_every_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "_shares", Shares(1000))

    with pytest.raises(TimeoutError):
        test_t10_a_workspace_holds_its_share_of_the_connections_and_no_more(database)


def test_a_share_is_given_back_whatever_happens() -> None:
    async def go() -> None:
        shares = Shares(1)
        with pytest.raises(ValueError, match="broken"):
            async with shares.of("a"):
                raise ValueError("broken")
        async with shares.of("a"):
            waiting = asyncio.create_task(shares.of("a").__aenter__())
            await asyncio.sleep(0)
            async with shares.of("b"):
                pass
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), shares.of("a"):
            assert len(shares._gates) == 1
        assert shares._gates == {}

    asyncio.run(go())
