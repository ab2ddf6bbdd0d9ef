"""What must hold whatever the policy: adding takes one way only, and order does not matter."""

from __future__ import annotations

import threading
from dataclasses import replace
from random import Random

import pytest

from engine import generate, naive
from engine.readings import DECISIONS, SEED, readings
from portero.engine import Effect, GuardrailKind, Policy, Reason, compile_policy

COUNT = DECISIONS // 5


def decide(policy, asked):
    snapshot = compile_policy(policy)
    return snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential)


@pytest.fixture
def random():
    return Random(SEED)


def test_without_bindings_only_owners_may_anything():
    for policy, _, asked in readings(COUNT):
        bare = replace(policy, bindings=())
        owners = {p.id for p in policy.principals if p.owner}
        may_come_in = all(check.permission in generate.ENTRIES for check in asked.checks)
        denied = decide(bare, asked).effect is Effect.DENY
        assert denied or asked.principal in owners or may_come_in


def test_a_matching_guardrail_denies_whatever_the_bindings_say(random):
    denied = 0
    for policy, _, asked in readings(COUNT):
        closed = generate.guardrail(random, "closed")
        closed = replace(
            closed, kind=GuardrailKind.DENY, permissions=frozenset({"send:*"}), principals=None
        )
        matching = any(
            naive.guardrail_concerns(policy, closed, policy.principals[0], check)
            for check in asked.checks
        )
        if matching:
            decision = decide(replace(policy, guardrails=(*policy.guardrails, closed)), asked)
            assert decision.effect is Effect.DENY
            denied += decision.reason == Reason.BLOCKED_BY_GUARDRAIL

    assert denied > 20


def test_a_new_guardrail_never_widens_access(random):
    narrowed = 0
    for policy, snapshot, asked in readings(COUNT):
        more = replace(policy, guardrails=(*policy.guardrails, generate.guardrail(random, "new")))
        before = snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential)
        after = decide(more, asked)
        assert before.allowed or not after.allowed
        assert not after.allowed or set(before.obligations) <= set(after.obligations)
        narrowed += before.allowed and not after.allowed

    assert narrowed > 20


def test_a_new_limit_changes_nothing_but_what_is_taken(random):
    for policy, snapshot, asked in readings(COUNT):
        holder = random.choice(naive_holders(policy))
        more = replace(policy, limits=(*policy.limits, generate.limit(random, "new", *holder)))
        before = snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential)
        after = decide(more, asked)
        assert (after.effect, after.reason, after.because) == (
            before.effect,
            before.reason,
            before.because,
        )
        assert set(before.obligations) <= set(after.obligations)


def naive_holders(policy):
    return [
        (generate.HolderKind.WORKSPACE, ""),
        *((generate.HolderKind.BINDING, binding.id) for binding in policy.bindings),
        *((generate.HolderKind.PRINCIPAL, principal.id) for principal in policy.principals),
    ]


def test_a_new_binding_never_narrows_access(random):
    widened = 0
    for policy, snapshot, asked in readings(COUNT):
        more = replace(policy, bindings=(*policy.bindings, generate.binding(random, "new")))
        before = snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential)
        after = decide(more, asked)
        assert after.allowed or not before.allowed
        widened += after.allowed and not before.allowed

    assert widened > 20


def test_a_key_never_widens_what_its_account_may():
    narrowed = 0
    for _, snapshot, asked in readings(COUNT):
        if asked.credential is not None:
            with_key = snapshot.decide(
                asked.principal, asked.checks, asked.context, asked.credential
            )
            without = snapshot.decide(asked.principal, asked.checks, asked.context)
            assert without.allowed or not with_key.allowed
            narrowed += without.allowed and not with_key.allowed

    assert narrowed > 20


def test_the_order_of_rules_is_irrelevant(random):
    for policy, snapshot, asked in readings(COUNT):
        arguments = (asked.principal, asked.checks, asked.context, asked.credential)
        other = compile_policy(shuffled(random, policy))
        assert other.decide(*arguments) == snapshot.decide(*arguments)
        there, here = other.explain(*arguments), snapshot.explain(*arguments)
        assert (there.checks, there.changes) == (here.checks, here.changes)


def shuffled(random: Random, policy: Policy) -> Policy:
    kinds = ("principals", "roles", "bindings", "guardrails", "limits", "credentials")
    rules = {kind: getattr(policy, kind) for kind in kinds}
    return replace(
        policy, **{kind: tuple(random.sample(all_, len(all_))) for kind, all_ in rules.items()}
    )


def test_the_order_of_checks_changes_only_which_reason_is_named(random):
    for _, snapshot, asked in readings(COUNT):
        checks = random.sample(asked.checks, len(asked.checks))
        here = snapshot.decide(asked.principal, asked.checks, asked.context, asked.credential)
        there = snapshot.decide(asked.principal, checks, asked.context, asked.credential)
        assert here.effect is there.effect
        if here.allowed:
            assert here == there


def test_what_was_asked_before_changes_no_answer():
    """Decisions are not remembered: asked again in another order, all are the same."""
    seen = [
        (snapshot, (asked.principal, asked.checks, asked.context, asked.credential))
        for _, snapshot, asked in readings(COUNT)
    ]
    first = [snapshot.decide(*arguments) for snapshot, arguments in seen]
    again = [snapshot.decide(*arguments) for snapshot, arguments in reversed(seen)]

    assert first == again[::-1]


def test_threads_that_share_a_snapshot_get_the_same_answers():
    cases = [
        (compile_policy(policy), (asked.principal, asked.checks, asked.context, asked.credential))
        for policy, _, asked in readings(COUNT // 4)
    ]
    alone = [compile_policy(s.policy).decide(*arguments) for s, arguments in cases]
    answers: list[list[object]] = [[], [], []]

    def ask_all(into: list[object]) -> None:
        into.extend(snapshot.decide(*arguments) for snapshot, arguments in cases)

    threads = [threading.Thread(target=ask_all, args=(into,)) for into in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert answers == [alone, alone, alone]


def test_strangers_leave_nothing_behind():
    snapshot = compile_policy(Policy("w", 1))
    asked = next(asked for _, _, asked in readings(1))

    for n in range(100):
        snapshot.decide(f"stranger{n}", asked.checks, asked.context)
        snapshot.decide("stranger", asked.checks, asked.context, f"key{n}")

    assert not snapshot._subjects
