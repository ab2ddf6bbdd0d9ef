"""Rules made ready: all there is to say about one subject and one permission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from portero.engine.answer import Decision, Obligation, Reason
from portero.engine.policy import Binding, Guardrail
from portero.engine.request import Context, Resource
from portero.engine.restrictions import ContentsAre, Moment, Place, Restriction

if TYPE_CHECKING:
    from portero.engine.answering import Answer, OneBinding
    from portero.engine.explaining import Told


@dataclass(frozen=True, slots=True)
class Clause:
    """One binding (or credential) for one permission: it allows when every restriction holds.

    Restrictions are in the order in which a refusal prefers to name them: permission, scope,
    reach, hours, network, factor, dates.
    """

    id: str
    role: str | None
    restrictions: tuple[Restriction, ...]

    def tried(self, resource: Resource, context: Context) -> Trial:
        """Find every restriction that does not hold."""
        return Trial(self, [r for r in self.restrictions if not r.holds(resource, context)])


class Trial(NamedTuple):
    """How a clause fared: it allows when nothing is failing."""

    clause: Clause
    failing: list[Restriction]


UNRESTRICTED = Clause("", None, ())
"""The narrowing of whoever came without a credential."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A guardrail that denies inside `where`, unless `unless` holds (None = whatever happens)."""

    guardrail: Guardrail
    where: tuple[Place, ...]
    unless: ContentsAre | Moment | None

    def bites(self, resource: Resource, context: Context) -> bool:
        if self.unless is not None and self.unless.holds(resource, context):
            return False
        for place in self.where:  # noqa: SIM110 - a generator takes twice as long
            if not place.may_hold(resource):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Demand:
    """A guardrail that asks, inside `where`, for what only the recording transaction can know."""

    obligation: Obligation
    where: tuple[Place, ...]
    above: int | None
    """Asks only when the audience is larger than this or not known; None = always."""

    def bites(self, resource: Resource) -> bool:
        audience = resource.audience
        if self.above is not None and audience is not None and audience <= self.above:
            return False
        for place in self.where:  # noqa: SIM110 - a generator takes twice as long
            if not place.may_hold(resource):
                return False
        return True


class Judgement(NamedTuple):
    """How an entry fared, with everything that was looked at."""

    matched: list[Trial]
    """Sorted by id."""
    missed: list[Trial]
    """The closest first."""
    narrowing: Trial
    """How the credential's part fared."""
    bitten: list[Denial]
    """The guardrails that deny, sorted by id; looked at even where nothing allows."""

    @property
    def reason(self) -> Reason:
        """What settles it: first the bindings, then the credential, then the guardrails."""
        if not self.matched:
            return self.missed[0].failing[0].reason if self.missed else Reason.PERMISSION_MISSING
        if self.narrowing.failing:
            return self.narrowing.failing[0].reason
        return Reason.BLOCKED_BY_GUARDRAIL if self.bitten else Reason.ALLOWED


@dataclass(frozen=True, slots=True)
class Entry:
    """All there is to say about one subject and one permission.

    A request is allowed when some clause allows, the narrowing allows, and no denial bites.
    """

    clauses: tuple[Clause, ...]
    """Sorted by id; empty = the principal lacks the permission."""
    narrowing: Clause
    """The credential's part."""
    denials: tuple[Denial, ...]
    """Sorted by id."""
    demands: tuple[Demand, ...]
    """Sorted by obligation."""
    limits: tuple[Obligation, ...]
    """The limits of the principal, its teams, the credential and the workspace, sorted."""

    def obligations(self, resource: Resource) -> tuple[Obligation, ...]:
        """What an allow for this resource obliges to, sorted; limits of bindings apart."""
        if not self.demands:
            return self.limits
        required = [d.obligation for d in self.demands if d.bites(resource)]
        return (*required, *self.limits)  # "require" sorts before "take"

    def judge(self, resource: Resource, context: Context) -> Judgement:
        """Look at everything, also after it is settled."""
        matched: list[Trial] = []
        missed: list[Trial] = []
        for clause in self.clauses:
            trial = clause.tried(resource, context)
            (missed if trial.failing else matched).append(trial)
        if len(missed) > 1:
            missed.sort(key=_closeness)
        return Judgement(
            matched,
            missed,
            self.narrowing.tried(resource, context),
            [denial for denial in self.denials if denial.bites(resource, context)],
        )

    def is_unconditional(self) -> bool:
        """Whether neither resource nor context has a say in what it allows."""
        restricted = any(part.restrictions for part in (*self.clauses, self.narrowing))
        return not (restricted or self.denials or self.demands)


_PREFERENCE: Mapping[str, int] = {
    Reason.OUTSIDE_SCOPE: 0,
    Reason.OUTSIDE_REACH: 1,
    Reason.OUTSIDE_HOURS: 2,
    Reason.OUTSIDE_NETWORK: 3,
    Reason.FACTOR_NEEDED: 4,
    Reason.BINDING_EXPIRED: 5,
}


def distance(failing: int, first: str) -> tuple[int, int]:
    """How far a binding is from allowing: by how many tests fail, then by the first one's reason."""
    return failing, _PREFERENCE[first]


def _closeness(trial: Trial) -> tuple[int, int, str]:
    return *distance(len(trial.failing), trial.failing[0].reason), trial.clause.id


@dataclass(slots=True)
class Subject:
    """Who asks: a principal with one credential or none. Entries are added as they are asked for."""

    principal: str
    credential: str | None = None
    until: float | None = None
    """When the credential expires."""
    refusal: Reason | None = None
    """Why nothing at all is allowed, or None."""
    bindings: tuple[Binding, ...] = ()
    """All that give to it, whatever they give, sorted by id."""
    entries: dict[str, Entry] = field(default_factory=dict)
    answers: dict[str, Answer | OneBinding | Decision] = field(default_factory=dict)
    """By permission, what settles a check; a decision where neither resource nor context has a say.
    They are parts of the compiled policy like the entries, and no memory of what was asked."""
    tellings: dict[str, Told] = field(default_factory=dict)
    """By permission, what gives accounts, in the same sense."""

    def standing(self, context: Context) -> Reason | None:
        """Why nothing at all is allowed now, or None."""
        if self.until is not None and not context.now < self.until:
            return Reason.CREDENTIAL_EXPIRED
        return self.refusal
