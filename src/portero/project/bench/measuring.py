"""Contestants that take turns, and the figures of their rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

ROUNDS = 5


class NotMeasured(Exception):
    """It cannot be measured here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One of those that are compared.

    Attributes:
        measure: one round; returns figures by name ("µs a decision", "requests/s"), or raises
            NotMeasured. What it needs before the first round is the caller's to prepare.
    """

    name: str
    measure: Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one contestant's rounds came to, in the unit that its name says."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def most(self) -> float:
        return max(self.rounds)


@dataclass(slots=True)
class Results:
    """Figures by contestant and name, and who could not be measured and why."""

    figures: dict[str, dict[str, Figure]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def median(self, contestant: str, name: str) -> float:
        """Raises NotMeasured with the reason when there is no such figure."""
        if contestant in self.missing:
            raise NotMeasured(f"{contestant}: {self.missing[contestant]}")
        try:
            return self.figures[contestant][name].median
        except KeyError:
            raise NotMeasured(f"{contestant} was not measured for {name}") from None

    def ratio(self, contestant: str, to: str, name: str) -> float:
        """How many times `to`'s figure the contestant's is: the median of the rounds' ratios.

        Two that took turns share the noise of their round, so it cancels round by round.
        """
        self.median(contestant, name)
        self.median(to, name)
        ours, theirs = (self.figures[who][name].rounds for who in (contestant, to))
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def take_turns(
    contestants: Sequence[Contestant],
    *,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda _: None,
) -> Results:
    """Measure each in every round, in an order that turns round by round.

    Whoever cannot be measured in one round is out of all of them.
    """
    results = Results()
    measured: dict[str, list[Mapping[str, float]]] = {one.name: [] for one in contestants}
    for number in range(rounds):
        for one in contestants if number % 2 == 0 else contestants[::-1]:
            if one.name in results.missing:
                continue
            progress(f"round {number + 1} of {rounds}: {one.name}")
            try:
                measured[one.name].append(one.measure())
            except NotMeasured as reason:
                results.missing[one.name] = str(reason)
    for name, all_rounds in measured.items():
        if name not in results.missing:
            results.figures[name] = {
                figure: Figure(tuple(one[figure] for one in all_rounds)) for figure in all_rounds[0]
            }
    return results
