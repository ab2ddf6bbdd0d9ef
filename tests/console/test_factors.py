"""Factors: passkeys that answer wrongly, recovery codes, and what a stolen session cannot do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import count
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from django.db import connections
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation

from cast import Cast, playing
from console.authenticators import BE, BS, UP, UV, Soft
from console.visitors import at_the_door, half_signed_in, has_shown, signed_in, with_an_app
from databases import Database
from portero.console import passkeys
from portero.console.doors import Opens, declared
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person

LOGIN = "/factors/webauthn/login/"
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def person(cast: Cast) -> Person:
    address = f"{next(_numbers)}@factors.example"
    accounts.add_person(actor=cast.ana, email=address, name=address)
    return Person.objects.get_by_natural_key(address)


def with_a_passkey(person: Person, soft: Soft | None = None) -> Soft:
    """Make one through the console, as a browser does."""
    made = (soft or Soft()).but(handle=user_pk_to_url_str(person))
    browser = half_signed_in(person)
    has_one = Authenticator.objects.filter(user_id=person.pk).exists()
    has_shown(browser, person, method="mfa" if has_one else "password", type="totp")
    page = browser.get("/factors/webauthn/add/")
    assert page.status_code == 200
    challenge = browser.session[STATE_SESSION_KEY]["challenge"]
    answer = browser.post(
        "/factors/webauthn/add/",
        {"name": "Phone", "passwordless": "on", "credential": json.dumps(made.made(challenge))},
    )
    assert answer.status_code == 302, answer.content.decode()[-600:]
    return made


def asked(browser: Client) -> str:
    """The challenge that a page to sign in gets."""
    answer = browser.get(LOGIN, headers={"X-Requested-With": "XMLHttpRequest"})
    challenge: str = answer.json()["request_options"]["publicKey"]["challenge"]
    return challenge


def comes_in(browser: Client, credential: dict[str, Any]) -> bool:
    browser.post(LOGIN, {"credential": json.dumps(credential)})
    return "_auth_user_id" in browser.session


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "The passkey is added."), ("es", "Se agregó la llave de acceso.")],
)
def test_a_passkey_is_called_one_word_everywhere(language: str, says: str) -> None:
    with translation.override(language):
        assert render_to_string("mfa/messages/webauthn_added.txt").strip() == says


def test_the_list_of_sessions_leads_to_another_password(person: Person) -> None:
    with_an_app(person)

    page = signed_in(person).get("/sessions/").content.decode()

    assert '<a href="/forgotten/">choose another password</a>' in page


def test_a13_control_a_right_answer_lets_in(person: Person) -> None:
    soft, browser = with_a_passkey(person), at_the_door()

    assert comes_in(browser, soft.shown(asked(browser)))


@pytest.mark.parametrize(
    "wrongly",
    [
        {"origin": "http://localhost.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"rp": "evil.example"},
        {"flags": UP},  # nobody was verified
        {"flags": UV},  # nobody was there
        {"flags": UP | UV | BS},  # backed up, though it cannot be
        {"flags": UP | UV | BE},  # made as one that cannot be backed up
        {"client_data": {"crossOrigin": True}},
        {"client_data": {"topOrigin": "https://evil.example"}},
        {"kind": "webauthn.create"},
        {"kind": "payment.get"},
        {"id": b"somebody else's"},
        {"key": Soft().key},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a13_a_wrong_answer_lets_nobody_in(person: Person, wrongly: dict[str, Any]) -> None:
    soft, browser = with_a_passkey(person), at_the_door()

    assert not comes_in(browser, soft.but(**wrongly).shown(asked(browser)))


def test_a13_a_passkey_of_somebody_else_opens_no_other_account(person: Person, cast: Cast) -> None:
    accounts.add_person(actor=cast.ana, email="mallory@factors.example", name="Mallory")
    mallory = Person.objects.get_by_natural_key("mallory@factors.example")
    mine, theirs = with_a_passkey(mallory), with_a_passkey(person)
    browser = at_the_door()

    assert not comes_in(browser, mine.but(handle=theirs.handle).shown(asked(browser)))


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("nothing", ["{}", "[]", "null", "7", '"x"', '{"response": {}}', "{"])
def test_a13_what_is_no_answer_is_refused_without_a_fault(nothing: str) -> None:
    browser = at_the_door()
    asked(browser)

    assert browser.post(LOGIN, {"credential": nothing}).status_code == 302
    assert "_auth_user_id" not in browser.session


def test_a14_an_answer_is_good_in_the_session_that_asked(person: Person) -> None:
    soft, mine, theirs = with_a_passkey(person), at_the_door(), at_the_door()
    asked(theirs)

    assert not comes_in(theirs, soft.shown(asked(mine)))


def test_a14_an_answer_is_good_once_and_a_wrong_one_uses_the_challenge_up(person: Person) -> None:
    soft, browser = with_a_passkey(person), at_the_door()
    challenge = asked(browser)
    assert not comes_in(browser, soft.but(origin="http://evil.example").shown(challenge))
    assert not comes_in(browser, soft.shown(challenge))

    other = at_the_door()
    right = soft.shown(asked(other))
    assert comes_in(other, right)
    other.post("/logout/")
    assert not comes_in(other, right)


@pytest.mark.parametrize(("age_s", "comes"), [(290, True), (310, False)])
def test_a14_b1_5_a_challenge_is_good_for_five_minutes(
    person: Person, age_s: int, *, comes: bool
) -> None:
    soft, browser = with_a_passkey(person), at_the_door()
    challenge = asked(browser)
    session = browser.session
    known, begun = session[passkeys._BEGUN]
    session[passkeys._BEGUN] = [known, begun - age_s]
    session.save()

    assert comes_in(browser, soft.shown(challenge)) is comes


@pytest.mark.parametrize(("counts", "comes"), [((5, 6), True), ((5, 5), False), ((5, 4), False)])
def test_b1_5_a_passkey_that_counts_down_is_a_copy(
    person: Person, counts: tuple[int, int], *, comes: bool
) -> None:
    soft = with_a_passkey(person)
    first, second = at_the_door(), at_the_door()
    assert comes_in(first, soft.but(count=counts[0]).shown(asked(first)))

    assert comes_in(second, soft.but(count=counts[1]).shown(asked(second))) is comes


def test_b1_5_one_that_does_not_count_is_used_again(person: Person) -> None:
    soft = with_a_passkey(person)

    for _ in range(3):
        browser = at_the_door()
        assert comes_in(browser, soft.shown(asked(browser)))


@pytest.mark.parametrize(
    "wrongly", [{"flags": UP | UV | BS}, {"client_data": {"crossOrigin": True}}, {"flags": UP}]
)
def test_a13_no_such_passkey_is_made(person: Person, wrongly: dict[str, Any]) -> None:
    browser = half_signed_in(person)
    has_shown(browser, person, method="password")
    browser.get("/factors/webauthn/add/")
    soft = Soft(**wrongly)
    made = soft.made(browser.session[STATE_SESSION_KEY]["challenge"])
    browser.post(
        "/factors/webauthn/add/",
        {"name": "Phone", "passwordless": "on", "credential": json.dumps(made)},
    )

    assert not Authenticator.objects.filter(user_id=person.pk).exists()


def recovery_codes_of(person: Person) -> list[str]:
    with_an_app(person)
    codes: list[str] = RecoveryCodes.activate(person).get_unused_codes()
    return codes


def test_b1_6_a_recovery_code_cannot_be_guessed(person: Person) -> None:
    codes = recovery_codes_of(person)

    assert len(set(codes)) == len(codes) >= 8
    for code in codes:
        assert re.fullmatch(r"\d{20}", code)  # 66 bits


def half_way(person: Person) -> Client:
    browser = at_the_door()
    person.set_password("a long enough phrase for this")
    person.save(update_fields=["password"])
    browser.post("/login/", {"login": person.email, "password": "a long enough phrase for this"})
    assert "_auth_user_id" not in browser.session
    return browser


def test_a06_of_many_who_send_one_recovery_code_at_once_one_comes_in(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = recovery_codes_of(person)[0]
    browsers = [half_way(person) for _ in range(5)]
    two, marks = Barrier(2), RecoveryCodes._mark_code_used

    def marks_together(self: RecoveryCodes, n: int) -> None:
        with suppress(BrokenBarrierError):  # whoever has the row waits here in vain for another
            two.wait(1)
        marks(self, n)

    monkeypatch.setattr(RecoveryCodes, "_mark_code_used", marks_together)

    def sends(browser: Client) -> bool:
        try:
            browser.post("/factors/authenticate/", {"code": code})
            return "_auth_user_id" in browser.session
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as threads:
        came = list(threads.map(sends, browsers))

    assert sum(came) == 1


def test_a06_new_codes_end_the_old_ones(person: Person) -> None:
    code = recovery_codes_of(person)[0]
    browser = signed_in(person)
    assert browser.post("/factors/recovery-codes/generate/").status_code == 302

    other = half_way(person)
    other.post("/factors/authenticate/", {"code": code})
    assert "_auth_user_id" not in other.session


def shows_codes(browser: Client) -> int:
    """How many stand on the page."""
    answer = browser.get("/factors/recovery-codes/")
    assert answer.status_code == 200
    return answer.content.count(b"<li><code>")


def test_a15_recovery_codes_are_shown_once(person: Person) -> None:
    with_an_app(person)
    owner = signed_in(person)
    owner.post("/factors/recovery-codes/generate/")
    assert shows_codes(owner) == 10

    assert shows_codes(signed_in(person)) == 0, "to a thief, by a cookie"
    assert "10 of them still work" in owner.get("/factors/recovery-codes/").content.decode()


def test_a15_nor_are_those_shown_at_which_nobody_has_looked_for_long(person: Person) -> None:
    with_a_passkey(person)
    codes = Authenticator.objects.filter(user_id=person.pk, type="recovery_codes")
    assert codes.exists(), "they are made with the first factor"
    codes.update(created_at=timezone.now() - timedelta(minutes=11))

    assert shows_codes(signed_in(person)) == 0


FACTOR_DOORS = ("/factors/totp/deactivate/", "/factors/recovery-codes/generate/")


@pytest.mark.parametrize("page", FACTOR_DOORS)
def test_a15_a_stolen_session_changes_no_factor(person: Person, page: str) -> None:
    """What was shown ten minutes ago is not enough: the thief shows a factor, or nothing happens."""
    with_a_passkey(person)
    Authenticator.objects.filter(user_id=person.pk).update(created_at=timezone.now() - timedelta(1))
    with_an_app(person)
    thief = half_signed_in(person)
    has_shown(thief, person, method="mfa", type="totp", at=time.time() - 600)
    session = thief.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 600
    session.save()
    before = set(Authenticator.objects.filter(user_id=person.pk).values_list("id", "type"))

    answer = thief.post(page)

    assert answer.status_code == 302
    assert "/reauthenticate" in answer.headers["Location"]
    assert set(Authenticator.objects.filter(user_id=person.pk).values_list("id", "type")) == before


def test_a17_no_door_changes_an_address(cast: Cast) -> None:
    """Until there is one that asks both addresses, there is none."""
    about = [name for name in declared() if "email" in name]

    assert about
    for name in about:
        assert {door.opens for door in declared()[name].values()} == {Opens.FOR_NOBODY}, name


def test_a18_nobody_sets_a_password_or_reads_a_secret_of_somebody_else(
    cast: Cast, person: Person
) -> None:
    secret = with_an_app(person)
    owner = signed_in(Person.objects.get_by_natural_key("ana@example.com"))
    hashed = person.password
    from portero.domain.access.models import Principal
    from portero.domain.audit.models import in_workspace

    with in_workspace(cast.ana.workspace):
        principal = Principal.objects.get(person_id=person.pk).id
    pages = [
        f"/people/{principal}/",
        *(
            f"/people/{principal}/{act}/"
            for act in ("suspend", "remove", "end-sessions", "make-owner")
        ),
        "/people/",
        "/",
    ]
    for page in pages:
        told = owner.get(page).content.decode()
        assert secret not in told
        assert "argon2" not in told
        assert 'type="password"' not in told

    for page in pages:
        owner.post(page, {"password": "somebody else chose it", "new_password": "x" * 20})
    person.refresh_from_db()
    assert person.password == hashed
