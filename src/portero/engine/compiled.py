"""Rules made ready: all there is to say about one subject and one permission."""

from __future__ import annotations

from dataclasses import dataclass, field

from portero.engine.answer import Obligation, Reason
from portero.engine.policy import Guardrail
from portero.engine.request import Context, Resource
from portero.engine.restrictions import ContentsAre, Moment, Place, Restriction


@dataclass(frozen=True, slots=True)
class Clause:
    """One binding (or credential) for one permission: it allows when every restriction holds.

    Restrictions are in the order in which a refusal prefers to name them: scope, reach, hours,
    network, factor, dates.
    """

    id: str
    role: str | None
    restrictions: tuple[Restriction, ...]

    def allows(self, resource: Resource, context: Context) -> bool:
        for restriction in self.restrictions:  # noqa: SIM110 - a generator costs twice the loop
            if not restriction.holds(resource, context):
                return False
        return True

    def failing(self, resource: Resource, context: Context) -> tuple[Restriction, ...]:
        """The restrictions that do not hold."""
        return tuple(r for r in self.restrictions if not r.holds(resource, context))


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
        return all(place.may_hold(resource) for place in self.where)


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
        return all(place.may_hold(resource) for place in self.where)


@dataclass(frozen=True, slots=True)
class Miss:
    """A clause that did not allow, and which of its restrictions did not hold."""

    clause: Clause
    failing: tuple[Restriction, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """All there is to say about one subject and one permission.

    A request is allowed when some clause allows, the narrowing allows, and no denial bites.
    """

    clauses: tuple[Clause, ...]
    """Sorted by id."""
    narrowing: Clause
    """The credential's part."""
    denials: tuple[Denial, ...]
    demands: tuple[Demand, ...]
    limits: tuple[Obligation, ...]
    """The limits of the principal, its teams, the credential and the workspace."""

    def matched(self, resource: Resource, context: Context) -> list[str]:
        """The ids of the clauses that allow, sorted."""
        return [clause.id for clause in self.clauses if clause.allows(resource, context)]

    def bitten(self, resource: Resource, context: Context) -> list[Denial]:
        """The guardrails that deny, sorted by id."""
        return [denial for denial in self.denials if denial.bites(resource, context)]

    def missed(self, resource: Resource, context: Context) -> list[Miss]:
        """The clauses that do not allow, the closest first."""
        misses = [Miss(clause, clause.failing(resource, context)) for clause in self.clauses]
        return sorted((miss for miss in misses if miss.failing), key=_distance)

    def reason(self, resource: Resource, context: Context) -> Reason:
        """Why this is not allowed, guardrails apart. Call it only when it is not."""
        shortfall = self.shortfall(resource, context)
        return Reason.PERMISSION_MISSING if shortfall is None else shortfall.failing[0].reason

    def shortfall(self, resource: Resource, context: Context) -> Miss | None:
        """The miss that stands between the subject and an allow, guardrails apart.

        None where there is no clause to miss. Call it only when the request is not allowed.
        """
        missed = self.missed(resource, context)
        if len(missed) < len(self.clauses):
            return Miss(self.narrowing, self.narrowing.failing(resource, context))
        return missed[0] if missed else None


_PREFERENCE = (
    Reason.OUTSIDE_SCOPE,
    Reason.OUTSIDE_REACH,
    Reason.OUTSIDE_HOURS,
    Reason.OUTSIDE_NETWORK,
    Reason.FACTOR_NEEDED,
    Reason.BINDING_EXPIRED,
)


def _distance(miss: Miss) -> tuple[int, int, str]:
    return len(miss.failing), _PREFERENCE.index(miss.failing[0].reason), miss.clause.id


@dataclass(slots=True)
class Subject:
    """Who asks: a principal with one credential or none. Entries are added as they are asked for."""

    principal: str
    teams: frozenset[str] = frozenset()
    credential: str | None = None
    until: float | None = None
    """When the credential expires."""
    refusal: Reason | None = None
    """Why nothing at all is allowed, or None."""
    entries: dict[str, Entry] = field(default_factory=dict)

    def standing(self, context: Context) -> Reason | None:
        """Why nothing at all is allowed now, or None."""
        if self.until is not None and not context.now < self.until:
            return Reason.CREDENTIAL_EXPIRED
        return self.refusal
