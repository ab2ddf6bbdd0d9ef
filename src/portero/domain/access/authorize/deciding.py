from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.domain.access.errors import AccessDenied, ConditionUnmet
from portero.domain.access.snapshot import State
from portero.engine import Check, Context, Decision, ObligationKind


@dataclass(frozen=True, slots=True)
class Actor:
    """Who performs an operation, and in which circumstances.

    `at` is the time of the request, `address` where it came from, `factor_at` when a second factor
    was last shown.
    """

    workspace: UUID
    principal: UUID
    at: datetime
    address: str | None = None
    factor_at: datetime | None = None

    @property
    def id(self) -> str:
        """The principal as the engine spells it."""
        return str(self.principal)


def context_of(actor: Actor, zone: ZoneInfo) -> Context:
    local = actor.at.astimezone(zone)
    return Context(
        now=actor.at.timestamp(),
        weekday=local.weekday(),
        minute=local.hour * 60 + local.minute,
        address=actor.address,
        factor_at=actor.factor_at.timestamp() if actor.factor_at else None,
    )


def authorize(*, actor: Actor, state: State, checks: Sequence[Check]) -> Decision:
    """Decide, and demand an allow. Raises AccessDenied.

    What a decision requires beyond itself (a second person, consent) no service here can show, so
    it denies; limits are the gateway's to take.
    """
    decision = state.snapshot.decide(actor.id, checks, context_of(actor, state.zone))
    permissions = [check.permission for check in checks]
    if not decision.allowed:
        raise AccessDenied.by(decision, permissions)
    required = [o for o in decision.obligations if o.kind is ObligationKind.REQUIRE]
    if required:
        raise ConditionUnmet(
            permissions, [o.name for o in required], [o.guardrail for o in required]
        )
    return decision
