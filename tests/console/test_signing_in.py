"""Passwords, factors and sessions, as the console keeps and asks for them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import argon2
import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from cast import Cast, playing
from console.visitors import (
    at_the_door,
    half_signed_in,
    has_shown,
    person_of,
    signed_in,
    with_an_app,
)
from databases import Database
from portero.console import visits
from portero.domain.accounts.models import Person, Session, SignInBudget
from portero.domain.accounts.queries import memberships
from portero.domain.accounts.services.throttling import FactorTry
from portero.store.sealing import CannotOpen, KeyRing, new_key

PASSWORD = "una frase larga que nadie adivina"


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Iterator[Person]:
    cache.clear()
    person = person_of(cast.ana)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    yield person
    Authenticator.objects.filter(user=person).delete()


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def enter(client: Client, email: str, password: str) -> str:
    answer = client.post("/login/", {"login": email, "password": password})
    return answer.headers.get("Location", f"stays: {answer.status_code}")


@pytest.mark.parametrize(
    ("asked", "language", "password"),
    [
        ("es-419,es;q=0.9", "es", "Contraseña"),
        ("pt-BR", "pt-br", "Senha"),
        ("pt-PT,pt;q=0.9", "pt-br", "Senha"),
        ("fr", "en", "Password"),
    ],
)
def test_whoever_comes_is_spoken_to_in_their_language(
    ana: Person, asked: str, language: str, password: str
) -> None:
    page = at_the_door().get("/login/", headers={"accept-language": asked}).content.decode()

    assert f'<html lang="{language}">' in page
    assert f">{password}</label>" in page


def test_a_person_comes_in_with_a_password_and_a_code(ana: Person) -> None:
    secret, client = with_an_app(ana), at_the_door()

    assert enter(client, "ANA@example.com", PASSWORD).startswith("/factors/authenticate/")
    assert client.get("/").headers["Location"].startswith("/login/")
    client.post("/factors/authenticate/", {"code": code_of(secret)})

    assert client.get("/").status_code == 200


def test_a05_a_code_works_once(ana: Person) -> None:
    secret, first, second = with_an_app(ana), at_the_door(), at_the_door()
    code = code_of(secret)
    for client in (first, second):
        enter(client, ana.email, PASSWORD)
        client.post("/factors/authenticate/", {"code": code})

    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 302


def test_a05_a_right_code_that_was_used_is_called_that_and_a_wrong_one_wrong(ana: Person) -> None:
    secret, first, second = with_an_app(ana), at_the_door(), at_the_door()
    code = code_of(secret)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for client in (first, second):
        enter(client, ana.email, PASSWORD)
    first.post("/factors/authenticate/", {"code": code})
    cache.clear()

    def told(client: Client, path: str, code: str) -> str:
        return client.post(path, {"code": code}).content.decode()

    for client, path in ((second, "/factors/authenticate/"), (first, "/factors/reauthenticate/")):
        assert "This code was used already" in told(client, path, code)
        assert "This code was used already" not in told(client, path, wrong)
    assert second.get("/").status_code == 302


def test_a_used_code_costs_a_try_as_a_wrong_one_does(ana: Person) -> None:
    """Else whoever saw one would take their failures back with it."""
    secret, first, second = with_an_app(ana), at_the_door(), at_the_door()
    code = code_of(secret)
    for client in (first, second):
        enter(client, ana.email, PASSWORD)
    first.post("/factors/authenticate/", {"code": code})
    key = FactorTry(ana.pk, None).budgets()[0][1]

    for n in range(1, 3):
        second.post("/factors/authenticate/", {"code": code})
        assert SignInBudget.objects.get(key=key).failures == n


def test_b1_7_a_code_is_remembered_for_longer_than_it_could_work(ana: Person) -> None:
    """allauth forgets it after half a minute, and takes it for one and a half."""
    secret, first, second = with_an_app(ana), at_the_door(), at_the_door()
    code = code_of(secret)
    enter(first, ana.email, PASSWORD)
    first.post("/factors/authenticate/", {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={ana.pk}&code={code}")  # as when its time is up
    enter(second, ana.email, PASSWORD)
    second.post("/factors/authenticate/", {"code": code})

    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 302


def test_a07_a_password_shown_again_is_no_second_factor(ana: Person) -> None:
    """Somebody with the password came in before the person had a factor, and stayed."""
    thief = half_signed_in(ana)
    with_an_app(ana)

    thief.post("/reauthenticate/", {"password": PASSWORD})
    has_shown(thief, ana, method="password", reauthenticated=True)  # as if it had been taken

    for page in (
        "/factors/webauthn/add/",
        "/factors/totp/deactivate/",
        "/factors/recovery-codes/generate/",
    ):
        answer = thief.get(page)
        assert answer.status_code == 302, page
        assert "authenticate" in answer.headers["Location"], page
    assert thief.get("/").status_code == 302


def test_b1_10_a_changed_factor_ends_every_other_session(ana: Person) -> None:
    thief, client = half_signed_in(ana), at_the_door()
    enter(client, ana.email, PASSWORD)
    before = client.cookies["portero_session"].value
    page = client.get("/factors/totp/activate/").content.decode()
    [secret] = re.findall(r'id="authenticator_secret" value="([A-Z2-7]+)"', page)
    client.post("/factors/totp/activate/", {"code": code_of(secret)})

    assert client.get("/").status_code == 200
    assert client.cookies["portero_session"].value != before
    assert thief.get("/factors/").headers["Location"].startswith("/login/")


def test_b2_2_a_session_in_use_ends_after_twelve_hours(ana: Person) -> None:
    client = signed_in(ana)
    client.get("/")
    session = client.session
    session["began"] = datetime.now(UTC).timestamp() - visits.ABSOLUTE_S - 1
    session.save()

    assert client.get("/").headers["Location"].startswith("/login/")


def test_b1_5_a_key_that_only_asks_to_be_touched_is_not_enough(ana: Person) -> None:
    answer = at_the_door().get("/factors/webauthn/login/", headers={"accept": "application/json"})

    assert answer.json()["request_options"]["publicKey"]["userVerification"] == "required"
    # In place of the password allauth asks for that by itself; after it, because we say so.
    assert settings.MFA_WEBAUTHN_USER_VERIFICATION == "required"


def test_b1_4_who_has_no_second_factor_is_led_to_set_one_up(ana: Person) -> None:
    client = at_the_door()

    enter(client, ana.email, PASSWORD)

    assert client.get("/").headers["Location"] == "/factors/"
    answer = client.get("/factors/totp/activate/")
    assert answer.status_code == 200, answer.headers
    page = answer.content.decode()
    [secret] = re.findall(r'id="authenticator_secret" value="([A-Z2-7]+)"', page)
    client.post("/factors/totp/activate/", {"code": code_of(secret)})
    assert client.get("/").status_code == 200


def test_b1_3_a_password_is_kept_as_argon2id_under_the_pepper(ana: Person) -> None:
    parameters = dict(p.split("=") for p in ana.password.split("$")[4].split(","))

    assert ana.password.startswith("portero_argon2id$pepper=1$argon2id$")
    assert int(parameters["m"]) >= 46 * 1024
    assert parameters["p"] == "1"
    assert ana.check_password(PASSWORD)
    settings.PORTERO_PEPPER, kept = KeyRing.generate(), settings.PORTERO_PEPPER
    try:
        assert not ana.check_password(PASSWORD)  # the database alone does not even let one guess
    finally:
        settings.PORTERO_PEPPER = kept


@pytest.fixture
def a_new_pepper() -> Iterator[None]:
    kept = settings.PORTERO_PEPPER
    settings.PORTERO_PEPPER = KeyRing({1: kept.current, 2: new_key()})
    yield
    settings.PORTERO_PEPPER = kept


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one for each hash that is computed."""
    made: list[str] = []
    for place, name in (
        (argon2.low_level, "hash_secret"),
        (argon2._password_hasher, "verify_secret"),
    ):
        real = getattr(place, name)

        def counted(*args: Any, real: Any = real, name: str = name, **kwargs: Any) -> Any:
            made.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(place, name, counted)
    return made


