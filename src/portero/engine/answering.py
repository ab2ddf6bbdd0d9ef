"""From an entry to a decision about one check, with everything prepared that can be.

To make a decision takes longer than the tests that lead to it, so the same one is given out again
wherever the same bindings allow. What was asked is never remembered: every test is made each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from portero.engine.answer import Decision, Effect, Obligation, Reason
from portero.engine.compiled import Clause, Entry, distance
from portero.engine.request import Context, Resource

Holds = Callable[[Resource, Context], bool]
Allow = Callable[[tuple[str, ...], tuple[Obligation, ...]], Decision]
"""Makes the decision that these bindings allow, given what else it obliges to."""
_ALLOWED_MAX = 16
"""Sets of bindings, out of 2**n, whose decision one answer keeps."""


class Answer:
    """What there is to say about one subject and one permission, but for resource and context.

    The entry has at least one clause; where it has none, there is nothing to look at.
    """

    __slots__ = ("_allow", "_allowed", "_clauses", "_entry", "_narrowing", "_refusals")

    def __init__(self, entry: Entry, allow: Allow, refusals: Mapping[Reason, Decision]) -> None:
        self._entry = entry
        self._allow = allow
        self._refusals = refusals
        self._clauses = tuple((self._tests(clause), (clause.id,)) for clause in entry.clauses)
        self._narrowing = tuple(one.holds for one in entry.narrowing.restrictions)
        self._allowed: dict[tuple[str, ...], Decision] = {}

    def _tests(self, clause: Clause) -> tuple[tuple[Holds, Decision], ...]:
        """Each test of a clause, with the refusal when it is the first to fail of the closest."""
        return tuple((one.holds, self._refusals[one.reason]) for one in clause.restrictions)

    def decide(self, resource: Resource, context: Context) -> Decision:
        """Settle a check of this subject for this permission."""
        because: tuple[str, ...] = ()
        refusal = None
        for tests, clause in self._clauses:
            for holds, refused in tests:
                if not holds(resource, context):
                    refusal = refused
                    break
            else:
                because += clause
        if not because:
            if refusal is not None and len(self._clauses) == 1:
                return refusal
            return self._closest_miss(resource, context)
        for holds in self._narrowing:
            if not holds(resource, context):
                return self._taken_away(resource, context)
        for denial in self._entry.denials:
            if denial.bites(resource, context):
                return self._taken_away(resource, context)
        return self._allowed.get(because) or self._allowing(because, resource)

    def _closest_miss(self, resource: Resource, context: Context) -> Decision:
        """Where no binding allows, the closest gives the reason."""
        misses = [
            [refused for holds, refused in tests if not holds(resource, context)]
            for tests, _ in self._clauses
        ]
        closest = min(misses, key=lambda miss: distance(len(miss), miss[0].reason))
        return closest[0]

    def _taken_away(self, resource: Resource, context: Context) -> Decision:
        """Where bindings allow: the credential gives the reason, else all guardrails that bite."""
        judgement = self._entry.judge(resource, context)
        refusal = self._refusals[judgement.reason]
        if judgement.reason is not Reason.BLOCKED_BY_GUARDRAIL:
            return refusal
        biting = tuple(denial.guardrail.id for denial in judgement.bitten)
        return Decision(Effect.DENY, judgement.reason, biting, (), refusal.policy_version)

    def _allowing(self, because: tuple[str, ...], resource: Resource) -> Decision:
        entry = self._entry
        decision = self._allow(because, entry.obligations(resource))
        # A demand looks at the resource: the next that the same bindings allow may owe less.
        if not entry.demands and len(self._allowed) < _ALLOWED_MAX:
            self._allowed[because] = decision
        return decision
