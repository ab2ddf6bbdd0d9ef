"""Owners must stay able to come in and to lift guardrails, whatever is drawn, given or taken (B3.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from portero import engine
from portero.domain.access.authorize import decide, of_workspace
from portero.domain.access.errors import LocksItselfIn, OwnerNeeded, ShutsYouOut
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

    One owner stays whom nothing shuts out. Where owners are lost to hours, networks or passkeys and
    none stays who is held by as little, an owner does it, who stays and meets what will hold them.
    Raises LocksItselfIn, OwnerNeeded, ShutsYouOut.
    """
    policy, gained = change.state.policy, gained or {}
    rules = [one for one in policy.guardrails if stands_in_the_way(one)]
    if drawn is not None and stands_in_the_way(drawn):
        rules.append(drawn)
    if not rules:
        return
    names = _names(policy, owners_here())
    before = {
        one: _held(rules, called, but=drawn)
        for one, called in names.items()
        if not _is_shut_out(rules, called, but=drawn)
    }
    after: dict[str, frozenset[engine.Guardrail]] = {}
    for one in names.keys() - leaving:
        called = names[one].union(gained.get(one, ()))
        if not _is_shut_out(rules, called):
            after[one] = _held(rules, called)
    if not after:
        raise LocksItselfIn
    lost = [held for one, held in before.items() if one not in after or not after[one] <= held]
    if all(any(other <= held for other in after.values()) for held in lost):
        return
    if change.actor.id in leaving:
        raise LocksItselfIn  # whoever stays does it, being in
    if change.actor.id not in after:
        raise OwnerNeeded
    require_to_stay_in(change, *(replace(one, principals=None) for one in after[change.actor.id]))


def require_to_stay_in(change: Change, *rules: engine.Guardrail) -> None:
    """Demand that the actor could come in and lift guardrails here and now, under these as well.

    One with the id of another stands in its place. Raises ShutsYouOut.
    """
    policy, ids = change.state.policy, {one.id for one in rules}
    others = (one for one in policy.guardrails if one.id not in ids)
    after = change.state.snapshot.followed_by(replace(policy, guardrails=(*others, *rules)))
    then = replace(change.state, snapshot=after)
    for way in WAYS_BACK:
        touches = any(covers(pattern, way) for rule in rules for pattern in rule.permissions)
        if (
            touches
            and not decide(actor=change.actor, state=then, checks=[of_workspace(way)]).allowed
        ):
            raise ShutsYouOut


def _names(policy: engine.Policy, owners: set[str]) -> dict[str, set[str]]:
    """All that a guardrail may call each owner: themselves, their teams, their roles, in force or not."""
    bindings = Bindings.among(policy.bindings)
    known = {one.id: one for one in policy.principals if one.id in owners}
    found: dict[str, set[str]] = {}
    for owner in owners:
        holders = {owner, *(known[owner].teams if owner in known else ())}
        found[owner] = holders | {b.role for holder in holders for b in bindings.of(holder)}
    return found


def _is_shut_out(
    rules: Collection[engine.Guardrail],
    names: Collection[str],
    *,
    but: engine.Guardrail | None = None,
) -> bool:
    return any(one.kind in NEVER_MET and one is not but and _names_one(one, names) for one in rules)


def _held(
    rules: Collection[engine.Guardrail],
    names: Collection[str],
    *,
    but: engine.Guardrail | None = None,
) -> frozenset[engine.Guardrail]:
    """The rules that somebody with these names meets in some circumstances only."""
    by_anybody = NEVER_MET | _BY_ANYBODY
    return frozenset(
        one
        for one in rules
        if one.kind not in by_anybody and one is not but and _names_one(one, names)
    )


def _names_one(rule: engine.Guardrail, names: Collection[str]) -> bool:
    return rule.principals is None or not rule.principals.isdisjoint(names)