@pytest.mark.usefixtures("a_new_pepper")
def test_a03_after_a_change_of_the_pepper_a_known_address_takes_as_many_hashes(
    ana: Person, hashes: list[str]
) -> None:
    counts = []
    for email in (ana.email, "nobody@nowhere.example"):
        hashes.clear()
        at_the_door().post("/login/", {"login": email, "password": "no es esta de ninguna"})
        counts.append(len(hashes))

    assert counts == [1, 1]


def test_b1_3_whoever_signs_in_after_a_change_of_the_pepper_is_kept_under_the_new_one(
    ana: Person, request: pytest.FixtureRequest
) -> None:
    ana.set_password(PASSWORD)
    first = ana.password
    unversioned = first.replace("$pepper=1", "", 1)
    request.getfixturevalue("a_new_pepper")

    for kept in (first, unversioned):
        ana.password = kept
        ana.save(update_fields=["password"])
        at_the_door().post("/login/", {"login": ana.email, "password": PASSWORD})
        ana.refresh_from_db()
        assert ana.password.startswith("portero_argon2id$pepper=2$argon2id$")
        assert ana.check_password(PASSWORD)


def test_b1_1_a_password_is_neither_cut_short_nor_folded(ana: Person) -> None:
    long = "ñ" * 200
    ana.set_password(long)

    assert ana.check_password(long)
    assert not ana.check_password(long[:-1])
    assert not ana.check_password(long.upper())
    assert ana.check_password("n\u0303" * 200)  # the same, typed on another keyboard


