"""Who is here and what they may do, as the pages tell it and as the rows of the policy say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.models import Principal
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces import services as workspaces
from portero.engine import (
    ENTER_CONSOLE,
    PERMISSIONS,
    Conditions,
    Guardrail,
    GuardrailKind,
    Hours,
    Reach,
    Scope,
)


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", plain).replace("&#x27;", "'")


def test_a_person_s_page_says_what_where_when_until_when_and_through_what(
    cast: Cast, ana: Client
) -> None:
    waba = workspaces.add_waba(actor=cast.ana, meta_id="102290129340398", name="Andina")
    workspaces.add_number(
        actor=cast.ana, waba=waba, meta_id="106540352242922", display="+1 555", name="Ventas",
        country="MX",
    )  # fmt: skip
    eva = accounts.add_person(actor=cast.ana, email="eva@example.com", name="Eva Núñez")
    team = access.create_team(actor=cast.ana, name="Reparto")
    role = access.create_role(
        actor=cast.ana,
        name="Repartidora",
        cells={"send:location": Reach.OWN, "call:place": Reach.TEAM},
    )
    access.create_binding(
        actor=cast.ana,
        principal=team,
        role=role,
        scope=Scope(numbers=frozenset({"106540352242922"}), countries=frozenset({"MX"})),
        conditions=Conditions(
            hours=(Hours(frozenset({0, 1}), 540, 1080),), networks=("10.0.0.0/8",)
        ),
        until=datetime.now(UTC) + timedelta(days=30),
    )
    access.set_team_members(actor=cast.ana, team=team, members=[eva])

    shown = text_of(ana, f"/people/{eva}/")

    assert "May do 2 things" in shown
    assert "in Reparto" in shown
    row = shown[shown.index("Send a location") :]
    assert "Own Repartidora · through Reparto · numbers: Ventas · countries: MX" in row
    assert "Mon Tue 09:00-18:00 · from 10.0.0.0/8 · until" in row
    assert "Team Repartidora" in shown[shown.index("Call customers") :]


def test_a_role_of_the_workspace_s_own_is_called_as_it_is(cast: Cast, ana: Client) -> None:
    role = access.create_role(actor=cast.ana, name="People", cells={"send:text": Reach.OWN})
    eva = accounts.add_person(actor=cast.ana, email="own@names.example", name="Own")
    access.create_binding(actor=cast.ana, principal=eva, role=role)

    page = ana.get(f"/people/{eva}/", headers={"accept-language": "es"}).content.decode()

    assert page.count(f'href="/roles/{role}/">People</a>') == 2


def test_every_permission_of_a_role_is_on_the_page_and_no_other(cast: Cast, ana: Client) -> None:
    from portero.domain.access.services.builtin_roles import BUILTIN_ROLES

    page = ana.get(f"/people/{cast.dora.principal}/").content.decode()
    shown = set(re.findall(r'<span class="key">([a-z_]+:[a-z_]+)</span>', page))

    assert shown == {p for p, reach in BUILTIN_ROLES["Agent"].items() if reach > Reach.NONE}


def test_an_owner_s_page_shows_everything(cast: Cast, ana: Client) -> None:
    page = ana.get(f"/people/{cast.ana.principal}/").content.decode()

    assert set(re.findall(r'<span class="key">([a-z_]+:[a-z_]+)</span>', page)) == set(PERMISSIONS)


def test_a_role_s_page_names_its_cells_and_its_holders_and_compares(
    cast: Cast, ana: Client
) -> None:
    agent, support = cast.role("Agent"), cast.role("Support")
    page = ana.get(f"/roles/{agent}/?beside={support}").content.decode()

    assert "dora" in page
    reaches = re.findall(r'data-reach="([a-z]+)"', page)
    assert len(reaches) == 2 * len(PERMISSIONS)
    same = page.count('<tr class="same">')
    assert 0 < same < len(PERMISSIONS)


def test_what_is_another_workspace_s_is_not_found(cast: Cast, ana: Client) -> None:
    assert ana.get(f"/people/{cast.carla.principal}/").status_code == 404
    assert "Nobody here has “carla” in the name." in text_of(ana, "/people/?q=carla")
    assert "carla" not in text_of(ana, "/people/")


def test_a_long_list_comes_in_pages_and_each_name_once(cast: Cast, ana: Client) -> None:
    for n in range(60):
        accounts.add_person(actor=cast.ana, email=f"p{n}@example.com", name=f"Persona {n % 7}")
    seen: list[str] = []
    after = None
    while True:
        page = queries.members(cast.workspace, after=after)
        seen += [str(one.id) for one in page.members]
        after = page.following
        if after is None:
            break

    assert len(seen) == len(set(seen)) >= 63
    first = ana.get("/people/").content.decode()
    [more] = re.findall(r'href="(\?q=&amp;[^"]+)"', first)
    second = ana.get("/people/" + more.replace("&amp;", "&")).content.decode()
    links = re.compile(r'href="/people/([0-9a-f-]{36})/"')
    assert not set(links.findall(first)) & set(links.findall(second))


def test_who_has_no_second_factor_is_marked(cast: Cast, ana: Client) -> None:
    before = text_of(ana, "/people/?q=beto")
    with_an_app(person_of(cast.beto))

    assert "No second factor" in before
    assert "No second factor" not in text_of(ana, "/people/?q=beto")


def test_a_person_s_page_says_when_they_were_here_and_with_which_factor(
    cast: Cast, ana: Client
) -> None:
    member = accounts.add_person(actor=cast.ana, email="luz@here.example", name="Luz Here")
    person = Person.objects.get_by_natural_key("luz@here.example")
    before = text_of(ana, f"/people/{member}/")
    assert "Second factor No second factor" in before
    assert "Last seen" not in before

    with_an_app(person)
    for _ in range(2):
        signed_in(person).get("/requests/")

    shown = text_of(ana, f"/people/{member}/")
    assert "Second factor App with codes" in shown
    assert re.search(r"Last seen here \S.* · in 2 browsers", shown)
    assert re.search(r"Luz Here luz@here.example .*?last seen \d", text_of(ana, "/people/?q=luz"))


def test_what_somebody_does_in_another_workspace_is_not_told_here(cast: Cast, ana: Client) -> None:
    here = accounts.add_person(actor=cast.ana, email="uma@both.example", name="Uma Both")
    accounts.add_person(actor=cast.carla, email="uma@both.example", name="Uma Both")
    person = Person.objects.get_by_natural_key("uma@both.example")
    with_an_app(person)
    visitor = signed_in(person)
    # She signs in, which is of no workspace, and works in the other one alone.
    visitor.post("/workspaces/", {"workspace": str(cast.carla.workspace)})
    with in_workspace(cast.ana.workspace):
        Principal.objects.filter(id=here).update(seen_at=None)  # the choice was made from here
    visitor.get("/requests/")

    assert "Last seen" not in text_of(ana, f"/people/{here}/")
    assert "last seen" not in text_of(ana, "/people/?q=uma")
    assert "They are not signed in here now." in text_of(ana, f"/people/{here}/end-sessions/")
    rule = Guardrail(
        "", "", GuardrailKind.NETWORKS, frozenset({ENTER_CONSOLE}), networks=("203.0.113.0/24",)
    )
    named = queries.kept_outside(actor=cast.ana, rule=rule).named
    assert here not in [who for who, _name, _address in named]

    visitor.post("/workspaces/", {"workspace": str(cast.ana.workspace)})
    visitor.get("/requests/")

    assert re.search(r"Last seen here \S.* · in one browser", text_of(ana, f"/people/{here}/"))
    named = queries.kept_outside(actor=cast.ana, rule=rule).named
    assert here in [who for who, _name, _address in named]


def test_a_person_of_many_bindings_is_told_page_by_page(cast: Cast, ana: Client) -> None:
    member = accounts.add_person(actor=cast.ana, email="many@here.example", name="Many Roles")
    role = access.create_role(actor=cast.ana, name="Many", cells={"send:text": Reach.ALL})
    made = {
        str(
            access.create_binding(
                actor=cast.ana,
                principal=member,
                role=role,
                scope=Scope(wabas=frozenset({f"l{n}"})),
            )
        )
        for n in range(53)
    }
    ended = re.compile(r'href="/bindings/([0-9a-f-]{36})/end/"')
    page = ana.get(f"/people/{member}/").content.decode()

    assert len(ended.findall(page)) == 50
    [more] = re.findall(r'href="(\?after=[^"]+)"', page)
    second = ana.get(f"/people/{member}/{more}").content.decode()
    assert {*ended.findall(page), *ended.findall(second)} == made
    assert page.count("WhatsApp accounts: ") == 50 + 3
    assert "and 50 more" in page

    ways = ana.get(f"/people/{member}/?what=send%3Atext").content.decode()
    [more] = re.findall(r'href="(\?what=[^"]+&amp;after=[^"]+)"', ways)
    last = ana.get(f"/people/{member}/" + more.replace("&amp;", "&")).content.decode()
    assert ways.count("WhatsApp accounts: ") == 50 + 50
    assert last.count("WhatsApp accounts: ") == 50 + 3


@pytest.mark.parametrize("query", ["?behind=x&name=a", "?behind=&name="])
def test_a_strange_place_in_the_list_is_not_found(ana: Client, query: str) -> None:
    assert ana.get(f"/people/{query}").status_code == 404


def test_what_is_of_no_use_at_a_place_is_not_what_somebody_may_do(cast: Cast, ana: Client) -> None:
    """The door of new keys asks for no number, so a role given at one does not open it."""
    eva = accounts.add_person(actor=cast.ana, email="narrow@here.example", name="Narrow Role")
    cells = {"send:text": Reach.ALL, "api_key:create": Reach.ALL, "template:read": Reach.ALL}
    role = access.create_role(actor=cast.ana, name="Narrow", cells=cells)
    here = Scope(numbers=frozenset({"106540352242922"}), countries=frozenset({"MX"}))
    access.create_binding(actor=cast.ana, principal=eva, role=role, scope=here)

    shown = text_of(ana, f"/people/{eva}/")

    assert "May do one thing" in shown
    works, idle = shown.split("At such a place these do nothing")
    assert "send:text" in works
    assert "api_key:create" not in works
    assert "api_key:create" in idle
    assert "template:read" in idle
    assert "send:text" not in idle
    assert "May do" not in text_of(ana, f"/people/{eva}/?what=api_key:create")
