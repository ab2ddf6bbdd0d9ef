"""Who gains and who loses, against the engine asked before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from engine import generate
from engine.readings import SEED
from portero.engine import (
    PERMISSIONS,
    Binding,
    Check,
    Conditions,
    Hours,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
    Scope,
    Shift,
    Way,
    compile_policy,
    members_of,
    named_by,
    shifts,
)
from portero.engine.restrictions import _DIMENSIONS
from portero.engine.ways import ME, request_beyond, restrictions_of

NOW = 1_790_000_000.0
SEND = "send:text"


def without_guardrails(policy: Policy) -> Policy:
    """What takes away does so before and afterwards; keys only narrow."""
    return replace(policy, guardrails=(), limits=(), credentials=())


def changed(random: Random, policy: Policy) -> Policy:
    """A role edited, a binding more or less, somebody in another team, suspended or made owner."""
    match random.randrange(4):
        case 0:
            n = random.randrange(len(policy.roles))
            edited = generate.role(random, policy.roles[n].id)
            return replace(policy, roles=(*policy.roles[:n], edited, *policy.roles[n + 1 :]))
        case 1:
            return replace(policy, bindings=(*policy.bindings, generate.binding(random, "more")))
        case 2:
            return replace(policy, bindings=tuple(policy.bindings)[1:])
        case _:
            n = random.randrange(len(policy.principals))
            other = generate.principal(random, policy.principals[n].id)
            people = policy.principals
            return replace(policy, principals=(*people[:n], other, *people[n + 1 :]))


def pairs(count: int, seed: int) -> Iterator[tuple[Random, Policy, Policy]]:
    random = Random(seed)
    for _ in range(count):
        before = without_guardrails(generate.policy(random, 1))
        yield random, before, changed(random, before)


def as_asked(check: Check) -> Check:
    """Without the attributes that no request for the permission has."""
    spec = PERMISSIONS.get(check.permission)
    if spec is None:
        return check
    unheard_of = {
        attribute: None
        for scope, _test, _dimension, attribute in _DIMENSIONS
        if scope not in spec.places
    }
    return Check(check.permission, replace(check.resource, **unheard_of))


def all_shifts(before: Policy, after: Policy, now: float) -> list[Shift]:
    asking = [p.id for p in before.principals if p.kind is not PrincipalKind.TEAM]
    permissions = [p for p in generate.PERMISSIONS if p in PERMISSIONS]
    return list(shifts(before, after, principals=asking, permissions=permissions, now=now))


def test_b3_9_whoever_can_do_more_or_less_afterwards_is_named() -> None:
    """Random requests: what one policy allows and the other does not is in the shifts."""
    differing = 0
    for random, before, after in pairs(1_500, SEED):
        old, new = compile_policy(before), compile_policy(after)
        asked = [generate.request(random, random.choice((before, after))) for _ in range(30)]
        told: dict[float, set[tuple[str, str, bool]]] = {}
        for request in asked:
            if request.principal in generate.TEAMS:
                continue  # its members are told of
            now = request.context.now
            for asked_for in request.checks:
                if asked_for.permission in generate.ENTRIES:
                    continue  # whoever is active may come in, whatever roles say
                check = as_asked(asked_for)
                was, is_ = (
                    s.decide(request.principal, [check], request.context).allowed
                    for s in (old, new)
                )
                if was == is_:
                    continue
                differing += 1
                if now not in told:
                    told[now] = {
                        (one.principal, one.permission, gains)
                        for one in all_shifts(before, after, now)
                        for gains, ways in ((True, one.gained), (False, one.lost))
                        if ways
                    }
                assert (request.principal, check.permission, is_) in told[now]
    assert differing > 500


def test_b3_9_for_each_who_is_named_there_is_such_a_request() -> None:
    seen = 0
    for _random, before, after in pairs(1_500, SEED + 1):
        for shift in all_shifts(before, after, NOW):
            for way in shift.gained:
                assert_there_is_a_request(shift, way, after, before, shift.before)
                seen += 1
            for way in shift.lost:
                assert_there_is_a_request(shift, way, before, after, shift.after)
                seen += 1
    assert seen > 1_000


def assert_there_is_a_request(
    shift: Shift, way: Way, allowing: Policy, refusing: Policy, others: tuple[Way, ...]
) -> None:
    mine, theirs = (
        next(p.teams for p in policy.principals if p.id == shift.principal)
        for policy in (allowing, refusing)
    )
    example = request_beyond(
        restrictions_of(way, mine),
        [restrictions_of(one, theirs) for one in others],
        teams=mine | theirs,
        now=NOW,
    )
    assert example is not None
    resource, context = example
    if resource.owner == ME:
        resource = replace(resource, owner=shift.principal)
    asked = shift.principal, [Check(shift.permission, resource)], context
    assert compile_policy(allowing).decide(*asked).allowed
    assert not compile_policy(refusing).decide(*asked).allowed


# By hand


def policy(*bindings: Binding, cells: dict[str, Reach] | None = None) -> Policy:
    return Policy(
        "w",
        1,
        principals=(
            Principal("ana", PrincipalKind.PERSON, "Ana", teams=frozenset({"ventas"})),
            Principal("beto", PrincipalKind.PERSON, "Beto"),
            Principal("ventas", PrincipalKind.TEAM, "Ventas"),
        ),
        roles=(
            Role("r", "Role", cells or {SEND: Reach.ALL}),
            Role("s", "Other", {SEND: Reach.ALL}),
        ),
        bindings=bindings,
    )


def told(before: Policy, after: Policy) -> dict[str, tuple[bool, bool]]:
    """Of each who is named, whether they gain and whether they lose."""
    found = shifts(before, after, principals=["ana", "beto"], permissions=[SEND], now=NOW)
    return {one.principal: (bool(one.gained), bool(one.lost)) for one in found}


def on(*numbers: str) -> Scope:
    return Scope(numbers=frozenset(numbers))


def test_two_bindings_together_cover_what_neither_does_alone() -> None:
    before = policy(Binding("1", "ana", "r", on("a")), Binding("2", "ana", "s", on("b")))

    assert told(before, policy(*before.bindings, Binding("3", "ana", "r", on("a", "b")))) == {}
    assert told(before, policy(*before.bindings, Binding("3", "ana", "r", on("a", "c")))) == {
        "ana": (True, False)
    }


def test_a_team_s_binding_is_its_members() -> None:
    assert told(policy(), policy(Binding("1", "ventas", "r"))) == {"ana": (True, False)}
    assert members_of(policy(), ["ventas", "beto"]) == {"ana", "beto"}


def test_a_guardrail_s_names_are_of_people_teams_and_roles() -> None:
    given = policy(Binding("1", "ventas", "r"), Binding("2", "beto", "s"))

    assert named_by(given, ["ventas"]) == {"ventas", "ana"}
    assert named_by(given, ["r"]) == {"r", "ana"}
    assert named_by(given, ["s"]) == {"s", "beto"}
    assert named_by(given, ["nobody"]) == {"nobody"}


def test_hours_that_overlap_cover_together() -> None:
    def at(name: str, start: int, end: int) -> Binding:
        hours = (Hours(frozenset({0}), start, end),)
        return Binding(name, "ana", "r", conditions=Conditions(hours=hours))

    before = policy(at("1", 540, 800), at("2", 700, 1080))

    assert told(before, policy(*before.bindings, at("3", 600, 1000))) == {}
    assert told(before, policy(*before.bindings, at("3", 600, 1081))) == {"ana": (True, False)}


def test_without_a_team_queue_and_team_are_no_more_than_own() -> None:
    own = policy(Binding("1", "beto", "r"), cells={SEND: Reach.OWN})
    team = policy(Binding("1", "beto", "r"), cells={SEND: Reach.TEAM})

    assert told(own, team) == {}
    assert told(team, policy(Binding("1", "beto", "r"))) == {"beto": (True, False)}


def test_what_has_ended_gives_nothing_and_what_will_begin_does() -> None:
    ended = Binding("1", "ana", "r", until=NOW - 1)
    later = Binding("2", "ana", "r", since=NOW + 60)

    assert told(policy(), policy(ended)) == {}
    assert told(policy(), policy(later)) == {"ana": (True, False)}
    assert told(policy(later), policy(Binding("1", "ana", "r", until=NOW + 60), later)) == {
        "ana": (True, False)
    }


def test_what_no_request_can_ask_for_at_a_place_is_nobody_s_gain() -> None:
    """A key is no number's and has no country, so making keys at a number opens nothing."""
    cells = {"api_key:create": Reach.ALL, SEND: Reach.ALL}
    at_one = policy(Binding("1", "beto", "r", on("a")), cells=cells)
    everywhere = policy(Binding("1", "beto", "r"), cells=cells)

    def gained(before: Policy, after: Policy) -> list[str]:
        found = shifts(before, after, principals=["beto"], permissions=list(cells), now=NOW)
        return [one.permission for one in found if one.is_gain]

    assert gained(policy(cells=cells), at_one) == [SEND]
    assert gained(policy(cells=cells), everywhere) == ["api_key:create", SEND]
    assert gained(at_one, everywhere) == ["api_key:create", SEND]
