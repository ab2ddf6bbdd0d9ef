"""Faults drawn from a seed, and played: the same seed gives the same faults in the same order.

What they meet is never quite the same twice; but a storm that found something is worth playing again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from typing_extensions import override

Deed = Callable[[random.Random], AbstractContextManager[object]]
"""Does something bad when entered and ends it when left; its dice are its own, from the seed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. `weight` is how often it is drawn, beside the others' weights."""

    name: str
    weight: float
    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of a schedule: after so long a calm, of a kind, for so long. `dice` seeds details."""

    number: int
    calm_s: float
    kind: str
    lasts_s: float
    dice: int

    @override
    def __str__(self) -> str:
        return f"#{self.number} after {self.calm_s:.3f} s: {self.kind} for {self.lasts_s:.3f} s"


def draw(seed: int, count: int, kinds: Sequence[Kind], *, calm_s: float) -> list[Step]:
    """Draw a schedule; calms are exponential around `calm_s`, so that faults meet any moment."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    weights = [kind.weight for kind in kinds]
    steps = []
    for number in range(count):
        [kind] = dice.choices(kinds, weights)
        steps.append(
            Step(
                number,
                min(dice.expovariate(1 / calm_s), 10 * calm_s),
                kind.name,
                dice.uniform(kind.least_s, kind.most_s),
                dice.getrandbits(32),
            )
        )
    return steps


def play(
    steps: Sequence[Step],
    deeds: Mapping[str, Deed],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Step]:
    """Play one step after the other, each ended before the next; yields a step once it is over."""
    for step in steps:
        sleep(step.calm_s)
        with deeds[step.kind](random.Random(step.dice)):  # noqa: S311 - as above
            sleep(step.lasts_s)
        yield step
