"""Guardrails and limits are made by filling in a sentence, and nobody shuts themselves in by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database, insert
from portero.domain.access import queries
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, LocksItselfIn, OwnAccess
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import Record, in_workspace
from portero.domain.workspaces import services as workspaces
from portero.domain.workspaces.models import Workspace
from portero.engine import (
    ENTER_GATEWAY,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Per,
    Reach,
    Scope,
)

NUMBER = "106540352242922"
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        waba = workspaces.add_waba(actor=made.ana, meta_id="102290129340398", name="Andina")
        workspaces.add_number(
            actor=made.ana, waba=waba, meta_id=NUMBER, display="+52 1", name="Ventas", country="MX"
        )
        yield made


@pytest.fixture(autouse=True)
def nothing_stands(cast: Cast) -> Iterator[None]:
    yield
    for one in queries.guardrails(actor=cast.ana):
        access.retire_guardrail(actor=cast.ana, guardrail=UUID(one.rule.id))
    for limit in queries.limits(actor=cast.ana):
        access.retire_limit(actor=cast.ana, limit=UUID(limit.rule.id))


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


def sentence(kind: str = "deny", **more: object) -> dict[str, Any]:
    said = {"kind": kind, "name": "Rule", "permissions": ["send:text"], "whom": "everybody"}
    return {**said, **more}


def standing(cast: Cast) -> list[Guardrail]:
    return [one.rule for one in queries.guardrails(actor=cast.ana)]


def counted(cast: Cast) -> list[Limit]:
    return [one.rule for one in queries.limits(actor=cast.ana)]


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


def events(cast: Cast) -> list[str]:
    with in_workspace(cast.workspace):
        return list(Record.objects.order_by("-at").values_list("event", flat=True)[:3])


VALUES: dict[str, dict[str, object]] = {
    "deny": {},
    "templates_only": {},
    "require_window": {},
    "require_consent": {},
    "require_second_person": {"threshold": "100"},
    "require_fresh_factor": {"factor": "300"},
    "require_passkey": {},
    "networks": {"networks": "203.0.113.0/24"},
    "hours": {"days": ["0", "4"], "starts": "09:00", "ends": "18:00"},
}


@pytest.mark.parametrize("kind", GuardrailKind)
def test_there_is_a_sentence_for_every_kind(cast: Cast, ana: Client, kind: GuardrailKind) -> None:
    said = sentence(kind, **VALUES[kind])

    assert ana.get("/guardrails/new/", {"kind": kind}).status_code == 200
    assert ana.post("/guardrails/new/", said).status_code == 200
    assert standing(cast) == []  # a review changes nothing
    assert ana.post("/guardrails/save/", said).status_code == 302
    [made] = standing(cast)
    assert (made.kind, made.permissions, made.principals) == (kind, {"send:text"}, None)
    assert "guardrail.created" in events(cast)
    assert ana.get("/guardrails/").status_code == 200


def test_the_values_are_those_that_were_filled_in(cast: Cast, ana: Client) -> None:
    said = sentence(
        "hours", days=["0", "4"], starts="09:00", ends="18:30", numbers=[NUMBER], countries="mx, es",
        whom="these", people="dora\nbeto@example.com",
    )  # fmt: skip
    ana.post("/guardrails/save/", said)

    [made] = standing(cast)
    assert made.hours == (Hours(frozenset({0, 4}), 540, 1110),)
    assert made.scope == Scope(numbers=frozenset({NUMBER}), countries=frozenset({"MX", "ES"}))
    assert made.principals == {str(cast.dora.principal), str(cast.beto.principal)}


def test_before_it_holds_one_sees_whom(cast: Cast, ana: Client) -> None:
    said = plain(ana.post("/guardrails/new/", sentence(whom="these", people="dora")).content)

    assert "It holds one person or account" in said
    assert "dora" in said
    assert "Never lets this happen." in said


def test_who_is_held_is_who_has_any_of_it_now(cast: Cast) -> None:
    held = queries.held_by(actor=cast.ana, permissions=["send:text"], principals=None)
    team = access.create_team(actor=cast.ana, name="Held")
    access.create_binding(actor=cast.ana, principal=team, role=cast.role("Agent"))
    eva = accounts.add_person(actor=cast.ana, email="eva@held.example", name="Eva Held")
    gone = accounts.add_person(actor=cast.ana, email="gone@held.example", name="Gone Held")
    access.set_team_members(actor=cast.ana, team=team, members=[eva, gone])
    access.disable_principal(actor=cast.ana, principal=gone)

    more = queries.held_by(actor=cast.ana, permissions=["send:text"], principals=None)
    of_team = queries.held_by(actor=cast.ana, permissions=["send:text"], principals=[str(team)])

    assert {name for _, name, _ in held.named} >= {"ana", "dora"}
    assert more.count == held.count + 1
    assert [name for _, name, _ in of_team.named] == ["Eva Held"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (sentence(permissions=[]), "Choose at least one thing."),
        (sentence(name=""), "This field is required."),
        (sentence("hours", days=["0"]), "This field is required."),
        (sentence("networks", networks="here"), "These are no networks: here."),
        (sentence(whom="these"), "Name at least one."),
        (sentence(whom="these", people="nobody of the kind"), "Nobody and no key here is called"),
        (sentence(people="dora"), "You named somebody below"),
        (sentence(countries="XX"), "No country is called XX."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    cast: Cast, ana: Client, said: dict[str, Any], told: str
) -> None:
    answer = ana.post("/guardrails/new/", {"reason": "Kept words", **said})

    assert answer.status_code == 400
    assert told in plain(answer.content)
    assert "Kept words" in answer.content.decode()
    assert ana.post("/guardrails/save/", said).status_code == 400
    assert standing(cast) == []


def test_a_sentence_takes_no_values_of_another(cast: Cast, ana: Client) -> None:
    assert ana.post("/guardrails/save/", sentence(networks="10.0.0.0/8")).status_code == 400
    assert ana.post("/guardrails/save/", sentence("nothing")).status_code == 404
    assert standing(cast) == []


def test_a_guardrail_is_changed_in_one(cast: Cast, ana: Client) -> None:
    ana.post("/guardrails/save/", sentence(numbers=[NUMBER]))
    [before] = standing(cast)
    form = ana.get(f"/guardrails/{before.id}/change/").content.decode()
    assert f'value="{NUMBER}" id="id_numbers_0" checked' in form

    ana.post("/guardrails/save/", sentence(name="Wider", instead_of=before.id))

    [after] = standing(cast)
    assert (after.name, after.scope) == ("Wider", Scope())


def test_a_changed_guardrail_holds_whom_it_held_though_others_are_called_so(
    cast: Cast, ana: Client
) -> None:
    n = next(_numbers)
    role = access.create_role(actor=cast.ana, name=f"Ventas {n}", cells={"number:read": Reach.ALL})
    twins = [
        accounts.add_person(actor=cast.ana, email=f"juan{i}.{n}@rules.example", name=f"Juan {n}")
        for i in range(2)
    ]
    access.create_guardrail(
        actor=cast.ana,
        name="Rule",
        kind=GuardrailKind.DENY,
        permissions=["send:text"],
        principals=[role, *twins],
    )
    [before] = standing(cast)
    access.create_team(actor=cast.ana, name=f"Ventas {n}")
    form = ana.get(f"/guardrails/{before.id}/change/").content.decode()
    [lines] = re.findall(r'<textarea name="people"[^>]*>\s*(.*?)</textarea>', form, re.S)

    said = sentence(whom="these", people=lines, instead_of=before.id)
    answer = ana.post("/guardrails/save/", said)

    assert answer.status_code == 302
    [after] = standing(cast)
    assert after.id != before.id
    assert after.principals == before.principals
    # In a new one the name means several, and is asked about.
    new = sentence(whom="these", people=f"Ventas {n}")
    assert "Several here are called" in ana.post("/guardrails/new/", new).content.decode()


def test_what_another_has_changed_meanwhile_is_not_written_over(cast: Cast, ana: Client) -> None:
    ana.post("/guardrails/save/", sentence())
    [before] = standing(cast)
    ana.post("/guardrails/save/", sentence(name="Theirs", instead_of=before.id))

    late = ana.post("/guardrails/save/", sentence(name="Mine", instead_of=before.id))

    assert late.status_code == 400
    assert "meanwhile" in plain(late.content)
    assert "Mine" in late.content.decode()
    assert [one.name for one in standing(cast)] == ["Theirs"]


def test_what_a_form_cannot_hold_is_not_lost_by_saving_it(cast: Cast, ana: Client) -> None:
    windows = (Hours(frozenset({0}), 0, 60), Hours(frozenset({1}), 0, 60))
    guardrail = access.create_guardrail(
        actor=cast.ana, name="Two", kind=GuardrailKind.HOURS, permissions=["send:*"], hours=windows
    )
    binding = access.create_binding(
        actor=cast.ana,
        principal=cast.dora.principal,
        role=cast.role("Analyst"),
        scope=Scope(labels=frozenset({"vip"})),
    )

    assert ana.get(f"/guardrails/{guardrail}/change/").status_code == 409
    assert (
        ana.get(f"/people/{cast.dora.principal}/give/", {"instead": str(binding)}).status_code
        == 409
    )
    access.revoke_binding(actor=cast.ana, binding=binding)


def test_it_is_taken_away_after_one_has_seen_whom_it_held(cast: Cast, ana: Client) -> None:
    ana.post("/guardrails/save/", sentence())
    [made] = standing(cast)

    assert "It holds" in plain(ana.get(f"/guardrails/{made.id}/retire/").content)
    assert standing(cast)
    ana.post(f"/guardrails/{made.id}/retire/", {"reason": "Over"})

    assert standing(cast) == []
    assert ana.get(f"/guardrails/{made.id}/retire/").status_code == 404


def test_a_person_called_like_a_built_in_role_keeps_their_name_in_every_language(
    cast: Cast, ana: Client
) -> None:
    called = accounts.add_person(actor=cast.ana, email="support@names.example", name="Support")
    access.create_guardrail(
        actor=cast.ana,
        name="Both",
        kind=GuardrailKind.DENY,
        permissions=["send:text"],
        principals=[called, cast.role("Agent")],
    )

    shown = plain(ana.get("/guardrails/", headers={"accept-language": "es"}).content)

    assert "Agente, Support" in shown


def test_it_leads_back_to_the_page_it_stands_on(cast: Cast, ana: Client) -> None:
    for entry, page in ((ENTER_GATEWAY, "/coming-in/"), ("send:text", "/guardrails/")):
        made = access.create_guardrail(
            actor=cast.ana,
            name="Back",
            kind=GuardrailKind.NETWORKS,
            permissions=[entry],
            networks=("127.0.0.0/8",),
        )
        shown = ana.get(f"/guardrails/{made}/retire/").content.decode()

        assert f'quiet" href="{page}"' in shown


def test_nobody_makes_a_guardrail_that_nobody_could_lift(cast: Cast, ana: Client) -> None:
    told = ana.post("/guardrails/save/", sentence(permissions=["guardrail:update"]))

    assert told.status_code == 400
    assert "Nobody could take this guardrail away again" in plain(told.content)
    team = access.create_team(actor=cast.ana, name="Owners")
    access.set_team_members(actor=cast.ana, team=team, members=[cast.ana.principal])
    for whom in ([cast.ana.principal], [team]):
        with pytest.raises(LocksItselfIn):
            access.create_guardrail(
                actor=cast.ana,
                name="Shut in",
                kind=GuardrailKind.REQUIRE_CONSENT,
                permissions=["guardrail:*"],
                principals=whom,
            )
    # Of others one may, and what can be met one may.
    access.create_guardrail(
        actor=cast.ana,
        name="Not Beto",
        kind=GuardrailKind.DENY,
        permissions=["guardrail:update"],
        principals=[cast.beto.principal],
    )


def holding(cast: Cast, *permissions: str, **where: object) -> Actor:
    n = next(_numbers)
    address = f"holder{n}@rules.example"
    member = accounts.add_person(actor=cast.ana, email=address, name=f"Rules {n}")
    cells = dict.fromkeys(permissions, Reach.ALL)
    role = access.create_role(actor=cast.ana, name=f"Rules {n}", cells=cells)
    access.create_binding(actor=cast.ana, principal=member, role=role, **where)
    return Actor(cast.workspace, member, cast.ana.at)


def test_b3_3_nobody_lifts_or_weakens_what_holds_them(cast: Cast) -> None:
    me = holding(cast, "guardrail:update", "limit:update", "send:text")
    guardrail = access.create_guardrail(
        actor=cast.ana,
        name="Me",
        kind=GuardrailKind.DENY,
        permissions=["send:text"],
        principals=[me.principal],
    )
    limit = access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.PRINCIPAL,
        holder=me.principal,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=5,
    )
    weaker: dict[str, Any] = {
        "name": "Me",
        "kind": GuardrailKind.DENY,
        "permissions": ["send:image"],
    }
    more: dict[str, Any] = {
        "holder_kind": HolderKind.PRINCIPAL, "holder": me.principal,
        "metric": Metric.MESSAGES, "per": Per.DAY, "amount": 5000,
    }  # fmt: skip

    with pytest.raises(OwnAccess):
        access.retire_guardrail(actor=me, guardrail=guardrail)
    with pytest.raises(OwnAccess):
        access.replace_guardrail(actor=me, guardrail=guardrail, **weaker)
    with pytest.raises(OwnAccess):
        access.replace_limit(actor=me, limit=limit, **more)

    assert [one.id for one in standing(cast)] == [str(guardrail)]
    assert [(one.id, one.amount) for one in counted(cast)] == [(str(limit), 5)]


def test_b3_3_a_right_at_one_number_makes_no_rule_for_the_workspace(cast: Cast) -> None:
    me = holding(cast, "guardrail:update", "limit:update", scope=Scope(numbers=frozenset({NUMBER})))
    client = signed_in(Person.objects.get(email=f"holder{next(_numbers) - 1}@rules.example"))

    assert client.get("/guardrails/new/").status_code == 403
    assert client.post("/guardrails/save/", sentence()).status_code == 403
    assert client.post("/limits/save/", limit_said()).status_code == 403
    assert (standing(cast), counted(cast)) == ([], [])
    assert me.principal


def test_who_may_read_roles_may_read_the_rules_and_not_change_them(cast: Cast) -> None:
    holding(cast, "role:read")
    client = signed_in(Person.objects.get(email=f"holder{next(_numbers) - 1}@rules.example"))

    assert client.get("/guardrails/").status_code == client.get("/limits/").status_code == 200
    assert b"/guardrails/new/" not in client.get("/guardrails/").content
    assert client.get("/guardrails/new/").status_code == 403


def limit_said(**more: object) -> dict[str, Any]:
    return {"amount": "500", "metric": "messages", "per": "day", "whose": "workspace", **more}


def test_a_limit_is_set_changed_and_taken_away(cast: Cast, ana: Client) -> None:
    assert ana.post("/limits/save/", limit_said(reason="Sale")).status_code == 302
    [made] = counted(cast)
    assert (made.holder_kind, made.metric, made.per, made.amount) == (
        HolderKind.WORKSPACE, Metric.MESSAGES, Per.DAY, 500,
    )  # fmt: skip
    assert "500 messages a day, in the whole workspace" in plain(ana.get("/limits/").content)

    again = limit_said(instead_of=made.id, amount="7", permissions=["send:text"])
    assert f'value="{made.id}"' in ana.get(f"/limits/{made.id}/change/").content.decode()
    ana.post("/limits/save/", again)
    [after] = counted(cast)
    assert (after.amount, after.permissions) == (7, {"send:text"})
    assert "taken away or changed meanwhile" in plain(ana.post("/limits/save/", again).content)
    assert counted(cast) == [after]

    ana.post(f"/limits/{after.id}/retire/", {})
    assert counted(cast) == []


def test_a_limit_hangs_on_whoever_is_named(cast: Cast, ana: Client) -> None:
    accounts.create_service_account(actor=cast.ana, name="orders", accountable=cast.beto.principal)
    for one in ("orders", "dora@example.com"):
        assert ana.post("/limits/save/", limit_said(whose="one", one=one)).status_code == 302

    shown = plain(ana.get("/limits/").content)
    assert {one.holder_kind for one in counted(cast)} == {HolderKind.PRINCIPAL}
    assert "orders" in shown
    assert "dora" in shown


def test_a_limit_hangs_on_a_role_that_was_given(cast: Cast, ana: Client) -> None:
    binding = access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=cast.role("Support")
    )
    page = ana.get("/limits/new/", {"binding": str(binding)}).content.decode()
    assert "One role that was given" in page

    ana.post("/limits/save/", limit_said(whose="binding", binding=str(binding)))

    [made] = counted(cast)
    assert (made.holder_kind, made.holder) == (HolderKind.BINDING, str(binding))
    assert ana.get(f"/limits/{made.id}/change/").status_code == 200
    assert ana.get("/limits/new/", {"binding": str(cast.workspace)}).status_code == 404


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (limit_said(amount="-1"), "greater than or equal to 0"),
        (limit_said(amount=""), "This field is required."),
        (limit_said(metric="money"), "money is not one of the available choices"),
        (limit_said(metric="recipients", per="second"), "counted by the hour or by the day"),
        (limit_said(whose="one"), "Name whose it is."),
        (limit_said(whose="one", one="nobody here"), "Nobody and no key here is called"),
        (limit_said(whose="binding"), "binding is not one of the available choices"),
    ],
)
def test_what_is_wrong_with_a_limit_is_said(
    cast: Cast, ana: Client, said: dict[str, Any], told: str
) -> None:
    answer = ana.post("/limits/save/", said)

    assert answer.status_code == 400
    assert told in plain(answer.content)
    assert counted(cast) == []


def test_a_limit_shows_what_is_used_of_it_today(
    cast: Cast, ana: Client, shared_database: Database
) -> None:
    ana.post("/limits/save/", limit_said(amount="12"))
    [made] = counted(cast)
    with in_workspace(cast.workspace):
        zone = ZoneInfo(Workspace.objects.get(id=cast.workspace).timezone)
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(shared_database.dsn()) as connection:
        for starts, used in ((today, 12), (today - timedelta(days=1), 3)):
            row = {"workspace_id": cast.workspace, "limit_id": made.id, "starts": starts}
            insert(connection, "limit_use", {**row, "used": used})

    page = ana.get("/limits/").content.decode()

    assert "12 of 12 used" in plain(page.encode())
    assert 'data-tone="stop"' in page


def test_a_rule_that_cannot_be_is_refused_by_the_service_too(cast: Cast) -> None:
    with pytest.raises(InvalidRule):
        access.create_guardrail(
            actor=cast.ana, name="Empty", kind=GuardrailKind.HOURS, permissions=["send:text"]
        )


def test_before_a_limit_holds_one_sees_whom_and_who_is_over_it(
    cast: Cast, ana: Client, shared_database: Database
) -> None:
    bot = accounts.create_service_account(
        actor=cast.ana, name="counted bot", accountable=cast.ana.principal
    )
    role = access.create_role(actor=cast.ana, name="Counted", cells={"send:text": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=bot, role=role)
    for n in range(3):
        made = accounts.create_key(actor=cast.ana, service_account=bot, name=f"counted {n}")
    accounts.revoke_key(actor=cast.ana, key=made.id)
    one = ana.post("/limits/new/", limit_said(whose="one", one="counted bot"))
    alone = ana.post("/limits/new/", limit_said(whose="one", one="counted 0"))
    everybody = ana.post("/limits/new/", limit_said())

    assert (one.status_code, alone.status_code, everybody.status_code) == (200, 200, 200)
    assert "It holds one person or account" in plain(one.content)
    assert "2 keys that can be used come under it." in plain(one.content)
    assert "One key that can be used comes under it." in plain(alone.content)
    assert "person or account" not in plain(alone.content)
    assert "people and accounts" in plain(everybody.content)
    assert "used since" not in plain(everybody.content)
    assert "500 messages a day, for counted bot" in plain(one.content)
    assert "500 messages a day, with the key counted 0" in plain(alone.content)
    assert 'name="amount" value="500"' in one.content.decode(), "what was written is kept"
    assert counted(cast) == []


def test_a_limit_that_is_made_smaller_says_that_today_is_over_it(
    cast: Cast, ana: Client, shared_database: Database
) -> None:
    ana.post("/limits/save/", limit_said(amount="12"))
    [made] = counted(cast)
    with in_workspace(cast.workspace):
        zone = ZoneInfo(Workspace.objects.get(id=cast.workspace).timezone)
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(shared_database.dsn()) as connection:
        row = {"workspace_id": cast.workspace, "limit_id": made.id, "starts": today}
        insert(connection, "limit_use", {**row, "used": 7})

    below = ana.post("/limits/new/", limit_said(instead_of=made.id, amount="5"))
    above = ana.post("/limits/new/", limit_said(instead_of=made.id, amount="9"))

    assert "Over it already: 7 are used" in plain(below.content)
    assert "Not over it: 7 are used" in plain(above.content)
    assert [one.amount for one in counted(cast)] == [12]
