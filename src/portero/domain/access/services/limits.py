"""Limits: how many. They only take away."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, NotFound
from portero.domain.access.models import UsageLimit
from portero.domain.access.services.changes import changes_together, policy_change
from portero.domain.access.services.validation import require_patterns
from portero.domain.access.snapshot import State
from portero.domain.audit.services import Touched
from portero.engine import Bindings, HolderKind, Limit, Metric, Per, Policy
from portero.store.ids import uuid7


def create_limit(
    *,
    actor: Actor,
    holder_kind: HolderKind,
    holder: UUID | None = None,
    metric: Metric,
    per: Per,
    amount: int,
    permissions: Iterable[str] | None = None,
    reason: str = "",
    managed_by: str = "portero",
) -> UUID:
    """Limit a key, a principal, a binding or (holder None) the workspace.

    `permissions` None = whatever is asked. Raises AccessDenied, InvalidRule, NotFound.
    """
    with policy_change(actor=actor, operation="create_limit", event="limit.created") as change:
        change.authorize("limit:update")
        if amount < 0:
            raise InvalidRule("a limit is not negative")
        if (metric is Metric.RECIPIENTS or metric is Metric.MONEY) and per is Per.SECOND:
            raise InvalidRule(f"{metric} are counted by the hour or by the day")
        _require_holder(change.state, holder_kind, holder)
        patterns = None if permissions is None else require_patterns(permissions)
        limit = UsageLimit.objects.create(
            id=uuid7(),
            holder_kind=holder_kind,
            holder_id=holder,
            metric=metric,
            per=per,
            amount=amount,
            permissions=patterns,
            reason=reason,
            author_id=actor.principal,
            managed_by=managed_by,
            valid_from=change.version,
        )
        change.note(
            Touched("limit", limit.id),
            holder_kind=holder_kind,
            holder=str(holder) if holder else None,
            metric=metric,
            per=per,
            amount=amount,
            permissions=patterns,
            reason=reason,
        )
    return limit.id


def retire_limit(*, actor: Actor, limit: UUID, reason: str = "") -> None:
    """Stop counting against a limit. Raises AccessDenied (OwnAccess), NotFound."""
    with policy_change(actor=actor, operation="retire_limit", event="limit.retired") as change:
        change.authorize("limit:update")
        policy = change.state.policy
        known = next((one for one in policy.limits if one.id == str(limit)), None)
        if known is None:
            raise NotFound(str(limit))
        change.require_not_for_self({_limited(policy, known)})
        UsageLimit.objects.filter(id=limit, valid_to=None).update(valid_to=change.version)
        change.note(Touched("limit", limit), reason=reason)


def replace_limit(
    *,
    actor: Actor,
    limit: UUID,
    holder_kind: HolderKind,
    holder: UUID | None = None,
    metric: Metric,
    per: Per,
    amount: int,
    permissions: Iterable[str] | None = None,
    reason: str = "",
) -> UUID:
    """Put another in a limit's place, in one change; what was used counts from nothing again.

    Raises what `create_limit` and `retire_limit` raise.
    """
    with changes_together(actor=actor, operation="replace_limit", event="limit.created"):
        made = create_limit(
            actor=actor,
            holder_kind=holder_kind,
            holder=holder,
            metric=metric,
            per=per,
            amount=amount,
            permissions=permissions,
            reason=reason,
        )
        retire_limit(actor=actor, limit=limit, reason=reason)
    return made


def _limited(policy: Policy, limit: Limit) -> str:
    """The principal a limit counts against: who holds the key or the binding, or the holder."""
    keys = {key.id: key.principal for key in policy.credentials}
    binding = Bindings.among(policy.bindings).find(limit.holder)
    return binding.principal if binding is not None else keys.get(limit.holder, limit.holder)


def _require_holder(state: State, kind: HolderKind, holder: UUID | None) -> None:
    if kind is HolderKind.WORKSPACE:
        if holder is not None:
            raise InvalidRule("a limit of the workspace has no other holder")
        return
    policy = state.policy
    if kind is HolderKind.BINDING:
        known = Bindings.among(policy.bindings).find(str(holder)) is not None
    else:
        holders = policy.credentials if kind is HolderKind.KEY else policy.principals
        known = any(one.id == str(holder) for one in holders)
    if not known:
        raise NotFound(str(holder))
