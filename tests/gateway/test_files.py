"""Files through the doorkeeper: flows, group pictures, downloads that somebody abandons."""

import hashlib
import io
import json
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.house import VENTAS, WABA, House, Key, error_of

FLOW = json.dumps({"version": "7.0", "screens": [{"id": "A"}]}).encode()


@pytest.fixture(scope="module")
def key(house: House) -> Key:
    return house.workspace.key(name="files")


def test_a_flow_is_made_and_its_json_uploaded(house: House, key: Key) -> None:
    http, headers = house.gateway.http, key.headers
    made = http.post(
        f"/v23.0/{WABA}/flows", json={"name": "Cita", "categories": ["OTHER"]}, headers=headers
    ).json()

    uploaded = http.post(
        f"/v23.0/{made['id']}/assets",
        data={"name": "flow.json", "asset_type": "FLOW_JSON"},
        files={"file": ("flow.json", io.BytesIO(FLOW), "application/json")},
        headers=headers,
    )

    assert uploaded.status_code == 200, uploaded.text
    assert str(uploaded.json()["success"]).lower() == "true"


@pytest.mark.parametrize(
    ("asset_type", "status"), [("FLOW_JSON", 200), ("SOMETHING", 400)], ids=["known", "unknown"]
)
def test_a_flows_json_may_come_before_its_fields_as_pywa_writes_it(
    house: House, key: Key, asset_type: str, status: int
) -> None:
    http = house.gateway.http
    body = {"name": "Cita", "categories": ["OTHER"]}
    made = http.post(f"/v23.0/{WABA}/flows", json=body, headers=key.headers).json()
    parts: list[tuple[str, Any]] = [
        ("file", ("flow.json", FLOW, "application/json")),
        ("name", (None, "flow.json")),
        ("asset_type", (None, asset_type)),
        ("messaging_product", (None, "whatsapp")),
    ]

    uploaded = http.post(f"/v23.0/{made['id']}/assets", files=parts, headers=key.headers)

    assert uploaded.status_code == status, uploaded.text


def test_a_flow_is_no_media_and_media_is_no_flow(house: House, key: Key) -> None:
    as_media = house.gateway.http.post(
        f"/v23.0/{VENTAS}/media",
        data={"messaging_product": "whatsapp", "type": "application/json"},
        files={"file": ("flow.json", io.BytesIO(FLOW), "application/json")},
        headers=key.headers,
    )

    assert error_of(as_media) == (400, 100, None, "malformed")
    assert house.sandbox.ledger() == []


def upload(house: House, key: Key, data: bytes) -> str:
    answer = house.gateway.http.post(
        f"/v23.0/{VENTAS}/media",
        data={"messaging_product": "whatsapp"},
        files={"file": ("notas.txt", io.BytesIO(data), "text/plain")},
        headers=key.headers,
    )
    assert answer.status_code == 200, answer.text
    media_id: str = answer.json()["id"]
    return media_id


def link(house: House, key: Key, media_id: str) -> str:
    url: str = house.gateway.http.get(f"/v23.0/{media_id}", headers=key.headers).json()["url"]
    assert url.startswith(f"{house.gateway.url}/media/")
    return url


def test_twenty_megabytes_there_and_back(house: House, key: Key) -> None:
    data = b"una linea de texto\n" * 1_100_000
    url = link(house, key, upload(house, key, data))

    got = house.gateway.http.get(url, headers=key.headers)

    assert hashlib.sha256(got.content).digest() == hashlib.sha256(data).digest()
    assert got.headers["content-disposition"] == "attachment"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-type"] == "text/plain"


def test_a_media_link_is_its_keys_alone_and_short_lived(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = link(house, key, upload(house, key, b"hola"))
    other = house.workspace.key(name="other")

    assert error_of(house.gateway.http.get(url, headers=other.headers))[:2] == (400, 100)
    assert error_of(house.gateway.http.get(url)) == (401, 190, None, "key_malformed")
    tampered = url[:-4] + ("AAAA" if not url.endswith("AAAA") else "BBBB")
    assert error_of(house.gateway.http.get(tampered, headers=key.headers))[:2] == (400, 100)
    later = time.time() + 301
    monkeypatch.setattr("portero.gateway.media_links.time", SimpleNamespace(time=lambda: later))
    assert error_of(house.gateway.http.get(url, headers=key.headers))[:2] == (400, 100)


def test_a_link_of_a_url_compatible_key_needs_no_header(house: House) -> None:
    key = house.workspace.key(url_compatible=True)
    url = link(house, key, upload(house, key, b"hola"))

    assert house.gateway.http.get(url).content == b"hola"
    house.workspace.revoke(key)
    assert house.gateway.http.get(url).status_code == 401


def test_what_nobody_reads_any_more_is_not_fetched_to_its_end(house: House, key: Key) -> None:
    url = link(house, key, upload(house, key, b"una linea de texto\n" * 3_000_000))
    path = url.removeprefix(house.gateway.url)

    with socket.create_connection(("127.0.0.1", house.gateway.port)) as client:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.text}\r\n\r\n"
        client.sendall(head.encode())
        client.recv(1000)

    for _ in range(100):
        ended = [
            r
            for r in house.workspace.records()
            if r["operation"] == "download_media" and r["outcome"]
        ]
        if ended and ended[-1]["body"].get("why") == "client_gone":
            return
        time.sleep(0.05)
    raise AssertionError(ended[-1]["body"])
