"""What may be seen: an entry as a filter over the attributes of resources.

`visible` and `decide` read the same clauses, so that a list shows exactly what a check of each row
would allow. Rows send nothing: a guardrail that spares only templates spares no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, product

from portero.engine.compiled import Denial, Entry
from portero.engine.policy import Reach
from portero.engine.request import Context, Resource
from portero.engine.restrictions import Overlap, Place, Restriction, ValueIn, WithinReach


class Dimension(StrEnum):
    """What a filter may look at; who lists something declares what serves each dimension."""

    WABA = "waba"
    NUMBER = "number"
    TEAM = "team"
    LABEL = "label"
    TEMPLATE_SET = "template_set"
    COUNTRY = "country"
    INTEGRATION = "integration"
    BOT = "bot"
    OWNER = "owner"
    PARTICIPANT = "participant"
    UNASSIGNED = "unassigned"
    """That there is no owner."""


MANY_VALUED = frozenset({Dimension.LABEL, Dimension.TEMPLATE_SET, Dimension.PARTICIPANT})
"""Of these a resource may have several values, and one in common is enough."""


@dataclass(frozen=True, slots=True)
class Term:
    """The resource has one of `values` in `dimension`; for `unassigned` there are no values."""

    dimension: Dimension
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Branch:
    """A conjunction: the resource must satisfy every term. Without terms it is everything."""

    terms: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A conjunction whose resources are not seen. A term holds where the attribute is absent."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Visible:
    """What is in some branch and in no exclusion.

    A dimension that nothing serves makes its branch empty, and its term in an exclusion hold.
    """

    branches: tuple[Branch, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()


NOTHING = Visible()
_NO_RESOURCE = Resource("")


def visible(entry: Entry, context: Context) -> Visible:
    """Turn an entry into a filter; what depends on the context alone is settled here and now."""
    exclusions = tuple(_exclusions(entry.denials, context))
    if Exclusion(()) in exclusions:
        return NOTHING
    branches = [
        branch
        for clause in entry.clauses
        for branch in _branches((*clause.restrictions, *entry.narrowing.restrictions), context)
    ]
    return Visible(_widest(branches), exclusions) if branches else NOTHING


def both(one: Visible, other: Visible) -> Visible:
    """What each of two filters shows, as one."""
    joined = (
        _conjunction(chain(mine.terms, theirs.terms))
        for mine, theirs in product(one.branches, other.branches)
    )
    branches = [branch for branch in joined if branch is not None]
    exclusions = (*one.exclusions, *(e for e in other.exclusions if e not in one.exclusions))
    return Visible(_widest(branches), exclusions) if branches else NOTHING


def _exclusions(denials: Iterable[Denial], context: Context) -> Iterator[Exclusion]:
    for denial in denials:
        if denial.unless is None or not denial.unless.holds(_NO_RESOURCE, context):
            yield Exclusion(tuple(_term(place) for place in denial.where))


def _branches(restrictions: Iterable[Restriction], context: Context) -> Iterator[Branch]:
    """Multiply out what restrictions leave open, and drop what nothing can satisfy."""
    for choice in product(*(_alternatives(restriction, context) for restriction in restrictions)):
        branch = _conjunction(chain.from_iterable(choice))
        if branch is not None:
            yield branch


_Alternatives = tuple[tuple[Term, ...], ...]
_ALWAYS: _Alternatives = ((),)
_NEVER: _Alternatives = ()


def _alternatives(restriction: Restriction, context: Context) -> _Alternatives:
    """The conjunctions, any of which satisfies the restriction."""
    match restriction:
        case ValueIn() | Overlap():
            return ((_term(restriction),),)
        case WithinReach():
            return tuple(_within(restriction))
        case _:
            return _ALWAYS if restriction.holds(_NO_RESOURCE, context) else _NEVER


def _term(place: Place) -> Term:
    return Term(Dimension(place.dimension), place.wanted)


def _within(reach: WithinReach) -> Iterator[tuple[Term, ...]]:
    me, team = frozenset({reach.me}), Term(Dimension.TEAM, reach.teams)
    yield (Term(Dimension.OWNER, me),)
    yield (Term(Dimension.PARTICIPANT, me),)
    if reach.wanted == Reach.QUEUE:
        yield (team, Term(Dimension.UNASSIGNED))
    elif reach.wanted == Reach.TEAM:
        yield (team,)


def _conjunction(terms: Iterable[Term]) -> Branch | None:
    """Join terms, one per single-valued dimension; None = nothing can satisfy them all."""
    single: dict[Dimension, Term] = {}
    many: dict[Term, None] = {}
    for term in terms:
        known = single.get(term.dimension)
        if term.dimension in MANY_VALUED:
            many[term] = None
        elif known is None:
            single[term.dimension] = term
        else:
            single[term.dimension] = Term(term.dimension, known.values & term.values)
    joined = (*single.values(), *many)
    if any(not term.values and term.dimension is not Dimension.UNASSIGNED for term in joined):
        return None
    if Dimension.UNASSIGNED in single and Dimension.OWNER in single:
        return None
    return Branch(joined)


def _widest(branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """Drop every branch that lies within another."""
    kept: list[Branch] = []
    for branch in branches:
        if not any(_within_branch(branch, other) for other in kept):
            kept = [other for other in kept if not _within_branch(other, branch)]
            kept.append(branch)
    return tuple(kept)


def _within_branch(narrow: Branch, wide: Branch) -> bool:
    return all(any(_implies(ours, theirs) for ours in narrow.terms) for theirs in wide.terms)


def _implies(narrow: Term, wide: Term) -> bool:
    return narrow.dimension is wide.dimension and narrow.values <= wide.values
