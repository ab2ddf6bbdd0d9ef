"""Who holds a permission: everybody at once, where a decision looks at one.

A workspace may have a hundred thousand people, nearly all of whom hold what is asked for. Those who
hold it whatever the resource are found once. The others are found by what restricts them: there are
far fewer different scopes and dates than bindings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, islice

from portero.engine.bindings import Bindings, Giving
from portero.engine.policy import Policy, Principal, PrincipalKind, Reach
from portero.engine.request import Context, Resource
from portero.engine.restrictions import Moment, Place, WithinReach, dates


class Principals:
    """A policy's principals, and what is worked out of them alone."""

    def __init__(self, by_id: Mapping[str, Principal]) -> None:
        self.by_id = by_id

    @cached_property
    def people(self) -> People:
        return People(self.by_id)


class People:
    """The active people and service accounts, sorted by id. Sets of them are flags, one byte each."""

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        self.all = sorted(
            (p for p in principals.values() if p.active and p.kind is not PrincipalKind.TEAM),
            key=lambda principal: principal.id,
        )
        self._ids = [principal.id for principal in self.all]
        self._places = {id_: place for place, id_ in enumerate(self._ids)}
        self._members: dict[str, list[int]] = defaultdict(list)
        for place, principal in enumerate(self.all):
            for team in principal.teams:
                self._members[team].append(place)
        self._teams = {
            p.id for p in principals.values() if p.active and p.kind is PrincipalKind.TEAM
        }

    def given(self, holders: Iterable[str]) -> list[int]:
        """The places of those to whom bindings of these holders give."""
        given: list[int] = []
        for holder in holders:
            place = self._places.get(holder)
            if place is not None:
                given.append(place)
            elif holder in self._teams:
                given += self._members.get(holder, ())
        return given

    def called(self, names: Iterable[str]) -> list[int]:
        """The places of those whom a rule means that names them, or a team of theirs."""
        found: list[int] = []
        for name in names:
            found += self._members.get(name, ())
            place = self._places.get(name)
            if place is not None:
                found.append(place)
        return found

    def near(self, resource: Resource) -> set[int]:
        """The places of those for whom a reach below `all` may mean this resource."""
        mine = {*resource.participants, resource.owner}
        near = {self._places[id_] for id_ in mine if id_ is not None and id_ in self._places}
        return near.union(self._members.get(resource.team or "", ()))

    def named(self, flags: Iterable[bytes]) -> tuple[str, ...]:
        """The ids, sorted, of those who are in every one of the sets."""
        together = (1 << 8 * len(self._ids)) - 1
        for one in flags:
            together &= int.from_bytes(one, "little")
        return tuple(compress(self._ids, together.to_bytes(len(self._ids), "little")))

    @cached_property
    def _by_name(self) -> tuple[list[tuple[str, str]], list[int]]:
        """Everybody's name and id, sorted, and the place of each."""
        keys = [name_key(principal) for principal in self.all]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return [keys[place] for place in order], order

    def behind(self, after: tuple[str, str] | None) -> Iterator[int]:
        """The places of all whose key comes after one, by name."""
        keys, order = self._by_name
        first = 0 if after is None else bisect_right(keys, after)
        return map(order.__getitem__, range(first, len(order)))


def name_key(principal: Principal) -> tuple[str, str]:
    """What people are sorted by where they are listed by name."""
    return principal.name.casefold(), principal.id


class Able:
    """Those among a policy's active people and service accounts who can do something."""

    __slots__ = ("_flags", "_people")

    def __init__(self, people: People, flags: bytes) -> None:
        """Take a set of people, as flags."""
        self._people, self._flags = people, flags

    def __len__(self) -> int:
        return self._flags.count(1)

    def ids(self) -> tuple[str, ...]:
        """Sorted."""
        return self._people.named([self._flags])

    def page(self, size: int, after: tuple[str, str] | None = None) -> tuple[Principal, ...]:
        """The first so many by name, of those whose `name_key` comes after one."""
        flags, everybody = self._flags, self._people.all
        found = (place for place in self._people.behind(after) if flags[place])
        return tuple(everybody[place] for place in islice(found, size))

    def among(self, others: Able) -> Able:
        """Those who are among others of the same policy, too."""
        mine, theirs = (int.from_bytes(one._flags, "little") for one in (self, others))  # noqa: SLF001
        return Able(self._people, (mine & theirs).to_bytes(len(self._flags), "little"))

    def without(self, others: Able) -> Able:
        """Those who are not among others of the same policy."""
        mine, theirs = (int.from_bytes(one._flags, "little") for one in (self, others))  # noqa: SLF001
        return Able(self._people, (mine & ~theirs).to_bytes(len(self._flags), "little"))


