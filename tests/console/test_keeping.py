"""A door that asks for a fresh second factor, and what was sent to it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path

from cast import Cast, playing
from console.visitors import has_shown, person_of, signed_in, with_an_app
from databases import Database
from portero.console import answers, doors, forms, keeping
from portero.console.doors import needs
from portero.console.urls import urlpatterns as ours
from portero.domain.accounts.sessions import SessionStore, factors_taken

DOOR = "/people/act/"


class Act(forms.Form):
    word = forms.forms.CharField()


def act(request: HttpRequest) -> HttpResponse:
    form = Act(request.POST)
    assert form.is_valid()
    return answers.done(request, f"Done: {form.cleaned_data['word']}", "console:people")


handler400 = "portero.console.views.unreadable"
urlpatterns = [path("", include(ours)), path("people/act/", act, name="act")]


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    door = {"POST": needs("role:update", event="role.updated", is_fresh=True)}
    monkeypatch.setitem(doors._doors, "act", door)  # type: ignore[arg-type]
    person = person_of(cast.ana)
    if not person.authenticator_set.exists():  # type: ignore[attr-defined]
        with_an_app(person)
    with override_settings(ROOT_URLCONF=__name__):
        yield signed_in(person)


def shown_ago(client: Client, age: timedelta) -> None:
    session = client.session
    [*_others, record] = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        {**record, "at": time.time() - age.total_seconds()}
    ]
    session.save()


def test_b2_4_with_a_fresh_factor_the_act_is_done_and_the_next_page_says_so(ana: Client) -> None:
    answer = ana.post(DOOR, {"word": "gato"}, follow=True)

    assert "Done: gato" in answer.content.decode()


def test_b2_4_with_an_older_one_it_is_kept_until_the_factor_is_shown_again(ana: Client) -> None:
    shown_ago(ana, keeping.FACTOR_AGE + timedelta(seconds=1))

    answer = ana.post(DOOR, {"word": ["gato", "azul"], "password": "x"})

    assert answer.headers["Location"] == "/factors/reauthenticate/?next=%2Fkept%2F%3Ffor%3Daccess"
    shown_ago(ana, timedelta())
    page = ana.get("/kept/").content.decode()
    assert f'action="{DOOR}"' in page
    assert page.count('name="word"') == 2
    assert 'value="azul"' in page
    assert "password" not in page
    assert "Done: azul" in ana.post(DOOR, {"word": "azul"}, follow=True).content.decode()
    assert ana.get("/kept/").status_code == 404  # done is done


def test_b2_4_control_without_the_look_at_its_age_an_old_factor_is_enough(
    ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "FACTOR_AGE", timedelta(days=1))
    shown_ago(ana, timedelta(minutes=6))

    assert ana.post(DOOR, {"word": "gato"}).headers["Location"] == "/people/"


def test_what_was_kept_is_offered_for_ten_minutes(ana: Client) -> None:
    shown_ago(ana, timedelta(minutes=6))
    ana.post(DOOR, {"word": "gato"})
    session = ana.session
    session["kept"] = {**session["kept"], "at": time.time() - 601}
    session.save()

    assert ana.get("/kept/").status_code == 404


def test_r10_a_field_that_a_form_does_not_have_is_refused(ana: Client) -> None:
    answer = ana.post(DOOR, {"word": "gato", "is_owner": "1"})

    assert answer.status_code == 400
    assert "Nothing was changed" in answer.content.decode()


# What it was shown for.


@pytest.fixture
def once(cast: Cast, ana: Client) -> Client:
    """Somebody who showed a factor once, to sign in."""
    has_shown(ana, person_of(cast.ana), method="mfa", type="totp")
    return ana


def asked(client: Client, path: str, form: dict[str, str]) -> bool:
    """Whether the door asks for the factor again."""
    where = client.post(path, form).headers.get("Location", "")
    return where.startswith("/factors/reauthenticate/")


RULE = {"kind": "deny", "name": "No", "permissions": "send:text", "whom": "everybody"}


def test_r22_what_was_shown_for_one_kind_of_act_is_no_proof_for_another(once: Client) -> None:
    assert not asked(once, DOOR, {"word": "gato"}), "what was shown to sign in is for the first"
    assert not asked(once, DOOR, {"word": "gato"}), "and for others of its kind"

    assert asked(once, "/guardrails/save/", RULE)


def test_r22_nor_the_other_way_around(once: Client) -> None:
    assert not asked(once, "/guardrails/save/", RULE)

    assert asked(once, DOOR, {"word": "gato"})
    assert (
        once.get("/factors/totp/deactivate/")
        .headers["Location"]
        .startswith("/factors/reauthenticate/")
    )


def test_r22_a_look_at_ones_factors_leaves_what_was_shown_for_an_act(once: Client) -> None:
    assert once.get("/factors/totp/deactivate/").status_code == 200

    assert not asked(once, DOOR, {"word": "gato"})
    assert asked(once, "/factors/totp/deactivate/", {})


def test_r22_what_is_shown_on_the_way_to_one_act_is_for_that_and_what_was_sent_goes_on(
    cast: Cast, once: Client
) -> None:
    person = person_of(cast.ana)
    Authenticator.objects.filter(user=person).delete()
    secret = with_an_app(person)
    cache.clear()
    assert not asked(once, DOOR, {"word": "gato"}), "what was shown to sign in"

    sent = once.post("/guardrails/save/", RULE)
    way = sent.headers["Location"]
    [back] = parse_qs(urlsplit(way).query)["next"]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    shown = once.post(way, {"code": code, "next": back})
    assert shown.headers["Location"] == back
    page = once.get(back).content.decode()
    assert 'action="/guardrails/save/"' in page
    assert 'value="send:text"' in page

    assert asked(once, "/see-as/", {"person": str(cast.beto.principal)})
    assert not asked(once, "/guardrails/save/", RULE)


def test_r22_control_for_who_asks_only_for_its_age_it_is_good_for_everything(
    once: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "factors_taken", lambda _key: nullcontext({}))
    asked(once, DOOR, {"word": "gato"})

    assert not asked(once, "/guardrails/save/", RULE)


def sent_by(client: Client) -> HttpRequest:
    """A request of a browser's that has read its session already."""
    request = RequestFactory().post(DOOR)
    request.session = SessionStore(client.session.session_key)
    assert request.session["account_authentication_methods"]
    return request


