"""People are suspended, let back, removed and made owners; teams change; sessions end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from cast import Cast, playing
from console.visitors import half_signed_in, person_of, signed_in, with_an_app
from databases import Database
from portero.console import sessions as devices
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied, LastOwner
from portero.domain.access.models import Binding, Principal, TeamMember
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Session
from portero.domain.audit.models import in_workspace
from portero.engine import Reach

_numbers = count()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


@pytest.fixture
def eva(cast: Cast) -> Actor:
    """An agent, in a team, who answers for an account."""
    n = next(_numbers)
    principal = accounts.add_person(
        actor=cast.ana, email=f"eva{n}@members.example", name=f"Eva {n}"
    )
    access.create_binding(actor=cast.ana, principal=principal, role=cast.role("Agent"))
    team = access.create_team(actor=cast.ana, name=f"Team of Eva {n}")
    access.set_team_members(actor=cast.ana, team=team, members=[principal])
    accounts.create_service_account(actor=cast.ana, name=f"bot {n}", accountable=principal)
    made = Actor(cast.workspace, principal, cast.ana.at)
    with_an_app(person_of(made))
    return made


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


def test_b2_3_who_is_suspended_finds_no_place_on_the_next_click(
    cast: Cast, ana: Client, eva: Actor
) -> None:
    browsers = [signed_in(person_of(eva)) for _ in range(3)]
    assert all(one.get("/why/me/").status_code == 200 for one in browsers)

    before = plain(ana.get(f"/people/{eva.principal}/suspend/").content)
    answer = ana.post(f"/people/{eva.principal}/suspend/", {"reason": "On leave"}, follow=True)

    assert "They are signed in in 3 browsers" in before
    assert "is suspended." in plain(answer.content)
    assert {one.get("/why/me/").status_code for one in browsers} == {302}
    assert not Session.objects.filter(person_id=person_of(eva).pk).exists()
    ana.post(f"/people/{eva.principal}/let-back/", {"reason": ""})
    assert signed_in(person_of(eva)).get("/why/me/").status_code == 200


def test_b2_3_a_role_that_is_taken_away_is_gone_from_every_open_browser(
    cast: Cast, eva: Actor
) -> None:
    role = access.create_role(
        actor=cast.ana, name=f"Looks {eva.id}", cells={"role:read": Reach.ALL}
    )
    binding = access.create_binding(actor=cast.ana, principal=eva.principal, role=role)
    browsers = [signed_in(person_of(eva)) for _ in range(3)]
    assert {one.get("/roles/").status_code for one in browsers} == {200}

    access.revoke_binding(actor=cast.ana, binding=binding)

    assert {one.get("/roles/").status_code for one in browsers} == {403}


def test_r17_whoever_is_removed_leaves_nothing_and_begins_from_nothing(
    cast: Cast, ana: Client, eva: Actor
) -> None:
    person = person_of(eva)
    link = accounts.make_sign_in_link(person=person.id, workspace=cast.workspace)
    browser = signed_in(person)
    access.create_binding(actor=cast.ana, principal=eva.principal, role=cast.role("Analyst"))

    before = plain(ana.get(f"/people/{eva.principal}/remove/").content)
    ana.post(f"/people/{eva.principal}/remove/", {"reason": "Left"})

    assert "nobody who answers for it: bot" in before
    with in_workspace(cast.workspace):
        assert not Binding.objects.filter(principal_id=eva.principal, valid_to=None).exists()
        assert not TeamMember.objects.filter(principal_id=eva.principal).exists()
    assert browser.get("/why/me/").status_code == 302
    assert Client(headers={"host": "localhost"}).get(f"/welcome/{link}").status_code == 404
    assert ana.get(f"/people/{eva.principal}/").status_code == 404
    again = accounts.add_person(actor=cast.ana, email=person.email, name="Eva again")
    assert again != eva.principal
    shown = plain(ana.get(f"/people/{again}/").content)
    assert "May do nothing yet" in shown


def test_r17_control_only_suspended_everything_is_there_again(cast: Cast, eva: Actor) -> None:
    accounts.suspend(actor=cast.ana, principal=eva.principal)
    access.enable_principal(actor=cast.ana, principal=eva.principal)

    with in_workspace(cast.workspace):
        assert Binding.objects.filter(principal_id=eva.principal, valid_to=None).exists()


def test_b3_3_nobody_lets_back_who_has_more_than_they(cast: Cast, eva: Actor) -> None:
    role = access.create_role(
        actor=cast.ana, name=f"Bouncer {eva.id}", cells={"member:suspend": Reach.ALL}
    )
    helper = accounts.add_person(actor=cast.ana, email=f"h{eva.id}@members.example", name="Helper")
    access.create_binding(actor=cast.ana, principal=helper, role=role)
    bouncer = Actor(cast.workspace, helper, cast.ana.at)
    accounts.suspend(actor=bouncer, principal=eva.principal)

    browser = signed_in(person_of(bouncer))
    answer = browser.post(f"/people/{eva.principal}/let-back/", {"reason": ""})

    assert answer.status_code == 400
    assert "You do not have this yourself" in plain(answer.content)
    with pytest.raises(AccessDenied):
        access.enable_principal(actor=bouncer, principal=bouncer.principal)


def test_b3_5_two_owners_who_remove_each_other_at_once_leave_one(cast: Cast) -> None:
    email = "olivia@members.example"
    second = accounts.add_person(actor=cast.ana, email=email, name="Olivia")
    access.set_owner(actor=cast.ana, principal=second, owner=True)
    olivia = Actor(cast.workspace, second, cast.ana.at)
    third = accounts.add_person(actor=cast.ana, email="oscar@members.example", name="Oscar")
    access.set_owner(actor=cast.ana, principal=third, owner=True)
    oscar = Actor(cast.workspace, third, cast.ana.at)
    # Two owners are left: these.
    access.set_owner(actor=olivia, principal=cast.ana.principal, owner=False)

    def remove(actor: Actor, other: UUID) -> str:
        try:
            accounts.remove(actor=actor, principal=other)
        except (AccessDenied, LastOwner) as error:
            return error.code
        else:
            return "done"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(remove, (olivia, oscar), (third, second)))

    assert outcomes.count("done") == 1
    with in_workspace(cast.workspace):
        [left] = Principal.objects.filter(owner=True, active=True)
    left_alone = olivia if left.id == second else oscar
    access.set_owner(actor=left_alone, principal=cast.ana.principal, owner=True)
    access.set_owner(actor=cast.ana, principal=left.id, owner=False)


def test_the_last_owner_stays_and_the_page_says_why(cast: Cast, ana: Client) -> None:
    answer = ana.post(f"/people/{cast.ana.principal}/unmake-owner/", {"reason": ""})

    assert answer.status_code == 409
    assert "A workspace keeps at least one owner" in plain(answer.content)


def test_an_administrator_who_is_no_owner_makes_none(cast: Cast, eva: Actor) -> None:
    beto = signed_in(person_of(cast.beto))

    answer = beto.post(f"/people/{eva.principal}/make-owner/", {"reason": ""})

    assert answer.status_code == 403
    assert "Only an owner does this to an owner." in plain(answer.content)


def test_a_team_is_made_filled_and_renamed(cast: Cast, ana: Client, eva: Actor) -> None:
    made = ana.post("/teams/new/", {"name": "Reparto"})
    team = made.headers["Location"]

    assert "Eva" in plain(ana.get(f"{team}?q=Eva").content)
    assert "1 member" in plain(
        ana.post(team, {"add": str(eva.principal)}, follow=True).content
    ) or "One member" in plain(ana.get(team).content)
    ana.post(team, {"name": "Entregas"})
    assert "Who is in Entregas" in plain(ana.get(team).content)
    ana.post(team, {"leave": str(eva.principal)})
    assert "Nobody yet." in plain(ana.get(team).content)


def test_r10_a_team_takes_no_other_field(cast: Cast, ana: Client) -> None:
    team = access.create_team(actor=cast.ana, name="Fixed")

    assert ana.post(f"/teams/{team}/", {"owner": "1"}).status_code == 400


def test_one_sees_where_one_is_signed_in_and_ends_it(cast: Cast, eva: Actor) -> None:
    person = person_of(eva)
    here, there = signed_in(person), signed_in(person)
    there.get("/why/me/", headers={"user-agent": PHONE})
    here.get("/why/me/", headers={"user-agent": FIREFOX})

    page = here.get("/sessions/").content.decode()
    shown = plain(page.encode())
    [other] = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
    here.post("/sessions/", {"session": other})

    assert "Safari on iPhone" in shown
    assert "Firefox on Linux this browser" in shown
    assert there.get("/why/me/").status_code == 302
    assert here.get("/why/me/").status_code == 200


def test_nobody_ends_a_session_of_somebody_else_s(cast: Cast, eva: Actor) -> None:
    hers = signed_in(person_of(eva))
    hers.get("/why/me/")
    digest = Session.objects.get(person_id=person_of(eva).pk).session_key
    dora = signed_in(person_of(cast.dora))

    dora.post("/sessions/", {"session": digest})

    assert hers.get("/why/me/").status_code == 200


def test_a_session_tells_its_device_only_as_far_as_it_knows() -> None:
    assert devices.device("curl/8.5") == "An unknown browser"
    assert devices.device("Mozilla/5.0 (Windows NT 10.0) Chrome/141.0 Safari/537.36 Edg/141.0") == (
        "Edge on Windows"
    )


def test_b2_4_who_only_knows_the_password_neither_sees_nor_ends_a_session(eva: Actor) -> None:
    signed_in(person_of(eva))
    half = half_signed_in(person_of(eva))

    looked = half.get("/sessions/")
    ended = half.post("/sessions/", {"session": "others"})

    assert looked.status_code == ended.status_code == 302
    assert looked.headers["Location"].startswith("/factors/")
    assert Session.objects.filter(person_id=person_of(eva).pk).count() == 2


def idle(client: Client, minutes: float, *, hours: float = 0) -> int:
    """What a page answers to a session that was last used and begun so long ago."""
    assert client.get("/requests/").status_code == 200
    now = datetime.now(UTC).timestamp()
    session = client.session
    session["seen"], session["began"] = now - minutes * 60, now - hours * 3600
    session.save()
    return client.get("/requests/").status_code


def test_b2_2_whoever_could_do_much_harm_sits_shorter(cast: Cast, eva: Actor) -> None:
    owner, administrator, agent = cast.ana, cast.beto, eva
    with_an_app(person_of(administrator))

    def after(actor: Actor, minutes: float, hours: float = 0) -> int:
        return idle(signed_in(person_of(actor)), minutes, hours=hours)

    assert [after(one, 14) for one in (owner, administrator, agent)] == [200, 200, 200]
    assert [after(one, 16) for one in (owner, administrator, agent)] == [302, 302, 200]
    assert [after(one, 0, 7.9) for one in (owner, administrator, agent)] == [200, 200, 200]
    assert [after(one, 0, 8.1) for one in (owner, administrator, agent)] == [302, 302, 200]
    assert after(agent, 31) == 302


def test_b2_2_a_session_that_was_too_long_is_over_and_leads_to_signing_in(cast: Cast) -> None:
    client = signed_in(person_of(cast.ana))
    idle(client, 16)

    assert client.get("/requests/").headers["Location"].startswith("/login/?next=")


def test_whoever_answers_for_a_program_is_named_and_what_is_alone_says_so(
    cast: Cast, ana: Client, eva: Actor
) -> None:
    with in_workspace(cast.workspace):
        bot = Principal.objects.get(accountable_id=eva.principal)
    assert "Who answers for it: Eva" in plain(ana.get(f"/people/{bot.id}/").content)

    ana.post(f"/people/{eva.principal}/remove/", {"reason": "Left"})

    alone = plain(ana.get(f"/people/{bot.id}/").content)
    assert "who answered for it, left on" in alone
    assert "It stops on" in alone
    assert "Nobody answers for it" in plain(ana.get(f"/people/?q={bot.name}").content)
    found = plain(ana.get(f"/people/{bot.id}/accountable/?q=beto").content)
    assert "Choose beto" in found
    answer = ana.post(
        f"/people/{bot.id}/accountable/", {"person": str(cast.beto.principal)}, follow=True
    )
    assert f"From now on beto answers for {bot.name}." in plain(answer.content)
    assert "Who answers for it: beto" in plain(answer.content)


def test_a_program_is_stopped_and_goes_on_from_its_page(
    cast: Cast, ana: Client, eva: Actor
) -> None:
    with in_workspace(cast.workspace):
        bot = Principal.objects.get(accountable_id=eva.principal)

    ana.post(f"/people/{bot.id}/stop-account/", {"reason": "Retired"})
    with in_workspace(cast.workspace):
        assert not Principal.objects.get(id=bot.id).active
    ana.post(f"/people/{bot.id}/let-account-go-on/", {"reason": ""})

    with in_workspace(cast.workspace):
        assert Principal.objects.get(id=bot.id).active


def test_one_who_may_do_less_does_not_name_who_answers(cast: Cast, eva: Actor) -> None:
    with in_workspace(cast.workspace):
        bot = Principal.objects.get(accountable_id=eva.principal)

    answer = signed_in(person_of(eva)).post(
        f"/people/{bot.id}/accountable/", {"person": str(cast.dora.principal)}
    )

    assert answer.status_code == 403
