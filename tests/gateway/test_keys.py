"""Keys end to end: what they may is decided now, what they are is nowhere to be read."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from gateway.house import (
    APP_SECRET,
    META_TOKEN,
    VERIFY_TOKEN,
    House,
    Key,
    Workspace,
    error_of,
    text,
)
from portero.gateway import authentication
from portero.gateway.presented import Presented
from portero.gateway.request import Request
from portero.gateway.wire import Origin, UpstreamRequest
from portero.gateway.workspaces import SealedValue
from portero.graphapi.parse import RawCall
from portero.store import keys
from portero.store.ids import uuid7
from portero.store.sealing import Secret

SEND = {"send:text": "all"}


def test_k01_a_key_in_a_url_is_refused_unless_it_is_made_for_that(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    plain, made_for_it = house.workspace.key(SEND), house.workspace.key(SEND, url_compatible=True)
    caplog.set_level(logging.DEBUG)
    path = "/v23.0/100000000000101/messages"

    for key, status in ((plain, 401), (made_for_it, 200)):
        by_query = house.gateway.http.post(path, params={"access_token": key.text}, json=text())
        assert by_query.status_code == status
        assert key.text not in by_query.text
    form = {**{k: v for k, v in text().items() if k != "text"}, "text": '{"body":"hola"}'}
    for key, status in ((plain, 401), (made_for_it, 200)):
        by_form = house.gateway.http.post(path, data={**form, "access_token": key.text})
        assert by_form.status_code == status, by_form.text
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("httpx")]
    assert not any(plain.text in line or made_for_it.text in line for line in ours)
    assert not any(key.text in str(house.workspace.records()) for key in (plain, made_for_it))
    assert all(made_for_it.text not in str(request) for request in house.sandbox.ledger())


def test_k03_a_mutated_key_costs_no_query(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, asked = house.workspace.key(SEND), []

    async def of_key(public_id: str) -> None:
        asked.append(public_id)

    monkeypatch.setattr(house.gateway.parts.workspaces, "of_key", of_key)
    for position in range(4, len(key.text)):
        other = "A" if key.text[position] != "A" else "B"
        mutated = key.text[:position] + other + key.text[position + 1 :]
        answer = house.gateway.http.get("/v23.0/1", headers={"authorization": f"Bearer {mutated}"})
        assert error_of(answer)[:2] == (401, 190)

    assert asked == []


def change_role(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        db.execute(
            'UPDATE role_version SET cells = \'{"send:image": "all"}\' WHERE role_id IN'
            " (SELECT role_id FROM binding WHERE principal_id = %s)",
            [key.account],
        )


def disable_account(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        db.execute("UPDATE principal SET active = false WHERE id = %s", [key.account])


def end_binding(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        db.execute("UPDATE binding SET valid_to = 1 WHERE principal_id = %s", [key.account])


@pytest.mark.parametrize("loss", [change_role, disable_account, end_binding])
def test_k04_a_key_is_never_more_than_its_service_account_is_now(house: House, loss) -> None:
    key = house.workspace.key(SEND)
    assert house.send(key, text()).status_code == 200
    house.sandbox.reset()

    loss(house.workspace, key)

    assert error_of(house.send(key, text()))[:2] == (403, 200)
    assert house.sandbox.ledger() == []


def test_k04_a_key_only_narrows(house: House) -> None:
    account_is_narrow = house.workspace.key(SEND, scope={"numbers": ["100000000000102"]})
    key_is_narrow = house.workspace.key(SEND, key_scope={"numbers": ["100000000000102"]})

    for key in (account_is_narrow, key_is_narrow):
        assert error_of(house.send(key, text())) == (403, 10, None, "outside_scope")
        assert house.send(key, text(), number="100000000000102").status_code == 200


def test_k05_no_call_leaves_after_the_revocation_returned(house: House) -> None:
    key, stop = house.workspace.key(SEND), threading.Event()

    def keep_sending() -> None:
        while not stop.is_set():
            house.send(key, text())

    senders = [threading.Thread(target=keep_sending) for _ in range(8)]
    for sender in senders:
        sender.start()
    time.sleep(0.5)
    house.workspace.revoke(key)
    returned = time.time()
    time.sleep(0.5)
    stop.set()
    for sender in senders:
        sender.join()

    times = [_epoch(request["at"]) for request in house.sandbox.ledger()]
    assert len(times) > 20
    # What had left before may arrive a little later.
    assert [at for at in times if at > returned + 0.05] == []


def _epoch(at: object) -> float:
    if isinstance(at, int | float):
        return float(at)
    return datetime.fromisoformat(str(at).replace("Z", "+00:00")).astimezone(UTC).timestamp()


def test_k10_a_dump_after_traffic_holds_nothing_usable(house: House) -> None:
    made = [house.workspace.key(SEND) for _ in range(20)]
    for key in made:
        assert house.send(key, text()).status_code == 200
    house.loop.run(house.gateway.parts.recorder.settled())
    secrets = [key.text for key in made]
    secrets += [key.text.rpartition("_")[0].rpartition("_")[2] for key in made]  # the secret part
    secrets += [META_TOKEN, APP_SECRET, VERIFY_TOKEN, house.kek.text(), house.pepper.text()]
    secrets += [s.partition(":")[2] for s in (house.kek.text(), house.pepper.text())]

    with psycopg.connect(house.database.dsn("superuser")) as db:
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace ="
            " 'public'::regnamespace"
        ).fetchall()
        dump = "\n".join(
            str(row[0])
            for (table,) in tables
            for row in db.execute(f'SELECT t::text FROM "{table}" t')
        )

    assert "send_message" in dump
    for secret in secrets:
        assert secret not in dump
        assert secret.encode().hex() not in dump


def test_k11_a_token_moved_between_rows_is_not_used(house: House) -> None:
    """Somebody with write access to the database swaps two ciphertexts."""
    other = Workspace(house.database, house.kek, house.pepper).create(
        name="Otra", token="EAAGtokenOfSomebodyElse0001"
    )
    key = other.key(SEND)
    with psycopg.connect(house.database.dsn("superuser")) as db:
        db.execute(
            "UPDATE credential SET sealed = (SELECT sealed FROM credential WHERE workspace_id = %s"
            " LIMIT 1) WHERE workspace_id = %s",
            [house.workspace.id, other.id],
        )
    with other.change():
        pass  # so that every gateway loads it anew

    answer = house.send(key, text())

    assert answer.status_code == 503
    assert house.sandbox.ledger() == []


@pytest.mark.parametrize("layer", ["authentication", "understanding", "recording", "answering"])
def test_k12_an_error_in_any_layer_tells_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, layer: str
) -> None:
    key = house.workspace.key(SEND)
    caplog.set_level(logging.DEBUG)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("something nobody foresaw")

    target = {
        "authentication": (authentication.keys, "matches"),
        "understanding": (house.gateway.parts.public._graph._understanding, "understand"),
        "recording": (house.gateway.parts.recorder, "admit"),
        "answering": (house.gateway.parts.public._graph._answering, "finish"),
    }[layer]
    monkeypatch.setattr(*target, broken)

    answer = house.send(key, text())

    assert answer.status_code == 503
    written = "\n".join(caplog.messages) + "\n".join(str(r.exc_text) for r in caplog.records)
    for secret in (key.text, META_TOKEN, APP_SECRET):
        assert secret not in answer.text
        assert secret not in written
    assert "something nobody foresaw" not in answer.text


def test_k02_what_is_compared_is_compared_in_constant_time() -> None:
    import inspect

    assert "compare_digest" in inspect.getsource(keys.matches)
    assert "compare_digest" in inspect.getsource(keys.read)
    assert "keys.matches(" in inspect.getsource(authentication)
    assert ".digest ==" not in inspect.getsource(authentication)


def test_k12_what_holds_a_secret_does_not_show_it() -> None:
    """An error may quote what its layer was holding, and a log then writes its repr."""
    sent = UpstreamRequest(
        method="POST",
        origin=Origin("https", "graph.facebook.com", 443),
        target="/v23.0/me?appsecret_proof=CANARY",
        headers=[(b"authorization", b"Bearer CANARY")],
        body=b"CANARY",
    )
    raw = RawCall("POST", b"/CANARY", b"access_token=CANARY", "text/plain", b"access_token=CANARY")
    asked = Request(
        method="GET",
        path=b"/CANARY",
        query=b"access_token=CANARY",
        authorization=[b"Bearer CANARY"],
        content_type=None,
        content_length=None,
        idempotency_key=None,
        address=None,
        receive=None,  # type: ignore[arg-type]  # it is not read here
    )
    presented = Presented("CANARY", in_url=True)

    for held in (sent, raw, asked, presented, Secret(b"CANARY"), SealedValue(uuid7(), b"CANARY")):
        assert "CANARY" not in repr(held), type(held).__name__
