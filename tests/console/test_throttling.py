"""Guessing passwords gets slower and slower, and keeps nobody out who was here before."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from allauth.mfa.models import Authenticator
from django.db import connections
from django.test import Client

from cast import Cast, playing
from console.visitors import at_the_door, person_of, signed_in, with_an_app
from databases import Database
from portero.console.known_devices import COOKIE
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person, SignInBudget
from portero.domain.accounts.services import throttling
from portero.domain.accounts.services.throttling import MOST, TERMS, FactorTry, Kind, Try, delay

PASSWORD = "una frase larga que nadie adivina"
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        with_an_app(person_of(made.ana))
        yield made


@pytest.fixture(autouse=True)
def nobody_has_failed(cast: Cast) -> None:
    SignInBudget.objects.all().delete()


@pytest.fixture
def eva(cast: Cast) -> Person:
    email = f"eva{next(_numbers)}@throttling.example"
    accounts.add_person(actor=cast.ana, email=email, name="Eva")
    person = Person.objects.get_by_natural_key(email)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    with_an_app(person)
    return person


def tries(client: Client, email: str, password: str) -> str:
    """What the page says: "in", "wrong" or "wait"."""
    answer = client.post("/login/", {"login": email, "password": password})
    assert answer.status_code in {200, 302}
    if answer.status_code == 302:
        return "in"
    return "wait" if "wrong too often" in answer.content.decode() else "wrong"


def guessed_at(email: str) -> None:
    """Strangers fail so often that everybody waits for minutes."""
    for n in range(14):
        later(throttling.LONGEST)
        assert throttling.begin(Try(email, f"203.0.113.{n}", None)) is None


def later(by: timedelta) -> None:
    for row in SignInBudget.objects.all():
        if row.last_at is not None:
            SignInBudget.objects.filter(key=row.key).update(last_at=row.last_at - by)


def test_a01_after_a_few_failures_one_waits_longer_each_time(eva: Person) -> None:
    free = TERMS[Kind.ACCOUNT].free
    door = at_the_door()

    assert [tries(door, eva.email, "wrong") for _ in range(free)] == ["wrong"] * free
    assert tries(door, eva.email, PASSWORD) == "wait"  # the right one too: nothing is told
    later(timedelta(seconds=2))
    assert tries(door, eva.email, "wrong") == "wrong"
    assert tries(door, eva.email, "wrong") == "wait"
    later(timedelta(seconds=2))
    assert tries(door, eva.email, "wrong") == "wait"  # two are not enough any more
    later(timedelta(seconds=2))
    assert tries(door, eva.email, PASSWORD) == "in"
    assert tries(at_the_door(), eva.email, "wrong") == "wrong"  # and all is forgotten


def test_a01_ten_thousand_guesses_from_a_thousand_addresses(cast: Cast) -> None:
    """In the time of the clock that the database would show: a hundred in a row, then one a day."""
    account = TERMS[Kind.ACCOUNT]
    waited = timedelta()
    for n in range(MOST):
        waited += delay(n, account)
    assert waited > timedelta(hours=20)
    assert delay(MOST, account) == delay(10_000, account) == timedelta(days=1)
    assert all(delay(n, account) <= delay(n + 1, account) for n in range(MOST + 5))

    refused = [
        throttling.begin(Try("victim@example.com", f"203.0.113.{n % 250}", None)) is not None
        for n in range(200)
    ]
    assert refused.count(False) == account.free


@pytest.mark.parametrize("letters", [("i", "I", "\u0131"), ("s", "S", "\u017f"), ("a", "A")])
def test_a01_however_an_address_is_spelled_it_is_one_account(letters: tuple[str, ...]) -> None:
    looked_at = [
        throttling.begin(Try(f"{letter}@spelled.example", f"203.0.113.{n}", None)) is None
        for n, letter in enumerate(letters * 5)
    ]

    assert looked_at.count(True) == TERMS[Kind.ACCOUNT].free


def test_a01_of_many_at_once_none_is_free(cast: Cast) -> None:
    def one(n: int) -> bool:
        try:
            return throttling.begin(Try("parallel@example.com", f"198.51.100.{n}", None)) is None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        let_in = list(pool.map(one, range(40)))

    assert let_in.count(True) == TERMS[Kind.ACCOUNT].free


def test_a02_the_owner_comes_in_while_strangers_guess_at_full_rate(eva: Person) -> None:
    mine = signed_in(eva)
    assert mine.get("/sessions/").status_code == 200
    device = mine.cookies[COOKIE].value
    guessed_at(eva.email)
    assert tries(at_the_door(), eva.email, PASSWORD) == "wait"

    here = at_the_door()
    here.cookies[COOKIE] = device
    assert tries(here, eva.email, PASSWORD) == "in"


def test_a02_control_without_the_cookie_the_owner_waits_with_them(eva: Person) -> None:
    guessed_at(eva.email)

    assert tries(at_the_door(), eva.email, PASSWORD) == "wait"


def test_a02_a_stolen_or_made_up_cookie_is_no_way_around(cast: Cast, eva: Person) -> None:
    anas = signed_in(person_of(cast.ana))
    anas.get("/sessions/")
    mine = signed_in(eva)
    mine.get("/sessions/")
    for cookie in (anas.cookies[COOKIE].value, "made up", "", mine.cookies[COOKIE].value + "x"):
        SignInBudget.objects.all().delete()
        guessed_at(eva.email)
        door = at_the_door()
        door.cookies[COOKIE] = cookie
        assert tries(door, eva.email, PASSWORD) == "wait", cookie

    # Their own device has a budget, too.
    SignInBudget.objects.all().delete()
    door = at_the_door()
    door.cookies[COOKIE] = mine.cookies[COOKIE].value
    said = [tries(door, eva.email, "wrong") for _ in range(8)]
    assert said == ["wrong"] * TERMS[Kind.DEVICE].free + ["wait"] * 3


def device_of(person: Person) -> str:
    """What somebody gets who signs in once more."""
    browser = signed_in(person)
    browser.get("/sessions/")
    return browser.cookies[COOKIE].value


def from_device(device: str) -> Client:
    browser = at_the_door()
    browser.cookies[COOKIE] = device
    return browser


def test_a01_who_signed_in_once_makes_no_second_device(eva: Person) -> None:
    browser = signed_in(eva)
    browser.get("/sessions/")
    assert browser.cookies.pop(COOKIE).value

    browser.get("/sessions/")

    assert COOKIE not in browser.cookies


def test_a01_many_devices_of_a_person_share_a_budget(eva: Person) -> None:
    said = [
        tries(from_device(device), eva.email, "wrong")
        for device in [device_of(eva) for _ in range(8)]
        for _ in range(5)
    ]

    assert said.count("wrong") < 20, "forty were"


def test_b1_8_nor_are_codes_guessed_for_ever_from_many_devices(eva: Person) -> None:
    looked_at = [
        throttling.begin(FactorTry(eva.pk, f"device {n}")) is None
        for n in range(8)
        for _ in range(5)
    ]

    assert looked_at.count(True) < 20, "forty were"


def test_a02_the_owner_comes_in_while_a_thief_guesses_from_other_devices_of_theirs(
    eva: Person,
) -> None:
    mine, stolen = device_of(eva), [device_of(eva) for _ in range(4)]
    for device in stolen * 5:
        tries(from_device(device), eva.email, "wrong")
    assert tries(from_device(stolen[0]), eva.email, PASSWORD) == "wait"

    assert tries(from_device(mine), eva.email, PASSWORD) == "in"


def test_a02_nor_does_a_slip_keep_them_out_for_longer_than_a_quarter_of_an_hour(
    eva: Person,
) -> None:
    mine, stolen = device_of(eva), [device_of(eva) for _ in range(4)]
    assert tries(from_device(mine), eva.email, "a slip") == "wrong"
    later(throttling.LONGEST)
    for device in stolen * 5:
        tries(from_device(device), eva.email, "wrong")

    assert tries(from_device(mine), eva.email, PASSWORD) == "in"


def test_a02_a_device_ends_with_the_password_and_the_factor_it_was_made_with(eva: Person) -> None:
    first = device_of(eva)
    eva.set_password("otra frase bien larga y distinta")
    eva.save(update_fields=["password"])
    second = device_of(eva)
    guessed_at(eva.email)
    assert tries(from_device(second), eva.email, "wrong") == "wrong", "control: it has a budget"
    assert tries(from_device(first), eva.email, "wrong") == "wait"

    Authenticator.objects.filter(user_id=eva.pk).delete()
    with_an_app(eva)

    assert tries(from_device(second), eva.email, "wrong") == "wait"


def test_a02_the_cookie_opens_nothing_and_comes_only_after_a_factor(eva: Person) -> None:
    door = at_the_door()
    assert tries(door, eva.email, PASSWORD) == "in"
    assert COOKIE not in door.cookies  # the factor is still to be shown

    mine = signed_in(eva)
    mine.get("/sessions/")
    cookie = mine.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    alone = at_the_door()
    alone.cookies[COOKIE] = cookie.value
    assert alone.get("/sessions/").status_code == 302


def test_a04_one_password_at_very_many_accounts_is_one_network_s_failures(cast: Cast) -> None:
    free = TERMS[Kind.NETWORK].free
    from_one = [
        throttling.begin(Try(f"user{n}@spray.example", "198.51.100.7", None)) is None
        for n in range(60)
    ]
    mapped = throttling.begin(Try("other@spray.example", "::ffff:198.51.100.7", None))
    of_one_subscriber = [
        throttling.begin(Try(f"user{n}@spray6.example", f"2001:db8:1:2::{n:x}", None)) is None
        for n in range(60)
    ]

    assert from_one.count(True) == of_one_subscriber.count(True) == free
    assert mapped is not None
    later(timedelta(hours=2))
    assert throttling.begin(Try("user@spray.example", "198.51.100.7", None)) is None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that waits after twenty failures."""
    terms = replace(TERMS[Kind.INSTALLATION], free=20)
    monkeypatch.setitem(TERMS, Kind.INSTALLATION, terms)


