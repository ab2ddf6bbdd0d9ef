"""What the gateway's benchmarks are made of, and that they run; how fast is theirs to say."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from portero.project.bench import gateway, ingest, load
from portero.project.bench.load import Request
from portero.project.bench.measuring import Contestant, NotMeasured, take_turns
from portero.project.bench.report import Report, as_json, as_markdown
from portero.project.bench.stand import accepts, child, free_port, wait_for

DELAY_MS = 40


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-P", "-m", "portero.project.bench.slow", str(port), str(DELAY_MS)]
    with child(command):
        wait_for(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}"


MIX = [Request("/v23.0/106551200000000/messages", {"Content-Type": "application/json"}, b"{}")]


def test_an_open_loop_sends_at_its_rate_and_counts_from_when_a_request_was_due(slow: str) -> None:
    seen = load.open_loop(slow, MIX, rate=100, seconds=2)

    assert seen.refused == 0
    assert 140 <= seen.requests <= 260  # arrivals are random
    assert seen.p50_ms >= DELAY_MS


def test_requests_that_one_connection_holds_up_are_counted_as_late(slow: str) -> None:
    seen = load.open_loop(slow, MIX, rate=100, seconds=1, connections=1)

    # One at a time takes 40 ms each, and a hundred a second were due.
    assert seen.p99_ms > 5 * DELAY_MS


def test_contestants_take_turns_in_an_order_that_turns() -> None:
    order: list[str] = []

    def one(name: str) -> Contestant:
        return Contestant(name, lambda: order.append(name) or {"figure": len(order)})  # type: ignore[func-returns-value]  # it appends

    results = take_turns([one("a"), one("b")], rounds=3)

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert results.figures["a"]["figure"].rounds == (1, 4, 5)
    assert results.ratio("a", "b", "figure") == 5 / 6


def test_what_cannot_be_measured_is_said_and_fails_no_goal() -> None:
    def absent() -> dict[str, float]:
        raise NotMeasured("nginx is not installed")

    report = Report("gateway", {"python": "3"})
    results = take_turns([Contestant("ours", lambda: {"n": 2.0}), Contestant("nginx", absent)])
    report.sections.append(("Beside nginx", results))
    report.claim("times nginx", lambda: results.ratio("ours", "nginx", "n"), "≥", 0.25)
    report.claim("at least one", lambda: results.median("ours", "n"), "≥", 1)
    report.claim("at most one", lambda: results.median("ours", "n"), "≤", 1)

    assert [goal.holds for goal in report.goals] == [None, True, False]
    assert "| nginx | *not measured*: nginx is not installed |" in as_markdown(report)
    assert '"not_measured": {' in as_json(report)


@pytest.mark.long
@pytest.mark.parametrize("subject", [gateway, ingest], ids=["gateway", "ingest"])
def test_a_quick_run_says_a_figure_or_why_not_for_every_goal(subject: object) -> None:
    report: Report = subject.run(rounds=1, quick=True, progress=lambda _: None)  # type: ignore[attr-defined]  # a module

    assert report.goals
    assert all(goal.measured is not None or goal.why for goal in report.goals)
    ours = [
        r
        for _, results in report.sections
        for who, r in results.figures.items()
        if "Portero" in who
    ]
    assert ours
