"""Links with which people choose a password: for one person, once, not for long (A16)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from cast import Cast, playing
from console.visitors import at_the_door, person_of, with_an_app
from databases import Database
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person, SignInLink

PASSWORD = "tres gatos en el tejado azul"
COMMON = max(CommonPasswordValidator().passwords, key=len)


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def beto(cast: Cast) -> Person:
    return person_of(cast.beto)


def test_a16_a_link_works_once(beto: Person) -> None:
    token = accounts.make_sign_in_link(person=beto.id)

    accounts.choose_password(token=token, password=PASSWORD)

    beto.refresh_from_db()
    assert beto.check_password(PASSWORD)
    with pytest.raises(LinkNotValid):
        accounts.choose_password(token=token, password="otra frase bien distinta")
    assert at_the_door().get(f"/welcome/{token}").status_code == 404


def test_a16_of_twenty_at_once_one_is_the_first(beto: Person) -> None:
    token = accounts.make_sign_in_link(person=beto.id)

    def choose(n: int) -> bool:
        try:
            accounts.choose_password(token=token, password=f"la frase numero {n} de veinte")
        except LinkNotValid:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(choose, range(20))) == 1


def test_a16_a_link_is_worth_nothing_after_three_days(
    beto: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = accounts.make_sign_in_link(person=beto.id)
    later = timezone.now() + timedelta(days=3, seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    with pytest.raises(LinkNotValid):
        accounts.choose_password(token=token, password=PASSWORD)


def test_a_new_password_ends_every_other_link_of_the_person(beto: Person) -> None:
    older, newer = (accounts.make_sign_in_link(person=beto.id) for _ in range(2))

    accounts.choose_password(token=newer, password=PASSWORD)

    with pytest.raises(LinkNotValid):
        accounts.bearer_of(older)


def test_the_database_holds_no_link(beto: Person) -> None:
    token = accounts.make_sign_in_link(person=beto.id)

    assert all(
        token.encode() not in bytes(d) for d in SignInLink.objects.values_list("digest", flat=True)
    )


@pytest.mark.parametrize("weak", ["corta", "123456789012345", "beto@example.com", COMMON])
def test_b1_2_a_weak_password_is_refused_and_the_link_is_kept(beto: Person, weak: str) -> None:
    token = accounts.make_sign_in_link(person=beto.id)

    with pytest.raises(ValidationError):
        accounts.choose_password(token=token, password=weak)
    page = at_the_door().post(f"/welcome/{token}", {"password": weak})
    assert b'id="password-error"' in page.content
    assert accounts.bearer_of(token).person == beto


def test_a08_a_link_gets_nobody_past_their_second_factor(beto: Person) -> None:
    with_an_app(beto)
    token, client = accounts.make_sign_in_link(person=beto.id), at_the_door()

    answer = client.post(f"/welcome/{token}", {"password": PASSWORD})

    assert answer.headers["Location"].startswith("/factors/authenticate/")
    assert client.get("/").headers["Location"].startswith("/login/")


@pytest.mark.parametrize("way", ["welcome", "undo"])
def test_k12_no_log_holds_a_link_that_still_opens(
    cast: Cast, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    accounts.add_person(actor=cast.ana, email=f"{way}@links.example", name="Eva")
    person = Person.objects.get_by_natural_key(f"{way}@links.example")
    with_an_app(person)
    if way == "welcome":
        token = accounts.make_sign_in_link(person=person.id)
    else:
        change = accounts.remember(person=person.id)
        assert change is not None
        token = accounts.undo_token(change)
    browser = Client(
        REMOTE_ADDR="127.0.0.1", headers={"host": "localhost"}, enforce_csrf_checks=True
    )

    assert browser.post(f"/{way}/{token}", {"password": PASSWORD}).status_code == 403
    assert browser.options(f"/{way}/{token}").status_code == 405
    assert browser.get(f"/{way}/{token}/").status_code == 404

    assert browser.get(f"/{way}/{token}").status_code == 200, "control: it still opens"
    assert f"/{way}/-" in caplog.text
    assert token not in caplog.text
