"""The benchmark's workload: one workspace of a middling size, and what is asked of it.

1,000 people in 12 teams hold one to three of 50 roles. A role gives six to thirty of 60 permissions:
six in ten of these without restriction, two on some of 20 numbers, the rest for what is one's own or
one's teams'. It is stated without the engine's types, so that every contestant translates it for
itself, and a plain loop says what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from portero.engine import (
    PERMISSIONS,
    Binding,
    Check,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
)


class Among(StrEnum):
    """On which conversations a grant is good."""

    ALL = "all"
    NUMBERS = "numbers"
    MINE = "mine"
    TEAMS = "teams"
    """Mine, and everything of my teams."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission of a role."""

    permission: str
    among: Among
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """One person."""

    teams: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a permission is asked for."""

    number: str
    assignee: str
    team: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One question."""

    user: str
    permission: str
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Workload:
    """Who holds what, and what is asked."""

    roles: Mapping[str, tuple[Grant, ...]]
    users: Mapping[str, User]
    asked: tuple[Asked, ...]


_NUMBERS = [f"n{n}" for n in range(20)]
_TEAMS = [f"t{n}" for n in range(12)]


def workload(
    *, users: int = 1000, roles: int = 50, asked: int = 10_000, seed: int = 20251122
) -> Workload:
    """Make the workload; the same seed makes the same one."""
    random = Random(seed)
    permissions = _permissions(60)
    made = {f"r{n}": _role(random, permissions) for n in range(roles)}
    people = {f"u{n}": _user(random, list(made)) for n in range(users)}
    questions = tuple(_question(random, permissions, made, people) for _ in range(asked))
    return Workload(made, people, questions)


def _permissions(count: int) -> list[str]:
    """As many as asked for, those first for which "my own" means something."""
    return sorted(PERMISSIONS, key=lambda key: not PERMISSIONS[key].ownable)[:count]


def _role(random: Random, permissions: list[str]) -> tuple[Grant, ...]:
    chosen = random.sample(permissions, random.randint(6, 30))
    return tuple(_grant(random, permission) for permission in chosen)


def _grant(random: Random, permission: str) -> Grant:
    share = random.random()
    if share < 0.6:
        return Grant(permission, Among.ALL)
    if share < 0.8 or not PERMISSIONS[permission].ownable:
        numbers = random.sample(_NUMBERS, random.randint(1, 6))
        return Grant(permission, Among.NUMBERS, tuple(sorted(numbers)))
    return Grant(permission, Among.MINE if share < 0.92 else Among.TEAMS)


def _user(random: Random, roles: list[str]) -> User:
    teams = random.sample(_TEAMS, random.randint(1, 2))
    return User(tuple(sorted(teams)), tuple(sorted(random.sample(roles, random.randint(1, 3)))))


def _question(
    random: Random,
    permissions: list[str],
    roles: Mapping[str, tuple[Grant, ...]],
    users: Mapping[str, User],
) -> Asked:
    """Six in ten ask for what a role of theirs has; a quarter for what is assigned to them."""
    people = list(users)
    name = random.choice(people)
    user = users[name]
    permission = random.choice(permissions)
    if random.random() < 0.6:
        permission = random.choice(roles[random.choice(user.roles)]).permission
    conversation = Conversation(
        number=random.choice(_NUMBERS),
        assignee=name if random.random() < 0.25 else random.choice(people),
        team=random.choice(user.teams if random.random() < 0.3 else _TEAMS),
    )
    return Asked(name, permission, conversation)


def right(workload: Workload, asked: Asked) -> bool:
    """Answer by reading the workload: no index, nothing of the engine's."""
    user, conversation = workload.users[asked.user], asked.conversation
    for role in user.roles:
        for grant in workload.roles[role]:
            if grant.permission != asked.permission:
                continue
            mine = conversation.assignee == asked.user
            match grant.among:
                case Among.ALL:
                    return True
                case Among.NUMBERS if conversation.number in grant.numbers:
                    return True
                case Among.MINE if mine:
                    return True
                case Among.TEAMS if mine or conversation.team in user.teams:
                    return True
    return False


_REACHES = {Among.ALL: Reach.ALL, Among.MINE: Reach.OWN, Among.TEAMS: Reach.TEAM}


def policy_of(workload: Workload) -> Policy:
    """Translate into bindings: one per role held, and one per grant on some numbers."""
    roles = dict(_roles(workload.roles))
    people = tuple(
        Principal(name, PrincipalKind.PERSON, name, frozenset(user.teams))
        for name, user in workload.users.items()
    )
    teams = tuple(Principal(name, PrincipalKind.TEAM, name) for name in _TEAMS)
    bindings = tuple(
        Binding(f"{name}/{role}", name, role, scope)
        for name, user in workload.users.items()
        for held in user.roles
        for role, scope in _parts(held, workload.roles[held])
    )
    return Policy("w", 1, people + teams, tuple(roles.values()), bindings)


def _roles(roles: Mapping[str, tuple[Grant, ...]]) -> Iterator[tuple[str, Role]]:
    for name, grants in roles.items():
        cells = {g.permission: _REACHES[g.among] for g in grants if g.among in _REACHES}
        yield name, Role(name, name, cells)
        for grant in grants:
            if grant.among is Among.NUMBERS:
                part = _part(name, grant)
                yield part, Role(part, part, {grant.permission: Reach.ALL})


def _parts(role: str, grants: tuple[Grant, ...]) -> Iterator[tuple[str, Scope]]:
    yield role, Scope()
    for grant in grants:
        if grant.among is Among.NUMBERS:
            yield _part(role, grant), Scope(numbers=frozenset(grant.numbers))


def _part(role: str, grant: Grant) -> str:
    return f"{role}/{grant.permission}"


def checks_of(asked: Asked) -> tuple[Check, ...]:
    """State a question as the engine is asked."""
    conversation = asked.conversation
    resource = Resource(
        "conversation",
        number=conversation.number,
        owner=conversation.assignee,
        team=conversation.team,
    )
    return (Check(asked.permission, resource),)
