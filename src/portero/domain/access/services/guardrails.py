"""Guardrails: what is taken away, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from portero import engine
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, NotFound
from portero.domain.access.models import Guardrail, Principal, Role
from portero.domain.access.services.changes import changes_together, policy_change
from portero.domain.access.services.validation import (
    require_fresh_factor,
    require_hours,
    require_name,
    require_networks,
    require_patterns,
    require_scope,
)
from portero.domain.access.services.way_back import (
    NEVER_MET,
    require_a_way_back,
    require_to_stay_in,
    stands_in_the_way,
)
from portero.domain.audit.services import Touched
from portero.engine import ENTRIES, GuardrailKind, Hours, Scope
from portero.store.ids import uuid7
from portero.store.rules import write_hours, write_scope

_NEEDED = {
    GuardrailKind.REQUIRE_FRESH_FACTOR: "fresh_factor_s",
    GuardrailKind.NETWORKS: "networks",
    GuardrailKind.HOURS: "hours",
}


def create_guardrail(
    *,
    actor: Actor,
    name: str,
    kind: GuardrailKind,
    permissions: Iterable[str],
    scope: Scope | None = None,
    principals: Iterable[UUID] | None = None,
    fresh_factor_s: int | None = None,
    networks: Iterable[str] | None = None,
    hours: Iterable[Hours] | None = None,
    threshold: int | None = None,
    reason: str = "",
    managed_by: str = "portero",
) -> UUID:
    """Take away, from the next decision on. `scope` None = everywhere, `principals` None = whoever.

    A role's id among the principals stands for whoever has the role. Raises AccessDenied,
    InvalidRule, NotFound, LocksItselfIn for one that nobody could lift, and ShutsYouOut for one under
    which its author could not come in.
    """
    with policy_change(
        actor=actor, operation="create_guardrail", event="guardrail.created"
    ) as change:
        change.authorize("guardrail:update")
        called = require_name(name)
        windows = tuple(hours) if hours is not None else None
        body: dict[str, Any] = {"permissions": require_patterns(permissions, also=ENTRIES)}
        if scope is not None:
            require_scope(scope)
            body["scope"] = write_scope(scope)
        if principals is not None:
            body["principals"] = _existing(principals)
        body |= _details(fresh_factor_s, networks, windows, threshold)
        needed = _NEEDED.get(kind)
        if needed is not None and needed not in body:
            raise InvalidRule(f"a guardrail of kind {kind} needs {needed}")
        drawn = engine.Guardrail(
            "",
            called,
            kind,
            frozenset(body["permissions"]),
            scope or Scope(),
            frozenset(body["principals"]) if "principals" in body else None,
            fresh_factor_s,
            tuple(body["networks"]) if "networks" in body else None,
            windows,
        )
        require_a_way_back(change, drawn=drawn)
        if kind not in NEVER_MET:  # an author who is no owner may well deny themselves
            require_to_stay_in(change, drawn)
        guardrail = Guardrail.objects.create(
            id=uuid7(),
            name=called,
            kind=kind,
            body=body,
            reason=reason,
            author_id=actor.principal,
            managed_by=managed_by,
            valid_from=change.version,
        )
        change.note(
            Touched("guardrail", guardrail.id), name=called, kind=kind, rule=body, reason=reason
        )
    return guardrail.id


def retire_guardrail(*, actor: Actor, guardrail: UUID, reason: str = "") -> None:
    """Stop taking away. Raises AccessDenied (OwnAccess), NotFound."""
    with policy_change(
        actor=actor, operation="retire_guardrail", event="guardrail.retired"
    ) as change:
        change.authorize("guardrail:update")
        known = next((g for g in change.state.policy.guardrails if g.id == str(guardrail)), None)
        if known is None:
            raise NotFound(str(guardrail))
        change.require_not_for_self(
            engine.named_by(change.state.policy, known.principals or frozenset())
        )
        Guardrail.objects.filter(id=guardrail, valid_to=None).update(valid_to=change.version)
        change.note(Touched("guardrail", guardrail), reason=reason)


def lift_entry_rules(*, actor: Actor, reason: str) -> int:
    """Take away every guardrail on coming in, or on lifting guardrails, for whoever runs the installation; returns how many.

    It asks for no right, because it is what is left when nobody with a right can come in: where it
    is offered, only the server's own command line may be.
    """
    with policy_change(
        actor=actor, operation="lift_entry_rules", event="guardrail.retired"
    ) as change:
        rules = [
            one
            for one in change.state.policy.guardrails
            if not ENTRIES.keys().isdisjoint(one.permissions) or stands_in_the_way(one)
        ]
        in_force = Guardrail.objects.filter(id__in=[one.id for one in rules], valid_to=None)
        in_force.update(valid_to=change.version)
        change.note(
            *(Touched("guardrail", UUID(one.id)) for one in rules),
            names=[one.name for one in rules],
            reason=reason,
        )
    return len(rules)


def replace_guardrail(
    *,
    actor: Actor,
    guardrail: UUID,
    name: str,
    kind: GuardrailKind,
    permissions: Iterable[str],
    scope: Scope | None = None,
    principals: Iterable[UUID] | None = None,
    fresh_factor_s: int | None = None,
    networks: Iterable[str] | None = None,
    hours: Iterable[Hours] | None = None,
    threshold: int | None = None,
    reason: str = "",
) -> UUID:
    """Put another in a guardrail's place, in one change.

    Raises what `create_guardrail` and `retire_guardrail` raise.
    """
    with changes_together(actor=actor, operation="replace_guardrail", event="guardrail.created"):
        made = create_guardrail(
            actor=actor,
            name=name,
            kind=kind,
            permissions=permissions,
            scope=scope,
            principals=principals,
            fresh_factor_s=fresh_factor_s,
            networks=networks,
            hours=hours,
            threshold=threshold,
            reason=reason,
        )
        retire_guardrail(actor=actor, guardrail=guardrail, reason=reason)
    return made


def _existing(principals: Iterable[UUID]) -> list[str]:
    """Principals, or roles in place of whoever has them."""
    wanted = set(principals)
    found = Principal.objects.filter(id__in=wanted).count()
    found += Role.objects.filter(id__in=wanted).count()
    if not wanted or found != len(wanted):
        raise NotFound("principals")
    return sorted(str(principal) for principal in wanted)


def _details(
    fresh_factor_s: int | None,
    networks: Iterable[str] | None,
    hours: tuple[Hours, ...] | None,
    threshold: int | None,
) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if fresh_factor_s is not None:
        require_fresh_factor(fresh_factor_s)
        details["fresh_factor_s"] = fresh_factor_s
    if networks is not None:
        details["networks"] = sorted(networks)
        require_networks(details["networks"])
    if hours is not None:
        require_hours(hours)
        details["hours"] = write_hours(hours)
    if threshold is not None:
        details["threshold"] = threshold
    if threshold is not None and threshold < 0:
        raise InvalidRule("a threshold is not negative")
    return details
