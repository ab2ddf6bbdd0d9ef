"""One house for all abuse cases, an attacker's client, and the oracles after every test."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from abuse.door import Door
from abuse.neighbour import NEIGHBOUR_TOKEN, Neighbour, shared_world
from abuse.watch import Lines, Row, Watch
from abuse.watched_house import WatchedHouse
from databases import Database
from gateway.house import Key, Workspace


@pytest.fixture(scope="session")
def house(clone: Callable[[], Database]) -> Iterator[WatchedHouse]:
    made = WatchedHouse(clone(), **shared_world())
    yield made
    made.close()


@pytest.fixture(scope="session")
def neighbour(house: WatchedHouse) -> Neighbour:
    """Another workspace in the same portfolio: the token of the first one could reach it."""
    return Neighbour.move_in(house)


@pytest.fixture(autouse=True)
def keys(house: WatchedHouse, monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """Every key the test makes. A change of policy has reached the gateways when it returns."""
    made: list[Key] = []
    make_change, make_key = Workspace.change, Workspace.key

    @contextmanager
    def change(self: Workspace) -> Iterator[psycopg.Connection[Any]]:
        with make_change(self) as db:
            yield db
        house.await_head(self)

    def key(self: Workspace, *args: Any, **options: Any) -> Key:
        made.append(make_key(self, *args, **options))
        return made[-1]

    monkeypatch.setattr(Workspace, "change", change)
    monkeypatch.setattr(Workspace, "key", key)
    return made


@pytest.fixture(scope="session")
def superuser(house: WatchedHouse) -> Iterator[psycopg.Connection[Row]]:
    with psycopg.connect(
        house.database.dsn("superuser"), autocommit=True, row_factory=psycopg.rows.dict_row
    ) as db:
        yield db


@pytest.fixture
def door(house: WatchedHouse) -> Door:
    return Door(house.gateway)


@pytest.fixture(autouse=True)
def watch(
    house: WatchedHouse,
    door: Door,
    everything: Key,
    keys: list[Key],
    superuser: psycopg.Connection[Row],
) -> Iterator[Watch]:
    """The general oracles: they look after every test."""
    house.gateway._until_alive()  # what ran before in this process may have starved its beat
    house.settle()
    house.sandbox.reset()
    log = Lines()
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    row = superuser.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None
    seen = Watch(house, door, log, superuser, row["now"], [house.workspace], keys)
    seen.secrets += [NEIGHBOUR_TOKEN, everything.text]
    yield seen
    root.removeHandler(log)
    root.setLevel(level)
    if not seen.is_over:
        assert seen.violations() == []


@pytest.fixture
def workspace(house: WatchedHouse, watch: Watch) -> Workspace:
    """A workspace of the test's own, on the same account at Meta: for limits and guardrails."""
    made = Workspace(house.database, house.kek, house.pepper).create()
    watch.workspaces.append(made)
    return made


@pytest.fixture(scope="session")
def everything(house: WatchedHouse) -> Key:
    """A key that may do whatever can be done."""
    made = house.workspace.key(name="everything")
    house.await_head(house.workspace)
    return made


@pytest.fixture
def dice() -> random.Random:
    """The same every run; PORTERO_TEST_SEED gives others."""
    return random.Random(int(os.environ.get("PORTERO_TEST_SEED", "20261125")))
