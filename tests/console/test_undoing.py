"""What somebody signs in with is changed, taken back, and begun again (A15, B1.10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import count
from threading import Barrier, BrokenBarrierError
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import mail, signing
from django.db import connections, transaction
from django.test import Client, override_settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from cast import Cast, playing
from console.test_factors import with_a_passkey
from console.test_inviting import work
from console.visitors import at_the_door, person_of, signed_in, with_an_app
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.models import Principal
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person, Session, SignInChange, SignInLink
from portero.domain.accounts.services import factors
from portero.domain.audit.models import Record, in_workspace
from portero.domain.notices import services as notices
from portero.domain.workspaces import services as workspaces
from portero.engine import Reach

PASSWORD = "tres gatos en el tejado azul"
APP = "/factors/totp/deactivate/"
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture(autouse=True)
def _mails_are_kept(cast: Cast) -> Iterator[None]:
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        work()
        mail.outbox = []
        yield


@pytest.fixture
def person(cast: Cast) -> Person:
    """Somebody who has come in before, and has an app since long ago."""
    address = f"{next(_numbers)}@undoing.example"
    accounts.add_person(actor=cast.ana, email=address, name=address)
    found = Person.objects.get_by_natural_key(address)
    found.set_password(PASSWORD)
    found.last_login = timezone.now()
    found.save(update_fields=["password", "last_login"])
    with_an_app(found)
    age(found)
    return found


def age(person: Person, by: timedelta = timedelta(days=30)) -> None:
    """Let every factor there is have been there for so long."""
    Authenticator.objects.filter(user_id=person.pk).update(created_at=timezone.now() - by)


def kinds(person: Person) -> list[str]:
    found = Authenticator.objects.filter(user_id=person.pk).exclude(type="recovery_codes")
    return sorted(found.values_list("type", flat=True))


def principal_of(cast: Cast, person: Person) -> UUID:
    with in_workspace(cast.workspace):
        found: UUID = Principal.objects.get(person_id=person.pk).id
    return found


def undo_in_the_last_mail() -> str:
    work()
    found = re.search(r"/undo/\S+", mail.outbox[-1].body)
    assert found, mail.outbox[-1].body
    return found[0]


def test_a15_the_only_factor_stays(person: Person) -> None:
    answer = signed_in(person).post(APP)

    assert answer.status_code == 409
    assert kinds(person) == ["totp"]


def test_a15_beside_one_of_today_the_old_factor_stays_and_goes_a_day_later(person: Person) -> None:
    with_a_passkey(person)
    early = signed_in(person).post(APP)
    assert early.status_code == 409
    assert "totp" in kinds(person)

    age(person, timedelta(hours=24))
    assert signed_in(person).post(APP).status_code == 302
    assert kinds(person) == ["webauthn"]


def test_a15_the_same_holds_for_a_passkey(person: Person) -> None:
    with_a_passkey(person)
    Authenticator.objects.filter(user_id=person.pk, type="totp").delete()
    [key] = Authenticator.objects.filter(user_id=person.pk, type="webauthn")

    answer = signed_in(person).post(f"/factors/webauthn/keys/{key.pk}/remove/")

    assert answer.status_code == 409
    assert kinds(person) == ["webauthn"]


def test_a15_control_without_the_day_a_thief_puts_their_own_in_its_place(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factors, "SETTLED_AFTER", timedelta(0))
    with_a_passkey(person)

    assert signed_in(person).post(APP).status_code == 302
    assert kinds(person) == ["webauthn"]


@pytest.fixture
def _both_count_before_one_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    both, counts = Barrier(2), factors.factors_of

    def counted_together(one: UUID) -> list[Authenticator]:
        found = counts(one)
        with suppress(BrokenBarrierError):  # whoever has the row waits here in vain for the other
            both.wait(1)
        return found

    monkeypatch.setattr(factors, "factors_of", counted_together)


def at_once(*acts: Callable[[], object]) -> None:
    def run(act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(run, acts))


@pytest.mark.usefixtures("_both_count_before_one_goes")
def test_a15_of_two_removed_at_once_one_stays(person: Person) -> None:
    with_a_passkey(person)
    age(person)
    [key] = Authenticator.objects.filter(user_id=person.pk, type="webauthn")
    one, other = signed_in(person), signed_in(person)

    at_once(lambda: one.post(APP), lambda: other.post(f"/factors/webauthn/keys/{key.pk}/remove/"))

    assert len(kinds(person)) == 1


@pytest.mark.usefixtures("_both_count_before_one_goes")
def test_a15_of_two_removed_at_once_the_second_is_told_to_stay(person: Person) -> None:
    """Without a page, whose session ends with the first removal."""
    with_a_passkey(person)
    age(person)
    may_go = []

    def remove(kind: str) -> None:
        with transaction.atomic():
            one = Authenticator.objects.get(user_id=person.pk, type=kind)
            if accounts.stays_until(person=person.pk, factor=one.pk) is None:
                may_go.append(kind)
                one.delete()

    at_once(lambda: remove("totp"), lambda: remove("webauthn"))

    assert len(may_go) == 1
    assert len(kinds(person)) == 1


def test_b1_10_a_mail_takes_the_change_of_a_factor_back(person: Person) -> None:
    secret = Authenticator.objects.get(user_id=person.pk, type="totp").data["secret"]
    with_a_passkey(person)
    way = undo_in_the_last_mail()
    age(person)
    assert signed_in(person).post(APP).status_code == 302
    thief = signed_in(person)

    shown = at_the_door().get(way)
    assert shown.status_code == 200
    assert kinds(person) == ["webauthn"], "looking changes nothing: scanners of mail do"

    assert at_the_door().post(way).status_code == 200
    assert kinds(person) == ["totp"]
    assert Authenticator.objects.get(user_id=person.pk).data["secret"] == secret
    assert not Session.objects.filter(person_id=person.pk).exists()
    assert thief.get("/").status_code == 302


def test_the_page_of_the_link_tells_when_by_the_workspace_s_clock(person: Person) -> None:
    with_a_passkey(person)

    page = at_the_door().get(undo_in_the_last_mail()).content.decode()

    change = SignInChange.objects.get(person_id=person.pk).made_at
    local = change.astimezone(ZoneInfo("America/Bogota"))
    assert f"{local:%H:%M} (America/Bogota)" in page


def test_b1_10_a_change_of_the_password_is_taken_back(person: Person) -> None:
    token = accounts.make_sign_in_link(person=person.pk)
    at_the_door().post(f"/welcome/{token}", {"password": "cuatro perros en la playa verde"})
    way = undo_in_the_last_mail()

    at_the_door().post(way)

    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_b1_10_once_and_what_came_after_goes_with_it(person: Person) -> None:
    with_a_passkey(person)
    first = undo_in_the_last_mail()
    age(person)
    signed_in(person).post(APP)
    second = undo_in_the_last_mail()

    assert at_the_door().post(first).status_code == 200
    assert at_the_door().post(first).status_code == 404
    assert at_the_door().post(second).status_code == 404
    assert kinds(person) == ["totp"]


def test_b1_10_not_after_seven_days(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_passkey(person)
    way = undo_in_the_last_mail()
    assert timedelta(days=7) == factors.UNDO_FOR
    # Nobody may date a change back, so the days that it lasts are made to be over.
    monkeypatch.setattr(factors, "UNDO_FOR", timedelta(0))

    assert at_the_door().get(way).status_code == 404
    assert at_the_door().post(way).status_code == 404
    assert "webauthn" in kinds(person)


@pytest.mark.parametrize("token", ["a", "a:b:c", "%00", "é", "x" * 5000])
def test_b1_10_what_is_no_link_undoes_nothing(cast: Cast, token: str) -> None:
    assert at_the_door().post(f"/undo/{token}").status_code == 404


def test_b1_10_what_was_signed_for_something_else_undoes_nothing(person: Person) -> None:
    """Whoever reads the database knows a change's id, and any signature is not this one."""
    with_a_passkey(person)
    change = str(SignInChange.objects.filter(person_id=person.pk).latest("made_at").id)

    for token in (
        change,
        signing.dumps(change),
        signing.dumps(change, key="guessed", salt="portero.undo"),
    ):
        assert at_the_door().post(f"/undo/{token}").status_code == 404
    assert "webauthn" in kinds(person)
    assert at_the_door().post(undo_in_the_last_mail()).status_code == 200


