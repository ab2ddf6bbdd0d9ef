"""G22, G29: the token goes to Meta's own hosts only, whatever an answer or a redirect says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import time
from typing import Any

import psycopg
import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from abuse.watched_house import WatchedHouse
from gateway.house import LUCIA, META_TOKEN, SOPORTE, VENTAS, WABA, Key, text
from portero.gateway import upstream
from portero.gateway.media_links import MediaLink, MediaLinks
from portero.store.sealing import KeyRing

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "6060f80f00010401005fe5c34b0000000049454e44ae426082"
)


@dataclass
class Trap:
    """A host of an attacker's: remembers what it was sent."""

    port: int
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture
def trap() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Trap(listener.getsockname()[1])
        listener.settimeout(0.05)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    made.heard.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

        thread = threading.Thread(target=listen)
        thread.start()
        yield made
        stop.set()
        thread.join()


@pytest.fixture
def media(house: WatchedHouse) -> str:
    """A picture a customer has just sent to Ventas."""
    told = house.sandbox.control(
        "inbound", {"phone_number_id": VENTAS, "from": LUCIA, "type": "image", "image": {}}
    )
    assert told["delivered"], told
    with psycopg.connect(house.database.dsn("superuser")) as db:
        row = db.execute(
            "SELECT meta_id FROM resource WHERE workspace_id = %s AND kind = 'media'"
            " ORDER BY seen_at DESC LIMIT 1",
            [house.workspace.id],
        ).fetchone()
    assert row is not None
    meta_id: str = row[0]
    return meta_id


def link_of(door: Door, house: WatchedHouse, key: Key, media: str) -> str:
    answer = door.call("GET", f"/v23.0/{media}", key=key)
    assert answer.status == 200, answer.body
    url: str = answer.json["url"]
    assert url.startswith(f"{house.settings.public_url}/media/")
    return url.removeprefix(house.settings.public_url)


def evil_urls(port: int, house: WatchedHouse) -> list[Any]:
    graph = house.sandbox.url.removeprefix("http://")
    host, _, graph_port = graph.partition(":")
    return [
        f"http://127.0.0.1:{port}/x",
        f"http://localhost:{port}/x",
        f"http://127.0.0.1:{port}",
        f"http://{graph}@127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}#@{graph}/x",
        f"http://127.0.0.1:{port}\\@{graph}/x",
        f"http://127.0.0.1:{port}/?@{graph}",
        f"http://{graph}.evil.test:{port}/x",
        f"http://evil{host}:{graph_port}/x",
        f"//127.0.0.1:{port}/x",
        f"https://127.0.0.1:{graph_port}/x",
        f"HTTP://127.0.0.1:{port}/x",
        f"http://2130706433:{port}/x",
        f"http://0x7f000001:{port}/x",
        f"http://127.1:{port}/x",
        f"http://[::1]:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x",
        f"http://127.0.0.1:{port}%20/x",
        f"http://127.0.0.1:{graph_port}:{port}/x",
        f" http://127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}/x\r\nX: y",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "/media/x",
        "x",
        "",
        7,
        1.5,
        True,
    ]  # fmt: skip


def test_g22_no_media_link_takes_the_token_to_another_host(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, media: str, trap: Trap
) -> None:
    watch.may_fail = True  # what cannot be fetched is unavailable, not an error of the caller's
    for url in evil_urls(trap.port, house):
        body = {"url": url, "mime_type": "image/png", "id": media, "messaging_product": "whatsapp"}
        house.sandbox.control("faults", {"status": 200, "body": body})
        shown = door.call("GET", f"/v23.0/{media}", key=everything)
        assert str(trap.port) not in shown.body.decode(), shown.body
        if shown.status == 200 and "url" in shown.json:
            link = shown.json["url"].removeprefix(house.settings.public_url)
            got = door.call("GET", link, key=everything)
            assert got.status in {400, 503}, (url, got.body)

    assert trap.heard == []


def test_g22_control_an_open_list_of_hosts_is_seen_to_give_the_token_away(
    door: Door,
    house: WatchedHouse,
    watch: Watch,
    everything: Key,
    media: str,
    trap: Trap,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch.is_over = True
    body = {"url": f"http://127.0.0.1:{trap.port}/x", "mime_type": "image/png", "id": media}
    house.sandbox.control("faults", {"status": 200, "body": body})
    link = link_of(door, house, everything, media)
    perform = upstream.Upstream._perform

    async def anywhere(self: upstream.Upstream, request: Any, *args: Any, **options: Any) -> Any:
        if request.origin not in self._pools:
            made = upstream.Upstream([request.origin])
            return await perform(made, request, *args, **options)
        return await perform(self, request, *args, **options)

    monkeypatch.setattr(upstream.Upstream, "_perform", anywhere)

    assert door.call("GET", link, key=everything).body == b"evil"
    assert META_TOKEN.encode() in trap.heard[0]


def test_g22_a_link_of_ours_is_for_the_key_it_was_made_for(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, media: str
) -> None:
    link = link_of(door, house, everything, media)
    other = house.workspace.key()
    before = len(watch.ledger())

    assert door.call("GET", link, key=other).reason == "id_unknown"
    assert door.call("GET", link).verdict == (401, 190, None, "key_malformed")
    assert (
        door.call("GET", f"{link}?access_token={everything.text}", genuine=everything).status == 401
    )
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        assert door.call(method, link, key=everything).status == 400, method
    turned = link[:-2] + ("B" if link[-2] == "A" else "A") + link[-1]
    for damaged in (link[:-1], turned, link + "A", "/media/", "/media/é"):
        assert door.call("GET", damaged.encode("latin-1"), key=everything).reason in {
            "id_unknown", "malformed",
        }  # fmt: skip
    assert len(watch.ledger()) == before
    got = door.call("GET", link, key=everything)
    assert (got.status, got.header("content-disposition")) == (200, "attachment")
    assert got.header("x-content-type-options") == "nosniff"


def test_g22_a_link_is_decided_anew_when_it_is_used(
    door: Door, house: WatchedHouse, watch: Watch, media: str
) -> None:
    bearer = house.workspace.key({"media:read": "all"}, url_compatible=True)
    link = link_of(door, house, bearer, media)
    assert door.call("GET", link).status == 200
    before = len(watch.ledger())

    with house.workspace.change() as db:
        db.execute("UPDATE api_key SET revoked_at = now() WHERE id = %s", [bearer.id])

    assert door.call("GET", link).status in {401, 403}
    assert door.call("GET", link, key=bearer).verdict == (401, 190, None, "key_revoked")
    assert len(watch.ledger()) == before


def test_g22_a_link_does_not_outlive_its_media(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, media: str
) -> None:
    link = link_of(door, house, everything, media)
    with house.workspace.change() as db:
        db.execute("DELETE FROM resource WHERE meta_id = %s", [media])

    assert door.call("GET", link, key=everything).reason == "id_unknown"


_TYPES = (
    "text/html", "image/svg+xml", "text/html; charset=x", "image/png\r\nSet-Cookie: a=b", "x", "", None,
    "application/xhtml+xml", "IMAGE/PNG", "image/png;a=\"\r\n\"", ["text/html"], "multipart/mixed",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(_TYPES)))
