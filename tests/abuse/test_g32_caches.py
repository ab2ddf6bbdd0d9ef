"""G32: no answer may be kept on its way, so that nobody is given another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import LUCIA, PEDRO, SOPORTE, VENTAS, VERIFY_TOKEN, WABA, House, Key, text
from gateway.media_samples import png
from portero.gateway import replies

_HOST = b"Host: graph.test\r\n"
_CACHING = ("etag", "expires", "last-modified", "age", "pragma", "vary")
Ask = Callable[[Door, House, Key], Answer]


def get(target: str) -> Ask:
    return lambda door, _, key: door.call("GET", target, key=key)


def by_nobody(target: str) -> Ask:
    return lambda door, *_: door.call("GET", target)


def raw(request: bytes) -> Ask:
    return lambda door, *_: door.raw(request)


def upload(data: bytes) -> Ask:
    return lambda door, _, key: door.upload(key, "image/png", data)


def media_node(door: Door, house: House, key: Key) -> Answer:
    """What Meta tells about a file that was just uploaded, with our link to it."""
    uploaded = upload(png())(door, house, key)
    return door.call("GET", f"/v23.0/{uploaded.json['id']}", key=key)


def file_by_link(door: Door, house: House, key: Key) -> Answer:
    url: str = media_node(door, house, key).json["url"]
    return door.call("GET", url.removeprefix(house.settings.public_url), key=key)


def failing_at_meta(status: int) -> Ask:
    def ask(door: Door, house: House, key: Key) -> Answer:
        house.sandbox.control("faults", {"status": status})
        return door.call("GET", f"/v23.0/{WABA}/phone_numbers", key=key)

    return ask


def replayed(door: Door, house: House, key: Key) -> Answer:
    """The second answer to one sending."""
    again = [("Idempotency-Key", "kept-by-nobody")]
    door.send(key, text(LUCIA), VENTAS, headers=again)
    return door.send(key, text(LUCIA), VENTAS, headers=again)


_HANDSHAKE = f"hub.mode=subscribe&hub.challenge=1&hub.verify_token={VERIFY_TOKEN}"
# Every way to an answer, and its status.
ANSWERS: dict[str, tuple[Ask, int]] = {
    "a number": (get(f"/v23.0/{VENTAS}"), 200),
    "a list": (get(f"/v23.0/{WABA}/phone_numbers"), 200),
    "a list without a version": (get(f"/{WABA}/phone_numbers"), 200),
    "a number as a style sheet": (get(f"/v23.0/{VENTAS}.css"), 400),
    "a number with a style sheet": (get(f"/v23.0/{VENTAS}/x.css"), 400),
    "a list as a style sheet": (get(f"/v23.0/{WABA}/phone_numbers.css"), 400),
    "a list with a style sheet": (get(f"/v23.0/{WABA}/phone_numbers/x.css"), 400),
    "a list with a parameter": (get(f"/v23.0/{WABA}/phone_numbers;x.css"), 400),
    "a list with an escaped end": (get(f"/v23.0/{WABA}/phone_numbers%00.css"), 400),
    "a message": (lambda door, _, key: door.send(key, text(), VENTAS), 200),
    "a message sent again": (replayed, 200),
    "a message to nobody": (lambda door, _, key: door.send(key, {}, VENTAS), 400),
    "an id of nobody": (get("/v23.0/999999999999999"), 400),
    "another method": (lambda door, _, key: door.call("OPTIONS", f"/{VENTAS}", key=key), 400),
    "a head": (lambda door, _, key: door.call("HEAD", f"/{VENTAS}", key=key), 400),
    "no key": (by_nobody(f"/v23.0/{VENTAS}"), 401),
    "no key for a style sheet": (by_nobody(f"/v23.0/{VENTAS}.css"), 401),
    "no HTTP": (raw(b"nonsense\r\n\r\n"), 400),
    "no host": (raw(b"GET / HTTP/1.1\r\n\r\n"), 400),
    "a long head": (raw(b"GET / HTTP/1.1\r\n" + _HOST + b"X: " + b"y" * 40_000 + b"\r\n\r\n"), 431),
    "an expectation": (raw(b"GET / HTTP/1.1\r\n" + _HOST + b"Expect: more\r\n\r\n"), 417),
    "a compressed body": (
        lambda door, _, key: door.send(key, text(), VENTAS, headers=[("Content-Encoding", "gzip")]),
        400,
    ),
    "an upload": (upload(png()), 200),
    "a refused upload": (upload(b"<html>"), 400),
    "a file's node": (media_node, 200),
    "a file": (file_by_link, 200),
    "no file": (get("/media/x.css"), 400),
    "no file and no key": (by_nobody("/media/x.css"), 401),
    "Meta refuses": (failing_at_meta(400), 400),
    "Meta fails": (failing_at_meta(500), 500),
    "the handshake": (by_nobody(f"/webhooks/whatsapp?{_HANDSHAKE}"), 200),
    "no handshake": (by_nobody("/webhooks/whatsapp"), 403),
    "a forged post": (lambda door, *_: door.call("POST", "/webhooks/whatsapp", body=b"{}"), 401),
    "a revocation": (
        lambda door, *_: door.call("POST", "/-/keys/revoke", json={"key": "none"}), 200,
    ),
    "a malformed revocation": (lambda door, *_: door.call("POST", "/-/keys/revoke", json=[]), 400),
    "health": (by_nobody("/-/health"), 200),
}  # fmt: skip


def may_be_kept(answer: Answer) -> bool:
    """Whether a cache on the way finds any leave to keep it."""
    said = [value for name, value in answer.headers if name == "cache-control"]
    return said != ["no-store"] or any(answer.header(name) for name in _CACHING)


@pytest.mark.parametrize("what", ANSWERS)
def test_g32_no_answer_of_any_kind_may_be_kept(
    door: Door, house: House, watch: Watch, everything: Key, what: str
) -> None:
    ask, status = ANSWERS[what]
    watch.may_fail = status >= 500

    answer = ask(door, house, everything)

    assert answer.status == status, answer.body
    assert not any(map(may_be_kept, door.answers))
    assert all(one.header("x-content-type-options") == "nosniff" for one in door.answers)


@pytest.mark.parametrize(
    "target",
    [f"/v23.0/{VENTAS}", f"/v23.0/{WABA}/phone_numbers", f"/v23.0/{WABA}/message_templates"],
)
def test_g32_what_one_key_has_read_is_given_to_no_other(
    door: Door, house: House, watch: Watch, everything: Key, target: str
) -> None:
    sends_only = house.workspace.key({"send:text": "all"})

    statuses = [
        door.call("GET", target, key=key).status
        for key in (everything, sends_only, everything, None, sends_only)
    ]

    assert statuses == [200, 403, 200, 401, 403]
    # Each that was allowed was asked anew: the gateway keeps no answer either.
    assert len(watch.ledger()) == 2


def test_g32_two_keys_that_see_different_numbers_see_them_in_any_order(
    door: Door, house: House
) -> None:
    target = f"/v23.0/{WABA}/phone_numbers"
    narrow = {n: house.workspace.key(scope={"numbers": [n]}) for n in (VENTAS, SOPORTE)}

    for number in (VENTAS, SOPORTE, VENTAS):
        listed = door.call("GET", target, key=narrow[number])
        assert [one["id"] for one in listed.json["data"]] == [number]


def test_g32_an_idempotency_key_of_another_key_brings_no_answer_of_its(
    door: Door, house: House, watch: Watch
) -> None:
    again = [("Idempotency-Key", "of-both")]
    one, other = house.workspace.key(), house.workspace.key()

    first = door.send(one, text(LUCIA), VENTAS, headers=again)
    second = door.send(other, text(PEDRO), VENTAS, headers=again)

    assert first.status == second.status == 200
    assert first.json["messages"] != second.json["messages"]
    assert len(watch.ledger()) == 2


def test_g32_control_without_the_header_an_answer_is_seen_to_be_kept(
    door: Door, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_ALWAYS", ())

    assert may_be_kept(door.call("GET", f"/v23.0/{VENTAS}", key=everything))
