"""All bindings of a policy: by holder, in two forms, and as what a change leaves of them.

A workspace may have a million. As one object each they take a quarter of a gigabyte, so what is
loaded from a database stays in columns, and a binding is made of them when somebody looks at it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, compress, islice
from math import inf
from operator import attrgetter
from typing import NamedTuple, Protocol

from portero.engine.policy import Binding, Conditions, Scope
from portero.engine.restrictions import Moment, Place, moments, places

_UUID = 16
"""Bytes of an id in columns."""


class Giving(NamedTuple):
    """What bindings say about who hold a role where and when."""

    holders: Sequence[str]
    role: str
    where: tuple[Place, ...]
    conditions: tuple[Moment, ...]
    """Empty also where whoever asked leaves them apart."""
    since: float | None
    until: float | None


class Given(NamedTuple):
    """What a binding says besides who has it."""

    role: str
    scope: Scope
    conditions: Conditions
    since: float | None
    until: float | None


class Terms(NamedTuple):
    """What many bindings of a workspace have in common."""

    scope: Scope
    conditions: Conditions
    reason: str


class Columns(NamedTuple):
    """Bindings in columns: the n-th has the n-th value of each.

    `holder`, `role` and `terms` are places in the tuple of the same name. Bindings must not share an
    id; nothing here looks.
    """

    ids: bytes
    """Sixteen bytes each, of a UUID."""
    holders: tuple[str, ...]
    """Sorted."""
    roles: tuple[str, ...]
    all_terms: tuple[Terms, ...]
    holder: array[int]
    role: array[int]
    terms: array[int]
    since: array[float]
    """Negative infinity = it has always been."""
    until: array[float]
    """Infinity = it does not end."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


class _Rules(Protocol):
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Binding]: ...
    def of(self, holder: str) -> tuple[Binding, ...]: ...
    def to(self, role: str) -> Iterator[Binding]: ...
    def find(self, id_: str) -> Binding | None: ...
    def counts(self) -> Mapping[str, int]: ...
    def selecting(
        self, roles: Collection[str], *, holders: int
    ) -> Callable[[str], Sequence[Given]]: ...
    def giving(
        self, roles: Collection[str], fully: Collection[str], *, heeding: bool
    ) -> Iterator[Giving]: ...


class Bindings:
    """Bindings in no order that means anything. Immutable: a change makes another, at little cost.

    Equal to any collection of the same bindings.
    """

    __slots__ = ("_changed", "_length", "_rules")

    def __init__(
        self, rules: _Rules, changed: Mapping[str, tuple[Binding, ...]], length: int
    ) -> None:
        """Take rules, and in full what holders have whose bindings changed since."""
        self._rules = rules
        self._changed = changed
        self._length = length

    @classmethod
    def listed(cls, bindings: Iterable[Binding]) -> Bindings:
        """Take bindings as objects. Raises ValueError when two share an id."""
        rules = _Listed(bindings)
        return cls(rules, {}, len(rules))

    @classmethod
    def among(cls, bindings: Collection[Binding]) -> Bindings:
        """Take them as they are when they are such already, else as objects."""
        return bindings if isinstance(bindings, Bindings) else cls.listed(bindings)

    @classmethod
    def packed(cls, columns: Columns) -> Bindings:
        rules = _Packed(columns)
        return cls(rules, {}, len(rules))

    def of(self, holder: str) -> tuple[Binding, ...]:
        """The bindings of a principal itself, sorted by id."""
        changed = self._changed.get(holder)
        return self._rules.of(holder) if changed is None else changed

    def to(self, role: str) -> Iterator[Binding]:
        """The bindings that give a role."""
        changed = self._changed
        for binding in self._rules.to(role):
            if binding.principal not in changed:
                yield binding
        for binding in chain.from_iterable(changed.values()):
            if binding.role == role:
                yield binding

    def find(self, id_: str) -> Binding | None:
        """The binding of an id. Looks through all of them."""
        for binding in chain.from_iterable(self._changed.values()):
            if binding.id == id_:
                return binding
        found = self._rules.find(id_)
        return None if found is None or found.principal in self._changed else found

    def giving(
        self, roles: Collection[str], fully: Collection[str] = (), *, heeding: bool = False
    ) -> Iterator[Giving]:
        """Tell in short what the bindings to any of these roles give.

        To whom one of `fully` among them is given everywhere and always, nothing else need be said.
        Without `heeding`, conditions are left apart, as if they were met.
        """
        changed = self._changed
        for one in self._rules.giving(roles, fully, heeding=heeding):
            if changed:
                yield one._replace(holders=[who for who in one.holders if who not in changed])
            else:
                yield one
        for binding in chain.from_iterable(changed.values()):
            if binding.role in roles:
                yield _giving(binding, heeding=heeding)

    def counts(self) -> Counter[str]:
        """How many bindings give each role."""
        found = Counter(self._rules.counts())
        for holder, mine in self._changed.items():
            found.subtract(binding.role for binding in self._rules.of(holder))
            found.update(binding.role for binding in mine)
        return found

    def selecting(
        self, roles: Collection[str], *, holders: int
    ) -> Callable[[str], Sequence[Given]]:
        """A look at what holders are given of some roles, for whoever asks for so many `holders`."""
        unchanged, changed = self._rules.selecting(roles, holders=holders), self._changed

        def of(holder: str) -> Sequence[Given]:
            mine = changed.get(holder)
            return unchanged(holder) if mine is None else _selected(mine, roles)

        return of

    def changed(
        self, *, ended: Collection[Binding] = (), begun: Collection[Binding] = ()
    ) -> Bindings:
        """Make what is left without some and with others; takes as long as holders have changed.

        Raises ValueError when what ends is not there, or what begins shares an id with another of
        its holder.
        """
        after = dict(self._changed)
        for binding in ended:
            mine = after.get(binding.principal, self.of(binding.principal))
            if binding not in mine:
                raise ValueError(f"Binding {binding.id!r} does not occur")
            after[binding.principal] = tuple(other for other in mine if other != binding)
        for binding in begun:
            mine = after.get(binding.principal, self.of(binding.principal))
            after[binding.principal] = _joined((*mine, binding))
        return Bindings(self._rules, after, self._length - len(ended) + len(begun))

    @property
    def holders_changed(self) -> int:
        """Of how many holders the bindings are not those of the whole that was laid out once."""
        return len(self._changed)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Binding]:
        changed = self._changed
        for binding in self._rules:
            if binding.principal not in changed:
                yield binding
        yield from chain.from_iterable(changed.values())

    def __contains__(self, binding: object) -> bool:
        return isinstance(binding, Binding) and binding in self.of(binding.principal)

    def __eq__(self, other: object) -> bool:  # type: ignore[explicit-override] # Python 3.12's
        if not isinstance(other, Collection):
            return NotImplemented
        return len(self) == len(other) and set(self) == set(other)

    __hash__ = None  # type: ignore[assignment] # like the policy it belongs to


