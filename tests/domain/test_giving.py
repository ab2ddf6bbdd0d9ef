"""What is held, compared with what is given: the comparison never calls too much held."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portero.domain.access.authorize import Gift, exceeding, narrowed, resources_in, stricter
from portero.domain.access.errors import InvalidRule
from portero.engine import (
    Binding,
    Check,
    Conditions,
    Context,
    Guardrail,
    GuardrailKind,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
    Snapshot,
    compile_policy,
)

NOW = 1_000_000.0
MAKER, FRIEND = "maker", "friend"
AT_HOME = frozenset({"team"})
OF_TEAM = {"send:text": Reach.TEAM}
PERMISSIONS = ("send:text", "send:image", "number:read")

names = st.sampled_from(["1", "2"])
dimension = st.none() | st.frozensets(names, min_size=1)
scopes = st.builds(
    Scope, numbers=dimension, countries=dimension, labels=dimension, template_sets=dimension
)
conditions = st.builds(
    Conditions,
    networks=st.none() | st.sampled_from([("10.0.0.0/8",), ("10.0.0.0/8", "192.168.0.0/16")]),
    fresh_factor_s=st.none() | st.sampled_from([60, 300]),
)
ends = st.sampled_from([None, NOW + 10])
reaches = st.sampled_from([Reach.ALL, Reach.ALL, Reach.TEAM, Reach.OWN, Reach.NONE])
cells = st.dictionaries(st.sampled_from(PERMISSIONS), reaches, min_size=1)
guardrails = st.just(()) | st.lists(
    st.builds(
        Guardrail,
        id=st.sampled_from(["g1", "g2"]),
        name=st.just("g"),
        kind=st.just(GuardrailKind.DENY),
        permissions=st.frozensets(st.sampled_from([*PERMISSIONS, "send:*"]), min_size=1),
        principals=st.sampled_from([frozenset({MAKER}), frozenset({"team"})]),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda guardrail: guardrail.id,
).map(tuple)


@st.composite
def holdings(draw: st.DrawFn) -> tuple[tuple[Role, ...], tuple[Binding, ...]]:
    roles, bindings = [], []
    for number in range(draw(st.integers(1, 3))):
        roles.append(Role(f"r{number}", f"r{number}", draw(cells)))
        bindings.append(
            Binding(
                f"b{number}",
                draw(st.sampled_from([MAKER, "team"])),
                f"r{number}",
                draw(scopes),
                draw(conditions),
                until=draw(ends),
            )
        )
    return tuple(roles), tuple(bindings)


teams = st.sampled_from(
    [frozenset[str](), *map(frozenset, ({"team"}, {"other"}, {"team", "other"}))]
)
gifts = st.builds(Gift, cells=cells, scope=scopes, conditions=conditions, until=ends, teams=teams)


@st.composite
def holdings_and_gifts(
    draw: st.DrawFn,
) -> tuple[tuple[tuple[Role, ...], tuple[Binding, ...]], Gift]:
    """A gift near what is held: a free one is nearly always beyond it, and shows nothing."""
    roles, bindings = draw(holdings())
    gift = draw(gifts)
    near = draw(st.sampled_from(bindings))
    parts = {
        "cells": next(role.cells for role in roles if role.id == near.role),
        "scope": near.scope,
        "conditions": near.conditions,
        "until": near.until,
        "teams": AT_HOME,
    }
    changed = draw(st.sampled_from(sorted(parts)))
    return (roles, bindings), replace(
        gift, **{part: value for part, value in parts.items() if part != changed}
    )


def policy_of(
    held: tuple[tuple[Role, ...], tuple[Binding, ...]],
    guards: tuple[Guardrail, ...] = (),
    *,
    friends_teams: frozenset[str] = frozenset(),
) -> Policy:
    return Policy(
        workspace="w",
        version=1,
        principals=(
            Principal(MAKER, PrincipalKind.PERSON, "maker", teams=AT_HOME),
            Principal(FRIEND, PrincipalKind.PERSON, "friend", teams=friends_teams),
            Principal("team", PrincipalKind.TEAM, "team"),
            Principal("other", PrincipalKind.TEAM, "other"),
        ),
        roles=held[0],
        bindings=held[1],
        guardrails=guards,
    )


def with_gift(gift: Gift) -> Snapshot:
    """What the gift alone allows, to a stranger in the gift's teams who has nothing else."""
    held = (
        (Role("gift", "gift", gift.cells),),
        (Binding("gift", FRIEND, "gift", gift.scope, gift.conditions, until=gift.until),),
    )
    return compile_policy(policy_of(held, friends_teams=gift.teams))


