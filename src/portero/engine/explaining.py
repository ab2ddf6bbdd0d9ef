"""Why: every rule that was looked at, how each fared, and what would have to change.

Accounts are named tuples: making one costs a fifth of what a data class would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from portero.engine.answer import Decision, Reason
from portero.engine.changes import Change, ChangeKind, RuleKind, step
from portero.engine.compiled import Denial, Entry, Judgement, Subject, Trial
from portero.engine.policy import GuardrailKind
from portero.engine.request import Check, Context, Resource
from portero.engine.restrictions import ContentsAre, Restriction


class Failing(NamedTuple):
    """One dimension in which a rule did not hold. Values are of the dimension's own type."""

    dimension: str
    wanted: object
    actual: object


class RuleAccount(NamedTuple):
    """How a binding or a credential fared."""

    id: str
    role: str | None
    failing: tuple[Failing, ...] = ()
    """Empty = it allows."""


class GuardrailAccount(NamedTuple):
    """A guardrail that denied."""

    id: str
    name: str
    kind: GuardrailKind
    failing: Failing | None
    """What would have spared the request, None = nothing."""


class CheckAccount(NamedTuple):
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
    checks = tuple([_told(check, subject, entry, context) for check, entry in asked])
    for check in checks:
        if not check.allowed:
            return Account(checks, check.changes)
    return Account(checks, ())


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


def _told(check: Check, subject: Subject, entry: Entry | None, context: Context) -> CheckAccount:
    """Give an account, in which neither resource nor context may have a say: then it stands ready."""
    if entry is None:
        return CheckAccount(check, allowed=False, missing=check.permission)
    try:
        standing = subject.accounts[check.permission]
    except KeyError:
        made = _account(check, subject, entry, context)
        standing = made[1:] if entry.is_unconditional() else None
        subject.accounts[check.permission] = standing
        return made
    if standing is None:
        return _account(check, subject, entry, context)
    return CheckAccount(check, *standing)


def _account(check: Check, subject: Subject, entry: Entry, context: Context) -> CheckAccount:
    resource = check.resource
    judgement = entry.judge(resource, context)
    matched, missed, narrowing, bitten = judgement
    allowed = bool(matched) and not (narrowing.failing or bitten)
    return CheckAccount(
        check,
        allowed,
        None if allowed or judgement.reason is not Reason.PERMISSION_MISSING else check.permission,
        tuple([RuleAccount(clause.id, clause.role) for clause, _ in matched]),
        tuple([_rule(trial, resource, context) for trial in missed]) if missed else (),
        _rule(narrowing, resource, context) if narrowing.failing else None,
        tuple([_guardrail(denial, resource, context) for denial in bitten]) if bitten else (),
        () if allowed else tuple(_changes(check, subject, judgement, context)),
    )


def _rule(trial: Trial, resource: Resource, context: Context) -> RuleAccount:
    clause, failing = trial
    return RuleAccount(
        clause.id, clause.role, tuple([_failing(one, resource, context) for one in failing])
    )


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
