"""Why: every rule that was looked at, how each fared, and what would have to change.

Accounts are named tuples: making one costs a fifth of what a data class would. What every account
of one subject and one permission has in common is made once, and stands in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from portero.engine.answer import Decision, Reason
from portero.engine.catalogue import ENTRIES
from portero.engine.changes import Change, ChangeKind, RuleKind, step
from portero.engine.compiled import Clause, Denial, Entry, Judgement, Subject, Trial, distance
from portero.engine.policy import GuardrailKind
from portero.engine.request import Check, Context, Resource
from portero.engine.restrictions import OtherPermission, Restriction


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


# A named tuple's own constructor is a function of Python's around this one, and takes twice as long.
_failing: Callable[[tuple[str, object, object]], Failing] = partial(tuple.__new__, Failing)
_rule: Callable[[tuple[str, str | None, tuple[Failing, ...]]], RuleAccount]
_rule = partial(tuple.__new__, RuleAccount)
_check: Callable[[tuple[Any, ...]], CheckAccount] = partial(tuple.__new__, CheckAccount)


class Explanation:
    """A decision and the account of how it came about.

    Each part of the account is given when it is first read: most of it is for people, who seldom ask.
    """

    __slots__ = ("_changes", "_checks", "_context", "_decision", "_given", "_subject", "_telling")

    def __init__(
        self,
        decision: Decision,
        subject: Subject,
        checks: tuple[Check, ...],
        context: Context,
        telling: Callable[[Subject, str], Told],
    ) -> None:
        """Make an explanation; `telling` makes what tells of a subject and a permission."""
        self._decision = decision
        self._subject = subject
        self._checks = checks
        self._context = context
        self._telling = telling
        self._given: tuple[CheckAccount, ...] | None = None
        self._changes: tuple[Change, ...] | None = None

    @property
    def decision(self) -> Decision:
        return self._decision

    @property
    def checks(self) -> tuple[CheckAccount, ...]:
        """In the order asked; empty when the principal or credential may not ask at all."""
        given = self._given
        if given is None:
            given = self._given = self._give()
        return given

    @property
    def changes(self) -> tuple[Change, ...]:
        """The steps which together would make the first refused check allow.

        The closest binding's come first. Empty on an allow, and when nothing could. Where principal
        or credential may not ask at all, the step after which there is more to say.
        """
        if self._changes is None:
            self._changes = self._find_changes()
        return self._changes

    @property
    def change(self) -> Change | None:
        """The first step."""
        return self.changes[0] if self.changes else None

    def _give(self) -> tuple[CheckAccount, ...]:
        if self._subject.standing(self._context) is not None:
            return ()
        checks = self._checks
        if len(checks) == 1:  # mostly
            return (self._tell(checks[0]),)
        return tuple(map(self._tell, checks))

    def _tell(self, check: Check) -> CheckAccount:
        subject = self._subject
        telling = subject.tellings.get(check.permission)
        if telling is None:
            telling = self._telling(subject, check.permission)
        if isinstance(telling, tuple):
            return _check((check, *telling))
        return telling.tell(check, self._context)

    def _find_changes(self) -> tuple[Change, ...]:
        standing = self._subject.standing(self._context)
        if standing is not None:
            return tuple(_entrance(standing, self._subject))
        for given in self.checks:
            if not given.allowed:
                return tuple(self._steps_to(given.check))
        return ()

    def _steps_to(self, check: Check) -> Iterator[Change]:
        entry = self._subject.entries.get(check.permission)
        if entry is not None:  # there is such a permission
            judgement = entry.judge(check.resource, self._context)
            yield from _changes(check, self._subject, judgement, self._context)


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


class Telling:
    """Tells how checks of one subject for one permission fare."""

    __slots__ = ("_credential", "_denials", "_permission", "_reasons", "_rules")

    def __init__(self, permission: str, entry: Entry) -> None:
        self._permission, self._denials = permission, entry.denials
        self._rules = tuple(map(_ready, entry.clauses))
        self._credential = _ready(entry.narrowing) if entry.narrowing.restrictions else None
        self._reasons = {r.dimension: r.reason for c in entry.clauses for r in c.restrictions}

    def tell(self, check: Check, context: Context) -> CheckAccount:
        """Give the account of a check."""
        resource = check.resource
        matched: tuple[RuleAccount, ...] = ()
        missed: tuple[RuleAccount, ...] = ()
        for restrictions, allows in self._rules:
            account = _fared(restrictions, allows, resource, context)
            if account is allows:
                matched += (account,)
            else:
                missed += (account,)
        if len(missed) > 1:
            missed = tuple(sorted(missed, key=self._closeness))
        credential = None
        if self._credential is not None:
            restrictions, allows = self._credential
            account = _fared(restrictions, allows, resource, context)
            credential = None if account is allows else account
        guardrails: tuple[GuardrailAccount, ...] = ()
        for denial in self._denials:
            if denial.bites(resource, context):
                guardrails += (_guardrail(denial, resource, context),)
        allowed = bool(matched) and credential is None and not guardrails
        is_given = allowed or (missed and not matched)
        missing = None if is_given else self._missing(matched, credential)
        return _check((check, allowed, missing, matched, missed, credential, guardrails))

    def _missing(
        self, matched: tuple[RuleAccount, ...], credential: RuleAccount | None
    ) -> str | None:
        """The permission, where no binding gives it, or one allows and the credential lacks it."""
        if not matched:
            return self._permission
        if credential is None or credential.failing[0].dimension != OtherPermission.dimension:
            return None
        return self._permission

    def _closeness(self, missed: RuleAccount) -> tuple[int, int, str]:
        first = self._reasons[missed.failing[0].dimension]
        return *distance(len(missed.failing), first), missed.id


Told = Telling | tuple[Any, ...]
"""What gives accounts: what they say beside the check, where neither resource nor context has a say."""


def telling(permission: str, entry: Entry | None) -> Told:
    """Prepare accounts of a permission; an entry of None = there is no such permission."""
    if entry is None:
        return CheckAccount(cast(Check, None), allowed=False, missing=permission)[1:]
    if not entry.is_unconditional():
        return Telling(permission, entry)
    matched = tuple(RuleAccount(clause.id, clause.role) for clause in entry.clauses)
    missing = None if matched else permission
    return CheckAccount(cast(Check, None), allowed=bool(matched), missing=missing, matched=matched)[
        1:
    ]


def _ready(clause: Clause) -> tuple[tuple[Restriction, ...], RuleAccount]:
    """What a rule restricts, and the account of it where all that holds."""
    return clause.restrictions, RuleAccount(clause.id, clause.role)


def _fared(
    restrictions: tuple[Restriction, ...],
    allows: RuleAccount,
    resource: Resource,
    context: Context,
) -> RuleAccount:
    """Tell how a rule fared; `allows` is the account where all of it holds."""
    failing: tuple[Failing, ...] = ()
    for one in restrictions:
        if not one.holds(resource, context):
            failing += (_failing((one.dimension, one.wanted, one.actual(resource, context))),)
    return _rule((allows.id, allows.role, failing)) if failing else allows


def _guardrail(denial: Denial, resource: Resource, context: Context) -> GuardrailAccount:
    rule, unless = denial.guardrail, denial.unless
    failing = None
    if unless is not None:
        failing = Failing(unless.dimension, unless.wanted, unless.actual(resource, context))
    return GuardrailAccount(rule.id, rule.name, rule.kind, failing)


def _changes(
    check: Check, subject: Subject, judgement: Judgement, context: Context
) -> Iterator[Change]:
    """The steps that would make a check allow: what the closest binding misses, and the rest."""
    if not judgement.matched and not judgement.missed:
        if check.permission in ENTRIES:
            return  # a person comes in as a person, a program as a program
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
