"""Keys end to end: what they may is decided now, what they are is nowhere to be read."""

from __future__ import annotations

import ast
import base64
import inspect
import logging
import random
import re
import string
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

import portero
from gateway.house import (
    APP_SECRET,
    LUCIA,
    META_TOKEN,
    VERIFY_TOKEN,
    House,
    Key,
    Workspace,
    error_of,
    note_first_bytes,
    text,
)
from portero.gateway import authentication
from portero.gateway.presented import Presented
from portero.gateway.request import Request
from portero.gateway.wire import Origin, UpstreamRequest
from portero.gateway.workspaces import SealedValue, WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.parse import RawCall
from portero.store import keys
from portero.store.ids import uuid7
from portero.store.sealing import Secret

ALPHABET = string.digits + string.ascii_letters + "_-. "
SEND = {"send:text": "all"}


Send = Callable[[httpx.Client, Key], httpx.Response]
MESSAGES = "/v23.0/100000000000101/messages"
FORM = {**{k: v for k, v in text().items() if k != "text"}, "text": '{"body":"hola"}'}
# How a key may arrive, and who is let in: a plain key, and one that is made url-compatible.
PLACES: dict[str, tuple[Send, int, int]] = {
    "header": (lambda http, key: http.post(MESSAGES, json=text(), headers=key.headers), 200, 200),
    "query": (
        lambda http, key: http.post(MESSAGES, params={"access_token": key.text}, json=text()),
        401,
        200,
    ),
    "form": (
        lambda http, key: http.post(MESSAGES, data={**FORM, "access_token": key.text}),
        401,
        200,
    ),
    "json": (
        lambda http, key: http.post(MESSAGES, json=text(access_token=key.text)),
        401,
        401,
    ),
    "cookie": (
        lambda http, key: http.post(
            MESSAGES, json=text(), headers={"cookie": f"access_token={key.text}"}
        ),
        401,
        401,
    ),
    "referer": (
        lambda http, key: http.post(
            MESSAGES, json=text(), headers={"referer": f"https://x.test/?access_token={key.text}"}
        ),
        401,
        401,
    ),
    "path": (lambda http, key: http.post(f"/{key.text}{MESSAGES}", json=text()), 401, 401),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("url_compatible", [False, True])
def test_k01_a_key_counts_in_its_places_only_and_is_written_in_none(
    house: House, caplog: pytest.LogCaptureFixture, place: str, url_compatible: bool
) -> None:
    key = house.workspace.key(SEND, url_compatible=url_compatible)
    caplog.set_level(logging.DEBUG)
    send, plain, compatible = PLACES[place]

    answer = send(house.gateway.http, key)

    assert answer.status_code == (compatible if url_compatible else plain), answer.text
    assert len(house.sandbox.ledger()) == (1 if answer.status_code == 200 else 0)
    house.loop.run(house.gateway.parts.recorder.settled())
    for seen in (
        answer.text,
        str(answer.headers),
        written(caplog),
        str(house.workspace.records()),
        str(house.sandbox.ledger()),
    ):
        assert key.text not in seen


def written(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, tracebacks included; the test's own client is not the gateway."""
    whole = logging.Formatter("%(name)s %(message)s")
    return "\n".join(
        whole.format(r) for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))
    )


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


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_k03_mutated_keys_are_refused_in_bulk_without_a_query(
    house: House, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    key, chance = house.workspace.key(SEND), random.Random(3)
    asked = note_look_ups(house, monkeypatch)
    authenticator = house.gateway.parts.public._graph._way.authenticator

    async def try_them() -> int:
        refused = 0
        for _ in range(count):
            try:
                await authenticator.authenticate(
                    Presented(mutate(key.text, chance), in_url=False), address=None
                )
            except GraphError:
                refused += 1
        return refused

    assert house.loop.run(try_them(), timeout=300) == count
    assert asked == []
    house.gateway._until_alive()  # the loop had no time for a beat meanwhile
    assert house.send(key, text()).status_code == 200
    assert asked == [key.public_id]


def note_look_ups(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The public parts that go on to the look-up, which is the first thing that may query."""
    asked: list[str] = []
    of_key = house.gateway.parts.workspaces.of_key

    async def noted(public_id: str) -> WorkspaceState | None:
        asked.append(public_id)
        return await of_key(public_id)

    monkeypatch.setattr(house.gateway.parts.workspaces, "of_key", noted)
    return asked


def mutate(key: str, chance: random.Random) -> str:
    """One to three characters of it are others."""
    letters = list(key)
    for place in chance.sample(range(len(key)), chance.randint(1, 3)):
        letters[place] = chance.choice(ALPHABET.replace(letters[place], ""))
    return "".join(letters)


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
        db.execute(
            "UPDATE binding SET valid_to = %s WHERE principal_id = %s",
            [workspace.next_version, key.account],
        )


def let_binding_run_out(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        here = {"account": key.account, "now": workspace.next_version, "id": uuid7()}
        db.execute(  # rows of bindings never change: another comes in its place
            "INSERT INTO binding (workspace_id, id, principal_id, role_id, scope, conditions, until, valid_from)"
            " SELECT workspace_id, %(id)s, principal_id, role_id, scope, conditions, now(), %(now)s"
            " FROM binding WHERE principal_id = %(account)s AND valid_to IS NULL",
            here,
        )
        db.execute(
            "UPDATE binding SET valid_to = %(now)s WHERE principal_id = %(account)s AND id <> %(id)s",
            here,
        )


@pytest.mark.parametrize(
    ("loss", "code"),
    [(change_role, 200), (disable_account, 200), (end_binding, 200), (let_binding_run_out, 10)],
)
def test_k04_a_key_is_never_more_than_its_service_account_is_now(
    house: House, loss: Callable[[Workspace, Key], None], code: int
) -> None:
    key = house.workspace.key(SEND)
    assert house.send(key, text()).status_code == 200
    house.sandbox.reset()

    loss(house.workspace, key)

    assert error_of(house.send(key, text()))[:2] == (403, code)
    assert house.sandbox.ledger() == []


def test_k04_a_key_only_narrows(house: House) -> None:
    account_is_narrow = house.workspace.key(SEND, scope={"numbers": ["100000000000102"]})
    key_is_narrow = house.workspace.key(SEND, key_scope={"numbers": ["100000000000102"]})

    for key in (account_is_narrow, key_is_narrow):
        assert error_of(house.send(key, text())) == (403, 10, None, "outside_scope")
        assert house.send(key, text(), number="100000000000102").status_code == 200


def test_k04_a_text_that_was_proved_before_is_no_key_under_another_digest(house: House) -> None:
    key = house.workspace.key(SEND)
    assert house.send(key, text()).status_code == 200
    with house.workspace.change() as db:
        db.execute(
            "UPDATE api_key SET digest = sha256(digest) WHERE public_id = %s", [key.public_id]
        )

    assert error_of(house.send(key, text())) == (401, 190, None, "key_unknown")


def test_k04_no_more_proofs_are_remembered_than_there_is_room_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "_PROVED_MAX", 2)
    authenticator = house.gateway.parts.public._graph._way.authenticator

    for _ in range(5):
        key = house.workspace.key(SEND)
        assert [house.send(key, text()).status_code for _ in range(2)] == [200, 200]
        assert 1 <= len(authenticator._proved) <= 2


def test_k05_no_call_leaves_after_the_revocation_returned(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, stop, refused = house.workspace.key(SEND), threading.Event(), threading.Event()
    written = note_first_bytes(monkeypatch)

    def keep_sending() -> None:
        while not stop.is_set():
            if house.send(key, text()).status_code == 401:
                refused.set()

    senders = [threading.Thread(target=keep_sending) for _ in range(8)]
    for sender in senders:
        sender.start()
    until(lambda: len(written) > 20)
    house.workspace.revoke(key)
    returned = time.monotonic()
    until(refused.is_set)
    time.sleep(0.5)
    stop.set()
    for sender in senders:
        sender.join()

    assert [at for at in written if at > returned] == []
    assert len(house.sandbox.ledger()) == len(written)


def until(is_so: Callable[[], bool], *, patience_s: float = 60) -> None:
    ends = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_k10_a_dump_after_traffic_holds_nothing_usable(house: House) -> None:
    made = [house.workspace.key(SEND) for _ in range(20)]
    for key in made:
        assert house.send(key, text()).status_code == 200
    house.loop.run(house.gateway.parts.recorder.settled())
    secrets = [key.text for key in made]
    secrets += [key.text.rpartition("_")[0].rpartition("_")[2] for key in made]  # the secret part
    secrets += [META_TOKEN, APP_SECRET, VERIFY_TOKEN, house.kek.text(), house.pepper.text()]
    secrets += [s.partition(":")[2] for s in (house.kek.text(), house.pepper.text())]
    raw = [ring.current.reveal() for ring in (house.kek, house.pepper)]

    with psycopg.connect(house.database.dsn("superuser")) as db:
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace ="
            " 'public'::regnamespace"
        ).fetchall()
        dump = {
            table: "\n".join(str(row[0]) for row in db.execute(f'SELECT t::text FROM "{table}" t'))
            for (table,) in tables
        }
    everything = "\n".join(dump.values())

    assert "send_message" in everything
    for secret in secrets:
        assert secret not in everything
        assert secret.encode().hex() not in everything
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in everything
    for key_bytes in raw:
        assert key_bytes.hex() not in everything
    with_a_number = {
        table for table, rows in dump.items() if LUCIA in rows or in_hex(LUCIA) in rows
    }
    assert {t.partition("_2")[0] for t in with_a_number} == {"record_open"}


def in_hex(text: str) -> str:
    return text.encode().hex()


def test_k11_tokens_swapped_between_workspaces_are_not_used(house: House) -> None:
    """Somebody with write access to the database swaps two ciphertexts."""
    one, other = (
        Workspace(house.database, house.kek, house.pepper).create(name=name, token=token)
        for name, token in (("Una", META_TOKEN), ("Otra", META_TOKEN))
    )
    keys_of_both = [one.key(SEND), other.key(SEND)]
    assert [house.send(key, text()).status_code for key in keys_of_both] == [200, 200]
    house.sandbox.reset()
    with psycopg.connect(house.database.dsn("superuser")) as db:
        db.execute(
            "UPDATE credential c SET sealed = o.sealed FROM credential o"
            " WHERE c.workspace_id = ANY(%(both)s) AND o.workspace_id = ANY(%(both)s)"
            " AND o.workspace_id <> c.workspace_id",
            {"both": [one.id, other.id]},
        )
    for workspace in (one, other):
        with workspace.change():
            pass  # so that every gateway loads it anew

    answers = [house.send(key, text()) for key in keys_of_both]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert house.sandbox.ledger() == []


LAYERS = ["authentication", "understanding", "recording", "forwarding", "answering"]


@pytest.mark.parametrize("layer", LAYERS)
def test_k12_an_error_in_any_layer_tells_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, layer: str
) -> None:
    """The error speaks of all that its layer was given, as careless ones do."""
    key = house.workspace.key(SEND, url_compatible=True)
    caplog.set_level(logging.DEBUG)

    def broken(*held: object, **more: object) -> None:
        raise RuntimeError(f"something nobody foresaw with {held!r} and {more!r}")

    graph = house.gateway.parts.public._graph
    monkeypatch.setattr(
        *{
            "authentication": (graph._way.authenticator, "authenticate"),
            "understanding": (graph._way.understanding, "understand"),
            "recording": (house.gateway.parts.recorder, "admit"),
            "forwarding": (graph._way.forwarding._upstream, "send"),
            "answering": (graph._way.answering, "finish"),
        }[layer],
        broken,
    )

    answer = house.gateway.http.post(MESSAGES, params={"access_token": key.text}, json=text())

    # After the answer of Meta, the one thing the caller must not be told is to send again.
    assert answer.status_code == (504 if layer == "answering" else 503)
    assert "something nobody foresaw" in written(caplog)
    assert "something nobody foresaw" not in answer.text
    for secret in (key.text, META_TOKEN, APP_SECRET, house.kek.text(), house.pepper.text()):
        for seen in (answer.text, written(caplog), str(house.workspace.records())):
            assert secret not in seen


# Equal or not is public here: an address of a file of ours, two requests of one caller, and which
# pepper, by its number, a password is kept under.
PUBLIC_COMPARISONS = {
    "digest != current()",
    "earlier.digest == claim.digest",
    "_versioned(encoded)[0] != _pepper().version",
}
SECRET_NAMES = re.compile(r"digest|signature|secret|pepper|checksum|proof|mac\b", re.IGNORECASE)


def test_k02_nothing_secret_is_compared_with_an_operator() -> None:
    """In any module but the sandbox, which plays Meta and keeps no secret."""
    source = Path(portero.__file__).parent
    found = {
        ast.unparse(node)
        for file in source.rglob("*.py")
        if "sandbox" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and SECRET_NAMES.search(ast.unparse(node))
    }

    assert found == PUBLIC_COMPARISONS


def test_k02_what_is_compared_is_compared_in_constant_time() -> None:
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
