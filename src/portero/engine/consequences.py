"""What a change of policy makes possible or ends, and for whom: computed, not sampled (B3.9).

Somebody gains when there is a request that the rules allow afterwards and did not allow before.
Guardrails and limits take away on top of it, before as after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter

from portero.engine.bindings import Bindings, Given
from portero.engine.catalogue import PERMISSIONS
from portero.engine.policy import Conditions, Policy, PrincipalKind, Reach, Scope
from portero.engine.ways import Way, is_plainly_beyond, request_beyond, restrictions_of

# A way by the objects it is made of: there may be a million, and to tell two apart takes no look into them.
_Key = tuple[Reach, int, int, float | None, float | None]


class Shift:
    """What changes for a principal in one permission."""

    __slots__ = ("_after", "_before", "_gained", "_lost", "_met", "permission", "principal")

    def __init__(
        self, principal: str, permission: str, met: _Met, had: _Keys, has: _Keys, change: _Change
    ) -> None:
        self.principal = principal
        self.permission = permission
        self._met, self._before, self._after = met, had, has
        self._gained, self._lost = change

    @property
    def before(self) -> tuple[Way, ...]:
        return self._met.ways(self._before)

    @property
    def after(self) -> tuple[Way, ...]:
        return self._met.ways(self._after)

    @property
    def gained(self) -> tuple[Way, ...]:
        """The ways afterwards that allow something which nothing allowed before."""
        return self._met.ways(self._gained)

    @property
    def lost(self) -> tuple[Way, ...]:
        """The ways before that allowed something which nothing allows afterwards."""
        return self._met.ways(self._lost)

    @property
    def is_gain(self) -> bool:
        return bool(self._gained)

    @property
    def is_loss(self) -> bool:
        return bool(self._lost)


_Keys = frozenset[_Key]
_Change = tuple[_Keys, _Keys]
_NONE: _Keys = frozenset()


class _Met:
    """Every way that was met, by its key. It keeps the objects, so that their ids stay theirs."""

    def __init__(self) -> None:
        self._ways: dict[_Key, Way] = {}

    def key(self, reach: Reach, given: Given) -> _Key:
        key = (reach, id(given.scope), id(given.conditions), given.since, given.until)
        if key not in self._ways:
            self._ways[key] = Way(reach, given.scope, given.conditions, given.since, given.until)
        return key

    def of(self, key: _Key) -> Way:
        return self._ways[key]

    def ways(self, keys: _Keys) -> tuple[Way, ...]:
        """Those that are not the same, the farthest first."""
        found = {self._ways[key] for key in keys}
        return tuple(sorted(found, key=lambda way: (-way.reach, repr(way))))


def shifts(
    before: Policy,
    after: Policy,
    *,
    principals: Collection[str],
    permissions: Collection[str],
    now: float,
) -> Iterator[Shift]:
    """Compare two policies for these people and service accounts, in their order, from `now` on.

    Who is out of action can do nothing before or afterwards; an owner can do everything.
    """
    met = _Met()
    giving = _giving_roles((before, after), permissions)
    looks: dict[int, _Look] = {}
    old, new = (
        _Ways(
            policy,
            permissions,
            now,
            met,
            looks.setdefault(
                id(policy.bindings),
                _Look(Bindings.among(policy.bindings).selecting(giving, holders=len(principals))),
            ),
        )
        for policy in (before, after)
    )
    new.compare_with(old)
    changes = _Changes(met, now)
    for principal in principals:
        mine = old.of(principal)
        theirs = new.of(principal, like=mine)
        for permission, had, has in _turning(mine, theirs):
            change = changes.of(had, has, mine.teams, theirs.teams)
            if change != (_NONE, _NONE):
                yield Shift(principal, permission, met, had, has, change)


_SCOPED = attrgetter(*(field.name for field in fields(Scope)))
_CONDITIONED = attrgetter(*(field.name for field in fields(Conditions)))


class _Changes:
    """What was gained and lost between two sets of ways; each found once."""

    def __init__(self, met: _Met, now: float) -> None:
        self._met, self._now = met, now
        self._known: dict[object, _Change] = {}
        self._plain: dict[object, bool] = {}
        self._looks: dict[_Key, tuple[bool, ...]] = {}

    def of(
        self, had: _Keys, has: _Keys, teams: frozenset[str], new_teams: frozenset[str]
    ) -> _Change:
        key = (had, has, teams, new_teams)
        change = self._known.get(key)
        if change is None:
            change = self._known[key] = self._found(had, has, teams, new_teams)
        return change

    def _found(
        self, had: _Keys, has: _Keys, teams: frozenset[str], new_teams: frozenset[str]
    ) -> _Change:
        if teams == new_teams:
            if had <= has and self._are_plainly_more(has - had, had, teams):
                return has - had, _NONE
            if has <= had and self._are_plainly_more(had - has, has, teams):
                return _NONE, had - has
        return (
            _beyond(self._met, has, new_teams, had, teams, self._now),
            _beyond(self._met, had, teams, has, new_teams, self._now),
        )

    def _looks_at(self, key: _Key) -> tuple[bool, ...]:
        """Which restrictions a way has, in some order."""
        found = self._looks.get(key)
        if found is None:
            way = self._met.of(key)
            asked = (*_SCOPED(way.scope), *_CONDITIONED(way.conditions), way.since, way.until)
            found = self._looks[key] = (
                way.reach is Reach.ALL,
                *(one is None for one in asked),
            )
        return found

    def _are_plainly_more(self, more: _Keys, others: _Keys, teams: frozenset[str]) -> bool:
        """Whether each of the ways is plainly beyond the others.

        Of the others only matters what they look at, and not what they want to see there: so people
        whose roles hold at other places and end on other days are all told from one look.
        """
        shape = (more, frozenset(map(self._looks_at, others)), teams)
        plain = self._plain.get(shape)
        if plain is None:
            of = self._met.of
            tests = [restrictions_of(of(one), teams) for one in others]
            plain = self._plain[shape] = all(
                is_plainly_beyond(restrictions_of(of(one), teams), tests, self._now) for one in more
            )
        return plain


def _turning(mine: _Own, theirs: _Own) -> Iterator[tuple[str, _Keys, _Keys]]:
    """The permissions to which somebody has other ways, with those before and afterwards."""
    same_teams = mine.teams == theirs.teams
    if same_teams and (mine.itself is theirs.itself or mine.itself == theirs.itself):
        # Very many are concerned by a role of their team alone, and of teams there are few.
        permissions: Iterable[str] = _turned(mine.by_team, theirs.by_team)
    else:
        permissions = sorted(mine.permissions() | theirs.permissions())
    for permission in permissions:
        had, has = mine.to(permission), theirs.to(permission)
        if had != has or not same_teams:
            yield permission, had, has


def _giving_roles(policies: Iterable[Policy], permissions: Collection[str]) -> set[str]:
    """The roles that give one of the permissions, in some of the policies."""
    return {
        role.id
        for policy in policies
        for role in policy.roles
        if any(role.cells.get(permission, Reach.NONE) > Reach.NONE for permission in permissions)
    }


class _Look:
    """What holders are given; of the one just asked for it is remembered, for the other policy."""

    def __init__(self, of: Callable[[str], Sequence[Given]]) -> None:
        self.of = of
        self._last: tuple[str, Sequence[Given]] = ("", ())

    def of_person(self, holder: str) -> Sequence[Given]:
        if self._last[0] != holder:
            self._last = (holder, self.of(holder))
        return self._last[1]


class _Ways:
    """Who has which ways to some permissions, in one policy."""

    def __init__(
        self, policy: Policy, permissions: Collection[str], now: float, met: _Met, look: _Look
    ) -> None:
        self._principals = {one.id: one for one in policy.principals}
        self._met, self._look = met, look
        self._cells = {
            role.id: [
                (permission, reach)
                for permission in permissions
                if (reach := role.cells.get(permission, Reach.NONE)) is Reach.ALL
                or (reach > Reach.NONE and PERMISSIONS[permission].ownable)
            ]
            for role in policy.roles
        }
        everything = met.key(Reach.ALL, Given("", Scope(), Conditions(), None, None))
        self._all = {permission: frozenset((everything,)) for permission in permissions}
        self._cells_in: dict[tuple[str, int], Sequence[tuple[str, Reach]]] = {}
        self._now = now
        self._given: dict[frozenset[str], _ByTeam] = {}
        self._others: frozenset[str] = frozenset()

    def compare_with(self, other: _Ways) -> None:
        """Note the roles that give other things than in the other policy."""
        self._others = frozenset(
            role
            for role in self._cells.keys() | other._cells.keys()
            if self._cells.get(role) != other._cells.get(role)
        )

    def _gives_as_before(self, given: Sequence[Given]) -> bool:
        return self._others.isdisjoint([one.role for one in given])

    def of(self, principal: str, like: _Own | None = None) -> _Own:
        """The ways of one; `like` are theirs in the policy that this one was made different from."""
        found = self._principals.get(principal)
        if found is None:
            return _NO_WAYS
        if not found.active:
            return _Own({}, _EMPTY, found.teams)
        if found.owner and found.kind is PrincipalKind.PERSON:
            return _Own(self._all, _EMPTY, found.teams)
        given = self._look.of_person(principal)
        if like is not None and like.given is given and self._gives_as_before(given):
            itself = like.itself
        else:
            itself = self._ways(given)
        return _Own(itself, self._of_teams(found.teams), found.teams, given)

    def _ways(self, given: Sequence[Given]) -> Mapping[str, _Keys]:
        if not given:
            return _NOTHING_GIVEN
        ways: dict[str, list[_Key]] = {}
        cells_of, key_of, now = self._cells_of, self._met.key, self._now
        for one in given:
            if one.until is None or one.until > now:
                for permission, reach in cells_of(one.role, one.scope):
                    ways.setdefault(permission, []).append(key_of(reach, one))
        return {permission: frozenset(some) for permission, some in ways.items()}

    def _cells_of(self, role: str, scope: Scope) -> Sequence[tuple[str, Reach]]:
        """What a role gives at a scope: not what no request can ask for there."""
        key = (role, id(scope))  # scopes are the policy's, which outlives this
        cells = self._cells_in.get(key)
        if cells is None:
            cells = self._cells_in[key] = [
                (permission, reach)
                for permission, reach in self._cells.get(role, ())
                if PERMISSIONS[permission].can_be_in(scope)
            ]
        return cells

    def _of_teams(self, teams: frozenset[str]) -> _ByTeam:
        """What the members of all of these are given; very many are in the same ones."""
        found = self._given.get(teams)
        if found is None:
            known = (self._principals.get(team) for team in teams)
            found = self._given[teams] = _ByTeam(
                self._ways(
                    [
                        one
                        for team in known
                        if team is not None and team.kind is PrincipalKind.TEAM and team.active
                        for one in self._look.of(team.id)
                    ]
                )
            )
        return found


_NOTHING_GIVEN: Mapping[str, _Keys] = {}


class _ByTeam:
    """What comes by some teams; there is one for them in each policy."""

    __slots__ = ("turned", "ways")

    def __init__(self, ways: Mapping[str, _Keys]) -> None:
        self.ways = ways
        self.turned: dict[int, tuple[str, ...]] = {}
        """By the same teams' of another policy, the permissions to which the ways are others."""