def sprayed(how_often: int) -> int:
    """One password at as many accounts, each from a network of its own; returns how often it was tried."""
    return sum(
        throttling.begin(Try(f"user{n}@spray.example", f"10.{n >> 8}.{n & 255}.1", None)) is None
        for n in range(how_often)
    )


@pytest.mark.usefixtures("small")
def test_a04_one_password_at_very_many_accounts_from_very_many_networks() -> None:
    assert sprayed(200) <= 30
    later(TERMS[Kind.INSTALLATION].longest)
    assert throttling.begin(Try("last@spray.example", "203.0.113.77", None)) is None
    assert throttling.begin(Try("last@spray.example", "203.0.113.78", None)) is not None


@pytest.mark.usefixtures("small")
def test_a04_who_was_here_before_does_not_wait_for_those_who_spray(eva: Person) -> None:
    mine = signed_in(eva)
    mine.get("/sessions/")
    sprayed(40)
    assert tries(at_the_door(), eva.email, PASSWORD) == "wait"

    here = at_the_door()
    here.cookies[COOKIE] = mine.cookies[COOKIE].value

    assert tries(here, eva.email, PASSWORD) == "in"


@pytest.mark.usefixtures("small")
def test_a04_elsewhere_they_wait_for_seconds_and_are_forgotten_with_the_hour(
    eva: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sprayed(40)
    wait = throttling.begin(Try(eva.email, "127.0.0.1", None))
    assert wait is not None
    assert wait <= timedelta(seconds=5)
    an_hour_on = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: an_hour_on)

    assert sprayed(20) == 20


def test_a03_an_account_that_does_not_exist_is_counted_as_one_that_does(eva: Person) -> None:
    known, unknown = (
        [tries(at_the_door(), email, "wrong") for _ in range(8)]
        for email in (eva.email, "nobody@throttling.example")
    )

    assert known == unknown


def test_what_nobody_has_tried_for_long_is_cleared_away(cast: Cast, eva: Person) -> None:
    throttling.begin(Try("old@example.com", "192.0.2.1", None))
    SignInBudget.objects.update(last_at=datetime.now(UTC) - timedelta(days=61))

    assert tries(at_the_door(), eva.email, PASSWORD) == "in"

    assert SignInBudget.objects.filter(failures__gt=0).count() == 0


def test_an_office_comes_in_by_passkeys_and_one_that_knocks_without_end_is_told_to_wait(
    cast: Cast,
) -> None:
    """All of them from one address; what is no passkey costs a form that does not fit."""
    visitor = at_the_door()
    told = [visitor.post("/factors/webauthn/login/", {"credential": "{}"}) for _ in range(301)]

    assert {one.status_code for one in told[:300]} == {302}
    assert told[300].status_code == 429
    assert "Too many tries" in told[300].content.decode()
