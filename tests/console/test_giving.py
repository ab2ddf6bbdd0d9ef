"""A role is given where, when and until when somebody says, and ended; nobody gives what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.models import Binding
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces import services as workspaces
from portero.engine import Reach

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


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


@pytest.fixture
def eva(cast: Cast) -> UUID:
    n = next(_numbers)
    return accounts.add_person(actor=cast.ana, email=f"eva{n}@giving.example", name=f"Eva {n}")


def form(cast: Cast, called: str = "Agent", **more: object) -> dict[str, object]:
    return {"role": str(cast.role(called)), "where": "everywhere", "lasts": "open", **more}


def bindings(cast: Cast, principal: UUID) -> list[Binding]:
    with in_workspace(cast.workspace):
        return list(Binding.objects.filter(principal_id=principal, valid_to=None))


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


NARROW = {
    "where": "here", "numbers": [NUMBER], "countries": "mx, ES", "days": ["0", "4"],
    "starts": "09:00", "ends": "18:00", "networks": "10.0.0.0/8", "factor": "300", "lasts": "date",
    "last_day": "2027-01-31", "reason": "For the sale",
}  # fmt: skip


def test_before_it_holds_one_sees_where_when_and_what_it_opens(
    cast: Cast, ana: Client, eva: UUID
) -> None:
    shown = plain(ana.post(f"/people/{eva}/give/", form(cast, **NARROW)).content)

    assert "1 can do more, nobody less" in shown
    assert "numbers: Ventas · countries: ES, MX" in shown
    assert "Mon Fri 09:00-18:00 · from 10.0.0.0/8" in shown
    assert "Send text messages can from now on, as far as: My queue" in shown
    assert bindings(cast, eva) == []


def test_it_is_given_exactly_as_it_was_said(cast: Cast, ana: Client, eva: UUID) -> None:
    answer = ana.post(f"/people/{eva}/give/save/", form(cast, **NARROW), follow=True)

    [made] = bindings(cast, eva)
    assert "has the role from now on." in plain(answer.content)
    assert made.scope == {"numbers": [NUMBER], "countries": ["ES", "MX"]}
    assert made.conditions["networks"] == ["10.0.0.0/8"]
    assert made.conditions["fresh_factor_s"] == 300
    [hours] = made.conditions["hours"]
    assert (sorted(hours["days"]), hours["start"], hours["end"]) == ([0, 4], 540, 1080)
    assert made.until == datetime(2027, 2, 1, tzinfo=ZoneInfo("America/Bogota"))
    assert made.reason == "For the sale"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"where": ""}, "Say where it is to hold."),
        ({"where": "here"}, "Choose at least one place below, or everywhere."),
        ({"countries": "MX"}, "You chose places below"),
        ({"where": "here", "countries": "Mexiko"}, "No country is called Mexiko."),
        ({"days": ["1"]}, "Hours need days, from when, and to when."),
        ({"networks": "the office"}, "These are no networks"),
        ({"lasts": ""}, "Choose how long it is to hold."),
        ({"lasts": "date"}, "Choose a day."),
        ({"lasts": "date", "last_day": "2020-01-01"}, "That day is over."),
        ({"role": ""}, "This field is required."),
    ],
)
def test_what_is_missing_is_said_at_its_field(
    cast: Cast, ana: Client, eva: UUID, wrong: dict[str, object], said: str
) -> None:
    for url in (f"/people/{eva}/give/", f"/people/{eva}/give/save/"):
        answer = ana.post(url, form(cast, **{"reason": "kept words", **wrong}))

        assert answer.status_code == 400
        assert said in plain(answer.content)
        assert "kept words" in plain(answer.content)
    assert bindings(cast, eva) == []


@pytest.mark.parametrize("span", ["day", "week", "month"])
def test_r07_a_span_ends_by_itself(cast: Cast, ana: Client, eva: UUID, span: str) -> None:
    ana.post(f"/people/{eva}/give/save/", form(cast, lasts=span))

    [made] = bindings(cast, eva)
    assert made.until is not None
    days = {"day": 1, "week": 7, "month": 30}[span]
    now = datetime.now(made.until.tzinfo)
    assert timedelta(0) <= now + timedelta(days=days) - made.until < timedelta(minutes=1)


def test_to_change_is_to_give_another_and_end_the_first_in_one(
    cast: Cast, ana: Client, eva: UUID
) -> None:
    ana.post(f"/people/{eva}/give/save/", form(cast, **NARROW))
    [first] = bindings(cast, eva)
    page = ana.get(f"/people/{eva}/give/?instead={first.id}").content.decode()

    review = plain(
        ana.post(f"/people/{eva}/give/", form(cast, "Support", instead_of=str(first.id))).content
    )
    ana.post(f"/people/{eva}/give/save/", form(cast, "Support", instead_of=str(first.id)))

    assert 'value="2027-01-31"' in page
    assert "1 can do more, 1 less" in review
    [second] = bindings(cast, eva)
    assert second.role_id == cast.role("Support")


def test_it_is_ended_after_one_saw_what_ends(cast: Cast, ana: Client, eva: UUID) -> None:
    ana.post(f"/people/{eva}/give/save/", form(cast))
    [given] = bindings(cast, eva)

    shown = plain(ana.get(f"/bindings/{given.id}/end/").content)
    ana.post(f"/bindings/{given.id}/end/", {"reason": "Enough"})

    assert "Send text messages cannot any more; until now: My queue" in shown
    assert bindings(cast, eva) == []
    assert ana.get(f"/bindings/{given.id}/end/").status_code == 404


def test_r02_nobody_gives_more_than_they_have_or_to_themselves(cast: Cast, eva: UUID) -> None:
    cells = {"member:read": Reach.ALL, "role:assign": Reach.ALL, "send:text": Reach.QUEUE}
    role = access.create_role(actor=cast.ana, name=f"Gives {eva}", cells=cells)
    access.create_binding(actor=cast.ana, principal=eva, role=role)
    other = accounts.add_person(actor=cast.ana, email=f"o{eva}@giving.example", name="Other")
    [person] = Person.objects.filter(name__startswith="Eva").order_by("-created_at")[:1]
    giver = signed_in(person)

    beyond = giver.post(f"/people/{other}/give/save/", form(cast))
    own = {**form(cast), "role": str(role)}
    itself = giver.post(f"/people/{eva}/give/save/", own)
    held = giver.post(f"/people/{other}/give/save/", own)

    assert beyond.status_code == 400
    assert "You do not have this yourself" in plain(beyond.content)
    assert itself.status_code == 403
    assert "Nobody gives access to themselves" in plain(itself.content)
    assert held.status_code == 302
    assert [one.role_id for one in bindings(cast, other)] == [role]


@pytest.mark.parametrize("more", [{"principal": "x"}, {"owner": "1"}, {"managed_by": "me"}])
def test_r10_giving_takes_no_other_field(
    cast: Cast, ana: Client, eva: UUID, more: dict[str, object]
) -> None:
    assert ana.post(f"/people/{eva}/give/save/", form(cast, **more)).status_code == 400
    assert bindings(cast, eva) == []


@pytest.mark.parametrize(
    "strange", [{"numbers": ["999"]}, {"role": "00000000-0000-0000-0000-000000000000"}]
)
def test_r09_what_is_not_of_this_workspace_cannot_be_chosen(
    cast: Cast, ana: Client, eva: UUID, strange: dict[str, object]
) -> None:
    answer = ana.post(f"/people/{eva}/give/save/", form(cast, where="here", **strange))

    assert answer.status_code == 400
    assert bindings(cast, eva) == []


def test_whom_a_team_s_role_concerns_is_told(cast: Cast, ana: Client, eva: UUID) -> None:
    team = access.create_team(actor=cast.ana, name=f"Team {eva}")
    access.set_team_members(actor=cast.ana, team=team, members=[eva])

    shown = plain(ana.post(f"/people/{team}/give/", form(cast)).content)

    assert "1 can do more, nobody less" in shown
    assert "Eva" in shown[shown.index("For whom") :]


def test_what_was_to_be_replaced_and_has_ended_is_said_and_nothing_is_lost(
    cast: Cast, ana: Client, eva: UUID
) -> None:
    gone = access.create_binding(actor=cast.ana, principal=eva, role=cast.role("Agent"))
    access.revoke_binding(actor=cast.ana, binding=gone)
    typed = form(cast, "Support", instead_of=str(gone), reason="kept words")

    for url in (f"/people/{eva}/give/", f"/people/{eva}/give/save/"):
        answer = ana.post(url, typed)

        assert answer.status_code == 400
        assert "has ended meanwhile" in plain(answer.content)
        assert "kept words" in plain(answer.content)
    assert bindings(cast, eva) == []


def test_b3_9_a_role_that_was_changed_since_the_review_is_shown_again(
    cast: Cast, ana: Client, eva: UUID
) -> None:
    small = {"number:read": Reach.ALL}
    role = access.create_role(actor=cast.ana, name=f"Small {next(_numbers)}", cells=small)
    asked = {"role": str(role), "where": "everywhere", "lasts": "open"}
    review = ana.post(f"/people/{eva}/give/", asked).content.decode()
    reviewed = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', review))
    access.update_role(actor=cast.beto, role=role, cells={**small, "role:assign": Reach.ALL})

    answer = ana.post(f"/people/{eva}/give/save/", {**reviewed, "reason": "For the sale"})

    page = plain(answer.content)
    assert answer.status_code == 409
    assert "The role was changed while you looked at this." in page
    assert "role:assign" in page
    assert "For the sale" in page
    assert bindings(cast, eva) == []

    again = dict(
        re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.content.decode())
    )
    assert ana.post(f"/people/{eva}/give/save/", again).status_code == 302
    assert [one.role_id for one in bindings(cast, eva)] == [role]


def test_r09_a_change_ends_nothing_of_somebody_else_s(cast: Cast, ana: Client, eva: UUID) -> None:
    with in_workspace(cast.workspace):
        doras = Binding.objects.filter(principal_id=cast.dora.principal, valid_to=None).first()
    assert doras is not None

    answer = ana.post(f"/people/{eva}/give/save/", form(cast, instead_of=str(doras.id)))

    assert answer.status_code == 400
    assert doras.id in {one.id for one in bindings(cast, cast.dora.principal)}
    assert bindings(cast, eva) == []


def test_of_who_is_suspended_a_role_can_be_ended(cast: Cast, ana: Client, eva: UUID) -> None:
    given = access.create_binding(actor=cast.ana, principal=eva, role=cast.role("Agent"))
    accounts.suspend(actor=cast.ana, principal=eva)

    assert ana.get(f"/bindings/{given}/end/").status_code == 200
    ana.post(f"/bindings/{given}/end/", {"reason": ""})
    assert bindings(cast, eva) == []


def test_what_a_role_cannot_do_at_a_place_is_not_promised_there(
    cast: Cast, ana: Client, eva: UUID
) -> None:
    """Its review, its Who and its door agree: keys are made in a workspace, not at a number."""
    cells = {"send:text": Reach.ALL, "api_key:create": Reach.ALL}
    access.create_role(actor=cast.ana, name="Maker of keys", cells=cells)
    given = form(cast, "Maker of keys", where="here", numbers=[NUMBER], countries="MX")

    review = plain(ana.post(f"/people/{eva}/give/", given).content)
    ana.post(f"/people/{eva}/give/save/", given)

    promised, idle = review.split("At such a place these do nothing")
    assert "Send text messages can from now on" in promised
    assert "Create keys" not in promised
    assert "Create keys" in idle
    assert "Send text" not in idle
    door = signed_in(person_of(Actor(cast.workspace, eva, cast.ana.at))).get("/keys/new/")
    assert door.status_code == 403
    for question in ("/who/?what=api_key:create", f"/who/?what=api_key:create&number={NUMBER}"):
        assert f"/people/{eva}/" not in ana.get(question).content.decode()
    why = plain(ana.get(f"/why/?who={eva}&what=api_key:create&number={NUMBER}&country=MX").content)
    assert "No." in why
