"""What takes away: guardrails and limits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from cast import Cast
from portero.domain.access import services as access
from portero.domain.access.errors import AccessDenied, InvalidRule, NotFound, OwnAccess
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.engine import Guardrail, GuardrailKind, HolderKind, Hours, Limit, Metric, Per, Scope
from portero.store.ids import uuid7

SCOPE = Scope(numbers=frozenset({"1"}))


def in_force(cast: Cast) -> tuple[tuple[Guardrail, ...], tuple[Limit, ...]]:
    with in_workspace(cast.workspace):
        lock_policy(exclusive=False)
        policy = current_state().policy
    return policy.guardrails, policy.limits


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        (GuardrailKind.DENY, {}),
        (GuardrailKind.TEMPLATES_ONLY, {"scope": SCOPE}),
        (GuardrailKind.REQUIRE_FRESH_FACTOR, {"fresh_factor_s": 300}),
        (GuardrailKind.NETWORKS, {"networks": ("10.0.0.0/8", "2001:db8::/32")}),
        (GuardrailKind.HOURS, {"hours": (Hours(frozenset({0, 6}), 1320, 360),)}),
        (GuardrailKind.REQUIRE_SECOND_PERSON, {"threshold": 1000}),
    ],
)
def test_the_engine_reads_a_guardrail_as_it_was_made(
    cast: Cast, kind: GuardrailKind, details: dict[str, Any]
) -> None:
    guardrail = access.create_guardrail(
        actor=cast.ana,
        name="G",
        kind=kind,
        permissions=["send:*", "template:create"],
        principals=[cast.dora.principal],
        **details,
    )

    (read,), _ = in_force(cast)
    assert read == Guardrail(
        id=str(guardrail),
        name="G",
        kind=kind,
        permissions=frozenset({"send:*", "template:create"}),
        principals=frozenset({str(cast.dora.principal)}),
        **details,
    )


def test_a_retired_guardrail_takes_nothing_away_any_more(cast: Cast) -> None:
    guardrail = access.create_guardrail(
        actor=cast.ana, name="G", kind=GuardrailKind.DENY, permissions=["team:manage_members"]
    )
    with pytest.raises(AccessDenied) as refusal:
        access.create_team(actor=cast.ana, name="T")
    assert refusal.value.reason == "blocked_by_guardrail"
    assert refusal.value.because == (str(guardrail),)

    access.retire_guardrail(actor=cast.ana, guardrail=guardrail, reason="done")

    access.create_team(actor=cast.ana, name="T")
    with pytest.raises(NotFound):
        access.retire_guardrail(actor=cast.ana, guardrail=guardrail)


def test_i7_a_requirement_this_door_cannot_show_denies(cast: Cast) -> None:
    """A second person is asked for by the obligations of an allow; no service here has one."""
    access.create_guardrail(
        actor=cast.ana,
        name="Two people",
        kind=GuardrailKind.REQUIRE_SECOND_PERSON,
        permissions=["team:manage_members"],
    )

    with pytest.raises(AccessDenied) as refusal:
        access.create_team(actor=cast.ana, name="T")
    assert refusal.value.code == "condition_unmet"


@pytest.mark.parametrize(
    "rule",
    [
        {"permissions": []},
        {"permissions": ["send:fax"]},
        {"permissions": ["fax:*"]},
        {"permissions": ["*"]},
        {"scope": Scope(countries=frozenset())},
        {"scope": Scope(countries=frozenset({"MX", "Mexico"}))},
        {"scope": Scope(countries=frozenset({"QQ"}))},
        {"scope": Scope(countries=frozenset({"mx"}))},
        {"kind": GuardrailKind.NETWORKS},
        {"kind": GuardrailKind.NETWORKS, "networks": ["localhost"]},
        {"kind": GuardrailKind.HOURS, "hours": [Hours(frozenset({7}), 0, 60)]},
        {"kind": GuardrailKind.HOURS, "hours": [Hours(frozenset({0}), 1440, 60)]},
        {"kind": GuardrailKind.REQUIRE_FRESH_FACTOR},
        {"kind": GuardrailKind.REQUIRE_FRESH_FACTOR, "fresh_factor_s": -1},
        {"name": ""},
    ],
)
def test_a_guardrail_that_can_mean_nothing_is_refused(cast: Cast, rule: dict[str, Any]) -> None:
    usual = {"name": "G", "kind": GuardrailKind.DENY, "permissions": ["send:text"]}

    with pytest.raises(InvalidRule):
        access.create_guardrail(actor=cast.ana, **{**usual, **rule})

    assert in_force(cast)[0] == ()


def test_t01_a_guardrail_for_or_of_another_workspace_is_refused(cast: Cast) -> None:
    guardrail = access.create_guardrail(
        actor=cast.ana, name="G", kind=GuardrailKind.DENY, permissions=["send:text"]
    )

    for principal in (cast.dora.principal, uuid7()):
        with pytest.raises(NotFound):
            access.create_guardrail(
                actor=cast.carla,
                name="G",
                kind=GuardrailKind.DENY,
                permissions=["send:text"],
                principals=[principal],
            )
    for foreign in (guardrail, uuid7()):
        with pytest.raises(NotFound):
            access.retire_guardrail(actor=cast.carla, guardrail=foreign)


def test_the_engine_reads_a_limit_as_it_was_made_until_it_is_retired(cast: Cast) -> None:
    limit = access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.PRINCIPAL,
        holder=cast.dora.principal,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=5,
        permissions=["send:*"],
    )

    assert in_force(cast)[1] == (
        Limit(
            id=str(limit),
            holder_kind=HolderKind.PRINCIPAL,
            holder=str(cast.dora.principal),
            metric=Metric.MESSAGES,
            per=Per.DAY,
            amount=5,
            permissions=frozenset({"send:*"}),
        ),
    )
    access.retire_limit(actor=cast.ana, limit=limit)
    assert in_force(cast)[1] == ()


def test_a_limit_of_the_workspace_has_no_holder(cast: Cast) -> None:
    usual: dict[str, Any] = {"metric": Metric.REQUESTS, "per": Per.SECOND, "amount": 1}

    access.create_limit(actor=cast.ana, holder_kind=HolderKind.WORKSPACE, **usual)

    assert in_force(cast)[1][0].holder == ""
    with pytest.raises(InvalidRule):
        access.create_limit(
            actor=cast.ana, holder_kind=HolderKind.WORKSPACE, holder=uuid7(), **usual
        )


def test_b3_3_nobody_takes_a_guardrail_or_a_limit_off_themselves(cast: Cast) -> None:
    """Beto may change rules, but not those that were made for him, or for a team of his."""
    team = access.create_team(actor=cast.ana, name="Day")
    access.set_team_members(actor=cast.ana, team=team, members=[cast.beto.principal])
    for principal in (cast.beto.principal, team):
        guardrail = access.create_guardrail(
            actor=cast.ana,
            name="G",
            kind=GuardrailKind.DENY,
            permissions=["send:text"],
            principals=[principal],
        )
        made = access.create_limit(
            actor=cast.ana,
            holder_kind=HolderKind.PRINCIPAL,
            holder=principal,
            metric=Metric.MESSAGES,
            per=Per.DAY,
            amount=1,
        )
        with pytest.raises(OwnAccess):
            access.retire_guardrail(actor=cast.beto, guardrail=guardrail)
        with pytest.raises(OwnAccess):
            access.retire_limit(actor=cast.beto, limit=made)

    assert [len(rules) for rules in in_force(cast)] == [2, 2]


@pytest.mark.parametrize("kind", [HolderKind.KEY, HolderKind.PRINCIPAL, HolderKind.BINDING])
def test_t01_a_limit_needs_a_holder_of_this_workspace(cast: Cast, kind: HolderKind) -> None:
    for holder in (cast.dora.principal, uuid7(), None):
        with pytest.raises(NotFound):
            limit(cast, kind, holder)


def limit(cast: Cast, kind: HolderKind, holder: UUID | None) -> UUID:
    return access.create_limit(
        actor=cast.carla,
        holder_kind=kind,
        holder=holder,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=1,
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"amount": -1},
        {"metric": Metric.RECIPIENTS, "per": Per.SECOND},
        {"metric": Metric.MONEY, "per": Per.SECOND},
        {"permissions": []},
    ],
)
def test_a_limit_that_cannot_be_counted_is_refused(cast: Cast, rule: dict[str, Any]) -> None:
    usual = {"metric": Metric.MESSAGES, "per": Per.DAY, "amount": 1}

    with pytest.raises(InvalidRule):
        access.create_limit(actor=cast.ana, holder_kind=HolderKind.WORKSPACE, **{**usual, **rule})


def test_who_may_not_change_rules_is_refused(cast: Cast) -> None:
    with pytest.raises(AccessDenied):
        access.create_guardrail(
            actor=cast.dora, name="G", kind=GuardrailKind.DENY, permissions=["send:text"]
        )
    with pytest.raises(AccessDenied):
        access.retire_guardrail(actor=cast.dora, guardrail=uuid7())
    with pytest.raises(AccessDenied):
        access.create_limit(
            actor=cast.dora,
            holder_kind=HolderKind.WORKSPACE,
            metric=Metric.MESSAGES,
            per=Per.DAY,
            amount=1,
        )
    with pytest.raises(AccessDenied):
        access.retire_limit(actor=cast.dora, limit=uuid7())
