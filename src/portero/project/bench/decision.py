"""The decision: beside other engines, under everything a policy can say, and at the large end."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from operator import not_

from portero.engine import Check, Context, Snapshot, compile_policy
from portero.project.bench import engines, full
from portero.project.bench.crowd import crowd
from portero.project.bench.database import DATABASE, server, write_policy
from portero.project.bench.machine import machine
from portero.project.bench.measuring import Contestant, NotMeasured, Results, take_turns
from portero.project.bench.report import Report
from portero.project.bench.workload import Among, Workload, checks_of, policy_of, right, workload
from portero.project.bench.workload import Asked as Question
from portero.store.sealing import KeyRing

OURS, FLOOR = "Portero", "a bare dictionary"
WARM, FLOOR_WARM = "Portero, 100 questions", "a bare dictionary, 100 questions"
"""The same few over and over: what is left when everything fits into the processor's caches."""
BY_ROLE, BY_TEST = "Portero, settled by roles alone", "Portero, settled by the resource"
"""Its questions in two parts: where nothing is tested, and where a number, assignee or team is."""
BEST, BOUND, PLAIN = "cedarpy, sliced", "cedarpy, sliced, entities parsed", "cedarpy"
CASBIN = "pycasbin"
_TIME = "µs a decision"
_NOW = Context(now=1_770_000_000.0, weekday=0, minute=600)
_SAMPLE = 2000
"""Questions that a slow engine answers to be proved right; every one of ours is proved."""

Progress = Callable[[str], None]
Asked = list[tuple[str, tuple[Check, ...]]]


def run(*, rounds: int, quick: bool, progress: Progress) -> Report:
    """Measure; microseconds are of the process's own time, so that a busy machine costs less truth."""
    report = Report("decision", machine())
    size = workload(users=100, asked=500) if quick else workload()
    _beside_others(report, size, rounds=rounds, quick=quick, progress=progress)
    _whole_model(report, size, rounds=rounds, progress=progress)
    _large_end(report, people=500 if quick else 100_000, rounds=rounds, progress=progress)
    return report


