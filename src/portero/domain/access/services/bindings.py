"""Bindings: who gets which role, where, when and until when."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from portero.domain.access.authorize import Actor, Gift, teams_reached
from portero.domain.access.errors import InvalidRule, NotFound
from portero.domain.access.models import Binding, Principal, Role, TeamMember
from portero.domain.access.services.changes import Change, changes_together, policy_change
from portero.domain.access.services.roles import require_as_read
from portero.domain.access.services.validation import require_conditions, require_scope
from portero.domain.access.services.way_back import require_a_way_back
from portero.domain.audit.services import Touched
from portero.engine import Bindings, Conditions, PrincipalKind, Scope
from portero.store.ids import uuid7
from portero.store.rules import write_conditions, write_scope


def create_binding(
    *,
    actor: Actor,
    principal: UUID,
    role: UUID,
    scope: Scope | None = None,
    conditions: Conditions | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    read_at: int | None = None,
    reason: str = "",
    managed_by: str = "portero",
) -> UUID:
    """Give a role at a scope, under conditions, until a date. `None` = everywhere, always.

    `read_at` is the policy version since which the role stood as its giver saw it; without it, it is
    given as it stands. Raises AccessDenied (BeyondOwnRights, OwnAccess), InvalidRule, NotFound,
    StaleRole.
    """
    scope, conditions = scope or Scope(), conditions or Conditions()
    with policy_change(actor=actor, operation="create_binding", event="binding.created") as change:
        require_scope(scope)
        require_conditions(conditions)
        if until is not None and until <= (since or actor.at):
            raise InvalidRule("the binding would end before it begins")
        change.authorize("role:assign", at=scope)
        if read_at is not None:
            require_as_read(role, read_at)
        return bind(
            change,
            principal=principal,
            role=role,
            scope=scope,
            conditions=conditions,
            since=since,
            until=until,
            reason=reason,
            managed_by=managed_by,
        )


def replace_binding(
    *,
    actor: Actor,
    binding: UUID,
    role: UUID,
    scope: Scope | None = None,
    conditions: Conditions | None = None,
    until: datetime | None = None,
    read_at: int | None = None,
    reason: str = "",
) -> UUID:
    """Give another to whoever has a binding, and end it, in one change.

    Raises what `create_binding` and `revoke_binding` raise.
    """
    with changes_together(actor=actor, operation="replace_binding", event="binding.created"):
        known = Binding.objects.filter(id=binding, valid_to=None).first()
        if known is None:
            raise NotFound(str(binding))
        made = create_binding(
            actor=actor,
            principal=known.principal_id,
            role=role,
            scope=scope,
            conditions=conditions,
            until=until,
            read_at=read_at,
            reason=reason,
        )
        revoke_binding(actor=actor, binding=binding, reason=reason)
    return made


def bind(
    change: Change,
    *,
    principal: UUID,
    role: UUID,
    scope: Scope,
    conditions: Conditions,
    since: datetime | None,
    until: datetime | None,
    reason: str,
    managed_by: str,
) -> UUID:
    """Give a role as a part of a change that was authorised; what the actor lacks they do not give.

    Raises AccessDenied (BeyondOwnRights, OwnAccess), NotFound.
    """
    _require_existing(principal, role)
    change.require_not_for_self({str(principal)})
    cells = next(known.cells for known in change.state.policy.roles if known.id == str(role))
    ends = until.timestamp() if until else None
    policy = change.state.policy
    known = next(one for one in policy.principals if one.id == str(principal))
    change.require_held(Gift(cells, scope, conditions, ends, teams_reached(policy, known)))
    is_team = known.kind == PrincipalKind.TEAM
    members = TeamMember.objects.filter(team_id=principal) if is_team else ()
    receivers = {str(principal), *(str(one.principal_id) for one in members)}
    require_a_way_back(change, gained={one: {str(role)} for one in receivers})
    binding = Binding.objects.create(
        id=uuid7(),
        principal_id=principal,
        role_id=role,
        scope=write_scope(scope),
        conditions=write_conditions(conditions),
        since=since,
        until=until,
        reason=reason,
        author_id=change.actor.principal,
        managed_by=managed_by,
        valid_from=change.version,
    )
    change.note(
        Touched("binding", binding.id),
        Touched("principal", principal),
        Touched("role", role),
        scope=write_scope(scope),
        conditions=write_conditions(conditions),
        until=until.isoformat() if until else None,
        reason=reason,
    )
    return binding.id


def revoke_binding(*, actor: Actor, binding: UUID, reason: str = "") -> None:
    """Take a role away. No first byte leaves under the binding once this has returned.

    Raises AccessDenied, NotFound, NotConfirmed.
    """
    with policy_change(actor=actor, operation="revoke_binding", event="binding.revoked") as change:
        known = Bindings.among(change.state.policy.bindings).find(str(binding))
        if known is None:
            # Decided all the same, so that a stranger learns nothing from the answer.
            change.authorize("role:assign")
            raise NotFound(str(binding))
        change.authorize("role:assign", at=known.scope)
        change.require_may_shed({known.role, known.id}, whose={known.principal})
        Binding.objects.filter(id=binding, valid_to=None).update(valid_to=change.version)
        change.note(
            Touched("binding", binding),
            Touched("principal", UUID(known.principal)),
            Touched("role", UUID(known.role)),
            reason=reason,
        )


def _require_existing(principal: UUID, role: UUID) -> None:
    if not Principal.objects.filter(id=principal, active=True).exists():
        raise NotFound(str(principal))
    if not Role.objects.filter(id=role).exists():
        raise NotFound(str(role))