def test_r22_of_two_acts_at_once_the_second_waits_and_finds_it_taken(
    cast: Cast, once: Client
) -> None:
    first, second, person = sent_by(once), sent_by(once), person_of(cast.ana)
    [shown] = [one["at"] for one in first.session["account_authentication_methods"]]

    def is_shown_for_rules() -> bool:
        try:
            return keeping.is_shown_for(second, person, "rules", here=False)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with factors_taken(first.session.session_key) as taken:
            other = pool.submit(is_shown_for_rules)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.5)
            taken[shown] = "access"

        assert not other.result()


def test_r22_a_late_answer_does_not_give_back_what_was_taken(cast: Cast, once: Client) -> None:
    late, person = sent_by(once), person_of(cast.ana)
    assert keeping.is_shown_for(sent_by(once), person, "access", here=False)

    late.session["seen here"] = time.time()
    late.session.save()

    assert not keeping.is_shown_for(sent_by(once), person, "rules", here=False)


def test_what_a_limit_would_do_is_told_without_a_fresh_factor(ana: Client) -> None:
    limit = {"amount": "3", "metric": "messages", "per": "day", "whose": "workspace"}
    shown_ago(ana, keeping.FACTOR_AGE + timedelta(seconds=1))

    assert "Nothing is saved yet." in ana.post("/limits/new/", limit).content.decode()
    assert asked(ana, "/limits/save/", limit)
