"""Why, and who can: what the pages say is what the engine decides, rule by rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import islice
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from engine import naive
from engine.readings import readings
from portero.console.questions import CALLS, permissions_of
from portero.console.saying import Names
from portero.console.telling import Told, told
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied
from portero.domain.access.models import Role
from portero.domain.access.snapshot import State
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import Record, in_workspace
from portero.domain.workspaces import queries
from portero.domain.workspaces import services as workspaces
from portero.domain.workspaces.queries import (
    Able,
    Asked,
    Circumstances,
    Standing,
    Thing,
    account,
    things,
)
from portero.domain.workspaces.queries.who import page_of
from portero.engine import (
    PERMISSIONS,
    Check,
    Conditions,
    Failing,
    GuardrailKind,
    Hours,
    PrincipalKind,
    Reach,
    Scope,
)

VENTAS, SOPORTE = "106540352242922", "106540352242923"
BOGOTA = ZoneInfo("America/Bogota")
QUESTIONS = 6000


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        waba = workspaces.add_waba(actor=made.ana, meta_id="102290129340398", name="Andina")
        for meta_id, name in ((VENTAS, "Ventas"), (SOPORTE, "Soporte")):
            workspaces.add_number(
                actor=made.ana,
                waba=waba,
                meta_id=meta_id,
                display="+1 555",
                name=name,
                country="MX",
            )
        workspaces.register_template(
            actor=made.ana, waba=waba, meta_id="99887766", name="promo", language="es",
            category="MARKETING", status="APPROVED",
        )  # fmt: skip
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


@pytest.fixture
def dora(cast: Cast) -> Client:
    return signed_in(person_of(cast.dora))


def text_of(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, url
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return unescape(re.sub(r"\s+", " ", plain))


# The page against the engine.


def asked_about() -> Iterator[tuple[Told, bool]]:
    """What the page would say to random questions, and what a naive reading of the rules says."""
    for policy, snapshot, asked in readings(QUESTIONS):
        known = {one.id for one in policy.principals}
        if asked.principal not in known or not asked.checks:
            continue
        checks = [one for one in asked.checks if one.permission in PERMISSIONS]
        if not checks:
            continue
        state = State(snapshot, BOGOTA)
        said = told(
            account(state, asked.principal, checks, asked.context, asked.credential), Names({})
        )
        decision = naive.decide(policy, asked.principal, checks, asked.context, asked.credential)
        yield said, decision.allowed


def test_the_verdict_is_the_decision_and_the_evidence_alone_leads_to_it() -> None:
    seen = {True: 0, False: 0}
    for said, allowed in asked_about():
        assert said.allowed == allowed
        by_evidence = (
            bool(said.checks)
            and all(any(rule.allows for rule in one.rules) and not one.key for one in said.checks)
            and not any(one.standing is Standing.DENIES for one in said.guardrails)
        )
        assert by_evidence == allowed
        for rule in (rule for one in said.checks for rule in one.rules):
            assert rule.allows == all(part.holds for part in rule.parts)
        seen[allowed] += 1

    assert min(seen.values()) > 500


def test_every_refusal_says_why_and_every_failing_part_what_was_found() -> None:
    for said, allowed in asked_about():
        assert said.verdict
        assert said.because
        if not allowed and said.checks:
            first = next(one for one in said.checks if not one.allowed)
            missed = [p for r in first.rules for p in r.parts if not p.holds]
            assert all(part.found for part in missed)
            denies = any(one.standing is Standing.DENIES for one in said.guardrails)
            assert missed or first.key or denies or not first.rules


def test_everybody_who_can_is_counted_as_if_each_were_asked() -> None:
    counted = dict.fromkeys(Able, 0)
    for policy, snapshot, asked in islice(readings(8000), 0, None, 2):
        checks = [one for one in asked.checks if one.permission in PERMISSIONS][:2]
        if not checks:
            continue
        askers = [p for p in policy.principals if p.kind is not PrincipalKind.TEAM]
        state = State(snapshot, BOGOTA)
        now = {
            one.id for one in askers if naive.decide(policy, one.id, checks, asked.context).allowed
        }
        page = page_of(state, checks, asked.context)
        assert page.counts[Able.NOW] == len(now)
        assert {one.principal.id for one in page.shown} == now
        for one in page.shown:
            assert one.is_owner or one.bindings
        for able in Able:
            shown = page_of(state, checks, asked.context, able).shown
            assert page.counts[able] == len(shown)
            counted[able] += len(shown)

    assert min(counted.values()) > 100


def test_what_it_depends_on_would_be_enough_and_nothing_else_is_told_so() -> None:
    """A naive reading allows what the page says would be allowed, said as the page says."""
    seen = 0
    for policy, snapshot, asked in readings(QUESTIONS):
        if asked.principal not in {one.id for one in policy.principals}:
            continue
        checks = [unsaid(one) for one in asked.checks if one.permission in PERMISSIONS]
        if not checks:
            continue
        found = account(
            State(snapshot, BOGOTA), asked.principal, checks, asked.context, asked.credential
        )
        assert not (found.depends and found.explanation.decision.allowed)
        for way in found.depends:
            more = [said(one, way, asked.principal) for one in checks]
            assert naive.decide(
                policy, asked.principal, more, asked.context, asked.credential
            ).allowed
            seen += 1

    assert seen > 50


def unsaid(check: Check) -> Check:
    """The question without what it says of an owner, a number and a template."""
    return Check(
        check.permission,
        replace(
            check.resource,
            **dict.fromkeys(("owner", "team", "number", "country", "template_sets")),
            participants=frozenset(),
        ),
    )


def said(check: Check, way: tuple[Failing, ...], asker: str) -> Check:
    """The question with the last of the values of each dimension that it is told to depend on."""
    found: dict[str, object] = {}
    for dimension, wanted, _actual in way:
        if dimension == "reach":
            found["owner"] = asker
        elif dimension == "template_set":
            found["template_sets"] = frozenset([max(wanted)])  # type: ignore[call-overload]
        else:
            found[dimension] = max(wanted)  # type: ignore[call-overload]  # a set of names
    places = PERMISSIONS[check.permission].places
    known = {"number": "numbers", "team": "teams", "country": "countries", "waba": "wabas"}
    kept = {
        name: value
        for name, value in found.items()
        if name == "owner" or known.get(name, name) in places
    }
    return Check(check.permission, replace(check.resource, **kept))


# The pages.


@pytest.mark.parametrize(
    ("language", "verdict"),
    [
        ("en", "It depends: yes, when the number is Soporte and it is in the queue of whoever asks."),
        ("es", "Depende: sí, cuando el número es Soporte y está en la cola de quien pregunta."),
        ("pt-br", "Depende: sim, quando o número é Soporte e está na fila de quem pergunta."),
    ],
)  # fmt: skip
def test_what_the_question_left_open_is_not_a_no(
    cast: Cast, ana: Client, language: str, verdict: str
) -> None:
    address = f"open-{language}@example.com"
    role = access.create_role(
        actor=cast.ana, name=f"Cola {language}", cells={"send:text": Reach.QUEUE}
    )
    eva = accounts.add_person(actor=cast.ana, email=address, name="Eva Cola")
    access.create_binding(
        actor=cast.ana, principal=eva, role=role, scope=Scope(numbers=frozenset({SOPORTE}))
    )

    question = f"/why/?who={address}&what=send:text"
    page = ana.get(question, headers={"accept-language": language}).content.decode()

    text = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))
    assert verdict in text
    assert 'class="verdict" data-tone="wait"' in page
    assert 'id="least"' not in page
    assert 'id="grantors"' not in page
    elsewhere = text_of(ana, f"{question}&number={VENTAS}")
    assert "No. Eva Cola has the permission, but not for this." in elsewhere
    assert "Let the access by the role" in elsewhere


def test_it_depends_on_nothing_that_a_key_excludes_or_a_door_never_asks(
    cast: Cast, ana: Client
) -> None:
    at_soporte = Scope(numbers=frozenset({SOPORTE}))
    cells = {"send:text": Reach.ALL, "api_key:create": Reach.ALL}
    role = access.create_role(actor=cast.ana, name="Soporte y llaves", cells=cells)
    bot = accounts.create_service_account(
        actor=cast.ana, name="a medias", accountable=cast.ana.principal
    )
    access.create_binding(actor=cast.ana, principal=bot, role=role, scope=at_soporte)
    for name, number in (("otra", VENTAS), ("misma", SOPORTE)):
        accounts.create_key(
            actor=cast.ana,
            service_account=bot,
            name=name,
            scope=Scope(numbers=frozenset({number})),
        )

    assert "It depends" not in text_of(ana, "/why/?who=otra&what=send:text")
    assert "It depends: yes, when the number is Soporte." in text_of(
        ana, "/why/?who=misma&what=send:text"
    )
    assert "No." in text_of(ana, f"/why/?who={bot}&what=api_key:create&number={SOPORTE}")
    assert "It depends" not in text_of(ana, f"/why/?who={bot}&what=api_key:create")


def test_a_no_names_what_missed_and_the_least_that_would_do(cast: Cast, ana: Client) -> None:
    role = access.create_role(actor=cast.ana, name="Vendedora", cells={"send:text": Reach.ALL})
    eva = accounts.add_person(actor=cast.ana, email="eva@example.com", name="Eva Núñez")
    access.create_binding(
        actor=cast.ana,
        principal=eva,
        role=role,
        scope=Scope(numbers=frozenset({VENTAS})),
        conditions=Conditions(hours=(Hours(frozenset({0}), 540, 1080),)),
    )
    question = f"/why/?who=eva@example.com&what=send:text&number={SOPORTE}&at=2026-11-30T10:00"

    said = text_of(ana, question)

    assert "No. Eva Núñez has the permission, but not for this." in said
    assert "Vendedora does not reach" in said
    assert "Missed: numbers: Ventas Asked: Soporte." in said
    assert "Missed: Mon" not in said  # the hour is right
    assert (
        "The least that would allow it Let the access by the role “Vendedora” also cover this"
        " number: Soporte." in said
    )
    assert "Who can give it ana" in said
    late = text_of(ana, question.replace(SOPORTE, VENTAS).replace("10:00", "22:00"))
    assert "has the permission, but not at this hour." in late
    assert "It is Mon 22:00 there." in late
    yes = text_of(ana, question.replace(SOPORTE, VENTAS))
    assert "Yes. Eva Núñez has it by one role that was given." in yes


def test_a_marketing_template_needs_two_and_the_page_tells_both(cast: Cast, ana: Client) -> None:
    said = text_of(ana, "/why/?who=dora&what=send:template&template=promo&whose=theirs")

    assert "template:use_marketing refused" in said
    assert "send:template allowed" in said
    assert said.startswith("Why?") or "No. No role of dora gives this permission." in said


def test_a_call_that_needs_several_is_asked_as_a_whole(cast: Cast, ana: Client) -> None:
    [upsert] = [key for key in CALLS if "upsert" in key]

    said = text_of(ana, f"/why/?who=beto&what={upsert}")

    assert "Yes." in said
    assert permissions_of(upsert) == ("template:create", "template:update")
    assert all(f"{permission} allowed" in said for permission in permissions_of(upsert))


def test_no_choice_of_an_action_is_a_path(ana: Client) -> None:
    page = ana.get("/why/").content.decode()
    offered = re.findall(r'<option value="[a-z:_]+"[^>]*>([^<]+)</option>', page)

    assert "See how templates perform, and what they cost" in map(unescape, offered)
    assert [one for one in offered if re.search(r"[/{}_]|GET|POST", one)] == []


@pytest.mark.parametrize(
    ("language", "step"),
    [
        ("es", "la asignación del rol «Agente»"),
        ("pt-br", "a atribuição do papel “Agente”"),
    ],
)
def test_a_built_in_role_is_called_in_the_readers_language(
    cast: Cast, ana: Client, language: str, step: str
) -> None:
    address = f"lang-{language}@example.com"
    eva = accounts.add_person(actor=cast.ana, email=address, name="Ivana")
    with in_workspace(cast.workspace):
        agent = Role.objects.get(name="Agent")
    access.create_binding(
        actor=cast.ana, principal=eva, role=agent.id, scope=Scope(numbers=frozenset({VENTAS}))
    )
    question = f"/why/?who={address}&what=send:text&number={SOPORTE}"

    page = ana.get(question, headers={"accept-language": language}).content.decode()

    said = unescape(re.sub(r"<[^>]+>", " ", page))
    assert step in said
    assert not re.search(r"\bAgent\b", said)


def test_a_guardrail_that_takes_it_away_is_named_and_one_that_demands_too(
    cast: Cast, ana: Client
) -> None:
    access.create_guardrail(
        actor=cast.ana, name="Sin llamadas", kind=GuardrailKind.DENY, permissions=["call:place"]
    )
    access.create_guardrail(
        actor=cast.ana,
        name="De a dos",
        kind=GuardrailKind.REQUIRE_SECOND_PERSON,
        permissions=["template:delete"],
    )

    no = text_of(ana, "/why/?who=beto&what=call:place")
    perhaps = text_of(ana, "/why/?who=beto&what=template:delete")

    assert "No. A guardrail takes it away, whoever asks: “Sin llamadas”." in no
    assert "Sin llamadas takes it away" in no
    assert "Yes, if a second person approves it." in perhaps
    assert "De a dos demands something" in perhaps


def test_of_several_with_a_name_one_is_chosen_and_a_team_asks_by_its_members(
    cast: Cast, ana: Client
) -> None:
    two = [
        accounts.add_person(actor=cast.ana, email=f"luz{n}@example.com", name="Luz Ríos")
        for n in range(2)
    ]
    team = access.create_team(actor=cast.ana, name="Noche")
    access.set_team_members(actor=cast.ana, team=team, members=two)

    page = ana.get("/why/?who=luz&what=send:text").content.decode()
    by_team = text_of(ana, "/why/?who=noche&what=send:text")

    for one in two:
        assert f"who={one}" in page
    assert "Which one?" in page
    assert "Noche is a team: its members ask. Which one?" in by_team
    assert by_team.count("Luz Ríos") == 2


def test_a_key_narrows_and_the_page_says_what_it_leaves_out(cast: Cast, ana: Client) -> None:
    bot = accounts.create_service_account(
        actor=cast.ana, name="pedidos", accountable=cast.ana.principal
    )
    role = access.create_role(actor=cast.ana, name="Programa", cells={"send:text": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=bot, role=role)
    accounts.create_key(
        actor=cast.ana,
        service_account=bot,
        name="solo-ventas",
        scope=Scope(numbers=frozenset({VENTAS})),
    )

    said = text_of(ana, f"/why/?who=solo-ventas&what=send:text&number={SOPORTE}")

    assert "No. pedidos has the permission, but this key does not cover it." in said
    assert "The key used does not reach Missed: numbers: Ventas Asked: Soporte." in said


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("who=beto&what=send:text&country=XX", "No country is called XX."),
        ("who=beto&what=send:text&network=10.0", "An address looks like"),
        ("who=beto&what=send:telepathy", "Select a valid choice"),
        ("who=beto&what=send:text&at=yesterday", "Enter a valid date"),
        ("what=send:text", "This field is required"),
    ],
)
def test_what_cannot_be_asked_says_so_at_its_field(ana: Client, query: str, error: str) -> None:
    said = text_of(ana, f"/why/?{query}")

    assert error in said
    assert 'value="beto"' in ana.get(f"/why/?{query}").content.decode() or "who=" not in query


def test_who_can_counts_and_names_the_way(cast: Cast, ana: Client) -> None:
    said = text_of(ana, "/who/?what=role:assign")

    assert "As it is 2" in said  # ana owns, beto administers
    assert "ana Owner" in said
    assert "beto Administrator" in said
    nobody = text_of(ana, "/who/?what=call:place&country=MX")
    assert "Nobody." in nobody or "As it is" in nobody


def test_who_could_with_a_factor_or_at_another_hour_stands_apart(cast: Cast, ana: Client) -> None:
    role = access.create_role(actor=cast.ana, name="Grupos", cells={"group:delete": Reach.ALL})
    for name, conditions in (
        ("Fina", Conditions(fresh_factor_s=300)),
        ("Hugo", Conditions(networks=("10.0.0.0/8",))),
    ):
        one = accounts.add_person(actor=cast.ana, email=f"{name}@example.com", name=name)
        access.create_binding(actor=cast.ana, principal=one, role=role, conditions=conditions)

    now = text_of(ana, "/who/?what=group:delete")
    factor = text_of(ana, "/who/?what=group:delete&able=factor")
    otherwise = text_of(ana, "/who/?what=group:delete&able=otherwise")

    assert "With a second factor just shown 1 At another hour or from another network 1" in now
    assert "Fina Grupos" in factor
    assert "Hugo" not in factor
    assert "Hugo Grupos · from 10.0.0.0/8" in otherwise
    here = text_of(ana, "/who/?what=group:delete&network=10.1.2.3")
    assert "Hugo Grupos" in here


def test_the_list_of_who_can_comes_in_pages(cast: Cast, ana: Client) -> None:
    role = access.create_role(actor=cast.ana, name="Muchos", cells={"flow:migrate": Reach.ALL})
    team = access.create_team(actor=cast.ana, name="Todos")
    many = [
        accounts.add_person(actor=cast.ana, email=f"m{n}@example.com", name=f"Muchacha {n % 9}")
        for n in range(70)
    ]
    access.set_team_members(actor=cast.ana, team=team, members=many)
    access.create_binding(actor=cast.ana, principal=team, role=role)

    seen: list[str] = []
    url = "/who/?what=flow:migrate"
    while url:
        page = ana.get(url).content.decode()
        assert "<b>72</b>" in page
        seen += re.findall(r'class="name"><a href="/people/([0-9a-f-]{36})/"', page)
        more = re.findall(r'class="btn" href="(\?[^"]+)"', page)
        url = f"/who/{unescape(more[0])}" if more else ""

    assert len(seen) == len(set(seen)) == 72


# Who may ask.


def test_ones_own_why_is_open_to_everybody_and_others_is_not(cast: Cast, dora: Client) -> None:
    own = text_of(dora, "/why/me/?what=role:assign")

    assert "No. No role of dora gives this permission." in own
    text_of(dora, "/why/?who=ana&what=role:assign", status=403)
    assert "Select a valid choice" in text_of(
        dora, f"/why/me/?what=role:assign&who={cast.ana.principal}"
    )


def test_the_question_itself_is_refused_past_the_page(cast: Cast) -> None:
    asked = Asked(
        principal=cast.ana.principal,
        permissions=("role:assign",),
        thing=Thing(),
        when=Circumstances(datetime.now(UTC)),
    )

    with pytest.raises(AccessDenied):
        queries.why(actor=cast.dora, asked=asked)
    with pytest.raises(AccessDenied):
        queries.who(actor=cast.dora, permissions=["role:assign"], thing=Thing(), when=asked.when)
    with in_workspace(cast.workspace):
        record = Record.objects.filter(actor=cast.dora.id, event="page.opened").latest("at")
    assert (record.effect, list(record.checks)) == ("deny", ["access:explain"])


def test_who_answers_for_a_program_may_ask_why_it_is_refused(cast: Cast, dora: Client) -> None:
    bot = accounts.create_service_account(
        actor=cast.ana, name="suyo", accountable=cast.dora.principal
    )

    assert "No role of suyo gives this" in text_of(dora, f"/why/me/?what=send:text&who={bot}")


def test_t01_somebody_of_another_workspace_is_as_unknown_as_nobody(cast: Cast, ana: Client) -> None:
    for path in ("/why/?what=send:text&who={}", "/why/records/{}/"):
        answers = [ana.get(path.format(one)) for one in (cast.carla.principal, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
        bodies = [
            re.sub(r"[0-9a-f-]{36}|[A-Za-z0-9]{64}", "", answer.content.decode())
            for answer in answers
        ]
        assert bodies[0] == bodies[1]
    assert "carla" not in text_of(ana, "/why/?what=send:text&who=carla", status=404).replace(
        'value="carla"', ""
    )


def test_r24_what_somebody_may_not_see_is_nothing_they_can_ask_about(cast: Cast) -> None:
    role = access.create_role(
        actor=cast.ana,
        name="Pregunta",
        cells={"access:explain": Reach.ALL, "number:read": Reach.ALL, "member:read": Reach.ALL},
    )
    only = access.create_role(actor=cast.ana, name="Explica", cells={"access:explain": Reach.ALL})
    asks = accounts.add_person(actor=cast.ana, email="asks@example.com", name="Asks")
    access.create_binding(actor=cast.ana, principal=asks, role=only)
    access.create_binding(
        actor=cast.ana, principal=asks, role=role, scope=Scope(numbers=frozenset({VENTAS}))
    )
    client = signed_in(Person.objects.get_by_natural_key("asks@example.com"))

    form = client.get("/why/").content.decode()

    assert VENTAS in form
    assert SOPORTE not in form
    assert "promo" not in form
    for path in ("/why/?who=ana&", "/who/?"):
        hidden = text_of(client, f"{path}what=send:text&number={SOPORTE}")
        unknown = text_of(client, f"{path}what=send:text&number=106540352242999")
        assert "Select a valid choice" in hidden
        assert hidden.replace(SOPORTE, "") == unknown.replace("106540352242999", "")


def test_r24_control_without_the_look_at_what_may_be_seen_every_number_is_offered(
    cast: Cast, dora: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "promo" in dora.get("/why/me/").content.decode()  # an agent sees templates
    role = access.create_role(actor=cast.ana, name="Nada", cells={"send:text": Reach.ALL})
    blind = accounts.add_person(actor=cast.ana, email="blind@example.com", name="Blind")
    access.create_binding(actor=cast.ana, principal=blind, role=role)
    client = signed_in(Person.objects.get_by_natural_key("blind@example.com"))
    assert "promo" not in client.get("/why/me/").content.decode()

    monkeypatch.setattr(things, "_may_see", lambda *_: True)

    assert "promo" in client.get("/why/me/").content.decode()


def test_a_recorded_refusal_leads_to_its_question(cast: Cast, ana: Client, dora: Client) -> None:
    text_of(dora, "/people/", status=403)
    with in_workspace(cast.workspace):
        record = Record.objects.filter(actor=cast.dora.id, checks=["member:read"]).latest("at")

    answer = ana.get(f"/why/records/{record.call_id}/", follow=True)

    said = unescape(re.sub(r"<[^>]+>", " ", answer.content.decode()))
    assert "No role of dora gives this permission." in re.sub(r"\s+", " ", said)
    assert f"policy version {record.policy_version}" in said
    text_of(dora, f"/why/records/{record.call_id}/", status=403)


def test_r24_no_question_tells_of_a_record_to_who_may_not_read_the_log(
    cast: Cast, ana: Client, dora: Client
) -> None:
    text_of(dora, "/people/", status=403)
    with in_workspace(cast.workspace):
        record = Record.objects.filter(actor=cast.dora.id, checks=["member:read"]).latest("at")
    asks = accounts.add_person(actor=cast.ana, email="asks@why.example", name="Asks")
    cells = {"access:explain": Reach.ALL, "member:read": Reach.ALL}
    role = access.create_role(actor=cast.ana, name="Asks why", cells=cells)
    access.create_binding(actor=cast.ana, principal=asks, role=role)
    question = f"/why/?what=member:read&who={cast.dora.id}&then={record.call_id}"

    page = text_of(signed_in(person_of(replace(cast.ana, principal=asks))), question)

    assert "No role of dora gives this permission." in page
    assert "On record" not in page
    assert "On record" in text_of(ana, question), "control: who may read the log is told"


def test_under_another_hour_the_record_is_asked_at_its_own(cast: Cast) -> None:
    actor = Actor(cast.workspace, cast.ana.principal, datetime.now(UTC) - timedelta(days=1))

    assert Circumstances(actor.at).context(BOGOTA).now == actor.at.timestamp()
