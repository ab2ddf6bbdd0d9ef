"""An explanation agrees with its decision, names what failed, and proposes what really helps."""

from __future__ import annotations

from itertools import chain

import pytest

from engine import naive
from engine.applying import Case, apply
from engine.readings import DECISIONS, readings
from portero.engine import (
    Change,
    ChangeKind,
    CheckAccount,
    Effect,
    GuardrailKind,
    Reach,
    Reason,
    RuleKind,
    compile_policy,
)

NOBODY_MAY_ASK = {
    Reason.UNKNOWN_PRINCIPAL,
    Reason.PRINCIPAL_INACTIVE,
    Reason.CREDENTIAL_INACTIVE,
    Reason.CREDENTIAL_EXPIRED,
}


CHANGES_OF_ONE_RULE = {
    ChangeKind.GIVE_PERMISSION,
    ChangeKind.WIDEN_SCOPE,
    ChangeKind.LIFT_RESTRICTION,
    ChangeKind.RENEW,
    ChangeKind.ASK_GUARDRAIL_OWNER,
}


def explained(count):
    for policy, snapshot, asked in readings(count):
        arguments = (asked.principal, asked.checks, asked.context, asked.credential)
        yield policy, asked, snapshot.decide(*arguments), snapshot.explain(*arguments)


