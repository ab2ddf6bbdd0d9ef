"""Why somebody may do something, or may not: the decision, and every rule that had a say in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from heapq import nsmallest
from itertools import chain, islice, product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor, context_of
from portero.domain.access.errors import NotFound
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.queries.things import Thing, checks_of
from portero.engine import (
    Binding,
    Bindings,
    Check,
    CheckAccount,
    Context,
    Explanation,
    Failing,
    Guardrail,
    Limit,
    ObligationKind,
    Reach,
    Role,
    spec_of,
)
from portero.engine import Principal as Asker

EXPLAIN = "access:explain"

_IN_ORDER = 50
_TRIED, _TOLD = 50, 3
"""So many ways through what a question left open are tried, and so many told."""
_PLACES: Mapping[str, tuple[str, str]] = {
    "waba": ("wabas", "waba"),
    "number": ("numbers", "number"),
    "team": ("teams", "team"),
    "template_set": ("template_sets", "template_sets"),
    "country": ("countries", "country"),
}
"""By dimension, the field of a scope and the attribute of a resource: what a question can say."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, from which network, and when a factor was last shown; None = not at all."""

    at: datetime
    address: str | None = None
    factor_at: datetime | None = None
    passkey_at: datetime | None = None

    def context(self, zone: ZoneInfo) -> Context:
        """As the engine knows them; who asks has no say in it."""
        asking = Actor(
            _NOBODY,
            _NOBODY,
            self.at,
            self.address,
            self.factor_at,
            passkey_at=self.passkey_at,
        )
        return context_of(asking, zone)


_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """May somebody do this to that, then, from there?"""

    principal: UUID
    credential: UUID | None = None
    """A key of theirs, which narrows what they may."""
    permissions: tuple[str, ...]
    """All of them are needed."""
    thing: Thing
    when: Circumstances


class Standing(StrEnum):
    """What a guardrail does to what was asked."""

    DENIES = "denies"
    DEMANDS = "demands"
    """It is allowed, once something is shown that only the moment itself can show."""
    PASSES = "passes"


@dataclass(frozen=True, slots=True)
class Watching:
    """A guardrail that is about one of the permissions, and about whoever asks."""

    rule: Guardrail
    standing: Standing


@dataclass(frozen=True, slots=True)
class Account:
    """The engine's explanation, and the rules it speaks of."""

    asker: Asker
    explanation: Explanation
    context: Context
    zone: ZoneInfo
    bindings: Mapping[str, Binding]
    roles: Mapping[str, Role]
    principals: Mapping[str, Asker]
    """Those the account names: who asks, their teams, and who could give."""
    watching: tuple[Watching, ...]
    limits: tuple[Limit, ...]
    grantors: tuple[Asker, ...]
    """Who could give what the first refused check lacks, owners first."""
    depends: tuple[tuple[Failing, ...], ...]
    """Of a refusal, what the question left open and what it has to be: with any one of these it is
    allowed. Empty where saying more does not do."""


def why(*, actor: Actor, asked: Asked) -> Account:
    """Tell why. One's own is open to everybody, and that of accounts one answers for.

    Raises AccessDenied, NotFound, UnknownNumber, UnknownTemplate.
    """
    if str(asked.principal) not in own_askers(actor=actor):
        access.require(actor=actor, permission=EXPLAIN, event="page.opened")
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        principal = str(asked.principal)
        _require_known(state, principal, asked.credential)
        checks = checks_of(asked.permissions, asked.thing, principal)
    key = None if asked.credential is None else str(asked.credential)
    return account(state, principal, checks, asked.when.context(state.zone), key)


def own_askers(*, actor: Actor) -> Mapping[str, str]:
    """Id and name of an actor and of the service accounts they answer for, themselves first."""
    with in_workspace(actor.workspace):
        mine = Principal.objects.filter(id=actor.principal)
        theirs = Principal.objects.filter(accountable_id=actor.principal).order_by("name", "id")
        rows = [*mine.values_list("id", "name"), *theirs.values_list("id", "name")]
    return {str(one): name for one, name in rows}


def answers_for(*, actor: Actor, principal: UUID) -> bool:
    """Whether a question about somebody is one's own."""
    return str(principal) in own_askers(actor=actor)


def _require_known(state: State, principal: str, credential: UUID | None) -> None:
    if not any(one.id == principal for one in state.policy.principals):
        raise NotFound(principal)
    if credential is not None and not any(
        key.id == str(credential) and key.principal == principal for key in state.policy.credentials
    ):
        raise NotFound(str(credential))


def account(
    state: State,
    principal: str,
    checks: Sequence[Check],
    context: Context,
    credential: str | None,
) -> Account:
    """Gather what an explanation speaks of. It asks nobody: whoever calls it has authorised."""
    policy = state.policy
    explanation = state.snapshot.explain(principal, checks, context, credential)
    known = state.snapshot.principals
    asker = known[principal]
    bindings = Bindings.among(policy.bindings)
    mine = {one.id: one for holder in (principal, *asker.teams) for one in bindings.of(holder)}
    open_ways = dict.fromkeys(_depends(state, principal, explanation, context, credential))
    depends = tuple(islice(open_ways, _TOLD))
    return Account(
        asker=asker,
        explanation=explanation,
        context=context,
        zone=state.zone,
        bindings=mine,
        roles={role.id: role for role in policy.roles},
        principals=known,
        watching=tuple(_watching(state, asker, explanation)),
        limits=_limits(policy.limits, explanation),
        grantors=() if depends else _grantors(state, explanation, context, known),
        depends=depends,
    )


