"""A role is made and changed by those who hold what they put in, and who saw what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from portero.domain.access import queries, services
from portero.domain.access.models import RoleVersion
from portero.domain.access.services import READY_MADE
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import in_workspace
from portero.engine import PERMISSIONS, Reach

BEFORE = {"send:text": Reach.OWN, "call:place": Reach.TEAM, "template:read": Reach.ALL}


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


@pytest.fixture
def role(cast: Cast, request: pytest.FixtureRequest) -> UUID:
    """Dora and a team have it."""
    made = services.create_role(actor=cast.ana, name=request.node.name[:190], cells=BEFORE)
    services.create_binding(actor=cast.ana, principal=cast.dora.principal, role=made)
    return made


def matrix(cells: dict[str, Reach], **others: object) -> dict[str, object]:
    """A form as the page posts it: every row has one stop chosen."""
    chosen = {key: cells.get(key, Reach.NONE).name.lower() for key in PERMISSIONS}
    return {"name": "Role", "reason": "", **chosen, **others}


def now(cast: Cast, role: UUID) -> tuple[int, dict[str, str]]:
    with in_workspace(cast.workspace):
        row = RoleVersion.objects.get(role_id=role, valid_to=None)
    return row.valid_from, row.cells


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


def test_the_editor_shows_a_role_as_it_is(ana: Client, role: UUID) -> None:
    page = ana.get(f"/roles/{role}/edit/").content.decode()

    chosen = dict(re.findall(r'name="([a-z_]+:[a-z_]+)" value="([a-z]+)" checked', page))
    assert set(chosen) == set(PERMISSIONS)
    assert {k: v for k, v in chosen.items() if v != "none"} == {
        key: reach.name.lower() for key, reach in BEFORE.items()
    }


def test_b3_9_before_saving_one_sees_who_gains_and_who_loses(
    cast: Cast, ana: Client, role: UUID
) -> None:
    version, before = now(cast, role)
    # Dora is an agent as well: texts to her queue are hers already, calls are not.
    changed = {"send:text": Reach.QUEUE, "call:place": Reach.ALL, "media:delete": Reach.ALL}

    answer = ana.post(f"/roles/{role}/edit/", matrix(changed, read_at=version))

    shown = plain(answer.content)
    assert answer.status_code == 200
    assert "1 can do more, nobody less" in shown
    who = shown[shown.index("For whom") :]
    assert "dora" in who
    assert "Call customers from Team to All" in who
    assert "Delete media files can from now on, as far as: All" in who
    assert "Send text messages" not in who
    assert "See message templates" not in who  # an agent sees them anyway
    assert now(cast, role) == (version, before)


def test_a_change_is_saved_with_its_reason_and_can_be_brought_back(
    cast: Cast, ana: Client, role: UUID
) -> None:
    version, before = now(cast, role)
    form = matrix({"send:text": Reach.ALL}, read_at=version, reason="For the sale", name="Sellers")

    answer = ana.post(f"/roles/{role}/save/", form, follow=True)

    assert "Saved." in plain(answer.content)
    assert "Sellers" in plain(answer.content)
    assert now(cast, role)[1] == {"send:text": "all"}
    history = plain(ana.get(f"/roles/{role}/versions/").content)
    assert "For the sale" in history
    assert "ana" in history
    editor = ana.get(f"/roles/{role}/edit/?version={version}").content.decode()
    chosen = dict(re.findall(r'name="([a-z_]+:[a-z_]+)" value="([a-z]+)" checked', editor))
    assert {k: v for k, v in chosen.items() if v != "none"} == before


def test_a_role_saved_from_an_old_page_does_not_overwrite_a_newer_version(
    cast: Cast, ana: Client, role: UUID
) -> None:
    old_page, _ = now(cast, role)
    newer = {"send:image": Reach.ALL}
    services.update_role(actor=cast.beto, role=role, cells=newer)

    answer = ana.post(f"/roles/{role}/save/", matrix({"send:audio": Reach.ALL}, read_at=old_page))

    assert answer.status_code == 409
    assert now(cast, role)[1] == {"send:image": "all"}
    page = answer.content.decode()
    assert "beto changed this role while you had it open" in page
    assert 'name="send:audio" value="all" checked' in page  # what was typed is not lost
    assert re.search(r'name="send:image" value="all" data-before', page)
    again = dict(re.findall(r'name="(read_at)" value="([0-9]+)"', page))
    saved = ana.post(f"/roles/{role}/save/", matrix({"send:audio": Reach.ALL}, **again))
    assert saved.status_code == 302
    assert now(cast, role)[1] == {"send:audio": "all"}


def test_control_a_service_that_does_not_look_overwrites(cast: Cast, role: UUID) -> None:
    services.update_role(actor=cast.beto, role=role, cells={"send:image": Reach.ALL})

    services.update_role(actor=cast.ana, role=role, cells={"send:audio": Reach.ALL}, read_at=None)

    assert now(cast, role)[1] == {"send:audio": "all"}


@pytest.fixture
def editor(cast: Cast) -> Client:
    """Edits roles and sends texts of her queue, nothing more."""
    address = "edith@roles.example"
    if not Person.objects.filter(email=address).exists():
        principal = accounts.add_person(actor=cast.ana, email=address, name="Edith")
        cells = {"role:read": Reach.ALL, "role:update": Reach.ALL, "send:text": Reach.QUEUE}
        made = services.create_role(actor=cast.ana, name="Edits roles", cells=cells)
        services.create_binding(actor=cast.ana, principal=principal, role=made)
    return signed_in(Person.objects.get_by_natural_key(address))


def test_r01_what_the_editor_does_not_hold_can_neither_be_chosen_nor_sent(
    cast: Cast, editor: Client
) -> None:
    page = editor.get("/roles/new/").content.decode()
    free = set(re.findall(r'name="([a-z_]+:[a-z_]+)" value="[a-z]+"(?: data-before)?>', page))
    beyond = matrix({"send:text": Reach.ALL}, name="Too much")
    held = matrix({"send:text": Reach.QUEUE}, name="Held")

    assert free <= {"role:read", "role:update", "send:text"}
    answer = editor.post("/roles/new/", beyond)
    assert answer.status_code == 400
    assert "You do not have this yourself" in plain(answer.content)
    assert 'value="Too much"' in answer.content.decode()
    assert editor.post("/roles/new/", held).status_code == 302
    with in_workspace(cast.workspace):
        names = set(RoleVersion.objects.values_list("reason", flat=True))
    assert names


def test_r03_a_name_is_taken_however_it_is_typed(ana: Client) -> None:
    answer = ana.post(
        "/roles/new/", matrix({"send:text": Reach.OWN}, name="  \uff21\uff27\uff25\uff2e\uff34  ")
    )

    assert answer.status_code == 400
    assert "Another role is called so." in plain(answer.content)


def test_r03_a_built_in_role_is_copied_and_not_changed(cast: Cast, ana: Client) -> None:
    agent = cast.role("Agent")

    assert ana.get(f"/roles/{agent}/edit/").headers["Location"] == f"/roles/new/?from={agent}"
    answer = ana.post(f"/roles/{agent}/save/", matrix({}, read_at=1))
    assert answer.status_code == 409
    assert "Built-in" in plain(answer.content)


def test_r10_a_role_takes_no_field_it_does_not_have(cast: Cast, ana: Client, role: UUID) -> None:
    before = now(cast, role)

    for more in ({"builtin": "1"}, {"send:nonsense": "all"}, {"workspace_id": "x"}):
        answer = ana.post(f"/roles/{role}/save/", matrix({}, read_at=before[0], **more))
        assert answer.status_code == 400
    assert now(cast, role) == before


@pytest.mark.parametrize("step", ["own", "everything"])
def test_a_reach_that_a_permission_does_not_know_is_refused(ana: Client, step: str) -> None:
    form = matrix({}, name=f"Strange {step}") | {"media:delete": step}

    assert ana.post("/roles/new/", form).status_code == 400


@pytest.mark.parametrize("key", sorted(READY_MADE))
def test_every_ready_made_role_can_be_begun_from(ana: Client, key: str) -> None:
    page = ana.get(f"/roles/new/?from={key}").content.decode()

    chosen = dict(re.findall(r'name="([a-z_]+:[a-z_]+)" value="([a-z]+)" checked', page))
    assert {k: v for k, v in chosen.items() if v != "none"} == {
        k: reach.name.lower() for k, reach in READY_MADE[key].cells.items()
    }
    assert ana.post("/roles/new/", matrix(dict(READY_MADE[key].cells), name=key)).status_code == 302


def test_who_is_in_a_team_is_told_of_by_name_and_counted(cast: Cast, ana: Client) -> None:
    team = services.create_team(actor=cast.ana, name="Reparto")
    members = [
        accounts.add_person(actor=cast.ana, email=f"r{n}@roles.example", name=f"Rider {n:03}")
        for n in range(queries.comparing.NAMED + 5)
    ]
    services.set_team_members(actor=cast.ana, team=team, members=members)
    made = services.create_role(actor=cast.ana, name="Rides", cells={"send:text": Reach.OWN})
    services.create_binding(actor=cast.ana, principal=team, role=made)
    version, _ = now(cast, made)

    page = plain(
        ana.post(
            f"/roles/{made}/edit/", matrix({"send:location": Reach.OWN}, read_at=version)
        ).content
    )

    assert "55 can do more, 55 less" in page
    assert "Rider 049" in page
    assert "Rider 050" not in page
    assert "and 5 more" in page
