"""Search and the palette find what somebody may see, and say nothing of the rest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.workspaces import services as workspaces
from portero.engine import Reach, Scope

VENTAS, COBROS = "106540352242922", "106540352242933"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        for actor in (made.ana, made.dora):
            with_an_app(person_of(actor))
        waba = workspaces.add_waba(actor=made.ana, meta_id="102290129340398", name="Andina")
        for meta_id, name in ((VENTAS, "Ventas Norte"), (COBROS, "Cobros Norte")):
            workspaces.add_number(
                actor=made.ana, waba=waba, meta_id=meta_id, display="+52 55 1234", name=name,
                country="MX",
            )  # fmt: skip
        access.create_team(actor=made.ana, name="Equipo Norte")
        access.create_role(actor=made.ana, name="Turno Norte", cells={"send:text": Reach.OWN})
        accounts.add_person(actor=made.ana, email="norte@example.com", name="Nora Norte")
        accounts.create_service_account(
            actor=made.ana, name="bot-norte", accountable=made.beto.principal
        )
        yield made


def holding(cast: Cast, *permissions: str, scope: Scope | None = None) -> Client:
    """Somebody new with a role that gives just this."""
    return signed_in(person_of(somebody(cast, *permissions, scope=scope)))


def somebody(cast: Cast, *permissions: str, scope: Scope | None = None) -> Actor:
    name = f"Seeker {next(_numbers)}"
    address = f"{name.replace(' ', '').lower()}@search.example"
    member = accounts.add_person(actor=cast.ana, email=address, name=name)
    role = access.create_role(
        actor=cast.ana, name=f"Gives {name}", cells=dict.fromkeys(permissions, Reach.ALL)
    )
    access.create_binding(
        actor=cast.ana, principal=member, role=role, **({"scope": scope} if scope else {})
    )
    with_an_app(Person.objects.get_by_natural_key(address))
    return replace(cast.ana, principal=member)


def found(client: Client, typed: str) -> dict[str, list[str]]:
    """What is found, by shelf."""
    answer = client.get("/search/", {"q": typed}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    page = answer.content.decode()
    shelves = re.findall(r'<section class="shelf" aria-label="([^"]+)">(.*?)</section>', page, re.S)
    return {title: re.findall(r"<span>([^<]+)</span>", shelf) for title, shelf in shelves}


def test_an_owner_finds_everything_by_part_of_its_name(cast: Cast) -> None:
    assert found(signed_in(person_of(cast.ana)), "norte") == {
        "People": ["bot-norte", "Equipo Norte", "Nora Norte"],
        "Roles": ["Turno Norte"],
        "Numbers": ["Cobros Norte", "Ventas Norte"],
    }


@pytest.mark.parametrize(
    ("permissions", "shelves"),
    [
        (("member:read",), {"People"}),
        (("role:read",), {"Roles"}),
        (("number:read",), {"Numbers"}),
        (("access:explain",), set()),
        (("audit:read", "role:read", "number:read"), {"Roles", "Numbers"}),
    ],
)
def test_r24_one_finds_only_what_one_s_permissions_open(
    cast: Cast, permissions: tuple[str, ...], shelves: set[str]
) -> None:
    assert set(found(holding(cast, *permissions), "norte")) == shelves


def test_r24_a_number_outside_one_s_scope_is_not_there(cast: Cast) -> None:
    there = Scope(numbers=frozenset({VENTAS}))

    assert found(holding(cast, "number:read", scope=there), "norte") == {
        "Numbers": ["Ventas Norte"]
    }


def test_r24_a_search_for_the_hidden_answers_as_one_for_nothing(cast: Cast) -> None:
    dora = signed_in(person_of(cast.dora))
    nobody, hidden = (
        dora.get("/search/", {"q": typed}, headers={"HX-Request": "true"}).content.decode()
        for typed in ("Nora Suerte", "Nora Norte")
    )

    assert nobody.replace("Nora Suerte", "Nora Norte") == hidden


def test_nothing_of_another_workspace_is_found(cast: Cast) -> None:
    accounts.add_person(actor=cast.carla, email="lejos@example.com", name="Lejana Ajena")

    assert found(signed_in(person_of(cast.ana)), "Ajena") == {}


def test_pages_and_actions_are_those_whose_doors_open(cast: Cast) -> None:
    everything = found(signed_in(person_of(cast.ana)), "")["Go to"]
    little = found(holding(cast, "role:read"), "")["Go to"]

    assert {"Invite people", "New role", "People", "Where you are signed in"} <= set(everything)
    assert "Roles" in little
    assert {"Invite people", "New role", "People", "Activity"} & set(little) == set()


def test_accents_and_case_do_not_matter(cast: Cast) -> None:
    ana = signed_in(person_of(cast.ana))
    ana.cookies["django_language"] = "es"
    answer = ana.get(
        "/search/", {"q": "DONDE SESION"}, headers={"HX-Request": "true", "Accept-Language": "es"}
    )

    assert "Dónde tienes sesión" in answer.content.decode()


def test_a_sentence_of_the_catalogue_leads_to_who_can_do_it(cast: Cast) -> None:
    answer = signed_in(person_of(cast.ana)).get("/search/", {"q": "delete media"})

    assert 'href="/who/?what=media%3Adelete"' in answer.content.decode()


def test_a_number_leads_to_a_page_that_answers(cast: Cast) -> None:
    for client in (signed_in(person_of(cast.ana)), holding(cast, "number:read")):
        page = client.get("/search/", {"q": "Ventas"}).content.decode()
        [address] = re.findall(r'href="([^"]+number=[^"]+)" data-found', page)

        assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_more_than_fits_is_said_and_not_counted(cast: Cast) -> None:
    for n in range(9):
        accounts.add_person(actor=cast.ana, email=f"many{n}@example.com", name=f"Many {n}")

    page = signed_in(person_of(cast.ana)).get("/search/", {"q": "Many"}).content.decode()

    assert page.count("<span>Many ") == 7
    assert "There are more" in page


@pytest.mark.parametrize("typed", ["\0", "%", "_", "' OR 1=1 --", "<b>", "a" * 5000, "\ud800"])
def test_whatever_is_typed_is_only_text(cast: Cast, typed: str) -> None:
    answer = signed_in(person_of(cast.ana)).get(
        "/search/", {"q": typed.encode("utf-8", "surrogatepass")}
    )

    assert answer.status_code == 200
    assert b"<b>" not in answer.content.replace(b"<b>Tienda Andina</b>", b"")


def test_the_palette_is_on_every_page_and_not_through_a_lens(cast: Cast) -> None:
    assert b'id="palette"' in signed_in(person_of(cast.ana)).get("/people/").content
