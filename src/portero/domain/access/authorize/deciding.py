from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.domain.access.errors import AccessDenied, ConditionUnmet
from portero.domain.access.snapshot import State
from portero.engine import (
    Check,
    Context,
    Credential,
    Decision,
    ObligationKind,
    Resource,
    Snapshot,
    Visible,
    both,
)


@dataclass(frozen=True, slots=True)
class Lens:
    """With whose eyes an actor looks: a person's, or those of whoever has a role and no other.

    It only takes away. What is seen is what both would see, so nobody gains sight by it.
    """

    kind: Literal["person", "role"]
    of: UUID

    @property
    def id(self) -> str:
        """Of the person or the role, as the engine spells it."""
        return str(self.of)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who performs an operation, and in which circumstances.

    `at` is the time of the request, `address` where it came from, `factor_at` when a second factor
    was last shown, `passkey_at` when that was a passkey. Through a `lens` an actor stays who they
    are, and sees less. `operator` is who acts in their name from the server's command line.
    """

    workspace: UUID
    principal: UUID
    at: datetime
    address: str | None = None
    factor_at: datetime | None = None
    lens: Lens | None = None
    passkey_at: datetime | None = None
    operator: str | None = None

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
        passkey_at=actor.passkey_at.timestamp() if actor.passkey_at else None,
    )


def of_workspace(permission: str) -> Check:
    """A permission asked of the workspace itself, and of no thing in it."""
    return Check(permission, Resource(permission.partition(":")[0]))


def decide(*, actor: Actor, state: State, checks: Sequence[Check]) -> Decision:
    """Say whether an actor may do all of `checks`; through a lens, whether both may."""
    context = context_of(actor, state.zone)
    if actor.lens is None:
        return state.snapshot.decide(actor.id, checks, context)
    if actor.lens.kind == "role":
        snapshot, key = _as_a_role(state.snapshot, actor, actor.lens)
        return snapshot.decide(actor.id, checks, context, key)
    theirs = state.snapshot.decide(actor.lens.id, checks, context)
    if not theirs.allowed:
        return theirs
    mine = state.snapshot.decide(actor.id, checks, context)
    if not mine.allowed:
        return mine
    return Decision(
        mine.effect,
        mine.reason,
        tuple(sorted({*mine.because, *theirs.because})),
        tuple(sorted({*mine.obligations, *theirs.obligations})),
        mine.policy_version,
    )


def visible(*, actor: Actor, state: State, permission: str) -> Visible:
    """Say of which things an actor has a permission; through a lens, of which both have it."""
    context = context_of(actor, state.zone)
    if actor.lens is None:
        return state.snapshot.visible(actor.id, permission, context)
    if actor.lens.kind == "role":
        snapshot, key = _as_a_role(state.snapshot, actor, actor.lens)
        return snapshot.visible(actor.id, permission, context, key)
    seen_by = (actor.id, actor.lens.id)
    return both(*(state.snapshot.visible(one, permission, context) for one in seen_by))


def _as_a_role(snapshot: Snapshot, actor: Actor, lens: Lens) -> tuple[Snapshot, str]:
    """The policy with a key of the actor's that leaves them what the role gives."""
    key = Credential(f"lens {lens.id}", actor.id, role=lens.id)
    policy = snapshot.policy
    return snapshot.followed_by(replace(policy, credentials=(*policy.credentials, key))), key.id


def authorize(*, actor: Actor, state: State, checks: Sequence[Check]) -> Decision:
    """Decide, and demand an allow. Raises AccessDenied.

    What a decision requires beyond itself (a second person, consent) no service here can show, so
    it denies; limits are the gateway's to take.
    """
    decision = decide(actor=actor, state=state, checks=checks)
    permissions = [check.permission for check in checks]
    if not decision.allowed:
        raise AccessDenied.by(decision, permissions)
    required = [o for o in decision.obligations if o.kind is ObligationKind.REQUIRE]
    if required:
        raise ConditionUnmet(
            permissions, [o.name for o in required], [o.guardrail for o in required]
        )
    return decision
