"""Why: every rule that was looked at, how each fared, and what would have to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from portero.engine.answer import Decision, Reason
from portero.engine.changes import Change, ChangeKind, RuleKind, step
from portero.engine.compiled import Denial, Entry, Judgement, Subject, Trial
from portero.engine.policy import GuardrailKind
from portero.engine.request import Check, Context, Resource
from portero.engine.restrictions import ContentsAre, Restriction


@dataclass(frozen=True, slots=True)
class Failing:
    """One dimension in which a rule did not hold. Values are of the dimension's own type."""

    dimension: str
    wanted: object
    actual: object


@dataclass(frozen=True, slots=True)
class RuleAccount:
    """How a binding or a credential fared."""

    id: str
    role: str | None
    failing: tuple[Failing, ...] = ()
    """Empty = it allows."""


@dataclass(frozen=True, slots=True)
class GuardrailAccount:
    """A guardrail that denied."""

    id: str
    name: str
    kind: GuardrailKind
    failing: Failing | None
    """What would have spared the request, None = nothing."""


@dataclass(frozen=True, slots=True)
class CheckAccount:
    """How one check fared."""

    check: Check
    allowed: bool
    missing: str | None = None
    """The permission, where that it is lacking, or does not exist, settles the check."""
    matched: tuple[RuleAccount, ...] = ()
    """The bindings that allow, by id."""
    missed: tuple[RuleAccount, ...] = ()
    """The bindings that give the permission but do not allow, the closest first."""
    credential: RuleAccount | None = None
    """The credential, where its own restrictions do not hold."""
    guardrails: tuple[GuardrailAccount, ...] = ()
    """The guardrails that deny, also where no binding allows; by id."""
    changes: tuple[Change, ...] = ()
    """The steps which together would make this check allow; empty when nothing could."""


class Account(NamedTuple):
    """How a decision came about."""

    checks: tuple[CheckAccount, ...]
    changes: tuple[Change, ...]


class Explanation:
    """A decision and the account of how it came about.

    The account is given when it is first read: most of it is for people, who seldom ask.
    """

    __slots__ = ("_account", "_decision", "_give")

    def __init__(self, decision: Decision, give: Callable[[], Account]) -> None:
        """Make an explanation; `give` must return the same account whenever it is called."""
        self._decision = decision
        self._give = give
        self._account: Account | None = None

    @property
    def decision(self) -> Decision:
        return self._decision

    @property
    def checks(self) -> tuple[CheckAccount, ...]:
        """In the order asked; empty when the principal or credential may not ask at all."""
        return self._given().checks

    @property
    def changes(self) -> tuple[Change, ...]:
        """The steps which together would make the first refused check allow.

        The closest binding's come first. Empty on an allow, and when nothing could. Where principal
        or credential may not ask at all, the step after which there is more to say.
        """
        return self._given().changes

    @property
    def change(self) -> Change | None:
        """The first step."""
        return self.changes[0] if self.changes else None

    def _given(self) -> Account:
        if self._account is None:
            self._account = self._give()
        return self._account


def account(
    subject: Subject, asked: Sequence[tuple[Check, Entry | None]], context: Context
) -> Account:
    """Tell how the checks fare; an entry of None = there is no such permission."""
    standing = subject.standing(context)
    if standing is not None:
        return Account((), tuple(_entrance(standing, subject)))
    checks = tuple(_account(check, subject, entry, context) for check, entry in asked)
    refused = (check.changes for check in checks if not check.allowed)
    return Account(checks, next(refused, ()))


def _entrance(standing: Reason, subject: Subject) -> Iterator[Change]:
    """The first step for whoever may not ask at all."""
    match standing:
        case Reason.PRINCIPAL_INACTIVE:
            yield Change(ChangeKind.ACTIVATE_PRINCIPAL, RuleKind.PRINCIPAL, subject.principal)
        case Reason.CREDENTIAL_EXPIRED:
            yield Change(ChangeKind.RENEW, RuleKind.CREDENTIAL, subject.credential or "", "until")
        case Reason.CREDENTIAL_INACTIVE:
            kind = ChangeKind.USE_ANOTHER_CREDENTIAL
            yield Change(kind, RuleKind.CREDENTIAL, subject.credential or "")


def _account(check: Check, subject: Subject, entry: Entry | None, context: Context) -> CheckAccount:
    if entry is None:
        return CheckAccount(check, allowed=False, missing=check.permission)
    resource = check.resource
    judgement = entry.judge(resource, context)
    narrowing = judgement.narrowing
    missing = judgement.reason is Reason.PERMISSION_MISSING
    return CheckAccount(
        check,
        allowed=judgement.reason is Reason.ALLOWED,
        missing=check.permission if missing else None,
        matched=tuple(_rule(trial, resource, context) for trial in judgement.matched),
        missed=tuple(_rule(trial, resource, context) for trial in judgement.missed),
        credential=_rule(narrowing, resource, context) if narrowing.failing else None,
        guardrails=tuple(_guardrail(denial, resource, context) for denial in judgement.bitten),
        changes=tuple(_changes(check, subject, judgement, context)),
    )


def _rule(trial: Trial, resource: Resource, context: Context) -> RuleAccount:
    failing = tuple(_failing(restriction, resource, context) for restriction in trial.failing)
    return RuleAccount(trial.clause.id, trial.clause.role, failing)


def _guardrail(denial: Denial, resource: Resource, context: Context) -> GuardrailAccount:
    rule, unless = denial.guardrail, denial.unless
    failing = _failing(unless, resource, context) if unless is not None else None
    return GuardrailAccount(rule.id, rule.name, rule.kind, failing)


def _failing(
    restriction: Restriction | ContentsAre, resource: Resource, context: Context
) -> Failing:
    actual = restriction.actual(resource, context)
    return Failing(restriction.dimension, restriction.wanted, actual)


def _changes(
    check: Check, subject: Subject, judgement: Judgement, context: Context
) -> Iterator[Change]:
    """The steps that would make a check allow: what the closest binding misses, and the rest."""
    if not judgement.matched and not judgement.missed:
        give, permission = ChangeKind.GIVE_PERMISSION, check.permission
        yield Change(give, RuleKind.PRINCIPAL, subject.principal, permission=permission)
    elif not judgement.matched:
        yield from _steps(RuleKind.BINDING, judgement.missed[0], check, context)
    yield from _steps(RuleKind.CREDENTIAL, judgement.narrowing, check, context)
    for denial in judgement.bitten:
        yield _spare(denial, check, context)


def _steps(rule: RuleKind, trial: Trial, check: Check, context: Context) -> Iterator[Change]:
    for restriction in trial.failing:
        yield step(rule, trial.clause.id, restriction, check, context)


def _spare(denial: Denial, check: Check, context: Context) -> Change:
    if denial.unless is None:
        return Change(ChangeKind.ASK_GUARDRAIL_OWNER, RuleKind.GUARDRAIL, denial.guardrail.id)
    return step(RuleKind.GUARDRAIL, denial.guardrail.id, denial.unless, check, context)