_Where = tuple[Place, ...]
_When = tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds one permission, guardrails apart."""

    people: People
    always: bytes
    """Flags of those who hold it whatever the resource, and until further notice."""
    whens: Sequence[_When]
    sometimes: Mapping[_Where, Mapping[int, Sequence[int]]]
    """The places of the others, by where they hold it, and when: by the place among `whens`."""
    reaching: Mapping[int, Sequence[tuple[Reach, _Where, _When]]]
    """By place, what the others hold for things that are theirs or their teams'."""

    def of(self, resource: Resource, context: Context) -> bytes:
        """Flags of those who hold it for a resource."""
        flags = bytearray(self.always)
        now = [_hold(when, resource, context) for when in self.whens]
        for where, by_dates in self.sometimes.items():
            if not _hold(where, resource, context):
                continue
            for when, holding in by_dates.items():
                if now[when]:
                    for place in holding:
                        flags[place] = True
        for place in self.people.near(resource) if self.reaching else ():
            flags[place] |= self._reaches(place, resource, context)
        return bytes(flags)

    def _reaches(self, place: int, resource: Resource, context: Context) -> bool:
        person = self.people.all[place]
        return any(
            WithinReach(reach, person.id, person.teams).holds(resource, context)
            and _hold(where, resource, context)
            and _hold(when, resource, context)
            for reach, where, when in self.reaching.get(place, ())
        )


def _hold(restrictions: Iterable[Place | Moment], resource: Resource, context: Context) -> bool:
    for restriction in restrictions:  # noqa: SIM110 - a generator takes twice as long
        if not restriction.holds(resource, context):
            return False
    return True


def having(policy: Policy, roles: Collection[str]) -> set[str]:
    """The people, service accounts and teams to whom a binding gives one of the roles, at any time."""
    bindings = Bindings.among(policy.bindings)
    return {binding.principal for role in roles for binding in bindings.to(role)}


def members_of(policy: Policy, holders: Collection[str]) -> set[str]:
    """The people and service accounts among holders, and those of the teams among them."""
    wanted = set(holders)
    return {
        one.id
        for one in policy.principals
        if one.kind is not PrincipalKind.TEAM
        and (one.id in wanted or not wanted.isdisjoint(one.teams))
    }


def named_by(policy: Policy, names: Collection[str]) -> set[str]:
    """Those whom a guardrail means that has these names: themselves, by a team or by a role."""
    roles = {role.id for role in policy.roles}.intersection(names)
    return {*names, *members_of(policy, {*names, *having(policy, roles)})}


def holders(people: People, given: Iterable[Giving], reaches: Mapping[str, Reach]) -> Holders:
    """Find who holds a permission; `reaches` has the roles that give it, and how far."""
    always = bytearray(p.owner and p.kind is PrincipalKind.PERSON for p in people.all)
    restricted: list[Giving] = []
    for one in given:
        whose, role, where, conditions, since, until = one
        is_plain = not where and not conditions and since is None and until is None
        if is_plain and reaches[role] is Reach.ALL:
            for place in people.given(whose):
                always[place] = True
        else:
            restricted.append(one)
    return Holders(people, bytes(always), *_others(people, always, restricted, reaches))


def _others(
    people: People,
    always: bytearray,
    restricted: Iterable[Giving],
    reaches: Mapping[str, Reach],
) -> tuple[
    Sequence[_When],
    Mapping[_Where, Mapping[int, Sequence[int]]],
    Mapping[int, Sequence[tuple[Reach, _Where, _When]]],
]:
    """Sort what those hold who do not hold it always."""
    whens: dict[_When, int] = {}
    sometimes: dict[_Where, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    reaching: dict[int, list[tuple[Reach, _Where, _When]]] = defaultdict(list)
    for whose, role, where, conditions, since, until in restricted:
        waiting = [place for place in people.given(whose) if not always[place]]
        if not waiting:
            continue
        when, reach = (*conditions, *dates(since, until)), reaches[role]
        if reach is Reach.ALL:
            sometimes[where][whens.setdefault(when, len(whens))] += waiting
        else:
            for place in waiting:
                reaching[place].append((reach, where, when))
    return tuple(whens), sometimes, reaching
