"""What a change would do, before it is made: who could do more, and who less."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from uuid import UUID

from portero.domain.access.authorize import Actor
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.engine import Bindings, Policy, PrincipalKind, Reach, Role, Shift, members_of, shifts

NAMED = 50
"""How many are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """A person or service account for whom something changes."""

    id: UUID
    name: str
    kind: PrincipalKind
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """Exact counts, and the first by name. Somebody may gain in one thing and lose in another."""

    gaining: int
    losing: int
    concerned: int
    named: tuple[Concerned, ...]


def if_role_had(*, actor: Actor, role: UUID, cells: Mapping[str, Reach]) -> Consequences:
    """What would change for whom if a role had these cells."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        policy = current_state().policy
    [before] = [one for one in policy.roles if one.id == str(role)]
    changed = {
        permission
        for permission in before.cells.keys() | cells.keys()
        if before.cells.get(permission, Reach.NONE) != cells.get(permission, Reach.NONE)
    }
    if not changed:
        return Consequences(0, 0, 0, ())
    holders = {binding.principal for binding in Bindings.among(policy.bindings).to(before.id)}
    after = replace(
        policy,
        roles=tuple(
            Role(one.id, one.name, cells) if one.id == before.id else one for one in policy.roles
        ),
    )
    return _consequences(policy, after, members_of(policy, holders), changed, actor)


def _consequences(
    before: Policy,
    after: Policy,
    principals: Collection[str],
    permissions: Collection[str],
    actor: Actor,
) -> Consequences:
    found = shifts(
        before,
        after,
        principals=principals,
        permissions=permissions,
        now=actor.at.timestamp(),
    )
    each = {who: tuple(some) for who, some in groupby(found, key=lambda one: one.principal)}
    known = [one for one in after.principals if one.id in each]
    known.sort(key=lambda one: (one.name.casefold(), one.id))
    return Consequences(
        gaining=sum(any(one.gained for one in some) for some in each.values()),
        losing=sum(any(one.lost for one in some) for some in each.values()),
        concerned=len(each),
        named=tuple(
            Concerned(UUID(one.id), one.name, one.kind, each[one.id]) for one in known[:NAMED]
        ),
    )
