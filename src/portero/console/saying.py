"""Rules in words: where a role holds, when, until when; guardrails and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Workspace
from portero.domain.workspaces.queries import names_of_things
from portero.engine import (
    Conditions,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Per,
    Scope,
)

_ID_MAX = 8
_UTC = ZoneInfo("UTC")
DIMENSIONS = {
    "wabas": "waba",
    "numbers": "number",
    "teams": "team",
    "labels": "label",
    "template_sets": "template_set",
    "countries": "country",
    "integrations": "integration",
    "bots": "bot",
}
"""What the engine calls each field of a scope."""


@dataclass(frozen=True, slots=True)
class Names:
    """What people call the things that rules name by id."""

    by_id: Mapping[str, str]
    zone: ZoneInfo = _UTC
    """By whose clock moments are told: the workspace's."""

    @classmethod
    def of(cls, workspace: UUID) -> Names:
        with in_workspace(workspace):
            found = names_of_things()
            zone = ZoneInfo(Workspace.objects.get(id=workspace).timezone)
        return cls(found, zone)

    def __getitem__(self, one: str) -> str:
        return self.by_id.get(one, one if len(one) <= _ID_MAX else f"{one[:_ID_MAX]}…")


def ends(at: float, names: Names) -> str:
    """When something ends, by the workspace's clock."""
    moment = datetime.fromtimestamp(at, names.zone)
    return _("until %(at)s") % {"at": date_format(moment, "DATETIME_FORMAT")}


def where(scope: Scope, names: Names) -> list[str]:
    """One sentence for each dimension that narrows; none means everywhere."""
    return list(_where(scope, names))


def _where(scope: Scope, names: Names) -> Iterator[str]:
    words = {
        "wabas": _("WhatsApp accounts"),
        "numbers": _("numbers"),
        "teams": _("teams"),
        "labels": _("labels"),
        "template_sets": _("template sets"),
        "countries": _("countries"),
        "integrations": _("integrations"),
        "bots": _("bots"),
    }
    for field in fields(Scope):
        values = getattr(scope, field.name)
        if values is not None:
            told = ", ".join(sorted(names[one] for one in values)) or _("none")
            yield f"{words[field.name]}: {told}"


def when(conditions: Conditions) -> list[str]:
    """One sentence for each condition; none means always."""
    return list(_when(conditions))


def _when(conditions: Conditions) -> Iterator[str]:
    if conditions.hours is not None:
        yield "; ".join(_window(one) for one in conditions.hours) or _("never")
    if conditions.networks is not None:
        yield _("from %(networks)s") % {"networks": ", ".join(conditions.networks) or _("none")}
    if conditions.fresh_factor_s is not None:
        minutes = max(1, conditions.fresh_factor_s // 60)
        yield _("with a second factor shown in the last %(minutes)s min") % {"minutes": minutes}


def _window(one: Hours) -> str:
    days = [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]
    told = " ".join(days[day] for day in sorted(one.days))
    return f"{told} {_clock(one.start)}-{_clock(one.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def until(moment: float | None) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC)


def dimension_word(dimension: str) -> str:
    return {
        "waba": _("WhatsApp account"),
        "number": _("number"),
        "team": _("team"),
        "label": _("label"),
        "template_set": _("template set"),
        "country": _("country"),
        "integration": _("integration"),
        "bot": _("bot"),
        "hours": _("hours"),
        "network": _("network"),
    }.get(dimension, "")


def guardrail_in_words(rule: Guardrail) -> str:
    """What a guardrail lets happen."""
    match rule.kind:
        case GuardrailKind.DENY:
            return _("Never lets this happen.")
        case GuardrailKind.TEMPLATES_ONLY:
            return _("Nothing of this is sent, unless it is an approved template.")
        case GuardrailKind.REQUIRE_WINDOW:
            return _("Only while the customer wrote in the last 24 hours.")
        case GuardrailKind.REQUIRE_CONSENT:
            return _("Only to customers who agreed to it.")
        case GuardrailKind.REQUIRE_SECOND_PERSON if rule.threshold is not None:
            return _("A second person approves it above %(count)s people.") % {
                "count": rule.threshold
            }
        case GuardrailKind.REQUIRE_SECOND_PERSON:
            return _("A second person approves it.")
        case GuardrailKind.REQUIRE_FRESH_FACTOR:
            return _only(Conditions(fresh_factor_s=rule.fresh_factor_s or 0))
        case GuardrailKind.REQUIRE_PASSKEY:
            return _("Only with a passkey.")
        case GuardrailKind.NETWORKS:
            return _only(Conditions(networks=rule.networks or ()))
        case GuardrailKind.HOURS:
            return _only(Conditions(hours=rule.hours or ()))


def _only(conditions: Conditions) -> str:
    return _("Only %(when)s.") % {"when": " · ".join(when(conditions))}


def limit_in_words(limit: Limit, *, holder: str = "") -> str:
    """How many, of what, per what, and for whom together: by `holder`, the name, where it is given."""
    return _("%(amount)s %(things)s %(per)s, %(together)s") % {
        "amount": number_format(limit.amount, force_grouping=True),
        "things": {
            Metric.REQUESTS: ngettext("request", "requests", limit.amount),
            Metric.MESSAGES: ngettext("message", "messages", limit.amount),
            Metric.RECIPIENTS: ngettext("recipient", "recipients", limit.amount),
            Metric.MONEY: ngettext("unit of money", "units of money", limit.amount),
        }[limit.metric],
        "per": {Per.SECOND: _("a second"), Per.HOUR: _("an hour"), Per.DAY: _("a day")}[limit.per],
        "together": _holder(limit.holder_kind, holder),
    }


def _holder(kind: HolderKind, name: str) -> str:
    match kind:
        case HolderKind.WORKSPACE:
            return _("in the whole workspace")
        case HolderKind.KEY:
            return _("with the key %(name)s") % {"name": name} if name else _("by this key")
        case HolderKind.PRINCIPAL if name:
            return _("for %(name)s") % {"name": name}
        case HolderKind.PRINCIPAL:
            return _("by whoever asks or their team")
        case HolderKind.BINDING if name:
            return _("by the role %(name)s") % {"name": name}
        case HolderKind.BINDING:
            return _("by this role that was given")