def test_g23_what_is_downloaded_is_a_file_and_never_a_page(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, media: str, number: int
) -> None:
    straight = {"authorization": f"Bearer {META_TOKEN}"}
    told = house.sandbox.http.get(f"/v23.0/{media}", headers=straight).json()
    watch.forget_ledger()
    house.sandbox.control("faults", {"status": 200, "body": {**told, "mime_type": _TYPES[number]}})
    link = link_of(door, house, everything, media)

    got = door.call("GET", link, key=everything)

    assert got.status == 200
    assert got.header("content-disposition") == "attachment"
    assert got.header("x-content-type-options") == "nosniff"
    assert got.header("set-cookie") is None
    assert "html" not in str(got.header("content-type"))
    assert "svg" not in str(got.header("content-type"))


_MOVES = ("http://127.0.0.1:{port}/x", "https://evil.test/x", "//127.0.0.1:{port}/x", "/v23.0/me")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
@pytest.mark.parametrize("shape", ["empty", "json", "error", "text"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_g29_a_redirect_is_no_answer_and_is_not_followed(
    door: Door,
    house: WatchedHouse,
    watch: Watch,
    everything: Key,
    status: int,
    shape: str,
    method: str,
) -> None:
    watch.may_fail = True
    body = {
        "empty": "",
        "json": {"success": True, "data": [], "id": VENTAS, "messages": [{"id": "wamid.AAAAAAAA"}]},
        "error": {"error": {"message": "moved", "code": 1}},
        "text": "moved",
    }[shape]
    house.sandbox.control("faults", {"status": status, "body": body})

    answer = _ask(door, everything, method)

    assert answer.status >= 400, answer.body
    assert answer.header("location") is None
    assert len(watch.ledger()) == 1
    outcomes = [r["outcome"] for r in watch.records() if r["kind"] == "outcome"]
    assert outcomes[0] in {"failed", "unknown"}
    assert outcomes == outcomes[:1]


def _ask(door: Door, key: Key, method: str) -> Answer:
    if method == "POST":
        return door.send(key, text(), VENTAS)
    return door.call("GET", f"/v23.0/{WABA}/phone_numbers", key=key)


def test_g29_a_redirect_with_a_location_takes_nothing_there(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, trap: Trap
) -> None:
    """Between the gateway and Meta stands something that redirects, with a Location header."""
    watch.may_fail = watch.is_over = True
    for move in _MOVES:
        with _Redirecting(move.format(port=trap.port)) as origin:
            made = house.another_gateway(graph_url=origin.url)
            try:
                for method in ("POST", "GET"):
                    answer = (
                        door.send(everything, text(), VENTAS, gateway=made)
                        if method == "POST"
                        else door.call("GET", f"/v23.0/{VENTAS}", key=everything, gateway=made)
                    )
                    assert answer.status >= 400
                    assert b"127.0.0.1" not in answer.body
            finally:
                house.settle()
                house.more.remove(made)
                made.close()
            assert origin.asked == 2

    assert trap.heard == []


class _Redirecting:
    """An origin that answers 302 to everything."""

    def __init__(self, location: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer = (
            f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.asked = 0

    def __enter__(self) -> _Redirecting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(1)
                connection.recv(65536)
                self.asked += 1
                connection.sendall(self._answer)


def test_g21_a_link_made_elsewhere_is_no_link(
    door: Door, house: WatchedHouse, everything: Key, media: str
) -> None:
    forged = MediaLinks(kek=KeyRing.generate(), public_url=house.settings.public_url).url(
        MediaLink(
            workspace=house.workspace.id,
            principal=str(everything.account),
            credential=str(everything.id),
            media=media,
            number=SOPORTE,
            upstream=house.sandbox.url + "/v23.0/me",
            mime_type="text/plain",
            bearer=True,
            ends_at=time() + 100,
        )
    )

    target = forged.removeprefix(house.settings.public_url)
    assert door.call("GET", target).verdict == (401, 190, None, "key_malformed")
    assert door.call("GET", target, key=everything).reason == "id_unknown"