def test_b1_10_there_is_no_way_back_to_having_no_factor(cast: Cast) -> None:
    """A mailbox alone would open the door: take the first factor back, choose a password, be in."""
    address = f"{next(_numbers)}@undoing.example"
    accounts.add_person(actor=cast.ana, email=address, name=address)
    newcomer = Person.objects.get_by_natural_key(address)
    newcomer.last_login = timezone.now()
    newcomer.save(update_fields=["last_login"])

    with_a_passkey(newcomer)
    work()

    for one in mail.outbox:
        for way in re.findall(r"/undo/\S+", one.body):
            at_the_door().post(way)
    assert kinds(newcomer) == ["webauthn"]


def test_b1_10_no_job_holds_the_link(person: Person) -> None:
    with_a_passkey(person)

    for job in ProcrastinateJob.objects.all():
        assert "/undo/" not in str(job.args)
        assert ":" not in str(job.args.get("undoes"))


def codes_of(person: Person) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(person).get_unused_codes()
    return codes


def comes_in_by(person: Person, code: str) -> bool:
    browser = at_the_door()
    browser.post("/login/", {"login": person.email, "password": PASSWORD})
    browser.post("/factors/authenticate/", {"code": code})
    return "_auth_user_id" in browser.session


def test_b1_10_new_recovery_codes_are_told_and_taken_back(person: Person) -> None:
    old = codes_of(person)
    owner, thief = signed_in(person), signed_in(person)
    before = thief.cookies["portero_session"].value

    assert thief.post("/factors/recovery-codes/generate/").status_code == 302

    new = codes_of(person)
    assert new != old
    assert thief.cookies["portero_session"].value != before
    assert owner.get("/sessions/").status_code == 302
    way = undo_in_the_last_mail()
    assert [one.to for one in mail.outbox] == [[person.email]]
    at_the_door().post(way)
    assert not comes_in_by(person, new[0])
    assert comes_in_by(person, old[0])


