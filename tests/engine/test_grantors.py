"""Who could give what somebody lacks."""

from __future__ import annotations

from dataclasses import replace

from engine import generate, naive
from engine.readings import readings
from portero.engine import (
    Binding,
    Check,
    Conditions,
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

AT_NIGHT = Context(now=1_770_000_000.0, weekday=0, minute=180, address="203.0.113.9")
VENTAS = Check("send:text", Resource("number", number="ventas"))
SOPORTE = Check("send:text", Resource("number", number="soporte"))
PEOPLE = (
    Principal("ana", PrincipalKind.PERSON, "Ana", owner=True),
    Principal("beto", PrincipalKind.PERSON, "Beto"),
    Principal("dora", PrincipalKind.PERSON, "Dora", teams=frozenset({"leads"})),
    Principal("emil", PrincipalKind.PERSON, "Emil", owner=True, active=False),
    Principal("leads", PrincipalKind.TEAM, "Leads"),
)
LEAD = Role("lead", "Lead", {"send:text": Reach.ALL, "role:assign": Reach.ALL})
WRITER = Role("writer", "Writer", {"send:text": Reach.ALL})
IN_VENTAS = Scope(numbers=frozenset({"ventas"}))


def grantors(check, *bindings):
    policy = Policy("w", 1, PEOPLE, (LEAD, WRITER), bindings)
    return compile_policy(policy).grantors(check, AT_NIGHT)


def test_an_active_owner_can_always_give():
    assert grantors(VENTAS) == ("ana",)


def test_who_holds_it_and_assigns_roles_there_can_give_it():
    lead = Binding("b1", "leads", "lead", IN_VENTAS)

    assert grantors(VENTAS, lead) == ("ana", "dora")
    assert grantors(SOPORTE, lead) == ("ana",)


def test_who_only_holds_it_cannot_give_it():
    assert grantors(VENTAS, Binding("b1", "beto", "writer")) == ("ana",)


def test_who_assigns_roles_elsewhere_cannot_give_it_here():
    writes_everywhere = Binding("b1", "beto", "writer")
    leads_in_ventas = Binding("b2", "beto", "lead", IN_VENTAS)

    assert grantors(VENTAS, writes_everywhere, leads_in_ventas) == ("ana", "beto")
    assert grantors(SOPORTE, writes_everywhere, leads_in_ventas) == ("ana",)


def test_hours_and_networks_of_a_grantor_do_not_matter_but_dates_do():
    by_day = Conditions(networks=("10.0.0.0/8",), fresh_factor_s=60)
    lead = Binding("b1", "beto", "lead", conditions=by_day)

    assert grantors(VENTAS, lead) == ("ana", "beto")
    assert grantors(VENTAS, replace(lead, until=AT_NIGHT.now)) == ("ana",)


def test_nobody_can_give_what_does_not_exist():
    assert grantors(replace(VENTAS, permission="send:telepathy")) == ()


def test_grantors_are_those_whom_a_naive_reading_lets_do_both():
    """Without conditions and guardrails, giving is holding both permissions."""
    found = 0
    for policy, _, asked in readings(3000):
        plain = replace(
            policy,
            guardrails=(),
            bindings=tuple(replace(b, conditions=Conditions()) for b in policy.bindings),
        )
        for check in asked.checks[:1]:
            checks = [check, replace(check, permission="role:assign")]
            wanted = [
                person.id
                for person in plain.principals
                if person.kind is not PrincipalKind.TEAM
                and naive.decide(plain, person.id, checks, asked.context).allowed
            ]
            if check.permission in generate.ENTRIES:
                wanted = []  # nobody gives it
            assert compile_policy(plain).grantors(check, asked.context) == tuple(sorted(wanted))
            found += len(wanted)

    assert found > 500
