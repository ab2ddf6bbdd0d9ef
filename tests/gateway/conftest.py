"""The house of a gateway test module."""

from collections.abc import Iterator

import pytest

from databases import Database
from gateway.house import House


@pytest.fixture(scope="module")
def house(shared_database: Database) -> Iterator[House]:
    made = House(shared_database)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _fresh_ledger(request: pytest.FixtureRequest) -> None:
    if "house" in request.fixturenames:
        request.getfixturevalue("house").sandbox.reset()