def test_a06_taking_a_change_back_brings_no_code_back_that_was_used_after_it(
    person: Person,
) -> None:
    used, unused, *_ = codes_of(person)
    with_a_passkey(person)
    first = undo_in_the_last_mail()
    assert comes_in_by(person, used)
    signed_in(person).post("/factors/recovery-codes/generate/")

    at_the_door().post(first)

    assert not comes_in_by(person, used)
    assert comes_in_by(person, unused)


def test_a06_nor_does_taking_two_changes_back_one_after_the_other(person: Person) -> None:
    used, *_ = codes_of(person)
    with_a_passkey(person)
    first = undo_in_the_last_mail()
    signed_in(person).post("/factors/recovery-codes/generate/")
    second = undo_in_the_last_mail()
    at_the_door().post(second)
    assert comes_in_by(person, used)
    signed_in(person).post("/factors/recovery-codes/generate/")

    at_the_door().post(first)

    assert not comes_in_by(person, used)


def reset(browser: Client, cast: Cast, person: Person) -> int:
    path = f"/people/{principal_of(cast, person)}/reset-factors/"
    return int(browser.post(path, {"reason": "The phone fell into the sea"}).status_code)


def test_who_lost_everything_begins_again_by_a_mail_of_their_own(
    cast: Cast, person: Person
) -> None:
    was = signed_in(person)
    owner = signed_in(person_of(cast.ana))

    assert reset(owner, cast, person) == 302
    work()

    assert kinds(person) == []
    assert was.get("/people/").status_code == 302
    assert [one.to for one in mail.outbox] == [[person.email]]
    link = re.search(r"/welcome/\S+", mail.outbox[0].body)
    assert link
    came = at_the_door()
    came.post(link[0], {"password": "cinco loros sobre la rama"})
    assert "/factors/" in came.get("/people/", follow=False).headers["Location"]
    with in_workspace(cast.workspace):
        assert Record.objects.filter(event="factors.reset", effect="allow").exists()


