"""What somebody sees when a page cannot be made, for want of the database or by our fault."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import pytest
from django.test import Client, RequestFactory
from django.utils import translation

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from django_ready import django_on
from portero.console.views import failed

NOBODY_LISTENS = "host=127.0.0.1 port=1 dbname=portero user=portero password=x connect_timeout=2"


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "The database does not answer"), ("es", "La base de datos no responde")],
)
def test_without_the_database_a_page_says_so(cast: Cast, language: str, says: str) -> None:
    visitor = signed_in(person_of(cast.ana))
    client = Client(
        raise_request_exception=False,
        REMOTE_ADDR="127.0.0.1",
        headers={"host": "localhost", "accept-language": language},
    )
    client.cookies = visitor.cookies

    with django_on(NOBODY_LISTENS):
        answer = client.get("/")

    assert answer.status_code == 503
    assert says in answer.content.decode()
    assert client.get("/").status_code == 200  # nobody was signed out by it


@pytest.mark.usefixtures("cast")
def test_a_fault_of_ours_is_called_that_and_nothing_of_it_is_shown() -> None:
    request = RequestFactory().get("/")
    try:
        raise ValueError("a secret of the inside")
    except ValueError:
        with translation.override("en"):  # which a request's own middleware does
            answer = failed(request)

    page = answer.content.decode()
    assert answer.status_code == 500
    assert "It is our fault" in page
    assert "secret" not in page


@pytest.mark.parametrize(
    ("language", "says"), [("en", "There is nothing here"), ("es", "Aquí no hay nada")]
)
def test_an_address_of_nothing_shows_a_page_of_ours(cast: Cast, language: str, says: str) -> None:
    answer = signed_in(person_of(cast.ana)).get(
        "/nothing/of/the/kind/", headers={"accept-language": language}
    )

    assert answer.status_code == 404
    assert says in answer.content.decode()


def test_under_a_wrong_name_the_page_brings_the_one_style_its_policy_knows(cast: Cast) -> None:
    answer = Client(headers={"host": "elsewhere.example"}).get("/")

    page = answer.content.decode()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert answer.status_code == 400
    assert "PORTERO_HOSTS" in page
    assert f"style-src 'self' 'sha256-{digest}';" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "<link" not in page
