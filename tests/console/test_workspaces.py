"""One person, several workspaces: what they may do is what they may do where they are."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import has_shown, person_of, signed_in, with_an_app
from databases import Database
from portero.console import visits
from portero.domain.access import services as access
from portero.domain.access.models import Principal, Role
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import Record, in_workspace
from portero.domain.workspaces.models import Workspace


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        # Dora answers customers in one workspace and administers the other.
        person = person_of(made.dora)
        with_an_app(person)
        in_both = accounts.add_person(actor=made.carla, email=person.email, name="Dora Ríos")
        with in_workspace(made.carla.workspace):
            administrator = Role.objects.get(name="Administrator").id
        access.create_binding(actor=made.carla, principal=in_both, role=administrator)
        with_an_app(person_of(made.beto))
        yield made


@pytest.fixture
def dora(cast: Cast) -> Client:
    client = signed_in(person_of(cast.dora))
    in_(client, cast.workspace)
    return client


def in_(client: Client, workspace: UUID) -> None:
    session = client.session
    session[visits.WORKSPACE] = str(workspace)
    session.save()


def switch(client: Client, workspace: UUID) -> int:
    return client.post("/workspaces/", {"workspace": str(workspace)}).status_code


def test_somebody_has_in_each_workspace_the_rights_they_have_there(
    cast: Cast, dora: Client
) -> None:
    before = dora.get("/people/")
    assert before.status_code == 403

    answer = dora.post("/workspaces/", {"workspace": str(cast.carla.workspace)}, follow=True)

    assert "You are in Clínica del Sur now." in answer.content.decode()
    there = dora.get("/people/").content.decode()
    assert "Dora Ríos" in there
    assert "beto" not in there
    assert dora.get(f"/people/{cast.beto.principal}/").status_code == 404
    assert switch(dora, cast.workspace) == 302
    assert dora.get("/people/").status_code == 403


def test_the_list_holds_the_workspaces_of_one_s_own_and_no_other(cast: Cast, dora: Client) -> None:
    beto = signed_in(person_of(cast.beto))
    [both, one] = (client.get("/workspaces/").content.decode() for client in (dora, beto))

    assert {"Tienda Andina" in both, "Clínica del Sur" in both} == {True}
    assert "Tienda Andina" in one
    assert "Clínica" not in one
    assert 'class="switch"' in both
    assert 'class="switch"' not in one  # with one workspace there is nothing to choose


@pytest.mark.parametrize("why_not", ["never a member", "suspended there", "workspace suspended"])
def test_nobody_enters_a_workspace_that_they_are_no_active_member_of(
    cast: Cast, dora: Client, why_not: str
) -> None:
    there = cast.carla.workspace
    who = signed_in(person_of(cast.beto)) if why_not == "never a member" else dora
    with in_workspace(there):
        principal = Principal.objects.filter(name="Dora Ríos")
        workspace = Workspace.objects.filter(id=there)
        principal.update(active=why_not != "suspended there")
        workspace.update(suspended=why_not == "workspace suspended")

    status = switch(who, there)

    with in_workspace(there):
        principal.update(active=True)
        workspace.update(suspended=False)
    assert status == 404
    assert "Tienda Andina" in who.get("/workspaces/").content.decode()
    assert switch(dora, there) == 302  # the same request, by who may


def out_of(cast: Cast, how: str) -> None:
    """What an administrator of one workspace does to a member of both."""
    act = {"signed out": accounts.end_sessions_of, "suspended": accounts.suspend}[how]
    act(actor=cast.ana, principal=cast.dora.principal)
    if how == "suspended":
        access.enable_principal(actor=cast.ana, principal=cast.dora.principal)


@pytest.mark.parametrize("how", ["signed out", "suspended"])
def test_b2_3_who_is_put_out_of_one_workspace_works_on_in_the_other(
    cast: Cast, dora: Client, how: str
) -> None:
    there = signed_in(person_of(cast.dora))
    in_(there, cast.carla.workspace)
    assert (dora.get("/home/").status_code, there.get("/people/").status_code) == (200, 200)

    out_of(cast, how)

    assert dora.get("/requests/").headers["Location"] == "/workspaces/"
    assert there.get("/people/").status_code == 200
    for one in (dora, there):
        assert switch(one, cast.workspace) == 404
        assert "You were signed out there." in one.get("/workspaces/").content.decode()
    again = signed_in(person_of(cast.dora))
    assert switch(again, cast.carla.workspace) == switch(again, cast.workspace) == 302


def test_b2_3_a_session_nobody_used_yet_is_one_that_was_begun(cast: Cast) -> None:
    unused = signed_in(person_of(cast.dora))

    out_of(cast, "signed out")

    assert switch(unused, cast.workspace) == 404


def test_a_form_of_the_workspace_that_was_left_does_nothing_in_the_next(cast: Cast) -> None:
    client = Client(
        enforce_csrf_checks=True, REMOTE_ADDR="127.0.0.1", headers={"host": "localhost"}
    )
    person = person_of(cast.dora)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    has_shown(client, person, method="mfa", type="totp")
    in_(client, cast.workspace)
    [token] = set(
        re.findall(
            r'csrfmiddlewaretoken" value="(\w+)"', client.get("/preferences/").content.decode()
        )
    )
    open_form = {"csrfmiddlewaretoken": token, "language": "", "theme": "dark"}

    assert client.post("/preferences/", open_form).status_code == 302
    key = client.session.session_key
    gone_over = client.post(
        "/workspaces/",
        {"csrfmiddlewaretoken": token, "workspace": str(cast.carla.workspace)},
    )

    assert gone_over.status_code == 302
    assert client.session.session_key != key
    assert client.post("/preferences/", open_form).status_code == 403
    accounts.prefer(person=person.id, language="", theme="", languages=frozenset())


def test_b2_4_a_factor_shown_in_one_workspace_is_no_fresh_one_in_another(
    cast: Cast, dora: Client
) -> None:
    person, there = person_of(cast.dora), cast.carla.workspace
    switch(dora, there)
    wanted = {"name": "Rol nuevo", "starts": "from nothing"}

    before = dora.post("/roles/new/", wanted)
    has_shown_now(dora, person)
    after = dora.post("/roles/new/", wanted)

    assert before.status_code == 302
    assert before.headers["Location"].startswith("/factors/")
    assert not after.headers.get("Location", "").startswith("/factors/")


def has_shown_now(client: Client, person: Person) -> None:
    time.sleep(0.01)  # later than they entered, by a clock that may stand for a tick
    has_shown(client, person, method="mfa", type="totp")


def test_what_was_kept_for_a_factor_stays_in_its_workspace(cast: Cast, dora: Client) -> None:
    session = dora.session
    session[visits.KEPT] = {
        "path": "/roles/new/",
        "fields": [["name", "Canary"]],
        "at": time.time(),
    }
    session.save()
    assert "Canary" in dora.get("/kept/").content.decode()

    switch(dora, cast.carla.workspace)

    assert dora.get("/kept/").status_code == 404


def test_choosing_the_workspace_one_is_in_changes_nothing(cast: Cast, dora: Client) -> None:
    key = dora.session.session_key
    with in_workspace(cast.workspace):
        before = Record.objects.count()

    assert switch(dora, cast.workspace) == 302

    assert dora.session.session_key == key
    with in_workspace(cast.workspace):
        assert Record.objects.count() == before


@pytest.mark.parametrize(
    "sent", [{}, {"workspace": "x"}, {"workspace": str(UUID(int=0)), "a": "b"}]
)
def test_what_names_no_workspace_is_refused(dora: Client, sent: dict[str, str]) -> None:
    assert dora.post("/workspaces/", sent).status_code == 400


def test_b2_4_control_without_the_look_at_where_it_was_shown_it_is_fresh_everywhere(
    cast: Cast, dora: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = partial(visits.moments_shown, here=False)
    monkeypatch.setattr(visits, "moments_shown", lambda *who, here: everywhere(*who))
    switch(dora, cast.carla.workspace)

    answer = dora.post("/roles/new/", {"name": "Rol nuevo", "starts": "from nothing"})

    assert not answer.headers.get("Location", "").startswith("/factors/")
