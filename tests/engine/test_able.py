"""Who can: everybody at once is everybody asked one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from engine import naive
from engine.readings import readings
from portero.engine import (
    Binding,
    Bindings,
    Check,
    Conditions,
    Context,
    Guardrail,
    GuardrailKind,
    Hours,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    compile_policy,
    name_key,
)

MONDAY_NOON = Context(now=1_770_000_000.0, weekday=0, minute=720)
WRITE = Check("send:text", Resource("number", number="ventas"))
ROLE = Role("writer", "Writer", {"send:text": Reach.ALL})
ANA = Principal("ana", PrincipalKind.PERSON, "Ana", owner=True)
BETO = Principal("beto", PrincipalKind.PERSON, "beto")
DORA = Principal("dora", PrincipalKind.PERSON, "Dora", teams=frozenset({"night"}))
NIGHT = Principal("night", PrincipalKind.TEAM, "Night")


def snapshot(*bindings, guardrails=()):
    policy = Policy("w", 1, (ANA, BETO, DORA, NIGHT), (ROLE,), bindings, guardrails)
    return compile_policy(policy)


def test_everybody_at_once_is_everybody_whom_a_naive_reading_allows():
    seen = Counter()
    for policy, snapshot, asked in readings(4000):
        for check in asked.checks[:1]:
            able = snapshot.able(check, asked.context)
            wanted = [
                one.id
                for one in policy.principals
                if one.kind is not PrincipalKind.TEAM
                and naive.decide(policy, one.id, [check], asked.context).allowed
            ]
            assert able.ids() == tuple(sorted(wanted))
            assert len(able) == len(wanted)
            seen[bool(wanted)] += 1
            seen["guarded"] += bool(policy.guardrails)

    assert min(seen.values()) > 300


def test_in_columns_and_after_a_change_it_is_the_same():
    for policy, snapshot, asked in readings(600):
        for check in asked.checks[:1]:
            last, others = policy.bindings[-1:], policy.bindings[:-1]
            before = compile_policy(replace(policy, bindings=Bindings.listed(others)))
            changed = Bindings.among(before.policy.bindings).changed(begun=last)
            after = before.followed_by(replace(policy, bindings=changed))
            assert (
                after.able(check, asked.context).ids() == snapshot.able(check, asked.context).ids()
            )


def test_hours_networks_and_factors_are_left_apart_where_that_is_asked():
    by_night = Conditions(hours=(Hours(frozenset({0}), 1200, 1260),))
    with_factor = Conditions(fresh_factor_s=300)
    asked = snapshot(
        Binding("b1", "night", "writer", conditions=by_night),
        Binding("b2", "beto", "writer", conditions=with_factor),
    )

    assert asked.able(WRITE, MONDAY_NOON).ids() == ("ana",)
    fresh = replace(MONDAY_NOON, factor_at=MONDAY_NOON.now)
    assert asked.able(WRITE, fresh).ids() == ("ana", "beto")
    assert asked.able(WRITE, MONDAY_NOON, heeding=False).ids() == ("ana", "beto", "dora")


def test_with_everything_met_nobody_is_lost_and_places_still_count():
    widened = 0
    for _policy, snapshot, asked in readings(3000):
        for check in asked.checks[:1]:
            now = set(snapshot.able(check, asked.context).ids())
            ever = set(snapshot.able(check, asked.context, heeding=False).ids())
            assert now <= ever
            widened += now < ever

    assert widened > 100


def test_a_guardrail_takes_from_whom_it_names():
    writers = [Binding("b1", "beto", "writer"), Binding("b2", "dora", "writer")]
    no_night = Guardrail(
        "g1",
        "No nights",
        GuardrailKind.DENY,
        frozenset({"send:*"}),
        principals=frozenset({"night"}),
    )
    nobody = replace(no_night, principals=None)

    assert snapshot(*writers, guardrails=(no_night,)).able(WRITE, MONDAY_NOON).ids() == (
        "ana",
        "beto",
    )
    assert len(snapshot(*writers, guardrails=(nobody,)).able(WRITE, MONDAY_NOON)) == 0


def test_a_page_goes_by_name_whatever_the_case():
    able = snapshot(Binding("b1", "beto", "writer"), Binding("b2", "night", "writer")).able(
        WRITE, MONDAY_NOON
    )

    assert [one.id for one in able.page(2)] == ["ana", "beto"]
    assert [one.id for one in able.page(2, name_key(BETO))] == ["dora"]
    assert able.page(2, name_key(DORA)) == ()
    assert [one.id for one in able.without(snapshot().able(WRITE, MONDAY_NOON)).page(9)] == [
        "beto",
        "dora",
    ]


def test_nobody_can_do_what_does_not_exist():
    asked = snapshot(Binding("b1", "beto", "writer"))

    assert len(asked.able(replace(WRITE, permission="send:telepathy"), MONDAY_NOON)) == 0
