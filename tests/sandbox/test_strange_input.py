"""What nobody sends on purpose: each is one refusal in Graph's shape, and one line of the ledger."""

import asyncio
import base64
import json
import logging
from typing import Any

import httpx
import pytest

from portero.sandbox import World, create_app
from sandbox.harness import (
    APP,
    CUSTOMER,
    NUMBER,
    TOKEN,
    WABA,
    WORLD,
    Running,
)

MESSAGES = f"/v23.0/{NUMBER}/messages"
PROFILE, SETTINGS = f"/{NUMBER}/whatsapp_business_profile", f"/{NUMBER}/settings"
ROOM = {"messaging_product": "whatsapp", "to": CUSTOMER}
DEEP = "[" * 100_000
HUGE = "9" * 400


def image(**given: Any) -> dict[str, Any]:
    return {"json": ROOM | {"type": "image", "image": given}}


def template(name: str, kind: str, parameter: Any) -> dict[str, Any]:
    components = [{"type": kind, "parameters": [parameter]}]
    chosen = {"name": name, "language": {"code": "es_MX"}, "components": components}
    return {"json": ROOM | {"type": "template", "template": chosen}}


def location(latitude: str) -> dict[str, Any]:
    body = json.dumps(ROOM | {"type": "location", "location": {"latitude": 1, "longitude": 1}})
    return {"content": body.replace('"latitude": 1', f'"latitude": {latitude}')}


STRANGE: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "1,001 parameters": ("GET", f"/{NUMBER}", {"params": [("a", "1")] * 1_001}, 100),
    "a version in other digits": ("GET", f"/v\u0661.\u0662/{NUMBER}", {}, 100),
    "a link with an open bracket": ("POST", MESSAGES, image(link="http://[x"), 100),
    "a link without a host": ("POST", MESSAGES, image(link="http://"), 100),
    "a callback with an open bracket": (
        "POST",
        f"/{WABA}/subscribed_apps",
        {"json": {"override_callback_uri": "http://[x", "verify_token": "a"}},
        2200,
    ),
    "a callback with half a character": (
        "POST",
        f"/{WABA}/subscribed_apps",
        {"content": r'{"override_callback_uri": "http://127.0.0.1:9/", "verify_token": "\ud800"}'},
        2200,
    ),
    "a SIP that is a text": ("POST", SETTINGS, {"json": {"calling": {"sip": "x"}}}, 100),
    "SIP servers that are none": (
        "POST",
        SETTINGS,
        {"json": {"calling": {"sip": {"servers": ["x"]}}}},
        100,
    ),
    "a secret beyond ASCII": (
        "GET",
        "/oauth/access_token",
        {"params": {"client_id": APP, "client_secret": "ñ", "code": "x"}},
        101,
    ),
    "a proof with half a character": (
        "POST",
        MESSAGES,
        {"content": r'{"appsecret_proof": "\ud800"}'},
        100,
    ),
    "a header parameter that is a text": ("POST", MESSAGES, template("order", "header", "x"), 100),
    "a parameter's name that is a list": (
        "POST",
        MESSAGES,
        template("named", "body", {"type": "text", "text": "Ana", "parameter_name": ["a"]}),
        100,
    ),
    "a parameter's name that is empty": (
        "POST",
        MESSAGES,
        template("named", "body", {"type": "text", "text": "Ana", "parameter_name": ""}),
        131008,
    ),
    "an industry that is a list": ("POST", PROFILE, {"json": ROOM | {"vertical": ["A"]}}, 100),
    "a limit without end": (
        "GET",
        f"/{WABA}/phone_numbers",
        {"content": '{"limit": 1e999}', "headers": {"Content-Type": "application/json"}},
        100,
    ),
    "a number that is not JSON": (
        "GET",
        f"/{WABA}/phone_numbers",
        {"content": '{"limit": Infinity}', "headers": {"Content-Type": "application/json"}},
        100,
    ),
    "a body without bottom": (
        "POST",
        MESSAGES,
        {"content": DEEP, "headers": {"Content-Type": "application/json"}},
        100,
    ),
    "a latitude of 400 digits": ("POST", MESSAGES, location(HUGE), 131009),
    "a time range of 400 digits": (
        "GET",
        f"/{WABA}/analytics",
        {"params": {"start": 0, "end": HUGE}},
        100,
    ),
}