class _Own:
    """The ways of one principal: its own, and those by its teams."""

    __slots__ = ("by_team", "given", "itself", "teams")

    def __init__(
        self,
        itself: Mapping[str, _Keys],
        by_team: _ByTeam,
        teams: frozenset[str],
        given: Sequence[Given] | None = None,
    ) -> None:
        self.itself, self.by_team, self.teams, self.given = itself, by_team, teams, given

    def permissions(self) -> set[str]:
        return self.itself.keys() | self.by_team.ways.keys()

    def to(self, permission: str) -> _Keys:
        mine = self.itself.get(permission)
        by_team = self.by_team.ways.get(permission, _NONE)
        return by_team if mine is None else mine | by_team


_EMPTY = _ByTeam({})
_NO_WAYS = _Own({}, _EMPTY, frozenset())


def _turned(before: _ByTeam, after: _ByTeam) -> tuple[str, ...]:
    """The permissions to which there are other ways by the teams; found once for them."""
    found = before.turned.get(id(after))
    if found is None:
        both = before.ways.keys() | after.ways.keys()
        found = before.turned[id(after)] = tuple(
            one for one in sorted(both) if before.ways.get(one, _NONE) != after.ways.get(one, _NONE)
        )
    return found


def _beyond(
    met: _Met,
    keys: _Keys,
    teams: frozenset[str],
    other_keys: _Keys,
    their_teams: frozenset[str],
    now: float,
) -> _Keys:
    """Those of the ways that allow something which none of the others allows."""
    if teams == their_teams:
        keys -= other_keys  # what is there too allows nothing that is not
    if not keys:
        return _NONE
    tests = [restrictions_of(met.of(other), their_teams) for other in other_keys]
    found = []
    for key in keys:
        mine = restrictions_of(met.of(key), teams)
        if is_plainly_beyond(mine, tests, now) or request_beyond(
            mine, tests, teams=teams | their_teams, now=now
        ):
            found.append(key)
    return frozenset(found)