def _depends(
    state: State,
    principal: str,
    explanation: Explanation,
    context: Context,
    credential: str | None,
) -> Iterator[tuple[Failing, ...]]:
    """Each way in which more said would be enough: the engine is asked whether it is."""
    refused = [one for one in explanation.checks if not one.allowed]
    if not refused:
        return
    tried: set[tuple[Failing, ...]] = set()
    for ways in islice(product(*map(_open_ways, refused)), _TRIED):
        met = _together(chain.from_iterable(ways))
        if met is None or met in tried:
            continue
        tried.add(met)
        # A guardrail may leave of two numbers one: what is not true of all is told one by one.
        each = list(islice(product(*map(_one_by_one, met)), _TRIED + 1))
        allowed = [
            one
            for one in each[:_TRIED]
            if state.snapshot.decide(
                principal,
                [_as_if(given.check, one, principal) for given in explanation.checks],
                context,
                credential,
            ).allowed
        ]
        yield from [met] if len(allowed) == len(each) else allowed


def _open_ways(given: CheckAccount) -> list[tuple[Failing, ...]]:
    """What fails of each rule, the closest first, where the question said nothing of any of it."""
    key = () if given.credential is None else given.credential.failing
    ways = [()] if given.matched else [one.failing for one in given.missed]
    return [(*way, *key) for way in ways if all(_is_open(one, given.check) for one in (*way, *key))]


def _is_open(one: Failing, check: Check) -> bool:
    """Whether a question left it open, and a request for the permission would not."""
    if one.dimension == "reach":
        return check.resource.owner is None and check.resource.team is None
    field, _attribute = _PLACES.get(one.dimension, ("", ""))
    return one.actual is None and field in spec_of(check.permission).places


def _together(failing: Iterable[Failing]) -> tuple[Failing, ...] | None:
    """Everything that is wanted, once for each dimension; None where it excludes itself."""
    wanted: dict[str, Any] = {}
    for one in failing:
        before = wanted.get(one.dimension, one.wanted)
        both = min(before, one.wanted) if one.dimension == "reach" else before & one.wanted
        if not both:
            return None
        wanted[one.dimension] = both
    return tuple(Failing(dimension, one, None) for dimension, one in wanted.items())


def _one_by_one(one: Failing) -> list[Failing]:
    if not isinstance(one.wanted, frozenset):
        return [one]
    return [Failing(one.dimension, frozenset({value}), None) for value in sorted(one.wanted)]


def _as_if(check: Check, met: Iterable[Failing], principal: str) -> Check:
    """The check had the question said what is wanted."""
    said: dict[str, Any] = {}
    for one in met:
        field, attribute = _PLACES.get(one.dimension, ("", ""))
        if isinstance(one.wanted, Reach):
            said["owner"] = principal
        elif isinstance(one.wanted, frozenset) and field in spec_of(check.permission).places:
            [value] = one.wanted
            said[attribute] = frozenset({value}) if one.dimension == "template_set" else value
    return Check(check.permission, replace(check.resource, **said))


def _watching(state: State, asker: Asker, explanation: Explanation) -> Sequence[Watching]:
    asked = {given.check.permission for given in explanation.checks}
    denying = {one.id for given in explanation.checks for one in given.guardrails}
    demanding = {one.guardrail for one in explanation.decision.obligations}
    concerning = {
        rule.id: rule
        for permission in sorted(asked)
        for rule in state.snapshot.concerning(asker.id, permission)
    }
    order = list(Standing)
    found = [Watching(rule, _standing(rule.id, denying, demanding)) for rule in concerning.values()]
    return sorted(found, key=lambda one: (order.index(one.standing), one.rule.name, one.rule.id))


def _standing(rule: str, denying: set[str], demanding: set[str]) -> Standing:
    if rule in denying:
        return Standing.DENIES
    return Standing.DEMANDS if rule in demanding else Standing.PASSES


def _limits(limits: Sequence[Limit], explanation: Explanation) -> tuple[Limit, ...]:
    taken = {
        one.name for one in explanation.decision.obligations if one.kind is ObligationKind.TAKE
    }
    return tuple(limit for limit in limits if limit.id in taken)


def _grantors(
    state: State, explanation: Explanation, context: Context, known: Mapping[str, Asker]
) -> tuple[Asker, ...]:
    refused = next((given.check for given in explanation.checks if not given.allowed), None)
    if refused is None:
        return ()
    found = [known[one] for one in state.snapshot.grantors(refused, context)]
    # Nobody reads the names of thousands: the first in order, and then the others.
    first = nsmallest(
        _IN_ORDER, found, key=lambda one: (not one.owner, one.name.casefold(), one.id)
    )
    named = {one.id for one in first}
    return (*first, *(one for one in found if one.id not in named))
