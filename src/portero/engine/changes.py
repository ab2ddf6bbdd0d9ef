"""What would have to change for a refused request to be allowed: steps, as data and in words."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, assert_never

from portero.engine.networks import parse_network
from portero.engine.policy import Hours, Reach
from portero.engine.request import Check, Context, Resource
from portero.engine.restrictions import (
    ContentsAre,
    FreshFactor,
    InHours,
    InNetworks,
    OtherPermission,
    Overlap,
    PasskeyShown,
    Restriction,
    Since,
    Until,
    ValueIn,
    WithinReach,
)


class ChangeKind(StrEnum):
    """What there is to do."""

    GIVE_PERMISSION = "give_permission"
    WIDEN_SCOPE = "widen_scope"
    WIDEN_REACH = "widen_reach"
    LIFT_RESTRICTION = "lift_restriction"
    RENEW = "renew"
    WAIT_UNTIL = "wait_until"
    USE_NETWORK = "use_network"
    CONFIRM_FACTOR = "confirm_factor"
    SHOW_PASSKEY = "show_passkey"
    USE_TEMPLATE = "use_template"
    ASK_GUARDRAIL_OWNER = "ask_guardrail_owner"
    ACTIVATE_PRINCIPAL = "activate_principal"
    USE_ANOTHER_CREDENTIAL = "use_another_credential"


class RuleKind(StrEnum):
    """What kind of thing a change is about."""

    PRINCIPAL = "principal"
    CREDENTIAL = "credential"
    BINDING = "binding"
    GUARDRAIL = "guardrail"


Value = str | Reach | float | tuple[str, ...] | None


class Change(NamedTuple):
    """One step towards an allow."""

    kind: ChangeKind
    rule: RuleKind
    id: str
    """Of the principal, credential, binding or guardrail."""
    dimension: str = ""
    """Which restriction of the rule is meant, where one is."""
    value: Value = None
    """The value to add to the scope, the reach to give, until when to wait (epoch seconds), the
    networks to use, or how old the factor may be (seconds)."""
    when: str = ""
    """`value` in words, where it is a moment."""
    permission: str = ""
    """Which permission of the role is meant, where a role must change."""

    def sentence(self) -> str:
        """Say it in plain English, with ids as they are."""
        value = self.value
        if isinstance(value, tuple):
            value = " or ".join(value)
        elif isinstance(value, Reach):
            value = value.name.lower()
        what = self.dimension.replace("_", " ")
        return _SENTENCES[self.kind].format(
            rule=self.rule,
            id=self.id,
            what=what,
            value=value,
            when=self.when,
            permission=self.permission,
        )


_SENTENCES = {
    ChangeKind.GIVE_PERMISSION: "Give the {rule} {id} a role with {permission}.",
    ChangeKind.WIDEN_SCOPE: "Let the {rule} {id} also cover the {what} {value}.",
    ChangeKind.WIDEN_REACH: "Let the role of the {rule} {id} reach “{value}” for {permission}.",
    ChangeKind.LIFT_RESTRICTION: "Lift the restriction by {what} from the {rule} {id}.",
    ChangeKind.RENEW: "Give the {rule} {id} a later end.",
    ChangeKind.WAIT_UNTIL: "Wait until {when}, when the {rule} {id} allows it.",
    ChangeKind.USE_NETWORK: "Ask again from the network {value}, as the {rule} {id} demands.",
    ChangeKind.CONFIRM_FACTOR: "Confirm the second factor: the {rule} {id} wants one that is"
    " at most {value} seconds old.",
    ChangeKind.SHOW_PASSKEY: "Show a passkey, as the {rule} {id} demands.",
    ChangeKind.USE_TEMPLATE: "Send an approved template, as the {rule} {id} demands.",
    ChangeKind.ASK_GUARDRAIL_OWNER: "Ask whoever keeps the {rule} {id} for an exception.",
    ChangeKind.ACTIVATE_PRINCIPAL: "Activate the {rule} {id}.",
    ChangeKind.USE_ANOTHER_CREDENTIAL: "Use another key than {id}.",
}


def step(
    rule: RuleKind,
    rule_id: str,
    failing: Restriction | ContentsAre,
    check: Check,
    context: Context,
) -> Change:
    """The smallest change after which `failing` holds.

    A moment to wait for is the first at which this one restriction holds; others may have ended
    by then.
    """
    remedy = _remedy(failing, check.resource, context)
    permission = check.permission if remedy.kind in _OF_A_ROLE else ""
    return Change(
        remedy.kind, rule, rule_id, failing.dimension, remedy.value, remedy.when, permission
    )


_OF_A_ROLE = (ChangeKind.GIVE_PERMISSION, ChangeKind.WIDEN_REACH)


class _Remedy(NamedTuple):
    kind: ChangeKind
    value: Value = None
    when: str = ""


_LIFT = _Remedy(ChangeKind.LIFT_RESTRICTION)


def _remedy(failing: Restriction | ContentsAre, resource: Resource, context: Context) -> _Remedy:
    match failing:
        case ValueIn():
            value = failing.actual(resource, context)
            return _LIFT if value is None else _Remedy(ChangeKind.WIDEN_SCOPE, value)
        case Overlap():
            values = failing.actual(resource, context)
            return _Remedy(ChangeKind.WIDEN_SCOPE, min(values)) if values else _LIFT
        case WithinReach():
            return _Remedy(ChangeKind.WIDEN_REACH, failing.actual(resource, context))
        case OtherPermission():
            return _Remedy(ChangeKind.GIVE_PERMISSION)
        case InHours():
            return _opening(failing.wanted, context)
        case InNetworks():
            usable = tuple(text for text in failing.wanted if parse_network(text) is not None)
            return _Remedy(ChangeKind.USE_NETWORK, usable) if usable else _LIFT
        case FreshFactor():
            return _Remedy(ChangeKind.CONFIRM_FACTOR, failing.wanted)
        case PasskeyShown():
            return _Remedy(ChangeKind.SHOW_PASSKEY)
        case Since():
            when = f"{datetime.fromtimestamp(failing.wanted, UTC):%Y-%m-%d %H:%M} UTC"
            return _Remedy(ChangeKind.WAIT_UNTIL, failing.wanted, when)
        case Until():
            return _Remedy(ChangeKind.RENEW)
        case ContentsAre():
            return _Remedy(ChangeKind.USE_TEMPLATE)
        case _:
            assert_never(failing)


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = 24 * 60
_WEEK = 7 * _DAY


def _opening(windows: tuple[Hours, ...], context: Context) -> _Remedy:
    """When the first of the windows opens, reckoning with days of 24 hours."""
    minute = context.weekday * _DAY + context.minute
    starts = (day * _DAY + window.start for window in windows for day in window.days)
    wait = min(((start - minute) % _WEEK for start in starts), default=None)
    if wait is None:
        return _LIFT
    day, minute = divmod((minute + wait) % _WEEK, _DAY)
    when = f"{_DAYS[day]} {minute // 60:02}:{minute % 60:02}"
    return _Remedy(ChangeKind.WAIT_UNTIL, (context.now // 60 + wait) * 60, when)
