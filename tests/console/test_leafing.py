"""Who may not see the people of a workspace does not leaf through them by any other page (R24, T01)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from cast import Cast, playing
from console.test_ways_around import member
from console.visitors import BACKEND, has_shown, person_of, signed_in
from databases import Database
from portero.console.naming import LINES_MAX
from portero.domain.access import queries
from portero.domain.access import services as access
from portero.domain.accounts import queries as people
from portero.domain.accounts import services as accounts
from portero.engine import Reach

GUARDRAIL = {"kind": "deny", "name": "x", "permissions": ["send:text"], "whom": "these"}
LIMIT = {"amount": "1", "metric": "messages", "per": "day", "whose": "one"}


@pytest.fixture
def cast(database: Database) -> Iterator[Cast]:
    with playing(database) as made:
        now = datetime.now(UTC)
        here: dict[str, Any] = {"at": now, "address": "127.0.0.1", "factor_at": now}
        yield replace(
            made,
            **{name: replace(getattr(made, name), **here) for name in ("ana", "beto", "carla")},
        )


def blind(cast: Cast, permission: str) -> Client:
    """Somebody who may do that, and may not see who is here."""
    browser = signed_in(person_of(member(cast, **{permission: Reach.ALL})))
    assert browser.get("/people/").status_code == 403
    return browser


@pytest.mark.parametrize(
    ("permission", "path", "form", "field"),
    [
        ("guardrail__update", "/guardrails/new/", GUARDRAIL, "people"),
        ("guardrail__update", "/coming-in/networks/", {"networks": "10.0.0.0/8"}, "people"),
        ("limit__update", "/limits/new/", LIMIT, "one"),
    ],
)
def test_r24_no_rule_is_a_way_to_leaf_through_people(
    cast: Cast, permission: str, path: str, form: dict[str, Any], field: str
) -> None:
    accounts.add_person(actor=cast.ana, email="z@leafing.example", name="Zacarias Secreto")
    browser = blind(cast, permission)
    form = {**form, "whom": "these"} if field == "people" else form

    for part in ("a", "acarias", "@leafing"):
        page = browser.post(path, {**form, field: part})
        assert page.status_code == 400
        assert "dora" not in page.content.decode()
        assert "Zacarias" not in page.content.decode()

    for whole in ("zacarias secreto", "Z@leafing.example"):
        assert browser.post(path, {**form, field: whole}).status_code == 200, whole
    owners = signed_in(person_of(cast.ana))
    assert owners.post(path, {**form, field: "acarias"}).status_code == 200, "control"


def pages_of_rules(cast: Cast, browser: Client, door: str) -> bytes:
    everybody = {**GUARDRAIL, "whom": "everybody"}
    match door:
        case "role":
            answer = browser.get(f"/roles/{cast.role('Agent')}/")
        case "guardrail":
            answer = browser.post("/guardrails/new/", everybody)
        case "entry":
            form = {"networks": "10.0.0.0/8", "whom": "everybody"}
            answer = browser.post("/coming-in/networks/", form)
        case "limit":
            answer = browser.post("/limits/new/", {**LIMIT, "whose": "workspace"})
        case _:
            answer = browser.get("/who/", {"what": "role:assign"})
    assert answer.status_code == 200
    return bytes(answer.content)


@pytest.mark.parametrize(
    ("door", "permission"),
    [
        ("role", "role__read"),
        ("guardrail", "guardrail__update"),
        ("entry", "guardrail__update"),
        ("limit", "limit__update"),
        ("who", "access__explain"),
    ],
)
def test_r24_no_page_of_rules_names_people_to_who_may_not_see_them(
    cast: Cast, door: str, permission: str
) -> None:
    dora = signed_in(person_of(cast.dora))
    dora.get("/sessions/", REMOTE_ADDR="127.0.0.9")
    assigns = access.create_role(
        actor=cast.ana, name="Gives roles", cells={"role:assign": Reach.ALL}
    )
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=assigns)

    page = pages_of_rules(cast, blind(cast, permission), door)

    assert b"dora" not in page
    assert b"127.0.0.9" not in page
    assert b"dora" in pages_of_rules(cast, signed_in(person_of(cast.ana)), door), "control"


def test_r24_nor_whom_a_change_of_a_role_would_reach(cast: Cast) -> None:
    role = access.create_role(actor=cast.ana, name="Small", cells={"number:read": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=role)
    editor = member(cast, role__update=Reach.ALL)
    cells = {"number:read": Reach.ALL, "waba:read": Reach.ALL}

    blind = queries.if_role_had(actor=editor, role=role, cells=cells)
    seeing = queries.if_role_had(actor=cast.ana, role=role, cells=cells)

    assert (blind.gaining, blind.named) == (1, ())
    assert [one.name for one in seeing.named] == ["dora"], "control"


def test_r24_no_question_about_a_team_lists_people_to_who_may_not_see_them(cast: Cast) -> None:
    team = access.create_team(actor=cast.ana, name="Ventas")
    access.add_to_team(actor=cast.ana, team=team, member=cast.dora.principal)
    asked = {"what": "send:text", "who": "Ventas"}

    page = blind(cast, "access__explain").get("/why/", asked).content.decode()

    assert "dora" not in page
    assert "dora" in signed_in(person_of(cast.ana)).get("/why/", asked).content.decode(), "control"


def in_two_workspaces(cast: Cast) -> tuple[Client, UUID]:
    """Somebody who works in Carla's from 127.0.0.77, and is a member of Ana's, too."""
    carla = person_of(cast.carla)
    here = accounts.add_person(actor=cast.ana, email=carla.email, name="Carla here")
    browser = Client(REMOTE_ADDR="127.0.0.77", headers={"host": "localhost"})
    browser.force_login(carla, backend=BACKEND)
    has_shown(browser, carla, method="mfa", type="totp")
    session = browser.session
    session["workspace"] = str(cast.carla.workspace)
    session.save()
    assert browser.get("/sessions/").status_code == 200
    assert browser.session["workspace"] == str(cast.carla.workspace)
    return browser, here


def test_t01_nobody_sees_from_where_somebody_works_in_another_workspace(cast: Cast) -> None:
    carla, _ = in_two_workspaces(cast)
    owners = signed_in(person_of(cast.ana))
    form = {"networks": "10.0.0.0/8", "whom": "everybody"}

    page = owners.post("/coming-in/networks/", form).content.decode()
    assert "127.0.0.77" not in page
    assert "Carla here" not in page

    carla.post("/workspaces/", {"workspace": str(cast.workspace)})
    carla.get("/sessions/")
    page = owners.post("/coming-in/networks/", form).content.decode()
    assert "127.0.0.77" in page, "control: now they are here"


def test_t01_nor_when_they_were_last_there(cast: Cast) -> None:
    carla, here = in_two_workspaces(cast)
    found = people.member(cast.workspace, here)
    assert found is not None
    assert found.seen_at is None, "never in this workspace"

    carla.post("/workspaces/", {"workspace": str(cast.workspace)})
    carla.get("/sessions/")
    found = people.member(cast.workspace, here)
    assert found is not None
    assert found.seen_at is not None, "control"


def test_x_no_list_of_names_asks_the_database_thousands_of_times(cast: Cast) -> None:
    browser = signed_in(person_of(cast.beto))

    def looks(lines: str) -> tuple[int, int]:
        asked = count()

        def counts(execute: Any, *arguments: Any) -> Any:
            next(asked)
            return execute(*arguments)

        with connection.execute_wrapper(counts):
            answer = browser.post("/guardrails/new/", {**GUARDRAIL, "people": lines})
        return answer.status_code, next(asked)

    status, alike = looks("dora\n" * 799)
    assert status == 200
    assert alike < 100
    different = "".join(f"n{number}\n" for number in range(LINES_MAX))
    status, many = looks(f"{different}one too many")
    assert status == 400
    assert many < 100, "none is looked up"
