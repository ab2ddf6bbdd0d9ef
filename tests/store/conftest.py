"""A workspace for each test, in a database that the tests of a module share."""

from __future__ import annotations

import pytest

from databases import Database
from store.shop import Shop


@pytest.fixture
def shop(shared_database: Database) -> Shop:
    return Shop.open(shared_database)