class _Listed:
    """Bindings as objects."""

    def __init__(self, rules: Iterable[Binding]) -> None:
        every = tuple(rules)
        require_unique(every)
        self._length = len(every)
        by_holder: dict[str, list[Binding]] = defaultdict(list)
        for binding in every:
            by_holder[binding.principal].append(binding)
        self._by_holder = {holder: _by_id(mine) for holder, mine in by_holder.items()}

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Binding]:
        return chain.from_iterable(self._by_holder.values())

    def of(self, holder: str) -> tuple[Binding, ...]:
        return self._by_holder.get(holder, ())

    def to(self, role: str) -> Iterator[Binding]:
        return (binding for binding in self if binding.role == role)

    def find(self, id_: str) -> Binding | None:
        return next((binding for binding in self if binding.id == id_), None)

    def counts(self) -> Mapping[str, int]:
        return Counter(binding.role for binding in self)

    def selecting(
        self, roles: Collection[str], *, holders: int
    ) -> Callable[[str], Sequence[Given]]:
        return lambda holder: _selected(self.of(holder), roles)

    def giving(
        self, roles: Collection[str], fully: Collection[str], *, heeding: bool
    ) -> Iterator[Giving]:
        return (_giving(binding, heeding=heeding) for binding in self if binding.role in roles)


