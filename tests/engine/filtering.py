"""A filter read over plain Python resources, as a table would read it."""

from __future__ import annotations

from collections.abc import Collection

from portero.engine import Dimension, Resource, Term, Visible

EVERY_DIMENSION = frozenset(Dimension)


def admits(
    visible: Visible, resource: Resource, declared: Collection[Dimension] = EVERY_DIMENSION
) -> bool:
    """Whether the filter shows `resource` in a list that serves only the `declared` dimensions."""
    in_a_branch = any(
        all(term.dimension in declared and holds(term, resource) for term in branch.terms)
        for branch in visible.branches
    )
    excluded = any(
        all(
            term.dimension not in declared or absent(term, resource) or holds(term, resource)
            for term in exclusion.terms
        )
        for exclusion in visible.exclusions
    )
    return in_a_branch and not excluded


def holds(term: Term, resource: Resource) -> bool:
    if term.dimension is Dimension.UNASSIGNED:
        return resource.owner is None
    return any(value in term.values for value in values(term.dimension, resource) or ())


def absent(term: Term, resource: Resource) -> bool:
    return values(term.dimension, resource) is None


def values(dimension: Dimension, resource: Resource) -> frozenset[str] | None:
    match dimension:
        case Dimension.LABEL:
            return resource.labels
        case Dimension.TEMPLATE_SET:
            return resource.template_sets
        case Dimension.PARTICIPANT:
            return resource.participants
        case _:
            value: str | None = getattr(resource, dimension)
            return None if value is None else frozenset({value})