def requests() -> list[tuple[Resource, Context]]:
    """Every corner of the small world above."""
    sets = (frozenset[str](), frozenset({"1"}), frozenset({"1", "2"}))
    resources = [
        Resource(
            "number", number=number, country=country, labels=labels, template_sets=sets_,
            owner=owner, team=team,
        )
        for number, country in itertools.product((None, "1", "2"), (None, "1"))
        for labels, sets_ in itertools.product(sets, (None, frozenset({"2"})))
        for owner, team in ((None, None), (None, "team"), ("somebody", "team"), ("x", "other"))
    ]  # fmt: skip
    contexts = [
        Context(now, 0, 600, address, factor)
        for now in (NOW, NOW + 15)
        for address in ("10.0.0.1", "192.168.0.1")
        for factor in (None, now - 100)
    ]
    return list(itertools.product(resources, contexts))


REQUESTS = requests()


@settings(max_examples=300, deadline=None)
@given(holdings_and_gifts(), guardrails)
@example(
    (
        ((Role("r", "r", OF_TEAM),), (Binding("b", MAKER, "r", Scope(), Conditions()),)),
        Gift(OF_TEAM, Scope(), Conditions(), None, frozenset({"team", "other"})),
    ),
    (),
)
def test_r01_what_is_called_held_gives_nothing_the_maker_may_not_do(
    case: tuple[tuple[tuple[Role, ...], tuple[Binding, ...]], Gift],
    guards: tuple[Guardrail, ...],
) -> None:
    """Asked of the engine itself, request by request, over every corner of a small world."""
    held, gift = case
    policy = policy_of(held, guards)
    beyond = exceeding(policy, MAKER, gift, NOW)
    mine, given_away = compile_policy(policy), with_gift(gift)

    for permission in set(gift.cells) - set(beyond):
        for resource, context in REQUESTS:
            check = [Check(permission, resource)]
            if given_away.decide(FRIEND, check, context).allowed:
                assert mine.decide(MAKER, check, context).allowed, (permission, resource, context)


@given(holdings(), gifts)
def test_an_owner_holds_everything_and_a_stranger_nothing(
    held: tuple[tuple[Role, ...], tuple[Binding, ...]], gift: Gift
) -> None:
    policy = policy_of(held)
    owner = Principal("owner", PrincipalKind.PERSON, "o", owner=True)
    gone = Principal("gone", PrincipalKind.PERSON, "o", owner=True, active=False)
    peopled = Policy("w", 1, (*policy.principals, owner, gone), policy.roles, policy.bindings)

    assert exceeding(peopled, "owner", gift, NOW) == ()
    assert set(exceeding(peopled, "stranger", gift, NOW)) == set(gift.cells)
    assert set(exceeding(peopled, "gone", gift, NOW)) == set(gift.cells)


@given(
    st.builds(
        Binding, st.just("b"), st.just(MAKER), st.just("r"), scopes, conditions, st.none(), ends
    ),
    cells,
)
def test_giving_exactly_what_one_holds_is_giving_what_one_holds(
    binding: Binding, cells: dict[str, Reach]
) -> None:
    policy = policy_of(((Role("r", "r", cells),), (binding,)))
    gift = Gift(cells, binding.scope, binding.conditions, binding.until, AT_HOME)

    assert exceeding(policy, MAKER, gift, NOW) == ()


@settings(max_examples=150, deadline=None)
@given(scopes, scopes, conditions, conditions)
def test_k04_a_key_allows_nothing_outside_of_the_gift_it_is_counted_as(
    outer: Scope, inner: Scope, first: Conditions, second: Conditions
) -> None:
    """A key allows where its account's binding *and* the key itself hold; the gift covers that."""
    everything = dict.fromkeys(PERMISSIONS, Reach.ALL)
    one = with_gift(Gift(everything, outer, first, None, AT_HOME))
    other = with_gift(Gift(everything, inner, second, None, AT_HOME))
    counted = with_gift(
        Gift(everything, narrowed(outer, inner), stricter(first, second), None, AT_HOME)
    )

    for resource, context in REQUESTS:
        check = [Check("send:text", resource)]
        both = (
            one.decide(FRIEND, check, context).allowed
            and other.decide(FRIEND, check, context).allowed
        )
        if both:
            assert counted.decide(FRIEND, check, context).allowed, (resource, context)


def test_a_scope_is_asked_about_place_by_place() -> None:
    scope = Scope(numbers=frozenset({"1", "2"}), labels=frozenset({"a"}))

    assert resources_in(scope, "role") == [
        Resource("role", number="1", labels=frozenset({"a"})),
        Resource("role", number="2", labels=frozenset({"a"})),
    ]
    assert resources_in(Scope(), "role") == [Resource("role")]


def test_the_places_of_a_scope_are_counted_before_they_are_made() -> None:
    def names(many: int) -> frozenset[str]:
        return frozenset(map(str, range(many)))

    ten, sixty = names(10), names(60)

    assert len(resources_in(Scope(numbers=ten, teams=ten, labels=ten), "number")) == 1000
    for too_many in (
        Scope(numbers=ten, teams=ten, labels=names(11)),
        Scope(**{dimension.name: sixty for dimension in fields(Scope)}),  # 60 to the power of 8
    ):
        with pytest.raises(InvalidRule):
            resources_in(too_many, "number")