def test_whoever_resets_does_not_get_the_link(cast: Cast, person: Person) -> None:
    owner = signed_in(person_of(cast.ana))
    path = f"/people/{principal_of(cast, person)}/reset-factors/"

    told = owner.get(path).content.decode() + owner.post(path, follow=True).content.decode()

    assert "/welcome/" not in told
    assert "/undo/" not in told


def test_who_lost_nothing_takes_the_reset_back(cast: Cast, person: Person) -> None:
    reset(signed_in(person_of(cast.ana)), cast, person)

    at_the_door().post(undo_in_the_last_mail())

    person.refresh_from_db()
    assert kinds(person) == ["totp"]
    assert person.check_password(PASSWORD)


def test_b1_10_with_a_reset_that_is_taken_back_its_link_opens_nothing(
    cast: Cast, person: Person
) -> None:
    other = workspaces.found_workspace(
        name=f"Elsewhere {next(_numbers)}",
        timezone="America/Lima",
        owner=person_of(cast.carla).pk,
        owner_name="Carla",
    ).id
    accounts.make_sign_in_link(person=person.pk, workspace=other)
    reset(signed_in(person_of(cast.ana)), cast, person)
    way = undo_in_the_last_mail()
    link = re.search(r"/welcome/\S+", mail.outbox[-1].body)
    assert link
    asked_for = accounts.make_sign_in_link(person=person.pk)

    at_the_door().post(way)

    for dead in (link[0], f"/welcome/{asked_for}"):
        assert at_the_door().get(dead).status_code == 404
        at_the_door().post(dead, {"password": "cinco loros sobre la rama"})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert SignInLink.objects.filter(person_id=person.pk, invites_to=other, used_at=None).exists()


def test_b1_10_a_mail_of_what_was_taken_back_is_not_sent_once_more(
    cast: Cast, person: Person
) -> None:
    """A mail server that took it and was not heard gets it again, with another link."""
    reset(signed_in(person_of(cast.ana)), cast, person)
    at_the_door().post(undo_in_the_last_mail())
    sent = len(mail.outbox)
    [change] = SignInChange.objects.filter(person_id=person.pk)

    notices.send(
        person=person.pk,
        name="factors_reset",
        facts={"greets": "x", "workspace": "x"},
        invites_to=None,
        undoes=change.id,
        lets_back=True,
    )

    assert len(mail.outbox) == sent
    assert not SignInLink.objects.filter(person_id=person.pk, used_at=None).exists()


def test_nobody_resets_who_may_do_more(cast: Cast, person: Person) -> None:
    """It is a way to become them, should their mailbox be open."""
    helper = f"{next(_numbers)}@undoing.example"
    principal = accounts.add_person(actor=cast.ana, email=helper, name=helper)
    role = access.create_role(actor=cast.ana, name=helper, cells={"member:reset_factor": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=principal, role=role)
    browser = signed_in(Person.objects.get_by_natural_key(helper))
    access.create_binding(
        actor=cast.ana, principal=principal_of(cast, person), role=cast.role("Agent")
    )

    assert reset(browser, cast, person) == 400
    assert kinds(person) == ["totp"]


def test_nobody_resets_themselves(cast: Cast) -> None:
    ana = person_of(cast.ana)
    with_an_app(ana)

    reset(signed_in(ana), cast, ana)

    assert kinds(ana) == ["totp"]
    Authenticator.objects.filter(user_id=ana.pk).delete()


def test_t06_one_workspace_does_not_open_another(cast: Cast, person: Person) -> None:
    workspaces.found_workspace(
        name=f"Elsewhere {next(_numbers)}",
        timezone="America/Lima",
        owner=person.id,
        owner_name="Elsewhere",
    )

    assert reset(signed_in(person_of(cast.ana)), cast, person) == 400
    assert kinds(person) == ["totp"]


def test_t06_not_even_one_that_has_suspended_them(cast: Cast, person: Person) -> None:
    there = accounts.add_person(actor=cast.carla, email=person.email, name="There")
    accounts.suspend(actor=cast.carla, principal=there, reason="on leave")

    assert reset(signed_in(person_of(cast.ana)), cast, person) == 400
    assert kinds(person) == ["totp"]
