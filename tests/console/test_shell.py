"""The frame: where one may go is what one's doors open, and where one is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.console import shell
from portero.console.doors import declared
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.engine import Reach

_numbers = itertools.count(1)
_LINE = re.compile(r'<li><a href="([^"]+)"(?: aria-current="(page|true)")?>')


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        with_an_app(person_of(made.ana))
        yield made


def places_of(client: Client, url: str) -> dict[str, str]:
    """The addresses of the navigation, with what each says about being the place one is at."""
    page = client.get(url).content.decode()
    assert '<nav class="places"' in page
    nav = page[page.index('<nav class="places"') :]
    return dict(_LINE.findall(nav[: nav.index("</nav>")]))


def holding(cast: Cast, *permissions: str) -> Client:
    """Somebody new with a role that gives just this."""
    name = f"holder {next(_numbers)}"
    address = f"{name.replace(' ', '')}@shell.example"
    member = accounts.add_person(actor=cast.ana, email=address, name=name)
    cells = dict.fromkeys(permissions, Reach.ALL)
    role = access.create_role(actor=cast.ana, name=name, cells=cells)
    access.create_binding(actor=cast.ana, principal=member, role=role)
    person = Person.objects.get_by_natural_key(address)
    with_an_app(person)
    return signed_in(person)


def test_an_owner_sees_every_place(cast: Cast) -> None:
    shown = places_of(signed_in(person_of(cast.ana)), "/people/")

    assert list(shown) == [reverse(place.route) for place in shell.PLACES]


@pytest.mark.parametrize("place", shell.PLACES, ids=lambda place: place.route)
def test_a_place_is_shown_to_whom_its_own_door_opens_and_to_nobody_else(
    cast: Cast, place: shell.Place
) -> None:
    permission = declared()[place.route]["GET"].permission
    if permission is None:  # a place of every member's, whatever they hold
        assert reverse(place.route) in places_of(holding(cast, "role:read"), "/roles/")
        return
    other, url = next(
        (one, reverse(route))
        for one, route in (("role:read", "console:roles"), ("member:read", "console:people"))
        if one != permission
    )

    assert reverse(place.route) in places_of(holding(cast, permission, other), url)
    assert reverse(place.route) not in places_of(holding(cast, other), url)


def test_the_place_one_is_at_is_marked_also_on_the_pages_within(cast: Cast) -> None:
    ana = signed_in(person_of(cast.ana))

    at = {
        url: {to: here for to, here in places_of(ana, url).items() if here}
        for url in ("/", "/people/", f"/people/{cast.dora.principal}/", "/why/", "/who/")
    }

    assert at == {
        "/": {"/": "page"},
        "/people/": {"/people/": "page"},
        f"/people/{cast.dora.principal}/": {"/people/": "true"},
        "/why/": {"/why/": "page"},
        "/who/": {"/why/": "true"},
    }


@pytest.mark.parametrize(("count", "shown"), [(0, None), (7, "7"), (99, "99"), (100, "99+")])
def test_what_waits_stands_beside_its_place(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, count: int, shown: str | None
) -> None:
    asked: list[Actor] = []

    def counter(actor: Actor) -> int:
        asked.append(actor)
        return count

    people = shell.Place("People", "console:people", shell.Group.ACCESS, "people", counter=counter)  # type: ignore[arg-type]
    monkeypatch.setattr(shell, "PLACES", (people,))

    page = signed_in(person_of(cast.ana)).get("/people/").content.decode()

    assert re.findall(r'<span class="count">([^<]+)</span>', page) == ([shown] if shown else [])
    assert [one.principal for one in asked] == [cast.ana.principal]
