"""From an entry to a decision about one check, with everything prepared that can be.

To make a decision takes longer than the tests that lead to it, so the same one is given out again
wherever the same bindings allow. What was asked is never remembered: every test is made each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from portero.engine.answer import Decision, Effect, Obligation, Reason
from portero.engine.compiled import Clause, Denial, Entry, distance
from portero.engine.request import Context, Resource
from portero.engine.restrictions import Restriction, WithinReach

Holds = Callable[[Resource, Context], bool]
Test = tuple[Holds, Decision]
"""What must hold, and the refusal when it is the first to fail of the closest binding."""
Allow = Callable[[tuple[str, ...], tuple[Obligation, ...]], Decision]
"""Makes the decision that these bindings allow, given what else it obliges to."""
_FARTHEST = (2**31, 0)
_ALLOWED_MAX = 16
"""Sets of bindings and demands, out of 2**n, whose decision one answer keeps."""


class Answering:
    """Makes answers of one version of a policy; those that test the same share the tests."""

    __slots__ = ("_allow", "_bites", "_refusals", "_tests")

    def __init__(self, allow: Callable[..., Decision], refusals: Mapping[Reason, Decision]) -> None:
        """Take what makes the decision that bindings allow: `allow(because, obligations, permissions)`."""
        self._allow = allow
        self._refusals = refusals
        self._tests: dict[Restriction, Test] = {}
        self._bites: dict[int, Holds] = {}

    def answer(self, permission: str, entry: Entry) -> Answer | OneBinding:
        """Prepare the answer of an entry that has at least one clause."""
        allow = partial(self._allow, permissions=(permission,))
        clauses = tuple(map(self._prepared, entry.clauses))
        taking = entry.narrowing.restrictions or entry.denials or entry.demands
        if len(clauses) == 1 and clauses[0] and not taking:
            return OneBinding(clauses[0], allow((entry.clauses[0].id,), entry.limits))
        denials = tuple(map(self._bite, entry.denials))
        return Answer(entry, clauses, denials, allow, self._refusals)

    def _prepared(self, clause: Clause) -> tuple[Test, ...]:
        return tuple(self._test(restriction) for restriction in clause.restrictions)

    def _test(self, restriction: Restriction) -> Test:
        if isinstance(restriction, WithinReach):  # of this subject alone
            return restriction.holds, self._refusals[restriction.reason]
        test = self._tests.get(restriction)
        if test is None:
            test = restriction.holds, self._refusals[restriction.reason]
            self._tests[restriction] = test
        return test

    def _bite(self, denial: Denial) -> Holds:
        return self._bites.setdefault(
            id(denial), denial.bites
        )  # which keeps the denial, and its id


class OneBinding:
    """The answer where a single binding gives, under at least one test, and nothing takes away."""

    __slots__ = ("_allowed", "_holds", "_others", "_refused")

    def __init__(self, tests: tuple[Test, ...], allowed: Decision) -> None:
        # The first test, mostly the only one, stands here itself: each step to an object that is in
        # no cache takes as long as the test.
        (self._holds, self._refused), *others = tests
        self._others = tuple(others)
        self._allowed = allowed

    def decide(self, resource: Resource, context: Context) -> Decision:
        if not self._holds(resource, context):
            return self._refused
        for holds, refused in self._others:
            if not holds(resource, context):
                return refused
        return self._allowed


class Answer:
    """What there is to say about one subject and one permission, but for resource and context."""

    __slots__ = (
        "_allow",
        "_allowed",
        "_clauses",
        "_demands",
        "_denials",
        "_entry",
        "_narrowing",
        "_refusals",
    )

    def __init__(
        self,
        entry: Entry,
        clauses: tuple[tuple[Test, ...], ...],
        denials: tuple[Holds, ...],
        allow: Allow,
        refusals: Mapping[Reason, Decision],
    ) -> None:
        self._entry = entry
        self._allow = allow
        self._refusals = refusals
        self._clauses = tuple((1 << n, tests) for n, tests in enumerate(clauses))
        self._narrowing = tuple(one.holds for one in entry.narrowing.restrictions)
        self._denials = denials
        self._demands = tuple(
            (1 << n, one.bites) for n, one in enumerate(entry.demands, len(clauses))
        )
        self._allowed: dict[int, Decision] = {}
        """What has been given out, by the bindings that allowed and the demands that bit, as bits."""

    def decide(self, resource: Resource, context: Context) -> Decision:
        """Settle a check of this subject for this permission."""
        settled = 0
        refusal = None
        for bit, tests in self._clauses:
            for holds, refused in tests:
                if not holds(resource, context):
                    refusal = refused
                    break
            else:
                settled |= bit
        if not settled:
            if refusal is not None and len(self._clauses) == 1:
                return refusal
            return self._closest_miss(resource, context)
        for holds in self._narrowing:
            if not holds(resource, context):
                return self._taken_away(resource, context)
        for bites in self._denials:
            if bites(resource, context):
                return self._taken_away(resource, context)
        for bit, asks in self._demands:
            if asks(resource):
                settled |= bit
        return self._allowed.get(settled) or self._allowing(settled, resource)

    def _closest_miss(self, resource: Resource, context: Context) -> Decision:
        """Where no binding allows, the closest gives the reason."""
        closest = _FARTHEST, self._refusals[Reason.PERMISSION_MISSING]
        for _, tests in self._clauses:
            failing, first = 0, None
            for holds, refused in tests:
                if not holds(resource, context):
                    failing += 1
                    first = first or refused
            if first is not None:
                far = distance(failing, first.reason)
                if far < closest[0]:
                    closest = far, first
        return closest[1]

    def _taken_away(self, resource: Resource, context: Context) -> Decision:
        """Where bindings allow: the credential gives the reason, else all guardrails that bite."""
        judgement = self._entry.judge(resource, context)
        refusal = self._refusals[judgement.reason]
        if judgement.reason is not Reason.BLOCKED_BY_GUARDRAIL:
            return refusal
        biting = tuple(denial.guardrail.id for denial in judgement.bitten)
        return Decision(Effect.DENY, judgement.reason, biting, (), refusal.policy_version)

    def _allowing(self, settled: int, resource: Resource) -> Decision:
        because = tuple(c.id for n, c in enumerate(self._entry.clauses) if settled >> n & 1)
        decision = self._allow(because, self._entry.obligations(resource))
        if len(self._allowed) < _ALLOWED_MAX:
            self._allowed[settled] = decision
        return decision
