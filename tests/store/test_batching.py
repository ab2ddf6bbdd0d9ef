"""Natural batching: nobody waits for others, nobody is answered with another's answer."""

import asyncio
from collections.abc import Sequence

import pytest

from portero.store.batching import Batching


class Desk:
    """Doubles numbers, a batch at a time, and remembers how they came."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def double(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await asyncio.sleep(0.01)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


def test_what_gathers_while_one_batch_runs_goes_into_the_next() -> None:
    desk = Desk()

    async def go() -> list[int]:
        ask = Batching(desk.double, most=4)
        first = asyncio.ensure_future(ask(1))
        await asyncio.sleep(0.001)
        rest = [asyncio.ensure_future(ask(n)) for n in (2, 3, 2, 5, 6)]
        return await asyncio.gather(first, *rest)

    assert asyncio.run(go()) == [2, 4, 6, 4, 10, 12]
    assert desk.batches == [[1], [2, 3, 2, 5], [6]]


def test_a_crowd_waits_for_no_first_batch_and_a_few_do() -> None:
    async def go() -> None:
        batches: list[list[int]] = []
        may_end = asyncio.Event()

        async def work(numbers: Sequence[int]) -> Sequence[int]:
            batches.append(list(numbers))
            await may_end.wait()
            return numbers

        ask = Batching(work, lanes=2, crowd=3)
        asked = []
        for number, begun in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 2)):
            asked.append(ask(number))
            await asyncio.sleep(0)
            assert len(batches) == begun
        may_end.set()

        assert await asyncio.gather(*asked) == [1, 2, 3, 4, 5, 6, 7]
        assert batches == [[1], [2, 3, 4], [5, 6, 7]]
        assert await ask(8) == 8

    asyncio.run(go())


def test_a_failure_is_told_to_its_own_batch_only() -> None:
    desk = Desk()

    async def go() -> list[object]:
        ask = Batching(desk.double, most=2)
        asked = [asyncio.ensure_future(ask(n)) for n in (13, 1, 2, 3)]
        return await asyncio.gather(*asked, return_exceptions=True)

    told = asyncio.run(go())

    assert [type(one) for one in told[:2]] == [ValueError, ValueError]
    assert told[2:] == [4, 6]


def test_who_goes_away_takes_nobody_along() -> None:
    desk = Desk()

    async def go() -> int:
        ask = Batching(desk.double)
        gone, stays = asyncio.ensure_future(ask(1)), asyncio.ensure_future(ask(2))
        await asyncio.sleep(0.001)
        gone.cancel()
        return await stays

    assert asyncio.run(go()) == 4


def test_a_worker_that_is_ended_tells_who_waits() -> None:
    desk = Desk()

    async def go() -> None:
        ask = Batching(desk.double)
        asked = asyncio.ensure_future(ask(1))
        await asyncio.sleep(0.001)
        [worker] = ask._workers
        worker.cancel()
        with pytest.raises(RuntimeError, match="stopped"):
            await asked

    asyncio.run(go())
