"""Django on a fresh clone, as the app's login, and the cast that every test plays with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections

from cast import Cast, play
from databases import Database
from portero.project.configuration import database_settings
from portero.store.sealing import KeyRing


@pytest.fixture
def app(database: Database) -> Iterator[Database]:
    """Django's default connection leads to a fresh clone, as `portero_app` and nothing more."""
    settings.PORTERO_KEK, settings.PORTERO_PEPPER = KeyRing.generate(), KeyRing.generate()
    described = {"default": database_settings(database.dsn("app"))}
    connections.settings["default"] = connections.configure_settings(described)["default"]
    if hasattr(connections._connections, "default"):
        del connections["default"]
    yield database
    connections["default"].close()


@pytest.fixture
def cast(app: Database) -> Cast:
    return play()
