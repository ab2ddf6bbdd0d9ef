"""Every world of none, one or two of each thing: what is empty is never everything."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from engine import naive
from portero.engine import (
    Binding,
    Check,
    Context,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
    compile_policy,
)

NOW = Context(now=1_770_000_000.0, weekday=0, minute=600)
TEAMS = ("ventas", "soporte")
REACHES = (Reach.NONE, Reach.OWN, Reach.QUEUE, Reach.TEAM, Reach.ALL)


def some(names: tuple[str, ...]) -> Iterator[frozenset[str]]:
    """None of them, one, and all."""
    for n in range(len(names) + 1):
        yield frozenset(names[:n])


def worlds() -> Iterator[tuple[Policy, Check]]:
    """Who is in which team, what a role gives where, and whose the conversation is."""
    conversations = [
        Resource("conversation", "c", team=team, owner=owner, number=number)
        for team, owner, number in product((None, *TEAMS), (None, "ana", "beto"), (None, "n1"))
    ]
    scopes = [Scope(), Scope(teams=frozenset()), *(Scope(teams=one) for one in some(TEAMS) if one)]
    scopes += [Scope(numbers=frozenset()), Scope(numbers=frozenset({"n1"}))]
    for mine, reach, scope, count in product(some(TEAMS), REACHES, scopes, range(3)):
        principals = (
            Principal("ana", PrincipalKind.PERSON, "Ana", mine),
            Principal("beto", PrincipalKind.PERSON, "Beto"),
            *(Principal(team, PrincipalKind.TEAM, team) for team in TEAMS),
        )
        holders = ("ana", "ventas")[:count]
        policy = Policy(
            "w",
            1,
            principals,
            (Role("empty", "Empty", {}), Role("r", "R", {"send:text": reach})),
            (
                Binding("b0", "ana", "empty"),
                *(Binding(f"b{n + 1}", one, "r", scope) for n, one in enumerate(holders)),
            ),
        )
        for conversation in conversations:
            yield policy, Check("send:text", conversation)


def test_r23_in_every_small_world_what_is_empty_gives_nothing() -> None:
    seen = allowed = 0
    compiled: tuple[Policy | None, object] = (None, None)
    for policy, check in worlds():
        if compiled[0] is not policy:
            compiled = policy, compile_policy(policy)
        snapshot = compile_policy(policy) if compiled[1] is None else compiled[1]
        decision = snapshot.decide("ana", [check], NOW)  # type: ignore[attr-defined]
        plain = naive.decide(policy, "ana", [check], NOW)
        assert (decision.allowed, decision.reason) == (plain.allowed, plain.reason)
        seen += 1
        allowed += decision.allowed
        if decision.allowed:
            require_something(policy, check.resource)

    assert seen > 4000
    assert allowed > 500


def require_something(policy: Policy, conversation: Resource) -> None:
    """Said once more, by what an allow must rest on."""
    given = [one for one in policy.bindings if one.role == "r"]
    reach = policy.roles[1].cells["send:text"]
    mine = policy.principals[0].teams
    assert given
    assert reach is not Reach.NONE
    for place, value in (
        (given[0].scope.teams, conversation.team),
        (given[0].scope.numbers, conversation.number),
    ):
        assert place is None or value in place
    if reach is Reach.OWN:
        assert conversation.owner == "ana"
    elif reach is not Reach.ALL and conversation.owner != "ana":
        assert conversation.team in mine
        assert reach is Reach.TEAM or conversation.owner is None
