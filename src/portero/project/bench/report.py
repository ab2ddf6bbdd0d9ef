"""What a benchmark has to say: figures, goals that hold or do not, and the machine."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from portero.project.bench.measuring import NotMeasured, Results

_HOLDS = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True, slots=True)
class Goal:
    """A claim, and what was measured; None when it could not be, and `why` says the reason."""

    claim: str
    measured: float | None
    sense: Literal["≥", "≤"]
    bar: float
    why: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.measured is None else bool(_HOLDS[self.sense](self.measured, self.bar))


@dataclass(slots=True)
class Report:
    """One benchmark's results."""

    subject: str
    machine: Mapping[str, str]
    sections: list[tuple[str, Results]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def claim(
        self, claim: str, measure: Callable[[], float], sense: Literal["≥", "≤"], bar: float
    ) -> None:
        """Hold a measured value against its bar; what was not measured is said, not skipped."""
        try:
            self.goals.append(Goal(claim, measure(), sense, bar))
        except NotMeasured as reason:
            self.goals.append(Goal(claim, None, sense, bar, str(reason)))


def as_json(report: Report) -> str:
    """Write everything, with every round."""
    return json.dumps(
        {
            "subject": report.subject,
            "machine": dict(report.machine),
            "sections": [_section(title, results) for title, results in report.sections],
            "goals": [
                {
                    "claim": g.claim,
                    "measured": g.measured,
                    "bar": f"{g.sense} {g.bar:g}",
                    "holds": g.holds,
                    **({"why": g.why} if g.why else {}),
                }
                for g in report.goals
            ],
            "notes": report.notes,
        },
        ensure_ascii=False,
        indent=2,
    )


def _section(title: str, results: Results) -> dict[str, object]:
    return {
        "title": title,
        "figures": {
            who: {
                name: {"median": f.median, "least": f.least, "most": f.most, "rounds": f.rounds}
                for name, f in figures.items()
            }
            for who, figures in results.figures.items()
        },
        "not_measured": dict(results.missing),
    }


def as_markdown(report: Report) -> str:
    """Write the tables a person reads, which are also the documentation's."""
    lines = [f"## {report.subject}", ""]
    lines += ["; ".join(f"{name}: {said}" for name, said in report.machine.items()), ""]
    for title, results in report.sections:
        lines += [f"### {title}", "", *_table(results), ""]
    if report.goals:
        lines += ["### Goals", "", "| goal | measured | bar | |", "| --- | --: | --: | --- |"]
        lines += [_goal(goal) for goal in report.goals]
        lines.append("")
    lines += [f"* {note}" for note in report.notes]
    return "\n".join(lines).rstrip() + "\n"


def _table(results: Results) -> list[str]:
    names = list(dict.fromkeys(n for figures in results.figures.values() for n in figures))
    lines = [
        f"| | {' | '.join(names)} |" if names else "| |",
        "| --- |" + " --: |" * len(names),
    ]
    for who, figures in results.figures.items():
        cells = [
            f"{figures[n].median:,.4g} ({figures[n].least:,.4g} to {figures[n].most:,.4g})"
            if n in figures
            else ""
            for n in names
        ]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    lines += [
        f"| {who} | *not measured*: {why}{' |' * max(len(names), 1)}"
        for who, why in results.missing.items()
    ]
    return lines


def _goal(goal: Goal) -> str:
    said = {None: "*not measured*", True: "holds", False: "**missed**"}[goal.holds]
    value = goal.why if goal.measured is None else f"{goal.measured:,.4g}"
    return f"| {goal.claim} | {value} | {goal.sense} {goal.bar:,g} | {said} |"