@pytest.mark.parametrize(("method", "path", "options", "code"), STRANGE.values(), ids=STRANGE)
def test_strange_input_is_refused_as_meta_refuses(
    sandbox: Running, method: str, path: str, options: dict[str, Any], code: int
) -> None:
    response = sandbox.call(method, path, **options)

    error = response.json()["error"]
    assert 400 <= response.status_code < 500
    assert (error["code"], error["fbtrace_id"]) == (code, response.headers["x-fb-trace-id"])
    assert sandbox.ledger()[-1]["status"] == response.status_code


def test_a_forged_link_beyond_ascii_is_404(sandbox: Running) -> None:
    response = sandbox.call("GET", "/whatsapp_business/attachments/?mid=1&ext=9999999999&hash=ñ")

    assert response.status_code == 404


def test_a_flow_without_bottom_is_a_draft_with_a_fault(sandbox: Running) -> None:
    body = {"name": "Cita", "categories": ["OTHER"], "flow_json": '{"screens":' + DEEP}

    made = sandbox.post(f"/{WABA}/flows", body)

    assert made["validation_errors"][0]["error"] == "INVALID_JSON"


def test_sip_without_servers_has_no_password_to_show(sandbox: Running) -> None:
    sandbox.post(SETTINGS, {"calling": {"sip": {"status": "DISABLED"}}})

    shown = sandbox.get(SETTINGS, include_sip_credentials="true")

    assert shown == {"calling": {"sip": {"status": "DISABLED"}}}


def test_the_longest_business_scoped_id_is_written_to(sandbox: Running) -> None:
    longest = "MX." + "a" * 256

    sent = sandbox.send({"to": None, "recipient": longest, "text": {"body": "a"}}).json()

    record = base64.b64decode(sent["messages"][0]["id"].removeprefix("wamid."))
    assert record.startswith(b"\x1c\x18\x83\x02" + longest.encode() + b"\x15\x02\x00\x11\x18")


def test_an_unreachable_link_beside_an_id_of_media_does_not_matter_to_its_form(
    sandbox: Running,
) -> None:
    file = {"file": ("a.png", b"\x89PNG", "image/png")}
    form = {"messaging_product": "whatsapp"}
    media_id = sandbox.call("POST", f"/{NUMBER}/media", data=form, files=file).json()["id"]

    sent = sandbox.send({"type": "image", "image": {"id": media_id, "link": "http://[x"}})

    assert sent.status_code == 200


def test_a_fault_of_ours_is_131000_and_the_ledger_and_the_log_know(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(World, "numbers_of", None)

    with caplog.at_level(logging.ERROR, logger="portero.sandbox.endpoint"):
        response = sandbox.call("GET", f"/v24.0/{WABA}/phone_numbers")

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, 131000)
    assert error["fbtrace_id"] == response.headers["x-fb-trace-id"]
    assert response.headers["facebook-api-version"] == "v24.0"
    assert sandbox.ledger()[-1]["status"] == 500
    [record] = caplog.records
    assert record.exc_info is not None
    assert f"/{WABA}/phone_numbers" in record.getMessage()


def test_what_was_done_before_a_fault_of_ours_is_told(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "numbers_of", None)
    body = "messaging_product=whatsapp&to=" + CUSTOMER + '&text={"body":"a"}'
    send = {"method": "POST", "relative_url": f"{NUMBER}/messages", "body": body}
    broken = {"method": "GET", "relative_url": f"{WABA}/phone_numbers"}

    response = sandbox.call("POST", "/", json={"batch": [send, broken]})

    assert response.status_code == 500
    assert [status["status"] for status in sandbox.hooks.statuses(2)] == ["sent", "delivered"]


def test_an_answer_that_cannot_be_written_is_a_fault_of_ours() -> None:
    world = World.from_dict(WORLD)
    world.numbers[NUMBER].info["verified_name"] = object()
    transport = httpx.ASGITransport(create_app(world))

    async def ask() -> int:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return (await client.get(f"/{NUMBER}", headers=headers)).status_code

    assert asyncio.run(ask()) == 500
