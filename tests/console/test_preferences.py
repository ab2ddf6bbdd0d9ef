"""Language and theme belong to a person, and the server renders them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import at_the_door, half_signed_in, person_of, signed_in, with_an_app
from databases import Database
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        with_an_app(person_of(made.ana))
        yield made


@pytest.fixture
def ana(cast: Cast) -> Iterator[Client]:
    person = person_of(cast.ana)
    yield signed_in(person)
    Person.objects.filter(id=person.id).update(language="", theme="")


@pytest.mark.parametrize(
    ("language", "code", "said"),
    [("es", "es", "Guardado."), ("pt-br", "pt-br", "Salvo."), ("en", "en", "Saved.")],
)
def test_what_somebody_chose_holds_on_every_page_and_at_the_next_sign_in(
    cast: Cast, ana: Client, language: str, code: str, said: str
) -> None:
    browser = {"accept-language": "en" if language != "en" else "es"}

    saved = ana.post(
        "/preferences/", {"language": language, "theme": "dark"}, headers=browser, follow=True
    ).content.decode()

    assert said in saved
    for client in (ana, signed_in(person_of(cast.ana))):
        for url in ("/", "/people/", "/factors/", "/nowhere/"):
            page = client.get(url, headers=browser).content.decode()
            assert f'<html lang="{code}"' in page, url
    assert '<html lang="%s" data-theme="dark">' % code in ana.get("/people/").content.decode()
    assert ana.get("/people/").headers["Content-Language"] == code


def test_who_chose_nothing_is_answered_as_the_browser_and_the_system_say(ana: Client) -> None:
    page = ana.get("/people/", headers={"accept-language": "pt-BR,pt;q=0.9"}).content.decode()

    assert '<html lang="pt-br">' in page


def test_one_s_choice_is_nobody_else_s(cast: Cast, ana: Client) -> None:
    with_an_app(person_of(cast.beto))
    ana.post("/preferences/", {"language": "es", "theme": "light"})

    beto = signed_in(person_of(cast.beto)).get("/people/").content.decode()
    door = at_the_door().get("/login/").content.decode()

    for page in (beto, door):
        assert '<html lang="en">' in page


def test_after_the_password_the_choice_holds_already(cast: Cast, ana: Client) -> None:
    ana.post("/preferences/", {"language": "es", "theme": "light"})

    page = half_signed_in(person_of(cast.ana)).get("/factors/").content.decode()

    assert '<html lang="es" data-theme="light">' in page


@pytest.mark.parametrize(
    "sent", [{"language": "xx", "theme": ""}, {"language": "", "theme": "neon"}]
)
def test_what_there_is_not_is_refused_at_its_field(
    cast: Cast, ana: Client, sent: dict[str, str]
) -> None:
    answer = ana.post("/preferences/", sent)

    assert answer.status_code == 200
    assert 'class="error"' in answer.content.decode()
    assert (person_of(cast.ana).language, person_of(cast.ana).theme) == ("", "")
    with pytest.raises(ValueError, match="neither"):
        accounts.prefer(person=person_of(cast.ana).id, languages=frozenset({"es"}), **sent)
