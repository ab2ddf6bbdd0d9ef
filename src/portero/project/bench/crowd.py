"""The large end: one workspace of 100,000 people and a million bindings.

Half of the bindings are scoped to some numbers, or end on some day, or both. Nearly everybody holds
`role:assign` by one of ten bindings, which is the worst case for asking who could give something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from uuid import UUID

from portero.engine import (
    PERMISSIONS,
    Binding,
    Conditions,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
    Scope,
)

NOW = 1_770_000_000.0
NUMBERS = tuple(f"1182736455{n:05}" for n in range(20))
_BINDINGS_EACH = 10
_ROLES = 50
_TEAMS = 200
_SCOPES = 300
_DAY = 86_400
_EVERYWHERE, _ALWAYS = Scope(), Conditions()


def crowd(people: int = 100_000, *, roles: int = _ROLES, seed: int = 3) -> Policy:
    """Make the policy; there are ten bindings for each person."""
    random = Random(seed)
    made = tuple(_role(random, n) for n in range(roles))
    teams = tuple(Principal(_id(random), PrincipalKind.TEAM, f"Team {n}") for n in range(_TEAMS))
    persons = tuple(
        Principal(
            _id(random),
            PrincipalKind.PERSON,
            f"Person {n}",
            teams=frozenset({random.choice(teams).id}),
        )
        for n in range(people)
    )
    return Policy(
        workspace=_id(random),
        version=1,
        principals=persons + teams,
        roles=made,
        bindings=tuple(_bindings(random, persons, made)),
    )


def _id(random: Random, made: int = 0) -> str:
    """An id like those that Portero makes: of version 7, so that a later one sorts later."""
    milliseconds = int(NOW * 1000) + made
    bits = milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62
    return str(UUID(int=bits | random.getrandbits(62)))


def _role(random: Random, number: int) -> Role:
    """Six to thirty permissions, among them that of giving roles in a third of the roles."""
    chosen = random.sample([key for key in PERMISSIONS if key != "role:assign"], 29)
    cells = {key: _reach(random, key) for key in chosen[: random.randint(5, 29)]}
    if number % 3 == 0:
        cells["role:assign"] = Reach.ALL
    return Role(_id(random), f"Role {number}", cells)


def _reach(random: Random, permission: str) -> Reach:
    if not PERMISSIONS[permission].ownable:
        return Reach.ALL
    return random.choice([Reach.OWN, Reach.QUEUE, Reach.TEAM, Reach.ALL, Reach.ALL])


def _bindings(
    random: Random, persons: Sequence[Principal], roles: Sequence[Role]
) -> Iterator[Binding]:
    scopes = [
        Scope(numbers=frozenset(random.sample(NUMBERS, random.randint(1, 6))))
        for _ in range(_SCOPES)
    ]
    holding = [
        (person, role) for person in persons for role in random.sample(roles, _BINDINGS_EACH)
    ]
    random.shuffle(holding)
    for made, (person, role) in enumerate(holding):
        # 25 % scoped, 10 % scoped and ending, 15 % ending: half are one or the other.
        share = random.random()
        yield Binding(
            _id(random, made),
            person.id,
            role.id,
            random.choice(scopes) if share < 0.35 else _EVERYWHERE,
            _ALWAYS,
            until=NOW + random.randint(-10, 355) * _DAY if 0.25 <= share < 0.5 else None,
        )
