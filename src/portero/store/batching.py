"""Natural batching: whatever gathered while the last batch ran goes into the next one.

A lone item never waits for others, and a crowd shares the price of one round trip or one commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from portero.store.fairness import in_turn

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batching(Generic[Item, Answer]):
    """Call it with an item; `work` gets many at once and answers each in its place.

    With several lanes a crowd need not wait for the end of the batch before it; fewer do, because
    every batch has its own price. Of more than one batch holds, everybody's first are taken: `whose`
    says whose an item is. What `work` raises comes out of every call of that batch.
    Belongs to the loop that calls it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int = 256,
        lanes: int = 1,
        crowd: int = 16,
        whose: Callable[[Item], Hashable] = lambda _item: None,
    ) -> None:
        self._work = work
        self._most = most
        self._lanes = lanes
        self._crowd = crowd
        self._whose = whose
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, item: Item) -> asyncio.Future[Answer]:
        """The answer for this item, to be awaited."""
        loop = self._loop
        if loop is None:  # to find it is a system call
            loop = self._loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, done))
        busy = len(self._workers)
        if not busy or (busy < self._lanes and len(self._waiting) >= self._crowd):
            self._workers.add(loop.create_task(self._drain()))
        return done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = list(self._waiting), deque()
                if len(waiting) > self._most:
                    waiting, rest = in_turn(waiting, self._most, lambda one: self._whose(one[0]))
                    self._waiting.extend(rest)
                await self._run(waiting)
        finally:
            self._workers -= {asyncio.current_task()}

    async def _run(self, batch: Sequence[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._work([item for item, _ in batch])
        except BaseException as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(_for_others(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, done), answer in zip(batch, answers, strict=True):
            if not done.done():  # who asked may have gone
                done.set_result(answer)


def _for_others(error: BaseException) -> BaseException:
    """A cancelled worker must not look to its callers as if they had been cancelled themselves."""
    return RuntimeError("stopped") if isinstance(error, asyncio.CancelledError) else error
