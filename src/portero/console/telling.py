"""A decision in words: the verdict first, then every rule that had a say in it.

What the engine says of a rule (this part failed, that was found) is told part by part. Nothing is
decided here: whether a rule holds is the engine's answer, and so is what would have to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portero.console import labels, saying
from portero.console.saying import Names
from portero.domain.workspaces.queries import Account, Standing, Watching
from portero.engine import (
    MEMBERSHIP,
    OWNERSHIP,
    Binding,
    Change,
    ChangeKind,
    CheckAccount,
    Conditions,
    Failing,
    ObligationKind,
    PermissionSpec,
    Reach,
    Reason,
    Requirement,
    RuleAccount,
    RuleKind,
    Scope,
    spec_of,
)

_MOST_GRANTORS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a rule demands, whether it is so, and what was found."""

    holds: bool
    text: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A binding that gives the permission."""

    name: str
    role_id: str
    """Empty for ownership, which is no role."""
    through: str
    """The team it was given to, empty for somebody's own."""
    allows: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class CheckTold:
    """One of the permissions that were needed."""

    spec: PermissionSpec
    allowed: bool
    rules: tuple[Rule, ...]
    """Those that allow first."""
    key: tuple[Part, ...]
    """What the key used leaves out; empty where it stands in the way of nothing."""


@dataclass(frozen=True, slots=True)
class GuardrailTold:
    name: str
    standing: Standing
    says: str
    found: str


@dataclass(frozen=True, slots=True)
class Told:
    """Everything the page says."""

    allowed: bool
    depends: bool
    """Whether it is refused only because the question left open what decides it."""
    verdict: str
    because: str
    reason: str
    policy_version: int
    checks: tuple[CheckTold, ...]
    guardrails: tuple[GuardrailTold, ...]
    limits: tuple[str, ...]
    changes: tuple[str, ...]
    grantors: tuple[str, ...]
    """A few of them, by name."""
    other_grantors: int
    evidence: tuple[str, ...]
    """Ids of what settled it."""


def told(account: Account, names: Names) -> Told:
    decision = account.explanation.decision
    teller = _Teller(account, _names(account, names))
    return Told(
        allowed=decision.allowed,
        depends=bool(account.depends),
        verdict=teller.verdict(),
        because=teller.because(),
        reason=decision.reason,
        policy_version=decision.policy_version,
        checks=tuple(teller.check(given) for given in account.explanation.checks),
        guardrails=tuple(teller.guardrail(one) for one in account.watching),
        limits=tuple(saying.limit_in_words(limit) for limit in account.limits),
        # Who has it needs no wider role, only a question that says more.
        changes=()
        if account.depends
        else tuple(teller.change(change) for change in account.explanation.changes),
        grantors=tuple(one.name for one in account.grantors[:_MOST_GRANTORS]),
        other_grantors=max(0, len(account.grantors) - _MOST_GRANTORS),
        evidence=decision.because,
    )


def _names(account: Account, names: Names) -> Names:
    """With the people and roles this account is about."""
    mine = {account.asker.id: account.asker.name}
    mine |= {
        team: account.principals[team].name
        for team in account.asker.teams & account.principals.keys()
    }
    mine |= {role.id: labels.of_role(role.name) for role in account.roles.values()}
    return Names({**names.by_id, **mine}, names.zone)


