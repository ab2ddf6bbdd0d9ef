"""Who can do something, counted exactly, and by which of their bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.queries.things import Thing, Whose, checks_of
from portero.domain.workspaces.queries.why import EXPLAIN, Circumstances
from portero.engine import OWNERSHIP, Binding, Bindings, Check, Context, Principal, name_key
from portero.engine import Able as Those

PAGE = 50
_CIRCUMSTANCES = frozenset({"hours", "network", "factor"})


class Able(StrEnum):
    """Who of them is shown."""

    NOW = "now"
    WITH_FACTOR = "factor"
    """Not as it is, but had they shown a second factor a moment ago."""
    OTHERWISE = "otherwise"
    """Not even then, but at another hour or from another network."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Somebody who can, and the bindings through which; none for an owner."""

    principal: Principal
    is_owner: bool
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class WhoPage:
    counts: Mapping[Able, int]
    """Exact."""
    shown: tuple[Ways, ...]
    """Nobody for who may not see people: they learn how many there are."""
    following: tuple[str, str] | None
    """After which name and id the next page begins; None on the last."""
    teams: Mapping[str, str]
    """Id and name of the teams that bindings of those shown were given to."""
    roles: Mapping[str, str]
    policy_version: int


def who(
    *,
    actor: Actor,
    permissions: Sequence[str],
    thing: Thing,
    when: Circumstances,
    able: Able = Able.NOW,
    after: tuple[str, str] | None = None,
) -> WhoPage:
    """A page of those who can do all of it, by name.

    What is somebody's is somebody else's here; of service accounts, their keys may leave less.
    Raises AccessDenied, UnknownNumber, UnknownTemplate.
    """
    access.require(actor=actor, permission=EXPLAIN, event="page.opened")
    whose = Whose.ELSE if thing.whose is Whose.THEIRS else thing.whose
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        checks = checks_of(permissions, replace(thing, whose=whose), actor.id)
    page = page_of(state, checks, when.context(state.zone), able, after)
    if not access.sees_people(actor=actor):
        return replace(page, shown=(), following=None, teams={})
    return page


def page_of(
    state: State,
    checks: Sequence[Check],
    context: Context,
    able: Able = Able.NOW,
    after: tuple[str, str] | None = None,
) -> WhoPage:
    """Answer without asking who wants to know."""
    fresh = replace(context, factor_at=context.now)
    now = _all_of(state, checks, context)
    with_factor = _all_of(state, checks, fresh)
    ever = _all_of(state, checks, fresh, heeding=False)
    those = {
        Able.NOW: now,
        Able.WITH_FACTOR: with_factor.without(now),
        Able.OTHERWISE: ever.without(with_factor).without(now),
    }
    found = those[able].page(PAGE + 1, after)
    shown = found[:PAGE]
    circumstances = context if able is Able.NOW else fresh
    ways = tuple(_ways(state, one, checks, circumstances) for one in shown)
    named = {binding.principal for one in ways for binding in one.bindings}
    return WhoPage(
        counts={one: len(some) for one, some in those.items()},
        shown=ways,
        following=name_key(shown[-1]) if len(found) > PAGE else None,
        teams={p.id: p.name for p in state.policy.principals if p.id in named},
        roles={role.id: role.name for role in state.policy.roles},
        policy_version=state.policy.version,
    )


def _all_of(
    state: State, checks: Sequence[Check], context: Context, *, heeding: bool = True
) -> Those:
    first, *others = (state.snapshot.able(one, context, heeding=heeding) for one in checks)
    for other in others:
        first = first.among(other)
    return first


def _ways(state: State, principal: Principal, checks: Sequence[Check], context: Context) -> Ways:
    """The bindings that allow, or would but for the circumstances."""
    told = state.snapshot.explain(principal.id, checks, context)
    allowing = {
        rule.id
        for given in told.checks
        for rule in (*given.matched, *given.missed)
        if all(one.dimension in _CIRCUMSTANCES for one in rule.failing)
    }
    bindings = Bindings.among(state.policy.bindings)
    mine = (one for holder in (principal.id, *principal.teams) for one in bindings.of(holder))
    return Ways(principal, OWNERSHIP in allowing, tuple(one for one in mine if one.id in allowing))