class _Packed:
    """Bindings as columns, and where those of each holder stand in them."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._counts: dict[str, int] | None = None
        count = len(columns.holder)
        # Each holder's first, and of each binding the holder's next; the end is a place too far.
        self._first = array("I", [count]) * len(columns.holders)
        self._next = array("I", bytes(4 * count))
        first, following = self._first, self._next
        for place, holder in enumerate(columns.holder):
            following[place] = first[holder]
            first[holder] = place

    def __len__(self) -> int:
        return len(self._columns.holder)

    def __iter__(self) -> Iterator[Binding]:
        return map(self._binding, range(len(self)))

    def of(self, holder: str) -> tuple[Binding, ...]:
        holders = self._columns.holders
        number = bisect_left(holders, holder)
        if number == len(holders) or holders[number] != holder:
            return ()
        return _by_id(map(self._binding, self._places(number)))

    def _places(self, holder: int) -> Iterator[int]:
        place, end = self._first[holder], len(self)
        while place < end:
            yield place
            place = self._next[place]

    def to(self, role: str) -> Iterator[Binding]:
        numbers, place = self._columns.role, -1
        with suppress(ValueError):
            number = self._columns.roles.index(role)
            while True:
                place = numbers.index(number, place + 1)
                yield self._binding(place)

    def counts(self) -> Mapping[str, int]:
        if self._counts is None:
            counted = Counter(self._columns.role)
            self._counts = {self._columns.roles[n]: count for n, count in counted.items()}
        return self._counts

    def selecting(
        self, roles: Collection[str], *, holders: int
    ) -> Callable[[str], Sequence[Given]]:
        columns, first, following = self._columns, self._first, self._next
        known, end = columns.holders, len(self)
        is_wanted = [one in roles for one in columns.roles]
        # A step to an attribute takes as long as the rest, and there are millions of them.
        role, roles_by_number = columns.role, columns.roles
        terms, all_terms = columns.terms, columns.all_terms
        since, until = columns.since, columns.until

        def given(place: int) -> Given:
            common = all_terms[terms[place]]
            begins, ends = since[place], until[place]
            return Given(
                roles_by_number[role[place]],
                common.scope,
                common.conditions,
                None if begins == -inf else begins,
                None if ends == inf else ends,
            )

        # One pass over all bindings takes as long as the walks of a third of the holders.
        is_worth_it = holders * 3 > len(known)
        sorted_out = _sorted_out(columns, is_wanted) if is_worth_it else None

        def of(holder: str) -> Sequence[Given]:
            number = bisect_left(known, holder)
            if number == len(known) or known[number] != holder:
                return ()
            if sorted_out is not None:
                return [given(place) for place in sorted_out.get(number, ())]
            found, place = [], first[number]
            while place < end:
                if is_wanted[role[place]]:
                    found.append(given(place))
                place = following[place]
            return found

        return of

    def find(self, id_: str) -> Binding | None:
        ids = self._columns.ids
        try:
            wanted = bytes.fromhex(id_.replace("-", ""))
        except ValueError:
            return None
        at = ids.find(wanted)
        while at % _UUID and at >= 0:  # it lies across two others
            at = ids.find(wanted, at + 1)
        if at < 0 or len(wanted) != _UUID:
            return None
        found = self._binding(at // _UUID)
        return found if found.id == id_ else None

    def giving(
        self, roles: Collection[str], fully: Collection[str], *, heeding: bool
    ) -> Iterator[Giving]:
        columns, wheres = self._columns, [places(terms.scope) for terms in self._columns.all_terms]
        conditions = [moments(t.conditions) if heeding else () for t in columns.all_terms]
        is_plain = [not (where or when) for where, when in zip(wheres, conditions, strict=True)]
        rows = zip(
            columns.holder, columns.role, columns.terms, columns.since, columns.until, strict=True
        )
        given = [role in roles for role in columns.roles]
        full = [role in fully for role in columns.roles]
        have_all = bytearray(len(columns.holders))
        others: list[tuple[int, int, int, float, float]] = []
        # Of a million, those of other roles are passed over without a step of the interpreter's.
        for row in compress(rows, map(given.__getitem__, columns.role)):
            holder, role, terms, since, until = row
            if full[role] and until == inf and since == -inf and is_plain[terms]:
                have_all[holder] = True
            else:
                others.append(row)
        for any_role in islice(fully, 1):
            yield Giving(tuple(compress(columns.holders, have_all)), any_role, (), (), None, None)
        for holder, role, terms, since, until in others:
            if not have_all[holder]:
                yield Giving(
                    (columns.holders[holder],),
                    columns.roles[role],
                    wheres[terms],
                    conditions[terms],
                    _since(since),
                    _until(until),
                )

    def _binding(self, place: int) -> Binding:
        columns = self._columns
        scope, conditions, reason = columns.all_terms[columns.terms[place]]
        return Binding(
            _uuid(columns.ids[_UUID * place : _UUID * (place + 1)]),
            columns.holders[columns.holder[place]],
            columns.roles[columns.role[place]],
            scope,
            conditions,
            _since(columns.since[place]),
            _until(columns.until[place]),
            reason,
        )


def _since(at: float) -> float | None:
    return None if at == -inf else at


def _until(at: float) -> float | None:
    return None if at == inf else at


def _uuid(id_: bytes) -> str:
    text = id_.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _giving(binding: Binding, *, heeding: bool) -> Giving:
    return Giving(
        (binding.principal,),
        binding.role,
        places(binding.scope),
        moments(binding.conditions) if heeding else (),
        binding.since,
        binding.until,
    )


def _sorted_out(columns: Columns, is_wanted: Sequence[bool]) -> dict[int, list[int]]:
    """The places of all bindings that give wanted roles, by the number of their holder.

    One pass over all of them is faster than a walk from one to the next for very many holders.
    """
    found: dict[int, list[int]] = defaultdict(list)
    holder = columns.holder
    for place, role in enumerate(columns.role):
        if is_wanted[role]:
            found[holder[place]].append(place)
    return found


def _selected(bindings: Iterable[Binding], roles: Collection[str]) -> Sequence[Given]:
    return [
        Given(one.role, one.scope, one.conditions, one.since, one.until)
        for one in bindings
        if one.role in roles
    ]


def _by_id(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    return tuple(sorted(bindings, key=attrgetter("id")))


def require_unique(rules: Collection[_Identified]) -> None:
    """Raise ValueError when two rules of a kind share an id."""
    if len({rule.id for rule in rules}) < len(rules):
        [(twice, _)] = Counter(rule.id for rule in rules).most_common(1)
        kind = type(next(iter(rules))).__name__
        raise ValueError(f"{kind} {twice!r} occurs twice")


def _joined(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    """Sort by id what may not share one."""
    every = tuple(bindings)
    require_unique(every)
    return _by_id(every)
