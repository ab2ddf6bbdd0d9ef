"""Asking for access, and deciding it: never for oneself, and never something else than was asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hmac import compare_digest
from uuid import UUID

from portero.domain.access.authorize import Actor, digest_of, record_act, scope_of
from portero.domain.access.errors import (
    AskedTooOften,
    InvalidRule,
    NotFound,
    OwnAccess,
    RequestChanged,
    RequestClosed,
    TooManyRequests,
)
from portero.domain.access.models import AccessRequest, Principal
from portero.domain.access.services.bindings import bind
from portero.domain.access.services.changes import (
    changes_together,
    policy_change,
    require_now,
)
from portero.domain.access.services.validation import require_scope
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched
from portero.engine import Conditions, Policy, Reach, Scope
from portero.store.ids import uuid7
from portero.store.rules import write_scope

WAITS = timedelta(days=7)
"""How long a request can be decided."""
LONGEST = timedelta(days=90)
MOST_OPEN = 20
MOST_WITHDRAWN = 5
"""How many of somebody's requests of the last hour may be withdrawn when they ask once more."""
_SPAN = timedelta(hours=1)
MANAGED_BY = "access_request"


def request_access(
    *,
    actor: Actor,
    role: UUID,
    lasts: timedelta,
    reason: str,
    scope: Scope | None = None,
    permission: str = "",
) -> UUID:
    """Ask for a role, for a time. Gives nothing.

    Raises AskedTooOften, InvalidRule, NotFound, TooManyRequests.
    """
    scope = scope or Scope()
    with in_workspace(actor.workspace):
        require_scope(scope)
        if not timedelta(0) < lasts <= LONGEST:
            raise InvalidRule("access is asked for at most 90 days")
        lock_policy(exclusive=False)  # it gives nothing: no call has to wait for it
        # One after another for each who asks, so that nobody exceeds the count by asking twice at once.
        Principal.objects.select_for_update().get(id=actor.principal)
        mine = AccessRequest.objects.filter(principal_id=actor.principal, state="open")
        waiting = mine.filter(expires_at__gt=actor.at)
        same = waiting.filter(
            role_id=role, scope=write_scope(scope), lasts_s=int(lasts.total_seconds())
        ).first()
        if same is not None:
            return same.id  # asked again is asked once
        if waiting.count() >= MOST_OPEN:
            raise TooManyRequests
        taken_back = AccessRequest.objects.filter(
            principal_id=actor.principal, state="withdrawn", asked_at__gt=actor.at - _SPAN
        )
        if taken_back.count() >= MOST_WITHDRAWN:
            raise AskedTooOften
        cells = _cells(current_state().policy, role)
        made = AccessRequest.objects.create(
            id=uuid7(),
            principal_id=actor.principal,
            role_id=role,
            scope=write_scope(scope),
            lasts_s=int(lasts.total_seconds()),
            permission=permission,
            reason=reason,
            digest=digest_of(actor.principal, role, cells, scope, lasts),
            expires_at=actor.at + WAITS,
        )
        record_act(
            actor=actor,
            operation="request_access",
            event="access_request.created",
            checks=(),
            touched=(Touched("access_request", made.id), Touched("principal", actor.principal)),
            role=str(role),
            lasts_s=made.lasts_s,
            reason=reason,
        )
    return made.id


def approve_request(*, actor: Actor, request: UUID, digest: bytes, answer: str = "") -> UUID:
    """Give exactly what was asked, and what the approver saw; returns the binding.

    It ends by itself. Raises AccessDenied (BeyondOwnRights, OwnAccess), NotFound, RequestChanged,
    RequestClosed.
    """
    with policy_change(
        actor=actor, operation="approve_request", event="access_request.approved"
    ) as change:
        change.authorize("access_request:approve")
        asked = _open(actor, request)
        scope = scope_of(asked)
        _require_another(actor, asked)
        cells = _cells(change.state.policy, asked.role_id)
        lasts = timedelta(seconds=asked.lasts_s)
        now = digest_of(asked.principal_id, asked.role_id, cells, scope, lasts)
        if not (compare_digest(asked.digest, now) and compare_digest(digest, now)):
            raise RequestChanged
        binding = bind(
            change,
            principal=asked.principal_id,
            role=asked.role_id,
            scope=scope,
            conditions=Conditions(),
            since=None,
            until=actor.at + lasts,
            reason=asked.reason,
            managed_by=MANAGED_BY,
        )
        _decide(actor, asked, "approved", answer, binding)
        change.touched.insert(0, Touched("access_request", request))
    return binding


def refuse_request(*, actor: Actor, request: UUID, answer: str) -> None:
    """Raises AccessDenied (OwnAccess), NotFound, RequestClosed."""
    with changes_together(actor=actor, operation="refuse_request", event="access_request.refused"):
        require_now(actor=actor, permission="access_request:approve")
        asked = _open(actor, request)
        _require_another(actor, asked)
        _decide(actor, asked, "refused", answer, None)
        record_act(
            actor=actor,
            operation="refuse_request",
            event="access_request.refused",
            checks=("access_request:approve",),
            touched=(
                Touched("access_request", request),
                Touched("principal", asked.principal_id),
            ),
            answer=answer,
        )


def withdraw_request(*, actor: Actor, request: UUID) -> None:
    """Take one's own request back. Raises NotFound, RequestClosed."""
    with changes_together(
        actor=actor, operation="withdraw_request", event="access_request.withdrawn"
    ):
        asked = _open(actor, request)
        if asked.principal_id != actor.principal:
            raise NotFound(str(request))
        _decide(actor, asked, "withdrawn", "", None)
        record_act(
            actor=actor,
            operation="withdraw_request",
            event="access_request.withdrawn",
            checks=(),
            touched=(Touched("access_request", request),),
        )


def _cells(policy: Policy, role: UUID) -> Mapping[str, Reach]:
    for known in policy.roles:
        if known.id == str(role):
            return known.cells
    raise NotFound(str(role))


def _open(actor: Actor, request: UUID) -> AccessRequest:
    # Under the workspace's lock: of many who decide at once, one finds it open (R05).
    found = AccessRequest.objects.filter(id=request).first()
    if found is None:
        raise NotFound(str(request))
    if found.state != "open" or found.expires_at <= actor.at:
        raise RequestClosed
    return found


def _require_another(actor: Actor, asked: AccessRequest) -> None:
    """The person who asks decides nothing, in whatever guise they come (B3.3)."""
    both = Principal.objects.filter(id__in=(actor.principal, asked.principal_id))
    people = {one.accountable_id or one.id for one in both}
    humans = {one.person_id for one in Principal.objects.filter(id__in=people)}
    if actor.principal == asked.principal_id or len(people) < 2 or len(humans) < 2:
        raise OwnAccess


def _decide(
    actor: Actor, asked: AccessRequest, state: str, answer: str, binding: UUID | None
) -> None:
    AccessRequest.objects.filter(id=asked.id, state="open").update(
        state=state,
        decided_at=actor.at,
        decided_by=actor.principal,
        answer=answer,
        binding_id=binding,
    )