def test_a_factor_s_secret_is_sealed_in_the_database(ana: Person, cast: Cast) -> None:
    secret = with_an_app(ana)
    stored = Authenticator.objects.get(user=ana).data["secret"]

    assert secret not in str(stored)
    kept, settings.PORTERO_KEK = settings.PORTERO_KEK, KeyRing.generate()
    try:
        with pytest.raises(CannotOpen):
            Authenticator.objects.get(user=ana).wrap().validate_code(code_of(secret))
    finally:
        settings.PORTERO_KEK = kept


def test_b2_1_a11_the_database_holds_no_cookie(ana: Person) -> None:
    client = signed_in(ana)
    cookie = client.cookies["portero_session"].value

    keys = set(Session.objects.filter(person_id=ana.id).values_list("session_key", flat=True))

    assert cookie not in keys
    assert hashlib.sha256(cookie.encode()).hexdigest() in keys
    assert len(cookie) >= 43  # 256 bits
    stolen = at_the_door()
    stolen.cookies["portero_session"] = next(iter(keys))
    assert stolen.get("/").status_code == 302


def test_a09_a_cookie_from_before_is_worth_nothing_after(ana: Person) -> None:
    secret, client = with_an_app(ana), at_the_door()
    client.get("/login/")
    enter(client, ana.email, PASSWORD)
    before = client.cookies["portero_session"].value
    client.post("/factors/authenticate/", {"code": code_of(secret)})

    after = client.cookies["portero_session"].value
    old = at_the_door()
    old.cookies["portero_session"] = before

    assert after != before
    assert old.get("/").status_code == 302


def test_a09_showing_a_factor_again_gives_the_session_another_id(ana: Person) -> None:
    secret = with_an_app(ana)
    client = half_signed_in(ana)
    has_shown(client, ana, method="mfa", type="totp")
    client.get("/sessions/")
    before = client.cookies["portero_session"].value

    client.post("/factors/reauthenticate/", {"code": code_of(secret)})

    assert client.cookies["portero_session"].value != before
    assert client.get("/sessions/").status_code == 200
    old = at_the_door()
    old.cookies["portero_session"] = before
    assert old.get("/sessions/").status_code == 302


def test_a_session_ends_when_its_person_signs_out(ana: Person) -> None:
    client = signed_in(ana)
    cookie = client.cookies["portero_session"].value

    client.post("/logout/")
    replayed = at_the_door()
    replayed.cookies["portero_session"] = cookie

    assert replayed.get("/").headers["Location"].startswith("/login/")


