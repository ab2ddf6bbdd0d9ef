"""Questions a page asks before it shows anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.domain.access.authorize import (
    Actor,
    authorize,
    context_of,
    decide,
    of_workspace,
    record_refusal,
)
from portero.domain.access.errors import AccessDenied, NotFound
from portero.domain.access.models import PolicyHead, Role
from portero.domain.access.snapshot import current_state, lock_policy, policy_now, state_now
from portero.domain.audit.models import in_workspace
from portero.engine import (
    Binding,
    Bindings,
    Conditions,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Scope,
    having,
)

SEES_PEOPLE = "member:read"
_NAMED = 3
_HOLDERS_NAMED = 50


@dataclass(frozen=True, slots=True)
class Passed:
    """Somebody was let through a door: under which version of the policy, and by which clock."""

    version: int
    zone: ZoneInfo


def version_now(workspace: UUID) -> int:
    """Of the policy at the head."""
    with in_workspace(workspace):
        version: int = PolicyHead.objects.values_list("version", flat=True).get()
    return version


def require(*, actor: Actor, permission: str, event: str) -> Passed:
    """Demand a permission of the workspace itself, or an entry; a refusal stays on record.

    Raises AccessDenied.
    """
    version = 0
    try:
        with in_workspace(actor.workspace):
            lock_policy(exclusive=False)
            state = current_state()
            version = state.policy.version
            authorize(actor=actor, state=state, checks=[of_workspace(permission)])
            return Passed(version, state.zone)
    except AccessDenied as refusal:
        # What was written before it was raised would be undone with its transaction.
        with in_workspace(actor.workspace):
            record_refusal(
                refusal, actor=actor, version=version, operation="open_page", event=event
            )
        raise


def allowed(*, actor: Actor, permissions: tuple[str, ...]) -> frozenset[str]:
    """Those of the permissions that the actor holds in the workspace itself."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        return frozenset(
            permission
            for permission in permissions
            if decide(actor=actor, state=state, checks=[of_workspace(permission)]).allowed
        )


def sees_people(*, actor: Actor) -> bool:
    """Whether the actor may know who is here: what counts people to others names them only to such."""
    return bool(allowed(actor=actor, permissions=(SEES_PEOPLE,)))


def refusal(*, actor: Actor, permission: str) -> AccessDenied | None:
    """Why a permission of the workspace itself is refused, off the record; None where it is not."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        decision = decide(actor=actor, state=current_state(), checks=[of_workspace(permission)])
    return None if decision.allowed else AccessDenied.by(decision, [permission])


def is_privileged(*, actor: Actor) -> bool:
    """Whether the actor owns the workspace or holds a critical permission in it, guardrails apart."""
    snapshot = state_now(actor.workspace).snapshot
    return snapshot.is_privileged(actor.id, actor.at.timestamp())


def who_can_give(*, actor: Actor, permissions: Sequence[str]) -> list[str]:
    """A few people who can give somebody all of these, by name: owners first."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        context = context_of(actor, state.zone)
        each = [set(state.snapshot.grantors(of_workspace(one), context)) for one in permissions]
    grantors = set.intersection(*each) if each else set()
    everybody = state.snapshot.principals
    known = [everybody[one] for one in grantors if one in everybody and one != actor.id]
    return [p.name for p in sorted(known, key=lambda p: (not p.owner, p.name))[:_NAMED]]


@dataclass(frozen=True, slots=True)
class Given:
    """A role that somebody has: through which binding, where, when and until when."""

    binding: str
    role: str
    """Its id."""
    cells: Mapping[str, Reach]
    scope: Scope
    conditions: Conditions
    until: float | None
    team: str | None
    """The name of the team that has it, where it is not their own."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a principal has, as the policy in force says; guardrails and limits come on top."""

    principal: Principal
    teams: tuple[str, ...]
    given: tuple[Given, ...]


def access_of(*, actor: Actor, principal: UUID) -> Access:
    """Raises NotFound."""
    state = state_now(actor.workspace)
    policy, known = state.policy, state.snapshot.principals
    found = known.get(str(principal))
    if found is None:
        raise NotFound(str(principal))
    teams = tuple(sorted(known[team].name for team in found.teams))
    return Access(found, teams, tuple(_given(policy, found, known)))


def _given(policy: Policy, principal: Principal, known: Mapping[str, Principal]) -> Iterator[Given]:
    cells = {role.id: role.cells for role in policy.roles}
    bindings = Bindings.among(policy.bindings)
    for holder in (principal.id, *sorted(principal.teams)):
        team = None if holder == principal.id else known[holder].name
        for one in bindings.of(holder):
            yield _as_given(one, cells.get(one.role, {}), team)


def _as_given(binding: Binding, cells: Mapping[str, Reach], team: str | None) -> Given:
    return Given(
        binding.id, binding.role, cells, binding.scope, binding.conditions, binding.until, team
    )


@dataclass(frozen=True, slots=True)
class RoleInUse:
    id: UUID
    name: str
    builtin: bool
    cells: Mapping[str, Reach]
    holders: int
    """Bindings that give it, to people, teams and service accounts."""


@dataclass(frozen=True, slots=True)
class RoleName:
    id: UUID
    name: str
    builtin: bool


def role_names(*, actor: Actor) -> list[RoleName]:
    """Every role by name alone, in the order of `roles`."""
    with in_workspace(actor.workspace):
        rows = Role.objects.order_by("-builtin", "name").values_list("id", "name", "builtin")
        return [RoleName(*row) for row in rows]


def roles(*, actor: Actor) -> list[RoleInUse]:
    """Every role, those nobody can change first, then by name."""
    policy = policy_now(actor.workspace)
    cells = {role.id: role.cells for role in policy.roles}
    counts = Bindings.among(policy.bindings).counts()
    with in_workspace(actor.workspace):
        rows = list(Role.objects.order_by("-builtin", "name"))
    return [
        RoleInUse(row.id, row.name, row.builtin, cells.get(str(row.id), {}), counts[str(row.id)])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has a role by a binding of their own: how many, and the first by name."""

    count: int
    named: tuple[tuple[UUID, str, PrincipalKind], ...]
    """Nobody for who may not see people."""


def holders_of(*, actor: Actor, role: UUID) -> Holders:
    state = state_now(actor.workspace)
    known = state.snapshot.principals
    found = [known[one] for one in having(state.policy, [str(role)]) if one in known]
    if not sees_people(actor=actor):
        return Holders(len(found), ())
    first = nsmallest(_HOLDERS_NAMED, found, key=lambda one: (one.name.casefold(), one.id))
    return Holders(len(found), tuple((UUID(one.id), one.name, one.kind) for one in first))
