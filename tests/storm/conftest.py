"""The house of a storm: as for gateway tests, with a load that may hit one customer all day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from databases import Database
from django_ready import django_on
from gateway.house import House, Key
from portero.domain.access.authorize import Actor
from storm.storms import Killable


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    made = House(database)
    yield made
    made.close()


@pytest.fixture
def key(house: House) -> Key:
    return house.workspace.key({"send:text": "all"}, name="storm")


@pytest.fixture
def killable(house: House, tmp_path: Path) -> Iterator[Killable]:
    made = Killable(house, tmp_path)
    yield made
    made.close()


@pytest.fixture
def ana(house: House) -> Iterator[Actor]:
    """The owner, acting through Django's services on the same database."""
    settings.PORTERO_KEK, settings.PORTERO_PEPPER = house.kek, house.pepper
    with django_on(house.database.dsn("app")):
        yield Actor(house.workspace.id, house.workspace.owner, datetime.now(UTC))
