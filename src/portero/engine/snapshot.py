"""The decision: one compiled version of a workspace's policy, and the questions it answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from portero.engine.answer import Decision, Effect, Obligation, Reason
from portero.engine.catalogue import PERMISSIONS
from portero.engine.compiled import Entry, Judgement, Subject
from portero.engine.compiling import Compiler
from portero.engine.explaining import Explanation, explain
from portero.engine.policy import Policy
from portero.engine.request import Check, Context, Resource
from portero.engine.seeing import NOTHING, Visible, visible


class Snapshot:
    """An immutable policy, ready to decide.

    What it has compiled for a subject it remembers; that memory belongs to this version of the
    policy and goes with it, so it cannot be stale. Decisions are never remembered.
    """

    __slots__ = ("_compiler", "_keyed", "_refusals", "_subjects", "policy")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._compiler = Compiler(policy)
        self._subjects: dict[str, Subject] = {}
        self._keyed: dict[tuple[str, str], Subject] = {}
        self._refusals = {
            reason: Decision(Effect.DENY, reason, (), (), policy.version) for reason in Reason
        }

    @property
    def workspace(self) -> str:
        return self.policy.workspace

    @property
    def version(self) -> int:
        return self.policy.version

    def decide(
        self,
        principal: str,
        checks: Sequence[Check],
        context: Context,
        credential: str | None = None,
    ) -> Decision:
        """Say whether `principal` may do all of `checks`. Deny by default, deny wins."""
        subject = self._subject(principal, credential)
        if len(checks) == 1:
            constant = subject.constants.get(checks[0].permission)
            if constant is not None:
                return constant
        refusal = subject.standing(context)
        if refusal is not None:
            return self._refusals[refusal]
        because: tuple[str, ...] = ()
        obligations: tuple[Obligation, ...] = ()
        for check in checks:
            entry = self._entry(subject, check.permission)
            if entry is None:
                return self._refusals[Reason.UNKNOWN_PERMISSION]
            allowing = entry.allowing(check.resource, context)
            if not allowing:
                return self._refuse(entry.judge(check.resource, context))
            because = _union(because, allowing)
            obligations = _union(obligations, entry.obligations(check.resource))
        if not because:  # nothing was asked, so nothing is allowed
            return self._refusals[Reason.UNKNOWN_PERMISSION]
        return self._allow(because, obligations, [check.permission for check in checks])

    def explain(
        self,
        principal: str,
        checks: Sequence[Check],
        context: Context,
        credential: str | None = None,
    ) -> Explanation:
        """Tell how `decide` comes to its answer, and what would change it."""
        subject = self._subject(principal, credential)
        entries = [] if subject.refusal else [self._entry(subject, c.permission) for c in checks]
        decision = self.decide(principal, checks, context, credential)
        return explain(decision, subject, tuple(zip(checks, entries, strict=False)), context)

    def visible(
        self,
        principal: str,
        permission: str,
        context: Context,
        credential: str | None = None,
    ) -> Visible:
        """Say on which resources `principal` may do `permission`, as a filter."""
        subject = self._subject(principal, credential)
        if subject.standing(context) is not None:
            return NOTHING
        entry = self._entry(subject, permission)
        return NOTHING if entry is None else visible(entry, context)

    def grantors(self, check: Check, context: Context) -> tuple[str, ...]:
        """Name, sorted, the principals who could give somebody what `check` asks for.

        Those are the active owners, and whoever holds both that permission and `role:assign` at
        the resource. Hours, networks and factors are theirs to meet later, so they do not count.
        """
        wanted = (check.permission, "role:assign")
        return tuple(
            sorted(
                principal.id
                for principal in self._compiler.candidates("role:assign")
                if all(self._holds(principal.id, p, check.resource, context) for p in wanted)
            )
        )

    def _holds(self, principal: str, permission: str, resource: Resource, context: Context) -> bool:
        entry = self._entry(self._subject(principal, None), permission)
        return entry is not None and entry.held(resource, context)

    def _allow(
        self,
        because: tuple[str, ...],
        obligations: tuple[Obligation, ...],
        permissions: Sequence[str],
    ) -> Decision:
        limits = self._compiler.binding_limits(because, permissions)
        owed = _union(obligations, limits) if limits else obligations
        return _allowed(because, owed, self.policy.version)

    def _refuse(self, judgement: Judgement) -> Decision:
        reason = judgement.reason
        if reason is not Reason.BLOCKED_BY_GUARDRAIL:
            return self._refusals[reason]
        biting = tuple(denial.guardrail.id for denial in judgement.bitten)
        return Decision(Effect.DENY, reason, biting, (), self.policy.version)

    def _subject(self, principal: str, credential: str | None) -> Subject:
        if credential is None:
            subject = self._subjects.get(principal)
        else:
            subject = self._keyed.get((principal, credential))
        if subject is None:
            subject = self._compiler.subject(principal, credential)
            self._remember(subject)
        return subject

    def _remember(self, subject: Subject) -> None:
        # Strangers are not remembered: their ids come from outside, and there is no end of them.
        if subject.refusal is not None:
            return
        if subject.credential is None:
            self._subjects[subject.principal] = subject
        else:
            self._keyed[subject.principal, subject.credential] = subject

    def _entry(self, subject: Subject, permission: str) -> Entry | None:
        """Find or compile an entry; None = there is no such permission."""
        entry = subject.entries.get(permission)
        if entry is None and permission in PERMISSIONS:
            entry = subject.entries[permission] = self._compiler.entry(subject, permission)
            constant = self._constant(subject, permission, entry)
            if constant is not None:
                subject.constants[permission] = constant
        return entry

    def _constant(self, subject: Subject, permission: str, entry: Entry) -> Decision | None:
        """Find the answer in which neither resource nor context has a say, if there is one."""
        if subject.until is not None:
            return None
        if not entry.clauses:
            return self._refusals[Reason.PERMISSION_MISSING]
        if not entry.is_unconditional():
            return None
        because = tuple(clause.id for clause in entry.clauses)
        return self._allow(because, entry.limits, [permission])


_allowed = partial(Decision, Effect.ALLOW, Reason.ALLOWED)
_T = TypeVar("_T", str, Obligation)


def _union(some: tuple[_T, ...], more: tuple[_T, ...]) -> tuple[_T, ...]:
    """Join two sorted tuples into one."""
    if not some or some == more:
        return more
    return tuple(sorted(set(some + more)))


def compile_policy(policy: Policy) -> Snapshot:
    """Make a policy ready to decide. Raises ValueError when two rules of a kind share an id."""
    return Snapshot(policy)
