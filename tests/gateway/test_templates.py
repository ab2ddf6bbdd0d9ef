"""Templates that were made at Meta: asked for once, by one, and never taken for missing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from databases import Database
from gateway.house import META_TOKEN, WABA, House, Key, error_of, template, world
from portero.store.admission import Unavailable
from portero.store.presence import PolicyMoved, Presence
from portero.store.recorder import Recorder

SEND = {"send:template": "all"}
PATH = f"/v23.0/{WABA}/message_templates"


@pytest.fixture(scope="module")
def house(shared_database: Database) -> Iterator[House]:
    """Meta tells this one nothing by webhooks, so that all it learns it has asked for."""
    [account] = world()["wabas"]
    made = House(shared_database, wabas=[{**account, "subscribed": False}])
    yield made
    made.close()


@pytest.fixture
def key(house: House) -> Key:
    return house.workspace.key()


def make_at_meta(house: House, name: str, language: str = "es_MX") -> str:
    answer = house.sandbox.http.post(
        PATH,
        json={
            "name": name,
            "language": language,
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hola, gracias por su compra."}],
        },
        headers={"authorization": f"Bearer {META_TOKEN}"},
    )
    made: str = answer.json()["id"]
    return made


def questions(house: House) -> int:
    return sum(one["method"] == "GET" for one in house.sandbox.ledger())


def test_those_who_come_while_it_is_asked_for_wait_for_the_answer(house: House, key: Key) -> None:
    make_at_meta(house, "campaign")
    house.sandbox.control("faults", {"count": 1, "match": {"method": "GET"}, "delay_ms": 300})

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: house.send(key, template("campaign")), range(8)))

    assert [answer.status_code for answer in answers] == [200] * 8
    assert questions(house) == 1


FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 429, "body": {"error": {"code": 80007, "message": "slow down"}}},
    {"status": 200, "body": "no list"},
    {"status": 200, "body": {"data": None}},
    {"reset": "before"},
    {"reset": "after"},
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_what_could_not_be_asked_for_is_not_taken_for_missing(
    house: House, key: Key, number: int
) -> None:
    make_at_meta(house, f"fault_{number}")
    house.sandbox.control("faults", {"count": 1, "match": {"method": "GET"}, **FAULTS[number]})

    refused = house.send(key, template(f"fault_{number}"))
    then = house.send(key, template(f"fault_{number}"))

    assert error_of(refused) == (503, 2, None, "unavailable")
    assert f"“fault_{number}”" in refused.json()["error"]["error_data"]["details"]
    assert then.status_code == 200


def test_what_is_missing_is_not_asked_for_again_and_again(house: House, key: Key) -> None:
    answers = [house.send(key, template("nobody_made_it")) for _ in range(3)]

    assert [(a.status_code, a.json()["error"]["code"]) for a in answers] == [(404, 132001)] * 3
    assert questions(house) == 1


def test_a_policy_that_moves_meanwhile_is_no_failure_of_the_gateway(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_at_meta(house, "amid_a_change")

    def moved(*_: Any) -> None:
        raise PolicyMoved(1)

    with monkeypatch.context() as patch:
        patch.setattr(Presence, "require", moved)
        refused = house.send(key, template("amid_a_change"))

    assert error_of(refused) == (503, 2, None, "unavailable")
    assert "amid_a_change" in refused.json()["error"]["error_data"]["details"]
    [record] = [
        r
        for r in house.workspace.records()
        if str(r["call_id"]) == refused.json()["error"]["fbtrace_id"]
    ]
    assert (record["effect"], record["reason"]) == ("deny", "unavailable")


def test_a_question_that_cannot_be_recorded_is_not_asked(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "note", away)
        refused = house.send(key, template("not_asked_for"))

    assert error_of(refused) == (503, 2, None, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert house.sandbox.ledger() == []


def known(house: House, name: str) -> list[str]:
    with psycopg.connect(house.database.dsn("superuser")) as db:
        found = db.execute(
            "SELECT meta_id FROM resource WHERE workspace_id = %s AND kind = 'template'"
            " AND attributes->>'name' = %s ORDER BY 1",
            [house.workspace.id, name],
        )
        return [row[0] for row in found]


@pytest.mark.parametrize("way", ["by name", "by name and id", "by ids"])
def test_what_is_deleted_is_the_workspaces_no_more(house: House, key: Key, way: str) -> None:
    name = "gone_" + way.replace(" ", "_")
    ids = [make_at_meta(house, name, language) for language in ("es_MX", "en_US")]
    for language in ("es_MX", "en_US"):
        house.send(key, template(name, language))
    assert known(house, name) == sorted(ids)
    asked, left = {
        "by name": ({"name": name}, []),
        "by name and id": ({"name": name, "hsm_id": ids[0]}, [ids[1]]),
        "by ids": ({"hsm_ids": f'["{ids[0]}","{ids[1]}"]'}, []),
    }[way]

    deleted = house.gateway.http.delete(PATH, params=asked, headers=key.headers)

    house.loop.run(house.gateway.parts.recorder.settled())
    assert deleted.status_code == 200, deleted.text
    assert known(house, name) == left
