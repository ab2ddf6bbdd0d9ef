"""A control to a door that is shut says so, why, who could give what it takes, and how to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from typing import Any

import pytest
from django.test import Client
from typing_extensions import override

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from portero.console.doors import Opens, declared
from portero.domain.access import services as access
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Record, in_workspace
from portero.engine import Reach

_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


def holder(cast: Cast, *permissions: str) -> Client:
    """Somebody who holds these and nothing else."""
    n = next(_numbers)
    role = access.create_role(
        actor=cast.ana, name=f"Controls {n}", cells=dict.fromkeys(permissions, Reach.ALL)
    )
    member = accounts.add_person(actor=cast.ana, email=f"{n}@controls.example", name=f"C {n}")
    access.create_binding(actor=cast.ana, principal=member, role=role)
    return signed_in(person_of(replace(cast.ana, principal=member)))


class Links(HTMLParser):
    """The links of a page, shut ones apart."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.open: set[str] = set()
        self.shut: set[str] = set()
        self.feed(answer.content.decode())

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            classes = (given.get("class") or "").split()
            (self.shut if "closed" in classes else self.open).add(given.get("href") or "")


@pytest.mark.parametrize(
    ("page", "sees", "needed", "leads"),
    [
        ("/guardrails/", "role:read", "guardrail:update", "/guardrails/new/"),
        ("/limits/", "role:read", "limit:update", "/limits/new/"),
        ("/roles/", "role:read", "role:update", "/roles/new/"),
        ("/people/", "member:read", "member:invite", "/people/invite/"),
        ("/people/", "member:read", "team:manage_members", "/teams/new/"),
        ("/coming-in/", "role:read", "guardrail:update", "/coming-in/networks/"),
    ],
)
def test_a_control_is_open_to_whom_its_door_is(
    cast: Cast, page: str, sees: str, needed: str, leads: str
) -> None:
    shut, opened = (Links(holder(cast, *held).get(page)) for held in ([sees], [sees, needed]))

    why = f"/closed/?permission={needed.replace(':', '%3A')}"
    assert leads not in shut.open
    assert why in shut.shut
    assert leads in opened.open
    assert why not in opened.shut


@pytest.mark.parametrize("part", [True, False])
def test_a_shut_control_says_what_is_missing_who_has_it_and_how_to_ask(
    cast: Cast, *, part: bool
) -> None:
    visitor = holder(cast, "role:read")
    headers = {"HX-Request": "true"} if part else {}
    answer = visitor.get("/closed/", {"permission": "guardrail:update"}, headers=headers)
    told = answer.content.decode()

    assert answer.status_code == 200
    assert "Create and change guardrails" in told
    assert "Who can give it to you: ana" in told.replace("Ana", "ana")
    assert "/requests/new/?permission=guardrail%3Aupdate" in told
    assert ("<!doctype" not in told) is part


def test_to_read_why_something_is_shut_is_no_knock(cast: Cast) -> None:
    visitor = holder(cast, "role:read")
    with in_workspace(cast.ana.workspace):
        before = Record.objects.count()
    visitor.get("/closed/", {"permission": "guardrail:update"})

    with in_workspace(cast.ana.workspace):
        assert Record.objects.count() == before


def test_what_is_open_is_not_told_to_be_shut(cast: Cast) -> None:
    owner = signed_in(person_of(cast.ana))

    assert owner.get("/closed/", {"permission": "guardrail:update"}).status_code == 302
    assert owner.get("/closed/", {"permission": "no:such"}).status_code == 404
    assert owner.get("/closed/").status_code == 404


def test_an_owner_sees_no_shut_control(cast: Cast) -> None:
    owner = signed_in(person_of(cast.ana))
    pages = [f"/people/{cast.dora.principal}/", "/people/", "/roles/", "/guardrails/", "/limits/"]

    for page in pages:
        assert Links(owner.get(page)).shut == set(), page


def test_every_permission_of_a_door_can_be_asked_about(cast: Cast) -> None:
    visitor = holder(cast, "audit:read")
    needed = {
        door.permission
        for doors in declared().values()
        for door in doors.values()
        if door.opens is Opens.FOR_MEMBERS and door.permission not in (None, "audit:read")
    }

    assert len(needed) > 5
    for permission in needed:
        assert visitor.get("/closed/", {"permission": permission}).status_code == 200, permission
