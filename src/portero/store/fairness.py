"""Sharing what all workspaces use: each takes its turn, and none takes everything."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from heapq import nsmallest
from typing import TypeVar

Item = TypeVar("Item")


def in_turn(
    items: Sequence[Item], most: int, whose: Callable[[Item], Hashable]
) -> tuple[list[Item], list[Item]]:
    """Choose as many as `most`: of everybody the first, then of everybody the second, and so on.

    Returns those and the rest, each in the order in which they came.
    """
    taken: Counter[Hashable] = Counter()
    ranked = []
    for place, item in enumerate(items):
        key = whose(item)
        ranked.append((taken[key], place))
        taken[key] += 1
    chosen = {place for _, place in nsmallest(most, ranked)}
    return (
        [item for place, item in enumerate(items) if place in chosen],
        [item for place, item in enumerate(items) if place not in chosen],
    )


class Shares:
    """So many at once of each; more of the same wait for one of their own to end, and for no other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._gates: dict[Hashable, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, whose: Hashable) -> AsyncIterator[None]:
        """Hold one share while the block runs."""
        gate, users = self._gates.setdefault(whose, (asyncio.Semaphore(self._most), []))
        users.append(None)
        try:
            async with gate:
                yield
        finally:
            users.pop()
            if not users:
                del self._gates[whose]
