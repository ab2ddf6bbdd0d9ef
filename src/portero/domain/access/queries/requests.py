"""What people ask for, as far as somebody may know of it: their own, and what they could decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from itertools import islice
from uuid import UUID

from portero.domain.access.authorize import (
    Actor,
    Gift,
    Holding,
    context_of,
    decide,
    digest_of,
    of_workspace,
    scope_of,
)
from portero.domain.access.errors import NotFound
from portero.domain.access.models import AccessRequest, Principal, Role
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.engine import Conditions, Scope

_LISTED = 100
_APPROVE = of_workspace("access_request:approve")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its two sides see it."""

    id: UUID
    principal: UUID
    name: str
    role: UUID
    role_name: str
    """Empty for who asked for a role of the workspace's own and may not see its roles."""
    is_builtin: bool
    scope: Scope
    lasts: timedelta
    permission: str
    reason: str
    asked_at: datetime
    state: str
    """open, expired, approved, refused or withdrawn."""
    decided_by: str
    decided_at: datetime | None
    answer: str
    digest: str
    """Of what would be given now, in hexadecimal; an approval names it."""
    is_changed: bool
    """The role is not any more what was asked for."""
    is_mine: bool


def requests_of(*, actor: Actor) -> list[Asked]:
    """What the actor asked for, the latest first."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        rows = AccessRequest.objects.filter(principal_id=actor.principal)
        return list(_told(actor, current_state(), rows.order_by("-asked_at")[:_LISTED]))


def requests_to_decide(*, actor: Actor) -> list[Asked]:
    """What others ask for and the actor could give them, the oldest first."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        return list(_told(actor, state, _decidable(actor, state)))


def count_to_decide(actor: Actor) -> int:
    """How many requests wait for the actor; asked for every page."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        return len(_decidable(actor, current_state()))


def request_in_detail(*, actor: Actor, request: UUID) -> Asked:
    """One that is the actor's, or theirs to decide. Raises NotFound for any other."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        row = AccessRequest.objects.filter(id=request).first()
        if row is None or (
            row.principal_id != actor.principal and not _decidable(actor, state, [row])
        ):
            raise NotFound(str(request))
        [told] = _told(actor, state, [row])
        return told


def who_can_decide(request: UUID, *, at: datetime) -> list[UUID]:
    """The principals who could decide it now, in the current workspace; at most a hundred."""
    row = AccessRequest.objects.get(id=request)
    state = current_state()
    # With a factor just shown, as a decision asks for one anyway.
    asking = Actor(row.workspace_id, row.principal_id, at, factor_at=at)
    able = state.snapshot.able(_APPROVE, context_of(asking, state.zone), heeding=False)
    known = {one.id: one for one in state.policy.principals}
    gift = _gift(row, state, at)
    found = (
        UUID(one)
        for one in able.ids()
        if one != asking.id
        and not Holding(state.policy, known[one], at.timestamp()).exceeding(gift)
    )
    return list(islice(found, _LISTED))


def _decidable(
    actor: Actor, state: State, rows: Iterable[AccessRequest] | None = None
) -> list[AccessRequest]:
    """Those of the rows, or of what waits, that the actor could give to somebody else."""
    if not decide(actor=actor, state=state, checks=[_APPROVE]).allowed:
        return []
    if rows is None:
        waiting = AccessRequest.objects.filter(state="open", expires_at__gt=actor.at)
        rows = waiting.order_by("asked_at")[:_LISTED]
    mine = Holding(state.policy, state.snapshot.principals.get(actor.id), actor.at.timestamp())
    return [
        row
        for row in rows
        if row.principal_id != actor.principal and not mine.exceeding(_gift(row, state, actor.at))
    ]


def _gift(row: AccessRequest, state: State, at: datetime) -> Gift:
    """What would be given if it were approved now."""
    cells = next((one.cells for one in state.policy.roles if one.id == str(row.role_id)), {})
    asking = state.snapshot.principals.get(str(row.principal_id))
    return Gift(
        cells,
        scope_of(row),
        Conditions(),
        at.timestamp() + row.lasts_s,
        asking.teams if asking is not None else frozenset(),
    )


def _told(actor: Actor, state: State, rows: Iterable[AccessRequest]) -> Iterator[Asked]:
    found = list(rows)
    roles = {role.id: role for role in Role.objects.filter(id__in=[row.role_id for row in found])}
    people = dict(
        Principal.objects.filter(
            id__in=[one for row in found for one in (row.principal_id, row.decided_by) if one]
        ).values_list("id", "name")
    )
    cells = {role.id: role.cells for role in state.policy.roles}
    sees_roles = decide(actor=actor, state=state, checks=[of_workspace("role:read")]).allowed
    for row in found:
        role, lasts = roles[row.role_id], timedelta(seconds=row.lasts_s)
        is_mine = row.principal_id == actor.principal
        scope = scope_of(row)
        now = digest_of(
            row.principal_id, row.role_id, cells.get(str(row.role_id), {}), scope, lasts
        )
        is_over = row.state == "open" and row.expires_at <= actor.at
        yield Asked(
            id=row.id,
            principal=row.principal_id,
            name=people.get(row.principal_id, ""),
            role=row.role_id,
            role_name="" if is_mine and not (sees_roles or role.builtin) else role.name,
            is_builtin=role.builtin,
            scope=scope,
            lasts=lasts,
            permission=row.permission,
            reason=row.reason,
            asked_at=row.asked_at,
            state="expired" if is_over else row.state,
            decided_by=people.get(row.decided_by, "") if row.decided_by else "",
            decided_at=row.decided_at,
            answer=row.answer,
            digest=now.hex(),
            is_changed=not compare_digest(now, row.digest),
            is_mine=is_mine,
        )
