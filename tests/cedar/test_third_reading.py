"""Three readings of the rules, the engine's, a naive one and Cedar's, must not differ."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, groupby

import cedarpy
import pytest

from cedar import asking
from cedar.asking import Answer
from engine import naive
from engine.faults import FAULTS
from engine.readings import DECISIONS, SEED, readings
from portero.engine import Decision, Reason

UNSEEN = {
    "a_key_begins_a_new_day",
    "a_limit_of_a_binding_is_forgotten",
    "a_limit_of_a_key_is_forgotten",
    "a_limit_of_the_workspace_is_forgotten",
    "an_unknown_audience_is_small",
    "the_first_miss_is_the_closest",
    "the_same_bindings_always_owe_the_same",
    "the_second_person_is_asked_one_early",
    "ties_are_broken_by_id",
}
"""Faults in obligations, and in which reason a refusal names: Cedar knows neither."""
SEEN = sorted(FAULTS.keys() - UNSEEN)
SHORT = [
    "a_window_includes_its_last_minute",
    "a_binding_ends_a_moment_late",
    "all_labels_must_match",
    "guardrails_bite_everywhere",
    "a_key_does_not_narrow_the_scope",
    "families_of_addresses_mix",
]
MILLIONS = int(os.environ.get("PORTERO_TEST_CEDAR_DECISIONS", "10_000_000"))


def agree(decision: Decision, answer: Answer) -> bool:
    """Whether the effects are one, and what settled it, where Cedar names it too."""
    if decision.allowed != answer.allowed:
        return False
    named = decision.allowed or decision.reason == Reason.BLOCKED_BY_GUARDRAIL
    return not named or answer.because == set(decision.because)


def differences(decisions: int, seed: int = SEED) -> Iterator[object]:
    """Yield the number of each decision that the three readings do not share, with what was asked."""
    numbers = count(1)
    for policy, asked in groupby(readings(decisions, seed), key=lambda reading: reading[0]):
        cases = [(snapshot, request) for _, snapshot, request in asked]
        answers = asking.answers(policy, [request for _, request in cases])
        for (snapshot, request), answer in zip(cases, answers, strict=True):
            number = next(numbers)
            arguments = (request.principal, request.checks, request.context, request.credential)
            compiled, plain = snapshot.decide(*arguments), naive.decide(policy, *arguments)
            if compiled != plain or not agree(compiled, answer):
                yield number, request, compiled, plain, answer


def first_difference(decisions: int, seed: int = SEED) -> object:
    return next(differences(decisions, seed), None)


def test_three_readings_of_the_rules_never_differ():
    assert first_difference(DECISIONS) is None


@pytest.mark.parametrize("name", SHORT)
def test_cedar_finds_a_planted_fault_within_5000_decisions(name, monkeypatch):
    FAULTS[name](monkeypatch)

    assert first_contradiction(5000, SEED) is not None


def first_contradiction(decisions: int, seed: int) -> object:
    """The first decision in which Cedar alone contradicts the engine."""
    return next(
        (
            number
            for number, _, compiled, _, answer in differences(decisions, seed)
            if not agree(compiled, answer)
        ),
        None,
    )


def test_a_policy_that_fails_to_evaluate_fails_the_run():
    failing = 'forbid (principal, action, resource) when { resource.number == "a" };'
    entity = {"uid": {"type": "Resource", "id": "r"}, "attrs": {}, "parents": []}
    request = {
        "principal": 'Principal::"ana"', "action": 'Action::"send:text"', "resource": 'Resource::"r"',
    }  # fmt: skip
    skipped = cedarpy.is_authorized(request, failing, [entity])

    with pytest.raises(asking.EvaluationFailed):
        asking.read(skipped)


def test_at_least_thirty_planted_faults_are_cedars_to_find():
    assert FAULTS.keys() > UNSEEN
    assert len(SEEN) >= 30


@pytest.mark.long
@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
@pytest.mark.parametrize("name", SEEN)
def test_cedar_finds_every_planted_fault_with_three_seeds(name, seed, monkeypatch):
    FAULTS[name](monkeypatch)

    assert first_contradiction(5000, seed) is not None


def first_difference_in_shares(decisions: int, seed: int) -> object:
    """In shares of 10,000 decisions, each with a seed of its own, on every processor."""
    share = 10_000
    seeds = range(seed, seed + decisions // share)
    with ProcessPoolExecutor() as pool:
        found = zip(seeds, pool.map(first_difference, [share] * len(seeds), seeds), strict=True)
        return next((one for one in found if one[1] is not None), None)


@pytest.mark.long
def test_a_hundred_thousand_decisions_take_a_minute_at_most():
    began = time.monotonic()

    assert first_difference_in_shares(100_000, SEED + 3) is None
    assert time.monotonic() - began <= 60


@pytest.mark.long
def test_three_readings_never_differ_in_ten_million_decisions():
    assert first_difference_in_shares(MILLIONS, SEED + 1000) is None
