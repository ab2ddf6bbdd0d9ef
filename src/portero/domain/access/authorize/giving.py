"""Nobody gives what they do not hold (B3.3): what a maker holds, compared with what they give.

The comparison is on the rules, not on sampled requests: a gift is held when *one* binding of the
maker's covers the whole of it. That refuses some gifts which only several bindings together would
cover, and never accepts one that no binding covers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Self

from portero.domain.access.errors import BeyondOwnRights, InvalidRule
from portero.engine import (
    PERMISSIONS,
    Binding,
    Bindings,
    Conditions,
    Credential,
    Guardrail,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Scope,
    covers,
)

MAX_PLACES = 1000
OF_TEAMS = frozenset({Reach.QUEUE, Reach.TEAM})
"""Reaches that are about whichever teams somebody is in."""
_ATTRIBUTE_OF: Mapping[str, str] = {
    "wabas": "waba",
    "numbers": "number",
    "teams": "team",
    "labels": "labels",
    "template_sets": "template_sets",
    "countries": "country",
    "integrations": "integration",
    "bots": "bot",
}
_MANY_VALUED = {"labels", "template_sets"}


@dataclass(frozen=True, slots=True)
class Gift:
    """What somebody would get: cells of a role, where, when and until when (epoch seconds)."""

    cells: Mapping[str, Reach]
    scope: Scope
    conditions: Conditions
    until: float | None
    teams: frozenset[str]
    """All teams of whoever receives it: a reach of one's own teams is one over these."""


def require_held(policy: Policy, maker: str, gift: Gift, now: float) -> None:
    """Demand that the maker holds all of a gift where and as it is given. Raises BeyondOwnRights."""
    _refuse(exceeding(policy, maker, gift, now))


def require_held_somewhere(
    policy: Policy, maker: str, cells: Mapping[str, Reach], now: float
) -> None:
    """Demand less, for what is given to nobody yet. Raises BeyondOwnRights."""
    _refuse(Holding.of(policy, maker, now).missing(cells))


def exceeding(policy: Policy, maker: str, gift: Gift, now: float) -> tuple[str, ...]:
    """Name, sorted, the permissions of a gift that the maker does not hold as far and as freely."""
    return Holding.of(policy, maker, now).exceeding(gift)


def _refuse(permissions: tuple[str, ...]) -> None:
    if permissions:
        raise BeyondOwnRights(permissions)


class Holding:
    """What a maker holds now, found once and compared with as many gifts as there are."""

    def __init__(self, policy: Policy, maker: Principal | None, now: float) -> None:
        """Take a principal of the policy; nobody holds nothing."""
        self._maker = maker if maker is not None and maker.active else None
        self._guardrails = policy.guardrails
        self._me: frozenset[str] = frozenset()
        self._held: list[tuple[Binding, Mapping[str, Reach]]] = []
        if self._maker is not None and not self._maker.owner:
            cells = {role.id: role.cells for role in policy.roles}
            # Roles that are not in force count: a guardrail holds whoever has one.
            roles = {binding.role for binding in _bindings_of(policy, self._maker)}
            self._me = frozenset({self._maker.id, *self._maker.teams, *roles})
            self._held = [
                (binding, cells.get(binding.role, {}))
                for binding in _bindings_of(policy, self._maker)
                if _in_force(binding, now)
            ]

    @classmethod
    def of(cls, policy: Policy, maker: str, now: float) -> Self:
        return cls(policy, next((p for p in policy.principals if p.id == maker), None), now)

    def exceeding(self, gift: Gift) -> tuple[str, ...]:
        """Name, sorted, what of a gift is not held as far and as freely, by any one binding."""
        return self.missing(gift.cells, gift)

    def missing(self, cells: Mapping[str, Reach], gift: Gift | None = None) -> tuple[str, ...]:
        """Name, sorted, which cells are not held wherever a gift is, or anywhere without one."""
        maker = self._maker
        if maker is None:
            return tuple(sorted(cells))
        if maker.owner:
            return ()
        # The receiver's own teams are others than the maker's: to reach those takes everything.
        elsewhere = gift is not None and not gift.teams <= maker.teams
        held = [mine for binding, mine in self._held if gift is None or _covers(binding, gift)]
        return tuple(
            sorted(
                permission
                for permission, reach in cells.items()
                if reach > Reach.NONE
                and (
                    _taken_away(self._guardrails, self._me, permission)
                    or not any(
                        mine.get(permission, Reach.NONE)
                        >= (Reach.ALL if elsewhere and reach in OF_TEAMS else reach)
                        for mine in held
                    )
                )
            )
        )

    def farthest(self) -> Mapping[str, Reach]:
        """How far each permission is held, wherever that is: nothing beyond it can be given."""
        return {
            permission: reach
            for reach in Reach  # the farthest that is held comes last
            if reach > Reach.NONE
            for permission in PERMISSIONS.keys()
            - set(self.missing(dict.fromkeys(PERMISSIONS, reach)))
        }


def _bindings_of(policy: Policy, principal: Principal) -> Iterator[Binding]:
    """Its own and its teams'."""
    bindings = Bindings.among(policy.bindings)
    for holder in {principal.id, *principal.teams}:
        yield from bindings.of(holder)


def teams_reached(policy: Policy, receiver: Principal) -> frozenset[str]:
    """The teams that a reach of one's teams is about, given to a principal.

    What a team is given its members have, in every team of theirs.
    """
    if receiver.kind is not PrincipalKind.TEAM:
        return receiver.teams
    members = (one.teams for one in policy.principals if receiver.id in one.teams)
    return frozenset({receiver.id}).union(*members)


