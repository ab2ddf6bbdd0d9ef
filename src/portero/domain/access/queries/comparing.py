"""What a change would do, before it is made: who could do more, and who less."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest
from itertools import groupby
from operator import attrgetter, itemgetter
from uuid import UUID

from portero.domain.access.authorize import Actor
from portero.domain.access.errors import NotFound
from portero.domain.access.queries.asking import sees_people
from portero.domain.access.snapshot import policy_now
from portero.engine import (
    Binding,
    Bindings,
    Conditions,
    Policy,
    PrincipalKind,
    Reach,
    Role,
    Scope,
    Shift,
    having,
    members_of,
    shifts,
)

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
    """For who may not see people, only those that the change itself names."""


def if_role_had(*, actor: Actor, role: UUID, cells: Mapping[str, Reach]) -> Consequences:
    """What would change for whom if a role had these cells."""
    policy = policy_now(actor.workspace)
    [before] = [one for one in policy.roles if one.id == str(role)]
    changed = {
        permission
        for permission in before.cells.keys() | cells.keys()
        if before.cells.get(permission, Reach.NONE) != cells.get(permission, Reach.NONE)
    }
    if not changed:
        return Consequences(0, 0, 0, ())
    holders = having(policy, [before.id])
    after = replace(
        policy,
        roles=tuple(
            Role(one.id, one.name, cells) if one.id == before.id else one for one in policy.roles
        ),
    )
    return _consequences(policy, after, members_of(policy, holders), changed, actor, ())


def if_given(
    *,
    actor: Actor,
    principal: UUID,
    role: UUID,
    scope: Scope,
    conditions: Conditions,
    until: datetime | None,
    instead_of: UUID | None = None,
) -> Consequences:
    """What would change for whom if somebody got a role, perhaps in place of a binding of theirs.

    Raises NotFound.
    """
    policy = policy_now(actor.workspace)
    ended = [] if instead_of is None else [_binding(policy, instead_of)]
    given = Binding(
        "given",
        str(principal),
        str(role),
        scope,
        conditions,
        until=until.timestamp() if until is not None else None,
    )
    return _if_bound_otherwise(actor, policy, ended, [given])


def if_ended(*, actor: Actor, binding: UUID) -> Consequences:
    """What would change for whom if a binding ended now. Raises NotFound."""
    policy = policy_now(actor.workspace)
    return _if_bound_otherwise(actor, policy, [_binding(policy, binding)], [])


def binding(*, actor: Actor, binding: UUID) -> Binding:
    """A binding in force. Raises NotFound."""
    return _binding(policy_now(actor.workspace), binding)


def _binding(policy: Policy, binding: UUID) -> Binding:
    found = Bindings.among(policy.bindings).find(str(binding))
    if found is None:
        raise NotFound(str(binding))
    return found


def _if_bound_otherwise(
    actor: Actor, policy: Policy, ended: Sequence[Binding], begun: Sequence[Binding]
) -> Consequences:
    touched = {one.role for one in (*ended, *begun)}
    permissions = {
        permission for role in policy.roles if role.id in touched for permission in role.cells
    }
    after = replace(
        policy, bindings=Bindings.among(policy.bindings).changed(ended=ended, begun=begun)
    )
    holders = {one.principal for one in (*ended, *begun)}
    return _consequences(policy, after, members_of(policy, holders), permissions, actor, holders)


def _consequences(
    before: Policy,
    after: Policy,
    principals: Collection[str],
    permissions: Collection[str],
    actor: Actor,
    spoken_of: Collection[str],
) -> Consequences:
    counts: Counter[str] = Counter()
    people = {one.id: one for one in after.principals}

    def by_name() -> Iterator[tuple[str, str, tuple[Shift, ...]]]:
        # By id, as bindings stand: by name it takes a third longer.
        found = shifts(
            before,
            after,
            principals=sorted(principals),
            permissions=permissions,
            now=actor.at.timestamp(),
        )
        for who, some in groupby(found, key=attrgetter("principal")):
            mine = tuple(some)
            counts["concerned"] += 1
            counts["gaining"] += any(one.is_gain for one in mine)
            counts["losing"] += any(one.is_loss for one in mine)
            yield people[who].name.casefold(), who, mine

    is_open = sees_people(actor=actor)
    shown = (one for one in by_name() if is_open or one[1] in spoken_of)
    named = nsmallest(NAMED, shown, key=itemgetter(0, 1))
    return Consequences(
        counts["gaining"],
        counts["losing"],
        counts["concerned"],
        tuple(
            Concerned(UUID(who), people[who].name, people[who].kind, mine) for _, who, mine in named
        ),
    )
