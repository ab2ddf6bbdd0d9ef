"""The benchmark of the decision runs, proves its workload, and says what it could not measure."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

import asyncpg
import pytest

from databases import Database
from portero.engine import Reach, compile_policy
from portero.project.bench import decision, engines, full, workload
from portero.project.bench.crowd import crowd
from portero.project.bench.database import write_policy
from portero.project.bench.measuring import NotMeasured
from portero.project.bench.report import as_markdown
from portero.project.bench.workload import Among
from portero.store.listed import in_workspace
from portero.store.policy import load_policy
from portero.store.sealing import KeyRing

SMALL = workload.workload(users=40, roles=12, asked=300)


@pytest.fixture(scope="module")
def report():
    return decision.run(rounds=1, quick=True, progress=lambda _: None)


def test_everything_is_measured(report):
    (_, beside), (_, whole), (_, large) = report.sections

    assert set(beside.figures) == {
        decision.OURS, decision.FLOOR, decision.WARM, decision.FLOOR_WARM,
        decision.BY_ROLE, decision.BY_TEST,
        decision.BEST, decision.BOUND, decision.PLAIN, decision.CASBIN,
    }  # fmt: skip
    assert len(whole.figures) == 4
    assert set(large.figures) == {"the engine alone", "the gateway"}
    assert not (beside.missing | whole.missing | large.missing)
    assert large.median("the gateway", "bindings") == 5000
    assert len(report.goals) == 13
    assert all(goal.measured is not None for goal in report.goals)
    assert "0 of 500 answers differ" in as_markdown(report)


def test_the_workload_has_both_answers_in_every_kind_of_grant():
    size = workload.workload()
    allowed = sum(workload.right(size, asked) for asked in size.asked)

    assert 0.3 < allowed / len(size.asked) < 0.7
    assert {g.among for grants in size.roles.values() for g in grants} == set(Among)


def wrong(size) -> int:
    snapshot = compile_policy(workload.policy_of(size))
    return sum(
        snapshot.decide(asked.user, workload.checks_of(asked), full.NOW).allowed
        != workload.right(size, asked)
        for asked in size.asked
    )


def test_control_a_wrong_translation_is_found(monkeypatch):
    assert wrong(SMALL) == 0

    monkeypatch.setitem(workload._REACHES, Among.TEAMS, Reach.OWN)

    assert wrong(SMALL) > 0


@pytest.mark.parametrize("rival", [engines.cedar_sliced, engines.cedar_plain, engines.casbin])
def test_every_rival_answers_right(rival):
    decide = rival(SMALL)

    answers = [decide(number) for number in range(0, 300, 5)]

    assert answers == [workload.right(SMALL, asked) for asked in SMALL.asked[::5]]


@pytest.mark.parametrize(
    ("name", "rival"), [("cedarpy", engines.cedar_sliced), ("casbin", engines.casbin)]
)
def test_a_rival_that_is_not_installed_is_not_measured(name, rival, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(NotMeasured, match="not installed"):
        rival(SMALL)


def test_a_crowd_comes_out_of_the_database_as_it_went_in(database: Database):
    policy = crowd(60)

    async def load():
        workspace = UUID(policy.workspace)
        async with (
            asyncpg.create_pool(database.dsn("gateway"), min_size=1, max_size=1) as pool,
            in_workspace(pool, workspace, readonly=True) as connection,
        ):
            return await load_policy(connection, workspace)

    write_policy(database.dsn(), policy, KeyRing.generate())
    loaded = asyncio.run(load()).policy

    assert loaded.bindings == policy.bindings
    assert set(loaded.principals) == set(policy.principals)
    assert sorted(loaded.roles, key=str) == sorted(policy.roles, key=str)
