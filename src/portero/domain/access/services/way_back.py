"""Owners must stay able to come in and to lift guardrails, whatever is drawn, given or taken (B3.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portero import engine
from portero.domain.access.errors import LocksItselfIn, OwnerNeeded
from portero.domain.access.models import Principal
from portero.domain.access.services.changes import Change
from portero.engine import ENTER_CONSOLE, Bindings, GuardrailKind, covers

LIFTS = "guardrail:update"
WAYS_BACK = (ENTER_CONSOLE, LIFTS)
# What nobody can do anything about while it stands: it must not stand before its own removal.
NEVER_MET = frozenset(
    {
        GuardrailKind.DENY,
        GuardrailKind.TEMPLATES_ONLY,
        GuardrailKind.REQUIRE_WINDOW,
        GuardrailKind.REQUIRE_CONSENT,
        GuardrailKind.REQUIRE_SECOND_PERSON,
    }
)
_BY_ANYBODY = frozenset({GuardrailKind.REQUIRE_FRESH_FACTOR})
"""What every owner can meet, wherever they are."""


def stands_in_the_way(rule: engine.Guardrail) -> bool:
    return any(covers(pattern, way) for pattern in rule.permissions for way in WAYS_BACK)


def owners_here(*, but: Collection[str] = ()) -> set[str]:
    """Active owners who have come in; asked in the workspace, under its lock."""
    found = Principal.objects.filter(owner=True, active=True, invited=False)
    return {str(one) for one in found.values_list("id", flat=True)}.difference(but)


def require_a_way_back(
    change: Change,
    *,
    drawn: engine.Guardrail | None = None,
    gained: Mapping[str, Collection[str]] | None = None,
    leaving: Collection[str] = (),
) -> None:
    """Look at what follows: a guardrail `drawn`, teams or roles `gained` by principals, owners `leaving`.

    One owner stays whom nothing shuts out. Hours, networks and passkeys that would hold every owner
    are for an owner to demand. Raises LocksItselfIn, OwnerNeeded.
    """
    policy, gained = change.state.policy, gained or {}
    rules = [one for one in policy.guardrails if stands_in_the_way(one)]
    if drawn is not None and stands_in_the_way(drawn):
        rules.append(drawn)
    if not rules:
        return
    owners = owners_here(but=leaving)
    before = _names(policy, owners)
    after = {one: before[one].union(gained.get(one, ())) for one in owners}
    free = {one for one in owners if not _bitten(rules, after[one], NEVER_MET)}
    if not free:
        raise LocksItselfIn
    rest = frozenset(GuardrailKind) - NEVER_MET - _BY_ANYBODY
    newly = {
        one
        for one in free
        if _bitten(rules, after[one], rest)
        and (
            (drawn is not None and _bitten([drawn], after[one], rest))
            or not _bitten(rules, before[one], rest)
        )
    }
    if (
        newly
        and all(_bitten(rules, after[one], rest) for one in free)
        and change.actor.id not in owners
    ):
        raise OwnerNeeded


def _names(policy: engine.Policy, owners: set[str]) -> dict[str, set[str]]:
    """All that a guardrail may call each owner: themselves, their teams, their roles, in force or not."""
    bindings = Bindings.among(policy.bindings)
    known = {one.id: one for one in policy.principals if one.id in owners}
    found: dict[str, set[str]] = {}
    for owner in owners:
        holders = {owner, *(known[owner].teams if owner in known else ())}
        found[owner] = holders | {b.role for holder in holders for b in bindings.of(holder)}
    return found


def _bitten(
    rules: Collection[engine.Guardrail], names: Collection[str], kinds: frozenset[GuardrailKind]
) -> bool:
    return any(
        rule.kind in kinds
        and stands_in_the_way(rule)
        and (rule.principals is None or not rule.principals.isdisjoint(names))
        for rule in rules
    )