def gifts_of(policy: Policy, holder: str) -> Iterator[Gift]:
    """What a principal has by itself and by its teams, as if it were given now."""
    cells_of = {role.id: role.cells for role in policy.roles}
    known = next(one for one in policy.principals if one.id == holder)
    teams = teams_reached(policy, known)
    for binding in _bindings_of(policy, known):
        cells = cells_of.get(binding.role, {})
        yield Gift(cells, binding.scope, binding.conditions, binding.until, teams)


def gifts_of_key(policy: Policy, key: Credential) -> Iterator[Gift]:
    """What a key can do now: each binding of its account, as far as the key leaves it."""
    cells_of = {role.id: role.cells for role in policy.roles}
    account = next(p for p in policy.principals if p.id == key.principal)
    own = None if key.role is None else cells_of.get(key.role, {})
    for binding in _bindings_of(policy, account):
        scope = narrowed(binding.scope, key.scope)
        if _is_nowhere(scope):
            continue
        yield Gift(
            cells={
                permission: reach if own is None else min(reach, own.get(permission, Reach.NONE))
                for permission, reach in cells_of.get(binding.role, {}).items()
                if key.permissions is None or permission in key.permissions
            },
            scope=scope,
            conditions=stricter(binding.conditions, key.conditions),
            until=_earlier(binding.until, key.until),
            teams=account.teams,
        )


def gifts_by_template_set(policy: Policy, template_set: str) -> Iterator[Gift]:
    """What a template gives to everybody who may use the set that it is put into.

    The template is in no set of the maker's yet, so each gift is one of every template.
    """
    cells_of = {role.id: role.cells for role in policy.roles}
    known = {one.id: one for one in policy.principals}
    for binding in policy.bindings:
        if template_set in (binding.scope.template_sets or ()):
            yield Gift(
                cells_of.get(binding.role, {}),
                replace(binding.scope, template_sets=None),
                binding.conditions,
                binding.until,
                teams_reached(policy, known[binding.principal]),
            )
    for key in policy.credentials:
        if key.active and template_set in (key.scope.template_sets or ()):
            yield from gifts_of_key(
                policy, replace(key, scope=replace(key.scope, template_sets=None))
            )


def narrowed(outer: Scope, inner: Scope) -> Scope:
    """Where both scopes hold. Nowhere, when they share nothing in some dimension."""
    return Scope(**{f.name: _shared(f.name, outer, inner) for f in fields(Scope)})


def _shared(dimension: str, outer: Scope, inner: Scope) -> frozenset[str] | None:
    mine, yours = getattr(outer, dimension), getattr(inner, dimension)
    if mine is None or yours is None:
        chosen: frozenset[str] | None = yours if mine is None else mine
        return chosen
    # A thing may bear several labels: it can be in both scopes though they share none. Of the two
    # sets, each of which contains all such things, one is taken.
    shared: frozenset[str] = mine if dimension in _MANY_VALUED else mine & yours
    return shared


def _is_nowhere(scope: Scope) -> bool:
    return any(getattr(scope, field.name) == frozenset() for field in fields(Scope))


def stricter(one: Conditions, other: Conditions) -> Conditions:
    """When both conditions hold, or a little more than that: one's own where both name a kind."""
    return Conditions(
        hours=other.hours if one.hours is None else one.hours,
        networks=other.networks if one.networks is None else one.networks,
        fresh_factor_s=other.fresh_factor_s if one.fresh_factor_s is None else one.fresh_factor_s,
    )


def resources_in(scope: Scope, kind: str) -> list[Resource]:
    """One resource for each place a scope names, to ask a decision about each of them."""
    named = {
        field.name: sorted(values)
        for field in fields(Scope)
        if (values := getattr(scope, field.name)) is not None
    }
    # Counted before they are made: eight dimensions of a few names are more than memory holds.
    count = math.prod(map(len, named.values()))
    if not 1 <= count <= MAX_PLACES:
        raise InvalidRule(f"a scope names between 1 and {MAX_PLACES} places, not {count}")
    return [Resource(kind, **place) for place in _places(named)]


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((end for end in (one, other) if end is not None), default=None)


def _places(named: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    for values in product(*named.values()):
        yield {
            _ATTRIBUTE_OF[dimension]: frozenset([value]) if dimension in _MANY_VALUED else value
            for dimension, value in zip(named, values, strict=True)
        }


def _in_force(binding: Binding, now: float) -> bool:
    return (binding.since is None or binding.since <= now) and (
        binding.until is None or now < binding.until
    )


def _covers(binding: Binding, gift: Gift) -> bool:
    lasts = binding.until is None or (gift.until is not None and gift.until <= binding.until)
    return (
        lasts
        and _within(gift.scope, binding.scope)
        and _at_least_as_strict(gift.conditions, binding.conditions)
    )


def _within(inner: Scope, outer: Scope) -> bool:
    for field in fields(Scope):
        outer_values, inner_values = getattr(outer, field.name), getattr(inner, field.name)
        if outer_values is None:
            continue
        if inner_values is None or not inner_values <= outer_values:
            return False
    return True


def _at_least_as_strict(inner: Conditions, outer: Conditions) -> bool:
    hours = outer.hours is None or inner.hours == outer.hours
    networks = outer.networks is None or (
        inner.networks is not None and set(inner.networks) <= set(outer.networks)
    )
    factor = outer.fresh_factor_s is None or (
        inner.fresh_factor_s is not None and inner.fresh_factor_s <= outer.fresh_factor_s
    )
    return hours and networks and factor


def _taken_away(guardrails: tuple[Guardrail, ...], me: frozenset[str], permission: str) -> bool:
    """Whether a guardrail made for this maker, a team or a role of theirs touches the permission."""
    return any(
        guardrail.principals is not None
        and guardrail.principals & me
        and any(covers(pattern, permission) for pattern in guardrail.permissions)
        for guardrail in guardrails
    )
