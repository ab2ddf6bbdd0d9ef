"""The console's benchmark runs, small, and says what it claims to say."""

from __future__ import annotations

import json

from portero.project.bench import console
from portero.project.bench.report import as_json, as_markdown


def test_every_page_is_measured_and_held_against_its_bar() -> None:
    said: list[str] = []

    report = console.run(rounds=1, quick=True, progress=said.append)

    [(title, results)] = report.sections
    assert title == "Pages for an owner: 2,000 people, 20,200 bindings"
    assert results.missing == {}
    assert {"people", "a person", "consequences for everybody", "why"} <= set(results.figures)
    assert all(figures[console.MEDIAN].median > 0 for figures in results.figures.values())
    claims = {goal.claim: goal for goal in report.goals}
    assert claims["people: median, ms"].bar == 150
    assert claims["people: p95, ms"].bar == 400
    assert claims["consequences of a role's change: p95, ms"].bar == 2000
    assert claims["the first page after a change of policy, ms"].measured is not None
    assert "s to make the workspace" in claims
    assert json.loads(as_json(report))["subject"] == "console"
    assert "consequences for everybody" in as_markdown(report)
