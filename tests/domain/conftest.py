"""Django on a fresh clone, as the app's login, and the cast that every test plays with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from cast import Cast, play
from databases import Database
from django_ready import django_on
from portero.store.sealing import KeyRing


@pytest.fixture
def app(database: Database) -> Iterator[Database]:
    """Django leads to a fresh clone, as `portero_app` and nothing more."""
    settings.PORTERO_KEK, settings.PORTERO_PEPPER = KeyRing.generate(), KeyRing.generate()
    settings.PORTERO_SENDS_MAIL = True  # what an event lets be told is told of, as in the console
    with django_on(database.dsn("app")):
        yield database


@pytest.fixture
def cast(app: Database) -> Cast:
    return play()
