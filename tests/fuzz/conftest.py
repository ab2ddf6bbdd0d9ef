"""A house with one thing of every kind in it, a neighbour with the same, and keys wide and narrow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from abuse.neighbour import (
    NEIGHBOUR_NUMBER,
    NEIGHBOUR_TEMPLATE,
    NEIGHBOUR_TOKEN,
    NEIGHBOUR_WABA,
    Neighbour,
    register,
    shared_world,
)
from databases import Database
from fuzz.campaign import Campaign, Sender
from fuzz.meaning import Arrived
from fuzz.seeds import seeds
from gateway.house import (
    APP_ID,
    APP_SECRET,
    BUSINESS,
    META_TOKEN,
    SOPORTE,
    VENTAS,
    WABA,
    House,
    Workspace,
)
from portero.graphapi.kinds import CHECKED_BY_PARENT, Kind

Row = dict[str, Any]
_REAL = {
    Kind.NUMBER: VENTAS,
    Kind.WABA: WABA,
    Kind.BUSINESS: BUSINESS,
    Kind.APP: APP_ID,
    Kind.TEMPLATE: "100000000000201",
}
_THEIRS = {
    Kind.NUMBER: NEIGHBOUR_NUMBER,
    Kind.WABA: NEIGHBOUR_WABA,
    Kind.TEMPLATE: NEIGHBOUR_TEMPLATE,
}
_ON_A_NUMBER = frozenset({Kind.MEDIA, Kind.MESSAGE, Kind.GROUP, Kind.CALL})
_EVERYBODYS = frozenset({Kind.BUSINESS, Kind.APP})  # one portfolio and one app for both


def ids(owner: int, real: Mapping[Kind, str]) -> dict[Kind, str]:
    """An id of every kind."""
    spelled = {
        Kind.GROUP: "R3J1cG9PwnEr{}",
        Kind.UPLOAD: "upload:Rm9yRnV6eg{}",
        Kind.MESSAGE: "wamid.RlVaWk1FTlNBSkU{}",
        Kind.CALL: "wacid.RlVaWkxMQU1BREE{}",
        Kind.QR_CODE: "FUZZCODIGO{}",
        Kind.JOIN_REQUEST: "FUZZPETICION{}",
    }
    made = {
        kind: spelled.get(kind, f"40000000000{{}}{n:03d}").format(owner)
        for n, kind in enumerate(Kind)
    }
    return {**made, **real}


OURS = ids(1, _REAL)
THEIRS = ids(2, {**_REAL, **_THEIRS})
NOBODYS = ids(3, {})


def furnish(workspace: Workspace, owned: Mapping[Kind, str], *, already: set[Kind]) -> None:
    for kind in owned.keys() - CHECKED_BY_PARENT - already:
        register(
            workspace,
            kind.value,
            owned[kind],
            parent=owned[Kind.WABA],
            number=owned[Kind.NUMBER] if kind in _ON_A_NUMBER else None,
        )


@pytest.fixture(scope="module")
def house(clone: Callable[[], Database]) -> Iterator[House]:
    made = House(clone(), **shared_world())
    yield made
    made.close()


@pytest.fixture(scope="module")
def db(house: House) -> Iterator[psycopg.Connection[Row]]:
    with psycopg.connect(
        house.database.dsn("superuser"), autocommit=True, row_factory=psycopg.rows.dict_row
    ) as connection:
        yield connection


def _anything(one: Arrived) -> bool:
    return True


def _text_to_mexico(one: Arrived) -> bool:
    to_mexico = len(one.people) == 1 and one.people[0].startswith(("52", "MX."))
    return one.where == ("POST", f"/{VENTAS}/messages") and one.type == "text" and to_mexico


def _reads(one: Arrived) -> bool:
    return one.where[0] == "GET"


@pytest.fixture
def campaign(grounds: Mapping[str, Any]) -> Campaign:
    return Campaign(**grounds)


@pytest.fixture(scope="module")
def grounds(house: House) -> Mapping[str, Any]:
    """What campaigns of a module share."""
    neighbour = Neighbour.move_in(house)
    known = {Kind.NUMBER, Kind.WABA, Kind.TEMPLATE, Kind.BUSINESS, Kind.APP}
    furnish(house.workspace, OURS, already=known)
    furnish(neighbour.workspace, THEIRS, already=known)
    narrow = house.workspace.key(
        {"send:text": "all"}, scope={"numbers": [VENTAS], "countries": ["MX"]}, name="narrow"
    )
    reading = {"number:read": "all", "template:read": "all", "media:read": "all"}
    wide, reader = house.workspace.key(name="wide"), house.workspace.key(reading, name="reader")
    senders = (
        Sender(wide, 0.7, _anything),
        Sender(narrow, 0.2, _text_to_mexico),
        Sender(reader, 0.1, _reads),
    )
    theirs = [v for k, v in THEIRS.items() if k not in _EVERYBODYS | CHECKED_BY_PARENT]
    return {
        "house": house,
        "seeds": seeds(OURS),
        "senders": senders,
        "foreign": [*theirs, *(v for k, v in NOBODYS.items() if k not in CHECKED_BY_PARENT)],
        "ours": [*OURS.values(), SOPORTE],
        "secrets": [
            META_TOKEN,
            APP_SECRET,
            NEIGHBOUR_TOKEN,
            neighbour.key.text,
            *(sender.key.text for sender in senders),
        ],
        "workspaces": [house.workspace.id, neighbour.workspace.id],
        "digest_keys": [house.workspace.keys.digest_key()],
        "seed": os.environ.get("PORTERO_TEST_SEED", "20261125"),
    }
