"""G04, G05, G06, G33: what Graph takes on every path and we take on none, and who calls Meta is not told."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import APP_ID, BUSINESS, LUCIA, SOPORTE, VENTAS, WABA, House, Key, text
from portero.graphapi import inputs

TEMPLATE = "100000000000201"

Way = Callable[[Door, str, str, dict[str, str], Key], Answer]


def by_query(door: Door, method: str, path: str, said: dict[str, str], key: Key) -> Answer:
    return door.call(method, f"{path}?{urlencode(said)}", key=key)


def by_escaped_query(door: Door, method: str, path: str, said: dict[str, str], key: Key) -> Answer:
    pairs = ("".join(f"%{b:02X}" for b in n.encode()) + "=" + quote(v) for n, v in said.items())
    return door.call(method, f"{path}?{'&'.join(pairs)}", key=key)


def by_form(door: Door, method: str, path: str, said: dict[str, str], key: Key) -> Answer:
    return door.call(method, path, key=key, form=urlencode(said))


def by_json(door: Door, method: str, path: str, said: dict[str, str], key: Key) -> Answer:
    return door.call(method, path, key=key, json={n: _loosened(v) for n, v in said.items()})


def by_multipart(door: Door, method: str, path: str, said: dict[str, str], key: Key) -> Answer:
    parts = "".join(
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in said.items()
    )
    kind = ("Content-Type", "multipart/form-data; boundary=cut")
    return door.call(method, path, key=key, headers=[kind], body=f"{parts}--cut--\r\n".encode())


WAYS: tuple[Way, ...] = (by_query, by_escaped_query, by_form, by_json, by_multipart)
BODIED = (by_form, by_json, by_multipart)


def _loosened(value: str) -> Any:
    return json.loads(value) if value.startswith(("[", "{")) else value


def is_refusal(answer: Answer) -> bool:
    return answer.status == 400 and answer.reason in {"malformed", "never_offered", "id_unknown"}


BATCH = json.dumps(
    [
        {"method": "POST", "relative_url": f"{VENTAS}/messages", "body": urlencode({"to": LUCIA})},
        {"method": "GET", "relative_url": "me"},
    ]
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "path",
    ["/", "/v23.0", "/v23.0/", "/me", "/v23.0/me", "/v23.0/me/", f"/v23.0/{VENTAS}/messages"],
)
def test_g04_a_batch_is_not_offered_in_any_encoding(
    door: Door, watch: Watch, everything: Key, way: Way, path: str
) -> None:
    said = {"batch": BATCH, "include_headers": "false"}

    for method in ("POST", "GET"):
        assert is_refusal(way(door, method, path, said, everything))
        assert is_refusal(way(door, method, path, {"batch": BATCH}, everything))

    assert watch.ledger() == []


_OVERRIDES = ("method", "_method", "METHOD", "Method", "_METHOD", "x-http-method", "http_method")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", _OVERRIDES)
def test_g05_the_method_is_the_one_that_was_sent(
    door: Door, watch: Watch, everything: Key, way: Way, name: str
) -> None:
    targets = [
        ("POST", f"/v23.0/{TEMPLATE}", {"category": "UTILITY"}),
        ("GET", f"/v23.0/{TEMPLATE}", {}),
        ("GET", f"/v23.0/{WABA}/message_templates", {"name": "order_update"}),
        ("POST", f"/v23.0/{WABA}/message_templates", {"name": "order_update"}),
    ]
    for (method, path, rest), verb in product(targets, ("delete", "DELETE", "post", "")):
        answer = way(door, method, path, {**rest, name: verb}, everything)
        assert is_refusal(answer), (method, path, answer.body)

    assert watch.ledger() == []


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
def test_g05_headers_that_override_a_method_change_nothing(
    door: Door, house: House, watch: Watch, header: str
) -> None:
    reader = house.workspace.key({"template:read": "all"})

    answer = door.call(
        "GET", f"/v23.0/{TEMPLATE}", key=reader, headers=[(header, "DELETE"), (header, "POST")]
    )

    assert answer.status == 200
    [arrived] = watch.ledger()
    assert arrived["method"] == "GET"
    assert header.lower() not in arrived["headers"]
    assert {r["operation"] for r in watch.records()} == {"read_template"}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH"])
@pytest.mark.parametrize("path", [f"/v23.0/{VENTAS}", f"/v23.0/{VENTAS}/messages", f"/{WABA}"])
def test_g05_methods_that_graph_does_not_have_do_nothing(
    door: Door, watch: Watch, everything: Key, method: str, path: str
) -> None:
    answer = door.call(method, path, key=everything, json=text() if method != "HEAD" else None)

    assert answer.status == 400
    assert watch.ledger() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["ids", "id", "IDS", "ids[]", "ids[0]"])
def test_g06_several_objects_are_not_read_at_once(
    door: Door, watch: Watch, everything: Key, way: Way, name: str
) -> None:
    for path in ("/", "/v23.0", "/v23.0/", f"/v23.0/{VENTAS}", f"/v23.0/{WABA}/phone_numbers"):
        for listed in (f"{VENTAS},{SOPORTE}", VENTAS, f'["{VENTAS}"]'):
            answer = way(door, "GET", path, {name: listed}, everything)
            assert is_refusal(answer), (path, answer.body)

    assert watch.ledger() == []


EXTRAS = {
    "metadata": "1",
    "debug": "all",
    "suppress_http_code": "1",
    "callback": "alert",
    "include_headers": "true",
    "format": "json-strings",
    "pretty": "0",
    "locale": "es_ES",
    "transport": "cors",
    "return_ssl_resources": "1",
    "fb_api_caller_class": "x",
    "relative_url": "me",
    "suppress_http_warning": "1",
}
ROUTES = (
    ("GET", f"/v23.0/{VENTAS}"),
    ("GET", f"/v23.0/{VENTAS}/settings"),
    ("GET", f"/v23.0/{VENTAS}/whatsapp_business_profile"),
    ("GET", f"/v23.0/{WABA}"),
    ("GET", f"/v23.0/{WABA}/message_templates"),
    ("GET", f"/v23.0/{TEMPLATE}"),
    ("GET", f"/v23.0/{BUSINESS}"),
    ("GET", f"/v23.0/{APP_ID}"),
    ("POST", f"/v23.0/{VENTAS}/messages"),
    ("POST", f"/v23.0/{WABA}/message_templates"),
    ("DELETE", f"/v23.0/{WABA}/message_templates"),
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_g33_what_graph_takes_on_every_path_is_refused_on_every_path(
    door: Door, watch: Watch, everything: Key, method: str, path: str
) -> None:
    ways = WAYS if method != "GET" else (by_query, by_escaped_query, by_json)
    for (name, value), way in product(EXTRAS.items(), ways):
        answer = way(door, method, path, {name: value}, everything)
        assert is_refusal(answer), (name, answer.body)

    assert watch.ledger() == []


_IDENTITY = (
    "/me", "/me/accounts", "/me/permissions", "/me/businesses", "/me/messages", "/ME", "/Me",
    "/debug_token", "/DEBUG_TOKEN", "/oauth/access_token", "/oauth/client_code", "/app",
    "/oauth/access_token/", "/permissions", "/search", "/accounts", "/me/phone_numbers",
    "/me/message_templates", "/debug_token/", f"/{APP_ID}/accounts", "/oauth", "/device/login",
)  # fmt: skip


@pytest.mark.parametrize("version", ["", "/v23.0"])
def test_g33_the_identity_that_calls_meta_is_not_shown(
    door: Door, watch: Watch, everything: Key, version: str
) -> None:
    said = {"input_token": everything.text, "client_id": APP_ID, "grant_type": "client_credentials"}
    for path, method in product(_IDENTITY, ("GET", "POST", "DELETE")):
        assert is_refusal(door.call(method, version + path, key=everything)), path
        asked = door.call(method, f"{version}{path}?{urlencode(said)}", key=everything)
        assert is_refusal(asked), path

    assert watch.ledger() == []


def test_g33_control_a_parameter_that_is_not_refused_is_seen_at_meta(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_refusal(by_query(door, "GET", f"/v23.0/{VENTAS}", {"metadata": "1"}, everything))
    # Two guards stand here: the list of what Graph takes everywhere, and closed parameters.
    monkeypatch.setattr(inputs, "GRAPH_WIDE_PARAMETERS", frozenset())
    assert is_refusal(by_query(door, "GET", f"/v23.0/{VENTAS}", {"metadata": "1"}, everything))
    parsing = import_module("portero.graphapi.parse")
    monkeypatch.setattr(parsing, "_typed", lambda operation, *_: ({}, None))

    answer = by_query(door, "GET", f"/v23.0/{VENTAS}", {"metadata": "1"}, everything)

    assert not is_refusal(answer)
    assert watch.ledger() != []