def test_an_explanation_always_carries_the_decision():
    for _, _, decision, explanation in explained(DECISIONS // 2):
        assert explanation.decision == decision


def test_an_explanation_cannot_be_changed():
    _, _, _, explanation = next(explained(1))

    for part in ("decision", "checks", "changes", "change", "another"):
        with pytest.raises(AttributeError):
            setattr(explanation, part, None)


def test_an_account_is_of_when_it_was_asked_for_and_stays_as_it_is():
    for policy, snapshot, asked in readings(DECISIONS // 10):
        checks = list(asked.checks)
        explanation = snapshot.explain(asked.principal, checks, asked.context, asked.credential)
        checks.clear()
        again = compile_policy(policy).explain(
            asked.principal, asked.checks, asked.context, asked.credential
        )
        assert explanation.checks is explanation.checks
        assert (explanation.checks, explanation.changes) == (again.checks, again.changes)


def test_an_account_names_exactly_the_rules_that_settled_it():
    for _, asked, decision, explanation in explained(DECISIONS // 2):
        if decision.reason in NOBODY_MAY_ASK:
            assert explanation.checks == ()
            continue
        assert [account.check for account in explanation.checks] == list(asked.checks)
        refused = [account for account in explanation.checks if not account.allowed]
        if decision.effect is Effect.ALLOW:
            assert refused == []
            matched = chain.from_iterable(account.matched for account in explanation.checks)
            assert {rule.id for rule in matched} == set(decision.because)
        elif decision.reason == Reason.BLOCKED_BY_GUARDRAIL:
            assert tuple(rule.id for rule in refused[0].guardrails) == decision.because
        else:
            assert refused or not asked.checks


def test_an_account_tells_what_a_look_at_every_rule_finds():
    """Accounts are given from parts that stand ready; a judgement is made anew each time."""
    told = 0
    for _, snapshot, asked in readings(DECISIONS // 2):
        arguments = (asked.principal, asked.checks, asked.context, asked.credential)
        for account in snapshot.explain(*arguments).checks:
            subject = snapshot._subject(asked.principal, asked.credential)
            entry = snapshot._entry(subject, account.check.permission)
            if entry is None:
                assert account == CheckAccount(account.check, False, account.check.permission)
                continue
            judged = entry.judge(account.check.resource, asked.context)
            assert [rule.id for rule in account.matched] == [t.clause.id for t in judged.matched]
            assert list(map(fared, account.missed)) == list(
                map(found(account, asked), judged.missed)
            )
            narrowing = found(account, asked)(judged.narrowing)
            assert fared(account.credential) == (narrowing if judged.narrowing.failing else None)
            assert [g.id for g in account.guardrails] == [d.guardrail.id for d in judged.bitten]
            assert account.allowed == (judged.reason is Reason.ALLOWED)
            missing = judged.reason is Reason.PERMISSION_MISSING
            assert account.missing == (account.check.permission if missing else None)
            told += bool(judged.missed)

    assert told > 1000


def fared(rule):
    return None if rule is None else (rule.id, rule.role, list(rule.failing))


def found(account, asked):
    resource, context = account.check.resource, asked.context

    def of(trial):
        failing = [(r.dimension, r.wanted, r.actual(resource, context)) for r in trial.failing]
        return trial.clause.id, trial.clause.role, failing

    return of


def test_every_missed_binding_fails_where_a_naive_reading_says_so():
    seen = 0
    for policy, asked, _, explanation in explained(DECISIONS // 4):
        bindings = {binding.id: binding for binding in policy.bindings}
        principals = {principal.id: principal for principal in policy.principals}
        for account in explanation.checks:
            for missed in account.missed:
                binding = bindings[missed.id]
                reach = naive.reach_of(policy, binding.role, account.check.permission)
                resource = account.check.resource
                wanted = (
                    naive.scope_failures(binding.scope, resource)
                    + naive.reach_failures(reach, principals[asked.principal], resource)
                    + naive.condition_failures(binding.conditions, asked.context)
                    + naive.date_failures(binding, asked.context)
                )
                assert len(missed.failing) == len(wanted)
                seen += 1

    assert seen > 1000


def test_the_proposed_changes_together_really_allow():
    tried = 0
    kinds = set()
    for case, explanation in refused_by_one_check(DECISIONS // 2):
        for change in explanation.changes:
            case = apply(change, case)
            kinds.add(change.kind)
        assert decide(case).effect is Effect.ALLOW, explanation.checks
        tried += 1

    assert tried > DECISIONS // 20
    assert kinds == set(ChangeKind) - {
        ChangeKind.ACTIVATE_PRINCIPAL,
        ChangeKind.USE_ANOTHER_CREDENTIAL,
    }


def test_no_change_to_the_closest_binding_is_superfluous():
    tried = 0
    for whole, explanation in refused_by_one_check(DECISIONS // 4):
        if any(change.rule is not RuleKind.BINDING for change in explanation.changes):
            continue
        for left_out in explanation.changes:
            case = whole
            for change in explanation.changes:
                case = apply(change, case) if change is not left_out else case
            assert decide(case).effect is Effect.DENY, (left_out, explanation.checks)
            tried += 1

    assert tried > DECISIONS // 100


def refused_by_one_check(count):
    """Yield the cases in which one check is refused, and something could be done about it."""
    for policy, asked, _, explanation in explained(count):
        refused = [account for account in explanation.checks if not account.allowed]
        if len(refused) == 1 and explanation.changes and simple(explanation.changes, policy):
            yield Case(policy, asked), explanation


def decide(case):
    asked = case.asked
    return compile_policy(case.policy).decide(
        asked.principal, asked.checks, asked.context, asked.credential
    )


def simple(changes, policy):
    """Whether each step is of another kind, and no rule minds another time or place."""
    kinds = [change.kind for change in changes]
    dimensions = [change.dimension for change in changes]
    if any(kinds.count(kind) > 1 for kind in kinds if kind not in CHANGES_OF_ONE_RULE):
        return False
    bearers = [*policy.bindings, *policy.credentials]
    timed = [b for b in bearers if b.conditions.hours is not None]
    placed = [b for b in bearers if b.conditions.networks is not None]
    timed += [g for g in policy.guardrails if g.kind == GuardrailKind.HOURS]
    placed += [g for g in policy.guardrails if g.kind == GuardrailKind.NETWORKS]
    ends = [b for b in bearers if b.until is not None]
    minds = {"hours": len(timed) > 1, "network": len(placed) > 1, "since": bool(ends)}
    return not any(minds.get(dimension) for dimension in dimensions)


def test_who_may_not_ask_at_all_is_told_the_first_step():
    met = set()
    for policy, asked, decision, explanation in explained(DECISIONS // 4):
        match decision.reason:
            case Reason.PRINCIPAL_INACTIVE | Reason.CREDENTIAL_EXPIRED:
                after = decide(apply(explanation.change, Case(policy, asked)))
                assert after.reason != decision.reason
            case Reason.CREDENTIAL_INACTIVE:
                wanted = (ChangeKind.USE_ANOTHER_CREDENTIAL, asked.credential)
                assert (explanation.change.kind, explanation.change.id) == wanted
            case Reason.UNKNOWN_PRINCIPAL:
                assert explanation.change is None
        met.add(decision.reason)

    assert met >= NOBODY_MAY_ASK


def test_an_allowed_request_needs_no_change():
    for _, _, decision, explanation in explained(DECISIONS // 4):
        if decision.effect is Effect.ALLOW:
            assert explanation.changes == ()
            assert explanation.change is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            Change(ChangeKind.GIVE_PERMISSION, RuleKind.PRINCIPAL, "beto", permission="send:text"),
            "Give the principal beto a role with send:text.",
        ),
        (
            Change(ChangeKind.WIDEN_SCOPE, RuleKind.BINDING, "b1", "template_set", "promo"),
            "Let the binding b1 also cover the template set promo.",
        ),
        (
            Change(
                ChangeKind.WIDEN_REACH,
                RuleKind.BINDING,
                "b1",
                "reach",
                Reach.TEAM,
                permission="send:text",
            ),
            "Let the role of the binding b1 reach “team” for send:text.",
        ),
        (
            Change(ChangeKind.LIFT_RESTRICTION, RuleKind.CREDENTIAL, "k1", "number"),
            "Lift the restriction by number from the credential k1.",
        ),
        (
            Change(ChangeKind.RENEW, RuleKind.BINDING, "b1", "until"),
            "Give the binding b1 a later end.",
        ),
        (
            Change(ChangeKind.WAIT_UNTIL, RuleKind.BINDING, "b1", "hours", 1.77e9, "Monday 09:00"),
            "Wait until Monday 09:00, when the binding b1 allows it.",
        ),
        (
            Change(
                ChangeKind.USE_NETWORK,
                RuleKind.GUARDRAIL,
                "g1",
                "network",
                ("10.0.0.0/8", "2001:db8::/32"),
            ),
            "Ask again from the network 10.0.0.0/8 or 2001:db8::/32, as the guardrail g1 demands.",
        ),
        (
            Change(ChangeKind.CONFIRM_FACTOR, RuleKind.GUARDRAIL, "g1", "factor", 300),
            "Confirm the second factor: the guardrail g1 wants one that is at most 300 seconds old.",
        ),
        (
            Change(ChangeKind.USE_TEMPLATE, RuleKind.GUARDRAIL, "g1", "contents"),
            "Send an approved template, as the guardrail g1 demands.",
        ),
        (
            Change(ChangeKind.ASK_GUARDRAIL_OWNER, RuleKind.GUARDRAIL, "g1"),
            "Ask whoever keeps the guardrail g1 for an exception.",
        ),
        (
            Change(ChangeKind.ACTIVATE_PRINCIPAL, RuleKind.PRINCIPAL, "beto"),
            "Activate the principal beto.",
        ),
        (
            Change(ChangeKind.USE_ANOTHER_CREDENTIAL, RuleKind.CREDENTIAL, "k1"),
            "Use another key than k1.",
        ),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Change) else "",
)
def test_a_change_reads_as_a_sentence(change, sentence):
    assert change.sentence() == sentence
