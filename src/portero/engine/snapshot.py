"""The decision: one compiled version of a workspace's policy, and the questions it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar

from portero.engine.answer import Decision, Effect, Obligation, Reason
from portero.engine.answering import Answer, Answering, OneBinding
from portero.engine.catalogue import ENTRIES, PERMISSIONS
from portero.engine.compiled import Entry, Subject
from portero.engine.compiling import Compiler
from portero.engine.explaining import Explanation, Told, telling
from portero.engine.holding import Able, Holders
from portero.engine.policy import Guardrail, Policy, Principal
from portero.engine.request import Check, Context
from portero.engine.seeing import NOTHING, Visible, visible


class Snapshot:
    """An immutable policy, ready to decide.

    What it has compiled for a subject it remembers; that memory belongs to this version of the
    policy and goes with it, so it cannot be stale. Decisions are never remembered.
    """

    __slots__ = ("_answering", "_compiler", "_held", "_refusals", "_subjects", "policy")

    def __init__(self, compiler: Compiler) -> None:
        policy = compiler.policy
        self.policy = policy
        self._compiler = compiler
        self._subjects: dict[str | tuple[str, str], Subject] = {}
        self._held: dict[tuple[str, bool], Holders] = {}
        self._refusals = {
            reason: Decision(Effect.DENY, reason, (), (), policy.version) for reason in Reason
        }
        self._answering = Answering(self._allow, self._refusals)

    def followed_by(self, policy: Policy) -> Snapshot:
        """Make the next version ready, as `compile_policy` does.

        Principals and bindings that are the very objects they are here are not indexed again, so
        that a changed role, or one binding out of a million (`Bindings.changed`), costs next to
        nothing. What was compiled for single subjects is left behind.
        """
        return Snapshot(Compiler(policy, self._compiler))

    @property
    def principals(self) -> Mapping[str, Principal]:
        """Everybody by id; made once for a policy, however many there are."""
        return self._compiler.principals

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
        if len(checks) == 1:
            check = checks[0]
            asker = principal if credential is None else (principal, credential)
            try:  # twice as fast as `get`, and this is where the time goes
                subject = self._subjects[asker]
                answer = subject.answers[check.permission]
            except KeyError:
                return self._decide_all(principal, checks, context, credential)
            if subject.until is None or not subject.standing(context):
                if isinstance(answer, Decision):
                    return answer
                return answer.decide(check.resource, context)
        return self._decide_all(principal, checks, context, credential)

    def _decide_all(
        self, principal: str, checks: Sequence[Check], context: Context, credential: str | None
    ) -> Decision:
        """Decide several checks, or one that is asked for the first time."""
        subject = self._subject(principal, credential)
        refusal = subject.standing(context)
        if refusal is not None:
            return self._refusals[refusal]
        because: tuple[str, ...] = ()
        obligations: tuple[Obligation, ...] = ()
        for check in checks:
            decision = self._decide_one(subject, check, context)
            if not decision.allowed:
                return decision
            because = _union(because, decision.because)
            obligations = _union(obligations, decision.obligations)
        if not because:  # nothing was asked, so nothing is allowed
            return self._refusals[Reason.UNKNOWN_PERMISSION]
        return self._allow(because, obligations, [check.permission for check in checks])

    def _decide_one(self, subject: Subject, check: Check, context: Context) -> Decision:
        if self._entry(subject, check.permission) is None:
            return self._refusals[Reason.UNKNOWN_PERMISSION]
        answer = subject.answers[check.permission]
        if isinstance(answer, Decision):
            return answer
        return answer.decide(check.resource, context)

    def explain(
        self,
        principal: str,
        checks: Sequence[Check],
        context: Context,
        credential: str | None = None,
    ) -> Explanation:
        """Tell how `decide` comes to its answer, and what would change it."""
        decision = self.decide(principal, checks, context, credential)
        subject = self._subject(principal, credential)
        return Explanation(decision, subject, tuple(checks), context, self._telling)

    def _telling(self, subject: Subject, permission: str) -> Told:
        entry = self._entry(subject, permission)
        made = telling(permission, entry)
        if entry is not None:  # of what does not exist there is no end
            subject.tellings[permission] = made
        return made

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

    def concerning(self, principal: str, permission: str) -> tuple[Guardrail, ...]:
        """Name, by id, the guardrails that have a say when an active principal asks for a permission."""
        return self._compiler.concerning(self._subject(principal, None), permission)

    def is_privileged(self, principal: str, now: float) -> bool:
        """Say whether somebody owns the workspace, or holds a critical permission anywhere in it.

        `now` is in epoch seconds. Guardrails, hours, networks and factors have no say: what keeps
        somebody from it for a while makes them no less powerful.
        """
        known = self.principals.get(principal)
        if known is None or not known.active:
            return False
        return known.owner or any(
            binding.role in self._compiler.critical_roles
            and (binding.since is None or binding.since <= now)
            and (binding.until is None or now < binding.until)
            for binding in self._subject(principal, None).bindings
        )

    def grantors(self, check: Check, context: Context) -> tuple[str, ...]:
        """Name, sorted, the principals who could give somebody what `check` asks for.

        Those are the active owners, and whoever holds both that permission and `role:assign` at
        the resource. Hours, networks and factors are theirs to meet later, so they do not count.
        """
        if check.permission not in PERMISSIONS:
            return ()
        holding = [self._holders(key) for key in (check.permission, "role:assign")]
        flags = [each.of(check.resource, context) for each in holding]
        return holding[0].people.named(flags)

    def able(self, check: Check, context: Context, *, heeding: bool = True) -> Able:
        """Find everybody whom `decide` allows `check`, asked without a credential.

        Without `heeding`, it is everybody whom it would allow at some hour, from some network and
        with a fresh factor, as far as each rule by itself can be met.
        """
        people = self._compiler.everybody.people
        nobody = Able(people, bytes(len(people.all)))
        if check.permission not in PERMISSIONS and check.permission not in ENTRIES:
            return nobody
        denied = self._compiler.denied(check.permission, check.resource, context, heeding=heeding)
        if denied is None:
            return nobody
        held = self._holders(check.permission, heeding=heeding).of(check.resource, context)
        return Able(people, held).without(Able(people, denied))

    def _holders(self, permission: str, *, heeding: bool = False) -> Holders:
        found = self._held.get((permission, heeding))
        if found is None:
            found = self._compiler.holders(permission, heeding=heeding)
            self._held[permission, heeding] = found
        return found

    def _allow(
        self,
        because: tuple[str, ...],
        obligations: tuple[Obligation, ...],
        permissions: Sequence[str],
    ) -> Decision:
        limits = self._compiler.binding_limits(because, permissions)
        owed = _union(obligations, limits) if limits else obligations
        return _allowed(because, owed, self.policy.version)

    def _subject(self, principal: str, credential: str | None) -> Subject:
        asker = principal if credential is None else (principal, credential)
        subject = self._subjects.get(asker)
        if subject is None:
            subject = self._compiler.subject(principal, credential)
            # Strangers are not remembered: their ids come from outside, and there is no end of them.
            if subject.refusal is None:
                self._subjects[asker] = subject
        return subject

    def _entry(self, subject: Subject, permission: str) -> Entry | None:
        """Find or compile an entry; None = there is no such permission."""
        entry = subject.entries.get(permission)
        if entry is None and (permission in PERMISSIONS or permission in ENTRIES):
            entry = self._compiler.entry(subject, permission)
            subject.answers[permission] = self._answer(permission, entry)
            subject.entries[permission] = entry  # last: who finds it finds the answer, too
        return entry

    def _answer(self, permission: str, entry: Entry) -> Answer | OneBinding | Decision:
        constant = self._constant(permission, entry)
        if constant is not None:
            return constant
        return self._answering.answer(permission, entry)

    def _constant(self, permission: str, entry: Entry) -> Decision | None:
        """Find the answer in which neither resource nor context has a say, if there is one."""
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


def compile_policy(policy: Policy, *, after: Snapshot | None = None) -> Snapshot:
    """Make a policy ready to decide; `after` is one of the same workspace, which may have led to it.

    One that is no older leads to nothing, as where a backup was put back, and is left aside. Raises
    ValueError when two rules of a kind share an id.
    """
    if after is None or policy.version <= after.version:
        return Snapshot(Compiler(policy))
    return after.followed_by(policy)
