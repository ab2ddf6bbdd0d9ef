"""Two readings of the rules, the engine's and a naive one, must not differ."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from engine import naive
from engine.faults import FAULTS
from engine.readings import DECISIONS, readings
from portero.engine import Reason


def differences(decisions: int):
    """Yield the number of each decision that the two readings do not share, with both."""
    for n, (policy, snapshot, asked) in zip(count(1), readings(decisions), strict=False):
        arguments = (asked.principal, asked.checks, asked.context, asked.credential)
        wanted, got = naive.decide(policy, *arguments), snapshot.decide(*arguments)
        if wanted != got:
            yield n, asked, wanted, got


def test_two_readings_of_the_rules_never_differ():
    first = next(differences(DECISIONS), None)

    assert first is None


def test_the_requests_meet_every_reason_often():
    met = Counter(
        snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential).reason
        for _, snapshot, asked in readings(5000)
    )

    assert set(met) == set(Reason)
    assert min(met.values()) >= 50
    assert met[Reason.ALLOWED] >= 750


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_within_5000_decisions(name, monkeypatch):
    FAULTS[name](monkeypatch)

    assert next(differences(5000), None) is not None
