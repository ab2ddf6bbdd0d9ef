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
from portero.store import heads, presence, recorder
from storm.storms import Killable

NO_HURRY_S = 120.0


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


@pytest.fixture
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that outlast whatever else this machine has to do in the meantime.

    A lease that lapses refuses calls as well; where something else is to refuse them, it must not.
    """
    monkeypatch.setattr(presence, "LEASE_S", NO_HURRY_S)
    monkeypatch.setattr(recorder, "PATIENCE_S", NO_HURRY_S)
    monkeypatch.setattr(heads, "PATIENCE_S", NO_HURRY_S)
