"""People are invited, several at once, with no more than the inviter has (A16, A03)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, islice, product

import pytest
from allauth.mfa.utils import is_mfa_enabled
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.test import Client, override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from cast import Cast, playing
from console.visitors import at_the_door, half_signed_in, person_of, signed_in, with_an_app
from databases import Database
from domain.working import work
from portero.domain.access import services as access
from portero.domain.access.errors import NotConfirmed
from portero.domain.access.models import Principal, Role
from portero.domain.access.services import confirmation
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person, Session, SignInLink
from portero.domain.audit.models import Record, in_workspace
from portero.domain.notices import services as notices
from portero.domain.notices.services import listening
from portero.domain.notices.services.listening import WAY_BACK
from portero.domain.workspaces import services as workspaces
from portero.engine import Reach

PASSWORD = "tres gatos en el tejado azul"
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture(autouse=True)
def _mails_are_kept(cast: Cast) -> Iterator[None]:
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        DEFAULT_FROM_EMAIL="Portero <portero@example.com>",
    ):
        work()
        mail.outbox = []
        yield


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


def guests(cast: Cast, *names: str, role: str = "Agent") -> tuple[dict[str, object], list[str]]:
    """A form for these people, and their addresses."""
    addresses = [f"{name.lower()}{next(_numbers)}@guests.example" for name in names]
    form: dict[str, object] = {"rows": len(names)}
    for n, (name, address) in enumerate(zip(names, addresses, strict=True)):
        form |= {f"name-{n}": name, f"email-{n}": address, f"role-{n}": str(cast.role(role))}
        form |= {f"number-{n}": ""}
    return form, addresses


def link_in(body: str) -> str:
    [link] = re.findall(r"https://console\.example(/welcome/\S+)", body)
    return str(link)


def test_three_are_invited_at_once_and_each_gets_a_mail_of_their_own(
    cast: Cast, ana: Client
) -> None:
    form, addresses = guests(cast, "Rosa", "Iker", "Noa")

    answer = ana.post("/people/invite/", form, headers={"accept-language": "es"}, follow=True)
    work()

    assert "3 invitaciones van en camino." in answer.content.decode()
    assert sorted(one.to[0] for one in mail.outbox) == sorted(addresses)
    first = next(one for one in mail.outbox if one.to == [addresses[0]])
    assert first.subject == "ana te invita a Tienda Andina"
    assert "Hola, Rosa:" in first.body
    assert "- Agente" in first.body
    assert len({link_in(one.body) for one in mail.outbox}) == 3


def test_a16_the_page_behind_the_link_says_what_is_given_and_lets_in_once(
    cast: Cast, ana: Client
) -> None:
    form, [address] = guests(cast, "Rita")
    ana.post("/people/invite/", form)
    work()
    link = link_in(mail.outbox[0].body)

    guest = at_the_door()
    page = guest.get(link).content.decode()
    came_in = guest.post(link, {"password": PASSWORD})

    assert "You are invited to Tienda Andina." in page
    assert "<li>Agent</li>" in page
    assert came_in.status_code == 302
    assert guest.get("/").headers["Location"] == "/factors/"  # nothing without a second factor
    assert at_the_door().get(link).status_code == 404
    assert Person.objects.get_by_natural_key(address).check_password(PASSWORD)


def test_where_a_role_holds_stands_in_the_mail_on_the_page_and_inside(
    cast: Cast, ana: Client
) -> None:
    waba = workspaces.add_waba(actor=cast.ana, meta_id="88001", name="Andina")
    workspaces.add_number(
        actor=cast.ana,
        waba=waba,
        meta_id="88011",
        display="+51 1 555 0100",
        name="Ventas Lima",
        country="PE",
    )
    form, [address] = guests(cast, "Lupe")
    ana.post("/people/invite/", form | {"number-0": "88011"}, headers={"accept-language": "es"})
    work()
    body = mail.outbox[0].body
    page = at_the_door().get(link_in(body)).content.decode()
    at_the_door().post(link_in(body), {"password": PASSWORD})
    lupe = Person.objects.get_by_natural_key(address)
    with_an_app(lupe)
    home = signed_in(lupe).get("/home/").content.decode()

    assert "- Agente, solo en Ventas Lima\n" in body
    assert "<li>Agent, only in Ventas Lima</li>" in page
    assert "<b>Agent</b> (only in Ventas Lima)" in home


def test_a16_an_invitation_gives_no_password_to_who_has_one(
    cast: Cast, carlas: tuple[str, Client]
) -> None:
    link, _ = carlas

    page = at_the_door().get(link).content.decode()
    tried = at_the_door().post(link, {"password": "una frase que no es de ella"})

    assert "sign in, and accept" in page
    assert "sign in, and accept" in tried.content.decode()
    assert person_of(cast.carla).check_password(PASSWORD)


def test_a16_after_a_removal_the_link_opens_nothing(cast: Cast, ana: Client) -> None:
    form, [address] = guests(cast, "Rufo")
    ana.post("/people/invite/", form)
    work()
    with in_workspace(cast.workspace):
        principal = Principal.objects.get(person_id=Person.objects.get(email=address).pk)

    accounts.remove(actor=cast.ana, principal=principal.id)
    link = link_in(mail.outbox[0].body)
    with pytest.raises(LinkNotValid):
        accounts.bearer_of(link.removeprefix("/welcome/"))
    assert at_the_door().get(link).status_code == 404
    # Else it would work again for who is a member again, by whatever way.
    assert not SignInLink.objects.filter(person_id=principal.person_id, used_at=None).exists()


def test_a16_a_link_that_is_made_after_the_removal_opens_nothing(cast: Cast, ana: Client) -> None:
    """As by a worker that had the mail in hand."""
    form, [address] = guests(cast, "Ramiro")
    ana.post("/people/invite/", form)
    person = Person.objects.get(email=address)
    with in_workspace(cast.workspace):
        principal = Principal.objects.get(person_id=person.pk)

    accounts.remove(actor=cast.ana, principal=principal.id)
    token = accounts.make_sign_in_link(person=person.pk, workspace=cast.workspace)

    with pytest.raises(LinkNotValid):
        accounts.bearer_of(token)


def test_a16_control_a_link_that_nobody_voids_still_opens(cast: Cast) -> None:
    person = accounts.register_person(email="control@guests.example", name="Control")
    token = accounts.make_sign_in_link(person=person)

    assert at_the_door().get(f"/welcome/{token}").status_code == 200


def test_nobody_fills_a_mailbox_by_inviting_again(cast: Cast, ana: Client) -> None:
    form, [address] = guests(cast, "Rebeca")
    ana.post("/people/invite/", form)
    with in_workspace(cast.workspace):
        principal = Principal.objects.get(person_id=Person.objects.get(email=address).pk).id
    path = f"/people/{principal}/invite/"

    answers = [ana.post(path) for _ in range(5)]

    assert [one.status_code for one in answers] == [302] * 4 + [409]
    assert "Five invitations went there within the last hour." in answers[-1].content.decode()


def test_a16_a_second_invitation_ends_the_first(cast: Cast, ana: Client) -> None:
    form, [address] = guests(cast, "Remo")
    ana.post("/people/invite/", form)
    work()
    with in_workspace(cast.workspace):
        principal = Principal.objects.get(person_id=Person.objects.get(email=address).pk)

    ana.post(f"/people/{principal.id}/invite/")
    work()

    first, second = (link_in(one.body) for one in mail.outbox)
    assert at_the_door().get(first).status_code == 404
    assert at_the_door().get(second).status_code == 200


def test_a03_the_inviter_cannot_tell_who_is_known_elsewhere(cast: Cast, ana: Client) -> None:
    known, _ = guests(cast, "Known")
    known["email-0"] = "known@elsewhere.example"
    accounts.register_person(email="known@elsewhere.example", name="Known")
    unknown, _ = guests(cast, "Unknown")

    answers = [ana.post("/people/invite/", form, follow=True) for form in (known, unknown)]

    notices_shown = [
        re.findall(r'class="notice"[^>]*>([^<]+)<', one.content.decode()) for one in answers
    ]
    assert notices_shown[0] == notices_shown[1] == ["One invitation is on its way."]


def test_r12_a_row_that_is_wrong_is_marked_and_nobody_is_invited(cast: Cast, ana: Client) -> None:
    form, addresses = guests(cast, "Good", "Bad", "Twice")
    form["email-1"] = "no address"
    form["role-2"] = ""

    answer = ana.post("/people/invite/", form)

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Enter a valid email address." in page
    assert "Choose what they are to do." in page
    assert 'value="Good"' in page  # what was typed is not lost
    assert not Person.objects.filter(email=addresses[0]).exists()


def test_r12_of_several_the_one_who_is_here_already_stops_all(cast: Cast, ana: Client) -> None:
    form, [fresh, _] = guests(cast, "Fresh", "Dora")
    form["email-1"] = person_of(cast.dora).email

    answer = ana.post("/people/invite/", form)

    assert "They are here already." in answer.content.decode()
    assert not Person.objects.filter(email=fresh).exists()


def test_more_rows_keep_what_was_typed(cast: Cast, ana: Client) -> None:
    form, _ = guests(cast, "One", "Two", "Three")

    before = waiting()
    page = ana.post("/people/invite/", {**form, "more": "1"}).content.decode()

    assert page.count('name="email-') == 6
    assert 'value="Three"' in page
    assert waiting() == before


def waiting() -> int:
    return int(ProcrastinateJob.objects.filter(status="todo").count())


def test_r02_nobody_invites_to_more_than_they_have(cast: Cast) -> None:
    address = "hostess@guests.example"
    principal = accounts.add_person(actor=cast.ana, email=address, name="Hostess")
    cells = {
        "member:read": Reach.ALL, "member:invite": Reach.ALL, "role:assign": Reach.ALL,
        "send:text": Reach.OWN,
    }  # fmt: skip
    role = access.create_role(actor=cast.ana, name="Hostess", cells=cells)
    access.create_binding(actor=cast.ana, principal=principal, role=role)
    hostess = signed_in(Person.objects.get_by_natural_key(address))
    form, [guest] = guests(cast, "Guest", role="Administrator")

    answer = hostess.post("/people/invite/", form)

    assert answer.status_code == 400
    assert "You do not have this yourself" in answer.content.decode()
    assert not Person.objects.filter(email=guest).exists()
    own, _ = guests(cast, "Guest")
    own["role-0"] = str(role)
    assert hostess.post("/people/invite/", own).status_code == 302


def test_where_no_mail_is_sent_the_link_is_shown_once(cast: Cast, ana: Client) -> None:
    form, _ = guests(cast, "Handed")

    with override_settings(PORTERO_SENDS_MAIL=False):
        page = ana.post("/people/invite/", form).content.decode()

        work()

    [link] = re.findall(r'value="http://localhost(/welcome/[^"]+)"', page)
    assert at_the_door().get(link).status_code == 200
    digests = SignInLink.objects.values_list("digest", flat=True)
    assert link.encode() not in b"".join(map(bytes, digests))


def test_a08_a_new_password_neither_signs_in_nor_removes_a_factor(cast: Cast) -> None:
    beto = person_of(cast.beto)
    beto.set_password(PASSWORD)
    beto.save(update_fields=["password"])
    with_an_app(beto)
    visitor = at_the_door()
    asked = visitor.post("/forgotten/", {"login": beto.email.upper()})
    work()
    link = link_in(mail.outbox[0].body)

    answer = visitor.post(link, {"password": "cuatro perros bajo la mesa"})

    assert asked.status_code == 200
    assert (
        answer.headers["Location"] == "/factors/authenticate/"
        or "authenticate" in (answer.headers["Location"])
    )
    assert visitor.get("/").status_code == 302


def test_b1_10_a_way_back_is_not_sent_without_end_by_spelling_an_address_otherwise(
    cast: Cast,
) -> None:
    address = f"silas{next(_numbers)}@example.com"
    accounts.add_person(actor=cast.ana, email=address, name="Silas")
    person = Person.objects.get_by_natural_key(address)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    with_an_app(person)
    letters = product(*((one, one.upper()) for one in address.partition("@")[0]))
    cache.clear()

    for spelled in islice(letters, 12):
        at_the_door().post("/forgotten/", {"login": f"{''.join(spelled)}@example.com"})
    work()

    assert 0 < len(mail.outbox) <= 5
    cache.clear()


def asks_for_a_new_password(address: str) -> str:
    """What the mail says."""
    at_the_door().post("/forgotten/", {"login": address})
    work()
    return str(mail.outbox[-1].body)


def test_b1_10_a_mailbox_alone_is_no_way_in(cast: Cast) -> None:
    """Of somebody who never set up a second factor: nothing would be asked for afterwards."""
    name = "Nofactor"
    address = f"{name.lower()}@guests.example"
    accounts.add_person(actor=cast.ana, email=address, name=name)
    person = Person.objects.get_by_natural_key(address)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])

    told = asks_for_a_new_password(address)

    assert "/welcome/" not in told
    assert "Ask an owner or administrator" in told
    with_an_app(person)
    assert "/welcome/" in asks_for_a_new_password(address), "control: who has one shows it then"


def test_b1_10_an_older_link_does_not_outlive_the_factor_it_would_ask_for(cast: Cast) -> None:
    address = "older@guests.example"
    accounts.add_person(actor=cast.ana, email=address, name="Older")
    person = Person.objects.get_by_natural_key(address)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    with_an_app(person)
    older = link_in(asks_for_a_new_password(address))

    accounts.begin_again(person=person.pk)

    assert at_the_door().get(older).status_code == 404


def test_b1_10_whoever_has_no_factor_is_let_begin_again(cast: Cast, ana: Client) -> None:
    address = "again@guests.example"
    principal = accounts.add_person(actor=cast.ana, email=address, name="Again")
    person = Person.objects.get_by_natural_key(address)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])

    for _ in range(2):  # the first mail may be lost
        assert ana.post(f"/people/{principal}/reset-factors/", {"reason": ""}).status_code == 302
        work()
        assert at_the_door().get(link_in(mail.outbox[-1].body)).status_code == 200


def test_a03_for_a_new_password_everybody_gets_the_same_answer(cast: Cast) -> None:
    work()
    pages = [
        re.sub(
            r'value="[^"]*"|[a-z]+@[a-z.]+',
            "",
            at_the_door().post("/forgotten/", {"login": one}).content.decode(),
        )
        for one in (person_of(cast.ana).email, "nobody@nowhere.example")
    ]
    jobs = ProcrastinateJob.objects.filter(status="todo", task_name=WAY_BACK).count()
    work()

    assert pages[0] == pages[1]
    assert jobs == 2  # both leave one job: who it is for, only the worker finds out
    assert len(mail.outbox) <= 1


def test_a_name_cannot_become_a_header(cast: Cast) -> None:
    person = accounts.register_person(email="header@guests.example", name="Header")
    notices.send(
        person=person,
        name="invitation",
        facts={"inviter": "Ana\nBcc: all@example.com", "workspace": "W", "roles": ["Agent"]},
        invites_to=None,
    )

    assert "\n" not in mail.outbox[-1].subject
    assert mail.outbox[-1].bcc == []


def test_no_job_holds_a_link(cast: Cast, ana: Client) -> None:
    form, _ = guests(cast, "Secretless")

    ana.post("/people/invite/", form)

    args = str(list(ProcrastinateJob.objects.values_list("args", flat=True)))
    assert "welcome" not in args
    assert "token" not in args
    work()


def test_who_is_told_only_of_what_happened(cast: Cast) -> None:
    before = waiting()
    with in_workspace(cast.workspace):
        notices.tell(notices.Letter(cast.ana.principal, "password_changed"))
        transaction.set_rollback(True)

    assert waiting() == before


def test_where_no_mail_is_sent_nobody_is_told_to_wait_for_one(cast: Cast) -> None:
    with override_settings(PORTERO_SENDS_MAIL=False):
        pages = [
            at_the_door().post("/forgotten/", {"login": one}).content.decode()
            for one in (person_of(cast.ana).email, "nobody@nowhere.example")
        ]

    assert all("sends no mail" in page for page in pages)
    assert waiting() == 0


def invited_to(cast: Cast, address: str) -> tuple[str, Client]:
    """Carla, an owner elsewhere, is invited to the first workspace; its link and her browser."""
    carla = person_of(cast.carla)
    if not is_mfa_enabled(carla):
        with_an_app(carla)
    carla.set_password(PASSWORD)
    carla.save(update_fields=["password"])
    accounts.invite(actor=cast.ana, guests=[accounts.Guest(address, "Carla", cast.role("Agent"))])
    work()
    return link_in(mail.outbox[-1].body), signed_in(carla)


@pytest.fixture
def carlas(cast: Cast) -> tuple[str, Client]:
    carla = person_of(cast.carla)
    with in_workspace(cast.workspace):
        before = Principal.objects.filter(person_id=carla.pk).first()
    if before is not None:
        accounts.remove(actor=cast.ana, principal=before.id)
    return invited_to(cast, carla.email)


def test_a16_a_membership_that_nobody_accepted_opens_nothing(
    cast: Cast, carlas: tuple[str, Client]
) -> None:
    link, browser = carlas

    before = queries.memberships(person_of(cast.carla).pk)
    page = browser.get(link).content.decode()
    browser.post(link)
    after = queries.memberships(person_of(cast.carla).pk)

    assert cast.workspace not in {one.workspace for one in before}
    assert "Accept" in page
    assert cast.workspace in {one.workspace for one in after}
    assert browser.get(link).status_code == 404
    with in_workspace(cast.workspace):
        assert Record.objects.filter(event="invitation.accepted").exists()


def test_a16_control_a_member_who_was_not_asked_is_in_at_once(cast: Cast) -> None:
    person = accounts.register_person(email="unasked@guests.example", name="Unasked")
    accounts.add_person(actor=cast.ana, email="unasked@guests.example", name="Unasked")

    assert [one.workspace for one in queries.memberships(person)] == [cast.workspace]


def test_a16_nobody_accepts_what_is_somebody_else_s(cast: Cast, carlas: tuple[str, Client]) -> None:
    link, browser = carlas
    dora = signed_in(person_of(cast.dora))

    page = dora.get(link).content.decode()
    dora.post(link)
    at_the_door().post(link)
    half_signed_in(person_of(cast.carla)).post(link)

    assert "you are signed in as somebody else" in page
    assert browser.get(link).status_code == 200, "nor is it used up for whose it is"
    assert cast.workspace not in {
        one.workspace for one in queries.memberships(person_of(cast.carla).pk)
    }


def test_a16_who_was_handed_a_link_takes_over_no_place_elsewhere(cast: Cast) -> None:
    """Two workspaces invite the same newcomer; one of them keeps the link for itself."""
    address = "newcomer@guests.example"
    with in_workspace(cast.carla.workspace):
        role = Role.objects.get(name="Agent").id
    [held] = accounts.invite(actor=cast.carla, guests=[accounts.Guest(address, "New", role)])
    [wanted] = accounts.invite(
        actor=cast.ana, guests=[accounts.Guest(address, "New", cast.role("Administrator"))]
    )
    work()
    link = accounts.invitation_link(actor=cast.carla, principal=held)

    accounts.choose_password(token=link, password=PASSWORD)
    person = Person.objects.get_by_natural_key(address)
    accounts.arrive(person=person.id, workspace=cast.carla.workspace)

    assert [one.workspace for one in queries.memberships(person.id)] == [cast.carla.workspace]
    shown = signed_in(person_of(cast.ana)).get(f"/people/{wanted}/").content.decode()
    assert "Invited, and not here yet." in shown
    # Nor does the first inviter learn what the newcomer does elsewhere.
    assert (
        "last signed in"
        not in signed_in(person_of(cast.ana)).get("/people/?q=New").content.decode()
    )


def test_b3_6_what_was_open_is_closed_also_where_a_gateway_does_not_confirm(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = accounts.add_person(actor=cast.ana, email="open@guests.example", name="Open")
    person = Person.objects.get_by_natural_key("open@guests.example")
    browser = signed_in(person)
    browser.get("/why/me/")
    monkeypatch.setattr(confirmation, "_somebody_is_behind", lambda _xid: True)
    monkeypatch.setattr(confirmation.heads, "PATIENCE_S", 0.0)

    with pytest.raises(NotConfirmed):
        accounts.remove(actor=cast.ana, principal=principal)

    assert not Session.objects.filter(person_id=person.id).exists()
    assert queries.memberships(person.id) == []


def test_a10_a_new_password_ends_every_session(cast: Cast) -> None:
    dora = person_of(cast.dora)
    browsers = [signed_in(dora), signed_in(dora)]
    token = accounts.make_sign_in_link(person=dora.pk)

    accounts.choose_password(token=token, password="cinco loros sobre la rama")

    assert not Session.objects.filter(person_id=dora.pk).exists()
    assert {one.get("/why/me/").status_code for one in browsers} == {302}


def crowd_of(cast: Cast) -> None:
    """Forty invitations of one workspace, then one of another, all waiting for the worker."""
    with in_workspace(cast.carla.workspace):
        role = Role.objects.get(name="Agent").id
    many = [
        accounts.Guest(f"{next(_numbers)}@crowd.example", "Crowd", cast.role("Agent"))
        for _ in range(40)
    ]
    accounts.invite(actor=cast.ana, guests=many)
    accounts.invite(
        actor=cast.carla,
        guests=[accounts.Guest(f"{next(_numbers)}@alone.example", "Alone", role)],
    )
    work()


def place_of_the_other() -> int:
    sent = [one.to[0].partition("@")[2] for one in mail.outbox]
    assert (sent.count("crowd.example"), sent.count("alone.example")) == (40, 1)
    return sent.index("alone.example")


def test_t10_a_crowd_of_one_workspace_keeps_no_mail_of_another_back(cast: Cast) -> None:
    crowd_of(cast)

    assert place_of_the_other() <= 2


def test_t10_control_in_the_order_in_which_they_come_it_waits_for_all(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_turn", lambda _workspace: 0)

    crowd_of(cast)

    assert place_of_the_other() == 40