class _Teller:
    def __init__(self, account: Account, names: Names) -> None:
        self._account, self._names = account, names
        self._who = account.asker.name

    def verdict(self) -> str:
        decision = self._account.explanation.decision
        if self._account.depends:
            when = ("; " + _("or") + " ").join(map(self._met, self._account.depends))
            return _("It depends: yes, when %(what)s.") % {"what": when}
        if not decision.allowed:
            return _("No.")
        demands = [
            _requirement(o.name) for o in decision.obligations if o.kind is ObligationKind.REQUIRE
        ]
        if demands:
            return _("Yes, if %(demands)s.") % {"demands": ", ".join(demands)}
        return _("Yes.")

    def _met(self, wanted: Sequence[Failing]) -> str:
        return (" " + _("and") + " ").join(map(self._as_it_should_be, wanted))

    def _as_it_should_be(self, one: Failing) -> str:
        if isinstance(one.wanted, Reach):
            return {
                Reach.OWN: _("it is assigned to whoever asks"),
                Reach.QUEUE: _("it is in the queue of whoever asks"),
                Reach.TEAM: _("it is of a team of whoever asks"),
            }[one.wanted]
        assert isinstance(one.wanted, frozenset)  # noqa: S101 - a place
        return {
            "waba": _("the WhatsApp account is %(what)s"),
            "number": _("the number is %(what)s"),
            "team": _("the team is %(what)s"),
            "template_set": _("the template is in %(what)s"),
            "country": _("the customer is in %(what)s"),
        }[one.dimension] % {
            "what": (" " + _("or") + " ").join(sorted(self._names[value] for value in one.wanted))
        }

    def because(self) -> str:
        decision = self._account.explanation.decision
        if self._account.depends:
            return _("%(who)s has the permission, and the question left this open.") % {
                "who": self._who
            }
        if decision.allowed:
            return self._why_allowed(decision.because)
        return self._why_refused(Reason(decision.reason))

    def _why_allowed(self, because: Sequence[str]) -> str:
        if OWNERSHIP in because:
            return _("%(who)s is an owner and holds every permission everywhere.") % {
                "who": self._who
            }
        count = len(because)
        text = ngettext(
            "%(who)s has it by one role that was given.",
            "%(who)s has it by %(count)s roles that were given.",
            count,
        )
        return text % {"who": self._who, "count": count}

    def _why_refused(self, reason: Reason) -> str:
        refused = next((c for c in self._account.explanation.checks if not c.allowed), None)
        if refused is not None and refused.matched and refused.credential is not None:
            return _("%(who)s has the permission, but this key does not cover it.") % {
                "who": self._who
            }
        said = {
            Reason.PERMISSION_MISSING: _("No role of %(who)s gives this permission."),
            Reason.OUTSIDE_SCOPE: _("%(who)s has the permission, but not for this."),
            Reason.OUTSIDE_REACH: _("%(who)s has the permission, but it does not reach this far."),
            Reason.OUTSIDE_HOURS: _("%(who)s has the permission, but not at this hour."),
            Reason.OUTSIDE_NETWORK: _("%(who)s has the permission, but not from this network."),
            Reason.FACTOR_NEEDED: _(
                "%(who)s has the permission, but only with a second factor shown a moment before."
            ),
            Reason.BINDING_EXPIRED: _(
                "What gave %(who)s the permission has ended, or has not begun."
            ),
            Reason.PRINCIPAL_INACTIVE: _("%(who)s is disabled: nothing can be used."),
            Reason.CREDENTIAL_INACTIVE: _("This key is not valid any more."),
            Reason.CREDENTIAL_EXPIRED: _("This key has expired."),
            Reason.UNKNOWN_PRINCIPAL: _("Nobody here is called that."),
            Reason.UNKNOWN_PERMISSION: _("There is no such permission."),
        }
        if reason is Reason.BLOCKED_BY_GUARDRAIL and refused is not None:
            denying = ", ".join(f"“{one.name}”" for one in refused.guardrails)
            return _("A guardrail takes it away, whoever asks: %(rules)s.") % {"rules": denying}
        return said.get(reason, "") % {"who": self._who}

    def check(self, given: CheckAccount) -> CheckTold:
        rules = [self._rule(one, given) for one in (*given.matched, *given.missed)]
        key = () if given.credential is None else tuple(map(self._failed, given.credential.failing))
        return CheckTold(spec_of(given.check.permission), given.allowed, tuple(rules), key)

    def _rule(self, one: RuleAccount, given: CheckAccount) -> Rule:
        if one.id in (OWNERSHIP, MEMBERSHIP):
            name = _("Owner") if one.id == OWNERSHIP else _("Whoever is a member")
            return Rule(name, "", "", allows=True, parts=())
        binding = self._account.bindings[one.id]
        role = self._account.roles.get(binding.role)
        own = binding.principal == self._account.asker.id
        return Rule(
            name=labels.of_role(role.name) if role is not None else binding.role,
            role_id=binding.role,
            through="" if own else self._names[binding.principal],
            allows=not one.failing,
            parts=tuple(self._parts(binding, given.check.permission, one.failing)),
        )

    def _parts(
        self, binding: Binding, permission: str, failing: Sequence[Failing]
    ) -> Iterator[Part]:
        failed = {one.dimension: one for one in failing}
        reach = self._account.roles[binding.role].cells[permission]
        yield self._part(
            _("The role gives it with the reach “%(reach)s”.") % {"reach": labels.of_reach(reach)},
            failed.get("reach"),
        )
        for dimension, text in self._places(binding.scope):
            yield self._part(text, failed.get(dimension))
        for dimension, text in _moments(binding.conditions):
            yield self._part(text, failed.get(dimension))
        if binding.since is not None:
            yield self._part(
                _("since %(at)s") % {"at": self._moment(binding.since)}, failed.get("since")
            )
        if binding.until is not None:
            yield self._part(
                _("until %(at)s") % {"at": self._moment(binding.until)}, failed.get("until")
            )

    def _places(self, scope: Scope) -> Iterator[tuple[str, str]]:
        for field in fields(Scope):
            values = getattr(scope, field.name)
            if values is not None:
                [text] = saying.where(Scope(**{field.name: values}), self._names)
                yield saying.DIMENSIONS[field.name], text

    def _part(self, text: str, failing: Failing | None) -> Part:
        return Part(failing is None, text, "" if failing is None else self._found(failing))

    def _failed(self, failing: Failing) -> Part:
        """A part of a key, of which only what fails is known."""
        return Part(holds=False, text=self._wanted(failing), found=self._found(failing))

    def _wanted(self, failing: Failing) -> str:
        match failing.dimension, failing.wanted:
            case "permission", str() as permission:
                return _("The key's role does not give “%(what)s”.") % {
                    "what": _(spec_of(permission).sentence)
                }
            case "reach", Reach() as reach:
                return _("The role gives it with the reach “%(reach)s”.") % {
                    "reach": labels.of_reach(reach)
                }
            case "hours", tuple() as hours:
                [text] = saying.when(Conditions(hours=hours))
                return text
            case "network", tuple() as networks:
                [text] = saying.when(Conditions(networks=networks))
                return text
            case "factor", int() as seconds:
                [text] = saying.when(Conditions(fresh_factor_s=seconds))
                return text
            case "passkey", _:
                return _("with a passkey")
            case dimension, frozenset() as values:
                field = next(name for name, one in saying.DIMENSIONS.items() if one == dimension)
                [text] = saying.where(Scope(**{field: values}), self._names)
                return text
            case _:
                return str(failing.wanted)

    def _found(self, failing: Failing) -> str:
        """What was asked for or measured instead."""
        actual = failing.actual
        match failing.dimension:
            case "permission":
                return ""
            case "reach" if isinstance(actual, Reach):
                return _("This needs “%(reach)s”.") % {"reach": labels.of_reach(actual)}
            case "hours":
                return _("It is %(when)s there.") % {"when": self._local()}
            case "since" | "until":
                return _("It is %(when)s there.") % {
                    "when": self._moment(self._account.context.now)
                }
            case "network" if actual is None:
                return _("From which network is not known.")
            case "network":
                return _("Asked from %(address)s.") % {"address": actual}
            case "factor" if isinstance(actual, int | float):
                return _("It was shown %(minutes)s min before.") % {"minutes": int(actual // 60)}
            case "factor":
                return _("No second factor was shown.")
            case "passkey":
                return _("No passkey was shown.")
            case "contents":
                return _("Something else than a template.")
        if actual is None:
            return _("What was asked names none.")
        if isinstance(actual, frozenset):
            if not actual:
                return _("What was asked has none.")
            return _("Asked: %(what)s.") % {
                "what": ", ".join(sorted(self._names[one] for one in actual))
            }
        return _("Asked: %(what)s.") % {"what": self._names[str(actual)]}

    def _local(self) -> str:
        then = datetime.fromtimestamp(self._account.context.now, self._account.zone)
        return formats.date_format(then, "D H:i")

    def _moment(self, at: float) -> str:
        return formats.date_format(
            datetime.fromtimestamp(at, self._account.zone), "DATETIME_FORMAT"
        )

    def guardrail(self, one: Watching) -> GuardrailTold:
        return GuardrailTold(
            one.rule.name, one.standing, saying.guardrail_in_words(one.rule), self._bites(one)
        )

    def _bites(self, one: Watching) -> str:
        for given in self._account.explanation.checks:
            for account in given.guardrails:
                if account.id == one.rule.id and account.failing is not None:
                    return self._found(account.failing)
        return ""

    def change(self, change: Change) -> str:
        text = _steps()[change.kind]
        if change.kind is ChangeKind.GIVE_PERMISSION and change.rule is RuleKind.CREDENTIAL:
            text = _("Use a key whose role gives “%(permission)s”.")
        return text % {
            "who": self._who,
            "rule": self._rule_of(change),
            "what": self._value(change),
            "dimension": saying.dimension_word(change.dimension),
            "permission": _(spec_of(change.permission).sentence) if change.permission else "",
        }

    def _rule_of(self, change: Change) -> str:
        match change.rule:
            case RuleKind.BINDING:
                binding = self._account.bindings[change.id]
                return _("the access by the role “%(role)s”") % {"role": self._names[binding.role]}
            case RuleKind.GUARDRAIL:
                named = {one.rule.id: one.rule.name for one in self._account.watching}
                return _("the guardrail “%(name)s”") % {"name": named[change.id]}
            case RuleKind.CREDENTIAL:
                return _("the key")
            case RuleKind.PRINCIPAL:
                return self._who

    def _value(self, change: Change) -> str:
        match change.kind, change.value:
            case ChangeKind.WAIT_UNTIL, int() | float() as at:
                return self._moment(float(at))
            case ChangeKind.CONFIRM_FACTOR, int() | float() as seconds:
                return str(max(1, int(seconds) // 60))
            case _, Reach() as reach:
                return labels.of_reach(reach)
            case _, tuple() as several:
                return ", ".join(several)
            case ChangeKind.WIDEN_SCOPE, str() as one:
                return self._names[one]
        return ""


def _steps() -> Mapping[ChangeKind, str]:
    """By call: a language is chosen for each request."""
    return {
        ChangeKind.GIVE_PERMISSION: _("Give %(who)s a role with “%(permission)s”."),
        ChangeKind.WIDEN_SCOPE: _("Let %(rule)s also cover this %(dimension)s: %(what)s."),
        ChangeKind.WIDEN_REACH: _("Let %(rule)s reach “%(what)s” for “%(permission)s”."),
        ChangeKind.LIFT_RESTRICTION: _("Lift the restriction by %(dimension)s from %(rule)s."),
        ChangeKind.RENEW: _("Give %(rule)s a later end."),
        ChangeKind.WAIT_UNTIL: _("Wait until %(what)s, as %(rule)s demands."),
        ChangeKind.USE_NETWORK: _("Ask again from %(what)s, as %(rule)s demands."),
        ChangeKind.CONFIRM_FACTOR: _(
            "Show the second factor again, at most %(what)s min before, as %(rule)s demands."
        ),
        ChangeKind.SHOW_PASSKEY: _("Show a passkey, as %(rule)s demands."),
        ChangeKind.USE_TEMPLATE: _("Send an approved template, as %(rule)s demands."),
        ChangeKind.ASK_GUARDRAIL_OWNER: _("Ask whoever keeps %(rule)s for an exception."),
        ChangeKind.ACTIVATE_PRINCIPAL: _("Activate %(who)s again."),
        ChangeKind.USE_ANOTHER_CREDENTIAL: _("Use another key."),
    }


def _moments(conditions: Conditions) -> Iterator[tuple[str, str]]:
    nothing = Conditions()
    for field, dimension in (
        ("hours", "hours"),
        ("networks", "network"),
        ("fresh_factor_s", "factor"),
    ):
        value = getattr(conditions, field)
        if value is not None:
            [text] = saying.when(replace(nothing, **{field: value}))
            yield dimension, text


def _requirement(name: str) -> str:
    return {
        Requirement.WINDOW: _("the customer wrote in the last 24 hours"),
        Requirement.CONSENT: _("the customer agreed to it"),
        Requirement.SECOND_PERSON: _("a second person approves it"),
    }[Requirement(name)]
