"""Guardrails and limits as they stand, and whom a guardrail would hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from portero.domain.access import models
from portero.domain.access.authorize import Actor, decide, of_workspace
from portero.domain.access.errors import NotFound
from portero.domain.access.models import Principal, UsageLimit
from portero.domain.access.queries.asking import sees_people
from portero.domain.access.snapshot import policy_now, state_now
from portero.domain.audit.models import in_workspace
from portero.engine import (
    ENTER_CONSOLE,
    ENTER_GATEWAY,
    ENTRIES,
    PERMISSIONS,
    Bindings,
    Guardrail,
    Limit,
    Policy,
    PrincipalKind,
    Reach,
    having,
    members_of,
    named_by,
)

Rule = TypeVar("Rule", Guardrail, Limit)
_COMING_IN = {
    ENTER_CONSOLE: PrincipalKind.PERSON,
    ENTER_GATEWAY: PrincipalKind.SERVICE_ACCOUNT,
}
NAMED = 50
"""How many of those held are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Standing(Generic[Rule]):
    """A rule in force, with who made it, when, and why."""

    rule: Rule
    author: str | None
    """Their name; None for what came with the workspace."""
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Whom a guardrail holds: who has any of its permissions, or comes in as it says."""

    count: int
    named: tuple[tuple[UUID, str, PrincipalKind], ...]
    """The first by name; nobody for who may not see people."""


def guardrails(*, actor: Actor) -> list[Standing[Guardrail]]:
    """Every guardrail in force, by name."""
    rules = policy_now(actor.workspace).guardrails
    made = _made(actor.workspace, models.Guardrail, [one.id for one in rules])
    found = [_standing(one, one.id, made) for one in rules]
    return sorted(found, key=lambda one: (one.rule.name.casefold(), one.rule.id))


def guardrail(*, actor: Actor, guardrail: UUID) -> Guardrail:
    """A guardrail in force. Raises NotFound."""
    rules = policy_now(actor.workspace).guardrails
    return _found({one.id: one for one in rules}, guardrail)


def limits(*, actor: Actor) -> list[Standing[Limit]]:
    """Every limit in force, the workspace's own first, then the latest."""
    rules = policy_now(actor.workspace).limits
    made = _made(actor.workspace, UsageLimit, [one.id for one in rules])
    found = [_standing(one, one.id, made) for one in rules]
    return sorted(found, key=lambda one: (one.rule.holder != "", -one.at.timestamp(), one.rule.id))


def limit(*, actor: Actor, limit: UUID) -> Limit:
    """A limit in force. Raises NotFound."""
    rules = policy_now(actor.workspace).limits
    return _found({one.id: one for one in rules}, limit)


def names_of_holders(*, actor: Actor, limits: Iterable[Limit]) -> Mapping[str, str]:
    """What people call whom or what each limit hangs on, by the holder's id; keys are not here."""
    policy = policy_now(actor.workspace)
    wanted = {one.holder for one in limits}
    names = {one.id: one.name for one in policy.principals}
    roles = {one.id: one.name for one in policy.roles}
    found = {one: names[one] for one in wanted if one in names}
    for holder in wanted - found.keys():
        bound = Bindings.among(policy.bindings).find(holder)
        if bound is not None:
            found[holder] = f"{roles[bound.role]} · {names[bound.principal]}"
    return found


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a rule names: a principal, or by a role whoever has it."""

    id: str
    name: str
    is_role: bool


def addressees(*, actor: Actor, principals: Collection[str]) -> list[Addressee]:
    """By name, in its order; who is not here any more is left out."""
    policy = policy_now(actor.workspace)
    known = {one.id: Addressee(one.id, one.name, is_role=False) for one in policy.principals}
    known |= {one.id: Addressee(one.id, one.name, is_role=True) for one in policy.roles}
    found = (known[one] for one in principals if one in known)
    return sorted(found, key=lambda one: one.name.casefold())


def held_by(
    *, actor: Actor, permissions: Collection[str], principals: Collection[str] | None
) -> Held:
    """Count whom a guardrail on these permissions holds; `principals` None = whoever has them."""
    policy = policy_now(actor.workspace)
    able = _able(policy, permissions)
    entering = {kind for entry, kind in _COMING_IN.items() if entry in permissions}
    named = None if principals is None else named_by(policy, principals)
    held = [
        one
        for one in policy.principals
        if one.kind is not PrincipalKind.TEAM
        and one.active
        and (one.owner or one.id in able or one.kind in entering)
        and (named is None or one.id in named)
    ]
    if not sees_people(actor=actor):
        return Held(len(held), ())
    held.sort(key=lambda one: (one.name.casefold(), one.id))
    return Held(len(held), tuple((UUID(one.id), one.name, one.kind) for one in held[:NAMED]))


def permissions_of(patterns: Iterable[str]) -> list[str]:
    """The keys that a rule's patterns name, in the catalogue's order."""
    named = set(patterns)
    known = (*ENTRIES, *PERMISSIONS)
    return [key for key in known if key in named or f"{key.partition(':')[0]}:*" in named]


def kept_out_by(*, actor: Actor) -> list[Guardrail]:
    """The guardrails that do not let a member come in here and now, by name."""
    state = state_now(actor.workspace)
    denying = decide(actor=actor, state=state, checks=[of_workspace(ENTER_CONSOLE)]).because
    found = [one for one in state.policy.guardrails if one.id in denying]
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def entry_rules(*, actor: Actor) -> list[Standing[Guardrail]]:
    """The guardrails on coming in, by name."""
    return [one for one in guardrails(actor=actor) if is_about_entry(one.rule)]


def is_about_entry(rule: Guardrail) -> bool:
    return not ENTRIES.keys().isdisjoint(rule.permissions)


def owners(*, actor: Actor) -> list[str]:
    """The names of those who can change anything, a few of them."""
    known = policy_now(actor.workspace).principals
    return sorted((one.name for one in known if one.owner and one.active), key=str.casefold)[:5]


def _able(policy: Policy, permissions: Collection[str]) -> set[str]:
    """Those to whom some role gives one of the permissions, anywhere."""
    wanted = set(permissions)
    giving = {
        role.id
        for role in policy.roles
        if any(role.cells.get(one, Reach.NONE) > Reach.NONE for one in wanted)
    }
    return members_of(policy, having(policy, giving))


def _found(rules: Mapping[str, Rule], wanted: UUID) -> Rule:
    try:
        return rules[str(wanted)]
    except KeyError:
        raise NotFound(str(wanted)) from None


def _made(
    workspace: UUID, model: type[models.Guardrail | UsageLimit], ids: list[str]
) -> Mapping[str, tuple[str | None, datetime, str]]:
    """Author, moment and reason of each."""
    with in_workspace(workspace):
        rows = list(
            model.objects.filter(id__in=ids).values_list("id", "author_id", "created_at", "reason")
        )
        authors = Principal.objects.filter(id__in={author for _, author, _, _ in rows})
        names: dict[UUID | None, str] = dict(authors.values_list("id", "name"))
    return {str(one): (names.get(author), at, reason) for one, author, at, reason in rows}


def _standing(
    rule: Rule, key: str, made: Mapping[str, tuple[str | None, datetime, str]]
) -> Standing[Rule]:
    author, at, reason = made[key]
    return Standing(rule, author, at, reason)
