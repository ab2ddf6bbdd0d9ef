"""What the engine answers: decisions, their explanations, and what may be seen."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from portero.engine.values import valueclass


class Effect(StrEnum):
    """Yes or no."""

    ALLOW = "allow"
    DENY = "deny"


class Reason(StrEnum):
    """Stable codes that callers may branch on."""

    ALLOWED = "allowed"
    UNKNOWN_PRINCIPAL = "unknown_principal"
    PRINCIPAL_INACTIVE = "principal_inactive"
    CREDENTIAL_INACTIVE = "credential_inactive"
    CREDENTIAL_EXPIRED = "credential_expired"
    UNKNOWN_PERMISSION = "unknown_permission"
    PERMISSION_MISSING = "permission_missing"
    OUTSIDE_SCOPE = "outside_scope"
    OUTSIDE_REACH = "outside_reach"
    OUTSIDE_HOURS = "outside_hours"
    OUTSIDE_NETWORK = "outside_network"
    FACTOR_NEEDED = "factor_needed"
    BINDING_EXPIRED = "binding_expired"
    """Now is not within the binding's dates: it has ended or has not begun."""
    BLOCKED_BY_GUARDRAIL = "blocked_by_guardrail"


class ObligationKind(StrEnum):
    """What an obligation asks of the enforcement point."""

    REQUIRE = "require"
    """Something only the recording transaction can know must hold: see `Requirement`."""
    TAKE = "take"
    """A limit must have room, and is used up by this request."""


class Requirement(StrEnum):
    """The names that a `require` obligation may carry."""

    WINDOW = "window"
    CONSENT = "consent"
    SECOND_PERSON = "second_person"


class Obligation(NamedTuple):
    """What must be done, or hold, along with an allow.

    A named tuple because decisions sort and compare them: at a fifth of a data class's price.
    """

    kind: ObligationKind
    name: str
    """The requirement, or the id of the limit."""
    guardrail: str = ""
    """The id of the guardrail that asks for it; empty for limits."""


@valueclass(frozen=True, slots=True)
class Decision:
    """The answer and its evidence."""

    effect: Effect
    reason: str
    """A value of `Reason`."""
    because: tuple[str, ...]
    """Ids of the bindings that allowed or the guardrails that denied, sorted; see `OWNERSHIP`."""
    obligations: tuple[Obligation, ...]
    """Sorted; empty on a denial."""
    policy_version: int

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW


MEMBERSHIP = "member"
"""What lets somebody come in, in place of a binding's id."""
OWNERSHIP = "owner"
"""Stands in `because` where no binding was asked: an owner holds every permission everywhere."""
