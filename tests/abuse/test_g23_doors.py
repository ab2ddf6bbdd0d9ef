"""Files that are not what they say, and answers of Meta that say too much (G23, G28, G29, G32, G37)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from abuse.door import Door
from abuse.watch import Watch
from abuse.watched_house import WatchedHouse
from gateway.house import LUCIA, META_TOKEN, VENTAS, WABA, Key, text

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "6060f80f00010401005fe5c34b0000000049454e44ae426082"
)
BOMB = PNG[:16] + (60_000).to_bytes(4, "big") + (60_000).to_bytes(4, "big") + PNG[24:]

FILES = {
    "a page as an image": ("a.png", "image/png", b"<html><script>alert(1)</script></html>"),
    "a drawing with script": ("a.svg", "image/svg+xml", b"<svg onload='alert(1)'/>"),
    "a drawing as a picture": ("a.png", "image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "an archive behind a picture": (
        "a.png",
        "image/png",
        PNG + b"PK\x03\x04" + b"PK\x05\x06" + bytes(18),
    ),
    "a picture as a document": ("a.pdf", "application/pdf", PNG),
    "a program": ("a.bin", "application/octet-stream", b"\x7fELF" + bytes(100)),
    "a picture of 3.6 billion points": ("a.png", "image/png", BOMB),
    "a page as text": ("a.txt", "text/plain", b"<!doctype html><script>alert(1)</script>"),
}


@pytest.fixture
def key(house: WatchedHouse, watch: Watch) -> Key:
    return house.workspace.key()


@pytest.mark.parametrize("what", FILES)
def test_g23_a_file_that_is_not_what_it_says_makes_no_media(
    door: Door, house: WatchedHouse, watch: Watch, key: Key, what: str
) -> None:
    name, mime, data = FILES[what]

    answer = door.upload(key, mime, data, name=name)

    assert answer.verdict == (400, 100, None, "malformed")
    # An upload that is cut off has no end, so that nothing at Meta comes of it.
    assert all(arrived["status"] != 200 for arrived in watch.ledger())


def test_g23_a_type_field_that_disagrees_is_refused(door: Door, watch: Watch, key: Key) -> None:
    answer = door.upload(
        key, "image/png", PNG, fields={"messaging_product": "whatsapp", "type": "image/jpeg"}
    )

    assert answer.verdict == (400, 100, None, "malformed")


ERRORS: dict[str, Any] = {
    "a token": {"message": f"bad token {META_TOKEN}", "code": 100, "type": "OAuthException"},
    "a token in a link": {
        "message": "see https://graph.facebook.com/v23.0/me?access_token=" + META_TOKEN,
        "code": 100,
        "type": "OAuthException",
    },
    "extra members": {
        "message": "(#100) Invalid parameter",
        "code": 100,
        "type": "OAuthException",
        "debug_info": {"app_id": "100000000000001", "internal_host": "10.1.2.3"},
        "error_data": {"details": "x", "stack": "secret stack"},
    },
    "its own credential": {"message": "Session has expired", "code": 190, "type": "OAuthException"},
}


@pytest.mark.parametrize("what", ERRORS)
def test_g28_an_error_of_metas_tells_nothing_internal(
    door: Door, house: WatchedHouse, watch: Watch, key: Key, what: str
) -> None:
    house.sandbox.control("faults", {"status": 400, "body": {"error": ERRORS[what]}})

    answer = door.send(key, text(), VENTAS)

    said = answer.body.decode()
    for hidden in (META_TOKEN, "10.1.2.3", "secret stack", "debug_info", '100000000000001"'):
        assert hidden not in said
    assert set(answer.error) <= {
        "message", "type", "code", "error_subcode", "error_data", "fbtrace_id", "is_transient",
        "error_user_title", "error_user_msg",
    }  # fmt: skip
    if what == "its own credential":
        assert answer.reason == "unavailable"  # the gateway's token is none of the caller's
        watch.may_fail = True  # a deliberate 503


_REFUSED = {"malformed", "never_offered", "id_unknown"}


def _reads() -> Iterator[str]:
    for path in (VENTAS, WABA, f"{WABA}/phone_numbers", f"{WABA}/message_templates"):
        yield f"/v23.0/{path}"
        yield f"/v23.0/{path}/x.css"
        yield f"/v23.0/{path}.css"
    yield "/-/health"
    yield "/media/x.css"
    yield "/webhooks/whatsapp"


@pytest.mark.parametrize("path", list(_reads()))
def test_g32_no_answer_may_be_kept_by_anybody(
    door: Door, watch: Watch, key: Key, path: str
) -> None:
    allowed, nobody = door.call("GET", path, key=key), door.call("GET", path)

    for answer in (allowed, nobody):
        assert answer.header("cache-control") == "no-store"
    if path.startswith("/v23.0"):
        assert nobody.status == 401
        assert allowed.status == 200 or allowed.reason in _REFUSED


def test_g37_a_partial_effect_is_told_and_recorded_as_one(
    door: Door, house: WatchedHouse, watch: Watch, key: Key
) -> None:
    body = {
        "messaging_product": "whatsapp",
        "block_users": [{"user": f"+{LUCIA}"}, {"user": "+5491155556666"}],
    }

    answer = door.call("POST", f"/v23.0/{VENTAS}/block_users", key=key, json=body)
    house.settle()

    assert answer.status == 400
    assert answer.error["code"] == 139100
    assert b"added_users" in answer.body
    assert b"failed_users" in answer.body
    outcome = [r for r in house.workspace.records() if str(r["call_id"]) == str(answer.call)][-1]
    assert outcome["outcome"] == "partial"