def test_b2_2_who_was_away_for_half_an_hour_signs_in_again(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(ana)
    assert client.get("/").status_code == 200

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(seconds=visits.IDLE_S + 60)

    monkeypatch.setattr(visits, "datetime", Later)

    assert client.get("/").headers["Location"].startswith("/login/")


def test_sessions_that_nobody_can_use_are_cleared_away(ana: Person) -> None:
    over = datetime.now(UTC) - timedelta(seconds=1)
    Session.objects.create(session_key="over", session_data="", expire_date=over)
    secret, client = with_an_app(ana), at_the_door()

    enter(client, ana.email, PASSWORD)
    client.post("/factors/authenticate/", {"code": code_of(secret)})

    assert not Session.objects.filter(session_key="over").exists()
    assert client.get("/").status_code == 200


def test_a_page_that_reloads_itself_keeps_nobody_signed_in(ana: Person) -> None:
    client = signed_in(ana)
    client.get("/")
    session = client.session
    session["seen"] = long_ago = datetime.now(UTC).timestamp() - 600
    session.save()

    client.get("/", headers={"sec-fetch-mode": "navigate"})
    assert client.session["seen"] == long_ago
    client.get("/", headers={"sec-fetch-mode": "navigate", "sec-fetch-user": "?1"})
    assert client.session["seen"] > long_ago


def test_a03_the_answer_for_an_unknown_address_is_the_one_for_a_wrong_password(
    ana: Person,
) -> None:
    def told(email: str) -> tuple[int, str]:
        answer = at_the_door().post("/login/", {"login": email, "password": "not the one"})
        text = answer.content.decode().replace(email, "")
        return answer.status_code, re.sub(r'value="[A-Za-z0-9]{64}"', "", text)

    assert told(ana.email) == told("nobody@example.com")


def test_a19_nobody_is_led_elsewhere_after_signing_in(ana: Person) -> None:
    secret = with_an_app(ana)
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"):
        client = at_the_door()
        client.post("/login/", {"login": ana.email, "password": PASSWORD, "next": elsewhere})
        Authenticator.objects.filter(user=ana).delete()
        secret = with_an_app(ana)
        cache.clear()
        answer = client.post("/factors/authenticate/", {"code": code_of(secret)})
        assert "evil" not in answer.headers.get("Location", "")
        assert "javascript" not in answer.headers.get("Location", "")


def test_nobody_signs_up(cast: Cast) -> None:
    client = at_the_door()

    assert client.get("/signup/").status_code == 404
    answer = client.post("/signup/", {"email": "x@example.com", "password1": PASSWORD})
    assert answer.status_code == 404
    assert not Person.objects.filter(email="x@example.com").exists()


def test_a12_a_form_from_elsewhere_changes_nothing(ana: Person) -> None:
    client = Client(
        enforce_csrf_checks=True, REMOTE_ADDR="127.0.0.1", headers={"host": "localhost"}
    )
    client.cookies = signed_in(ana).cookies

    assert client.post("/logout/").status_code == 403
    assert client.get("/").status_code == 200


def test_somebody_sees_where_they_are_a_member_and_nothing_of_other_places(
    cast: Cast, ana: Person, shared_database: Database
) -> None:
    [mine] = memberships(ana.id)

    assert mine.workspace == cast.workspace
    with psycopg.connect(shared_database.dsn("app")) as connection:
        connection.execute("SELECT set_config('portero.person', %s, true)", (str(ana.id),))
        seen = connection.execute("SELECT count(*) FROM principal").fetchone()
        assert seen == (1,)
        assert connection.execute("UPDATE principal SET name = 'x'").rowcount == 0


def test_half_a_session_is_not_a_member(ana: Person) -> None:
    with_an_app(ana)

    assert half_signed_in(ana).get("/").headers["Location"].startswith("/factors/reauthenticate/")


def test_who_has_no_passkey_is_not_asked_for_one(ana: Person) -> None:
    with_an_app(ana)
    client = at_the_door()
    where = enter(client, ana.email, PASSWORD)

    page = client.get(where).content.decode()

    assert 'name="code"' in page
    assert "passkey or security key" not in page