def _beside_others(
    report: Report, size: Workload, *, rounds: int, quick: bool, progress: Progress
) -> None:
    snapshot, asked = compile_policy(policy_of(size)), _questions(size)
    wrong = sum(
        snapshot.decide(who, checks, _NOW).allowed != right(size, question)
        for (who, checks), question in zip(asked, size.asked, strict=True)
    )
    report.notes.append(
        f"{wrong:,} of {len(asked):,} answers differ from a plain loop over the workload."
    )
    few = asked[:100] * 100
    tested = [_tests_something(size, question) for question in size.asked]
    parts = {
        BY_ROLE: list(compress(asked, map(not_, tested))),
        BY_TEST: list(compress(asked, tested)),
    }
    fewer = 10 if quick else 1
    contestants = [
        Contestant(OURS, partial(_timed, partial(_decide_all, snapshot, asked, _NOW), len(asked))),
        Contestant(FLOOR, partial(_timed, _bare(size.asked, size), len(asked))),
        Contestant(WARM, partial(_timed, partial(_decide_all, snapshot, few, _NOW), len(few))),
        Contestant(FLOOR_WARM, partial(_timed, _bare(size.asked[:100] * 100, size), len(few))),
        *(
            Contestant(name, partial(_timed, partial(_decide_all, snapshot, part, _NOW), len(part)))
            for name, part in parts.items()
        ),
        _rival(report, BEST, size, engines.cedar_sliced, 1000 // fewer),
        _rival(
            report, BOUND, size, partial(engines.cedar_sliced, entities_parsed=True), 1000 // fewer
        ),
        _rival(report, PLAIN, size, engines.cedar_plain, 200 // fewer),
        _rival(report, CASBIN, size, engines.casbin, 200 // fewer),
    ]
    results = take_turns(contestants, rounds=rounds, progress=progress)
    report.sections.append(("Beside other engines, one question after the other", results))
    report.claim("wrong answers", lambda: float(wrong), "≤", 0)
    report.claim(
        "times as fast as cedarpy at its best", lambda: results.ratio(BEST, OURS, _TIME), "≥", 300
    )
    report.claim("times as fast as pycasbin", lambda: results.ratio(CASBIN, OURS, _TIME), "≥", 3000)
    report.claim("of a bare dictionary", lambda: results.ratio(FLOOR, OURS, _TIME), "≥", 0.4)


def _questions(size: Workload) -> Asked:
    return [(question.user, checks_of(question)) for question in size.asked]


def _tests_something(size: Workload, question: Question) -> bool:
    """Whether some role of the asker gives this with a restriction."""
    return any(
        grant.permission == question.permission and grant.among is not Among.ALL
        for role in size.users[question.user].roles
        for grant in size.roles[role]
    )


def _decide_all(snapshot: Snapshot, asked: Asked, context: Context) -> None:
    decide = snapshot.decide
    for who, checks in asked:
        decide(who, checks, context)


def _bare(questions: Sequence[Question], size: Workload) -> Callable[[], None]:
    """Two look-ups and the test of a tuple, inlined: the least that this interpreter can do."""
    tables = engines.bare_tables(size)
    teams = {name: frozenset(user.teams) for name, user in size.users.items()}
    asked = [(a.user, a.permission, a.conversation) for a in questions]

    def decide_all() -> None:
        for user, permission, conversation in asked:
            held = tables[user].get(permission)
            if held is True or held is None or held is False:
                continue
            numbers, mine, of_teams = held
            _ = (
                conversation.number in numbers
                or (mine and conversation.assignee == user)
                or (of_teams and conversation.team in teams[user])
            )

    return decide_all


def _rival(
    report: Report,
    name: str,
    size: Workload,
    prepare: Callable[[Workload], engines.Decide],
    count: int,
) -> Contestant:
    """Prove a rival's translation right, and measure it on questions from all over the workload."""
    try:
        decide = prepare(size)
    except NotMeasured as reason:
        return Contestant(name, partial(_missing, str(reason)))
    numbers = range(0, len(size.asked), max(1, len(size.asked) // count))
    wrong = sum(decide(n) != right(size, size.asked[n]) for n in numbers)
    report.notes.append(
        f"{name}: {wrong:,} of {len(numbers):,} answers differ from the plain loop."
    )

    def decide_some() -> None:
        for number in numbers:
            decide(number)

    return Contestant(name, partial(_timed, decide_some, len(numbers)))


def _missing(reason: str) -> Mapping[str, float]:
    raise NotMeasured(reason)


def _timed(do: Callable[[], None], count: int, figure: str = _TIME) -> dict[str, float]:
    """Do it once unmeasured, so that each finds the processor's caches as it leaves them itself."""
    do()
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        do()
        taken = time.process_time() - began
    finally:
        gc.enable()
    return {figure: taken / count * 1e6}


def _whole_model(report: Report, size: Workload, *, rounds: int, progress: Progress) -> None:
    asked = _questions(size)
    plain = compile_policy(policy_of(size))
    whole = compile_policy(full.full(policy_of(size)))

    def explain(snapshot: Snapshot, context: Context) -> None:
        for who, checks in asked:
            _ = snapshot.explain(who, checks, context).checks

    def changes(snapshot: Snapshot, context: Context) -> None:
        for who, checks in asked:
            _ = snapshot.explain(who, checks, context).changes

    timed = partial(_timed, count=len(asked), figure="µs")
    decide = "decide, the whole model"
    account = "explain: every rule and what it missed"
    contestants = [
        Contestant(decide, partial(timed, partial(_decide_all, whole, asked, full.NOW))),
        Contestant(account, partial(timed, partial(explain, plain, _NOW))),
        Contestant("explain, the whole model", partial(timed, partial(explain, whole, full.NOW))),
        Contestant(
            "explain: and what would change it", partial(timed, partial(changes, plain, _NOW))
        ),
    ]
    results = take_turns(contestants, rounds=rounds, progress=progress)
    report.sections.append(("With dates, hours, networks, factors, guardrails, limits", results))
    report.claim("µs a decision of the whole model", lambda: results.median(decide, "µs"), "≤", 2.5)
    report.claim("µs an explanation", lambda: results.median(account, "µs"), "≤", 3)


_ENGINE, _GATEWAY = "the engine alone", "the gateway"


def _large_end(report: Report, *, people: int, rounds: int, progress: Progress) -> None:
    progress(f"writing {people:,} people and {people * 10:,} bindings into a database")
    policy, kek = crowd(people), KeyRing.generate()
    workspace, roles = policy.workspace, len(policy.roles)
    with server() as cluster:
        write_policy(cluster.dsn("superuser", DATABASE), policy, kek)
        del policy
        dsn = cluster.dsn("gateway", DATABASE)
        contestants = [
            Contestant(_ENGINE, partial(_in_a_process, "engine", dsn, workspace, kek)),
            Contestant(_GATEWAY, partial(_in_a_process, "gateway", dsn, workspace, kek)),
        ]
        results = take_turns(contestants, rounds=rounds, progress=progress)
    title = f"{people:,} people, {people * 10:,} bindings to {roles} roles, half restricted"
    report.sections.append((title, results))
    for claim, who, figure, bar in (
        ("MiB of a snapshot", _ENGINE, "MiB of the snapshot", 96),
        ("MiB that the gateway keeps of it", _GATEWAY, "MiB the process keeps of it", 96),
        ("CPU s to build a snapshot from rows", _ENGINE, "CPU s to build", 0.5),
        ("s from the database", _ENGINE, "s from the database", 1.5),
        ("ms until a changed role shows", _ENGINE, "ms a changed role", 0.2),
        ("ms until a changed binding shows", _ENGINE, "ms a changed binding", 0.2),
        ("ms to name all who could give something", _ENGINE, "ms grantors", 5),
    ):
        report.claim(claim, partial(_measured, results, who, figure), "≤", bar)


def _measured(results: Results, who: str, figure: str) -> float:
    return results.median(who, figure)


def _in_a_process(what: str, dsn: str, workspace: str, kek: KeyRing) -> Mapping[str, float]:
    command = [sys.executable, "-m", "portero.project.bench.crowding", what, dsn, workspace]
    done = subprocess.run(  # noqa: S603 - this very interpreter
        command, input=kek.text(), capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        raise NotMeasured(done.stderr.strip().rpartition("\n")[2])
    figures: Mapping[str, float] = json.loads(done.stdout)
    return figures
