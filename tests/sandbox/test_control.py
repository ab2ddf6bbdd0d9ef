"""`/_sandbox/`: be the customer, break things, see what arrived."""

import asyncio
import base64
import time
from typing import Any

import httpx
import pytest

from portero.sandbox import World, create_app, ledger
from sandbox.harness import CUSTOMER, NUMBER, TOKEN, WABA, Running

TEXT = {"text": {"body": "hola"}}
INBOUND = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "text", **TEXT}


def refused(sandbox: Running, name: str, body: Any, method: str = "POST") -> str:
    response = sandbox.http.request(method, f"/_sandbox/{name}", json=body)
    assert response.status_code == 400, response.text
    error: str = response.json()["error"]
    return error


def test_a_customers_message_arrives_signed_in_metas_shape(sandbox: Running) -> None:
    told = sandbox.control("inbound", INBOUND | {"from": "525598765432", "name": "Lucía"})

    payload = sandbox.hooks.wait(1)[0]
    value = payload["entry"][0]["changes"][0]["value"]
    assert told == {"message_id": value["messages"][0]["id"], "delivered": True, "status": 200}
    assert payload["signed"]
    assert payload["entry"][0]["id"] == WABA
    assert value["metadata"] == {"display_phone_number": "525550100101", "phone_number_id": NUMBER}
    assert value["contacts"][0]["profile"] == {"name": "Lucía"}
    message = value["messages"][0]
    assert (message["from"], message["text"]) == ("5215598765432", {"body": "hola"})
    assert message["timestamp"].isdigit()


def test_webhooks_are_escaped_as_meta_escapes_them(sandbox: Running) -> None:
    sandbox.control("inbound", INBOUND | {"text": {"body": "niño https://x.test/a"}})

    raw = sandbox.hooks.wait(1)[0]["raw"]

    assert rb"ni\u00f1o https:\/\/x.test\/a" in raw


def test_a_customers_message_opens_the_window(sandbox: Running) -> None:
    sandbox.control("inbound", INBOUND | {"from": "34600777666"})
    sandbox.hooks.clear()

    sandbox.send({"to": "34600777666", **TEXT})

    assert [status["status"] for status in sandbox.hooks.statuses(2)] == ["sent", "delivered"]


def test_a_customers_media_can_be_fetched(sandbox: Running) -> None:
    data = base64.b64encode(b"\x89PNG-picture").decode()
    image = {"data": data, "mime_type": "image/png", "caption": "mira"}

    sandbox.control("inbound", INBOUND | {"type": "image", "image": image})

    told = sandbox.hooks.values(1)[0]["messages"][0]["image"]
    url = sandbox.get(f"/{told['id']}")["url"]
    assert told["caption"] == "mira"
    assert "data" not in told
    assert sandbox.call("GET", url).content == b"\x89PNG-picture"


def test_a_customer_without_a_number_is_told_by_business_scoped_id(sandbox: Running) -> None:
    body = {"phone_number_id": NUMBER, "user_id": "MX.123456789", "type": "text", **TEXT}

    sandbox.control("inbound", body)

    value = sandbox.hooks.values(1)[0]
    assert value["contacts"][0].keys() == {"profile", "user_id"}
    assert "from" not in value["messages"][0]
    assert value["messages"][0]["from_user_id"] == "MX.123456789"


def test_a_customer_stops_and_resumes_marketing(sandbox: Running) -> None:
    body = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "user_preferences"}
    promo = {
        "type": "template",
        "template": {"name": "promo", "language": {"code": "es_MX"}},
    }

    sandbox.control("inbound", body | {"user_preferences": {"value": "stop"}})
    sandbox.send(promo)
    stop, failed = sandbox.hooks.values(2)
    sandbox.hooks.clear()
    sandbox.control("inbound", body | {"user_preferences": {"value": "resume"}})
    sandbox.send(promo)

    assert stop["user_preferences"][0]["value"] == "stop"
    assert failed["statuses"][0]["errors"][0]["code"] == 131050
    assert sandbox.hooks.values(2)[1]["statuses"][0]["status"] == "sent"


def test_a_blocked_customer_is_not_heard(sandbox: Running) -> None:
    users = {"messaging_product": "whatsapp", "block_users": [{"user": CUSTOMER}]}
    sandbox.post(f"/{NUMBER}/block_users", users)

    told = sandbox.control("inbound", INBOUND)

    assert not told["delivered"]
    assert sandbox.hooks.received == []


@pytest.mark.parametrize(
    "change",
    [
        {"phone_number_id": "9"},
        {"from": "x"},
        {"type": "image", "image": {"data": "%"}},
        {"type": "image", "image": {"data": "é"}},
        {"type": "image", "image": {"data": 5}},
        {"type": "image", "image": "x"},
        {"type": "contacts"},
    ],
)
def test_a_message_that_cannot_be_made_is_refused(sandbox: Running, change: dict[str, Any]) -> None:
    assert refused(sandbox, "inbound", INBOUND | change)


def test_any_status_can_be_told_in_any_order_and_again(sandbox: Running) -> None:
    message_id = sandbox.send(TEXT).json()["messages"][0]["id"]
    sandbox.hooks.wait(2)
    sandbox.hooks.clear()

    for status in ("read", "delivered", "read"):
        told = sandbox.control("status", {"message_id": message_id, "status": status})
        assert told == {"delivered": True, "status": 200}

    assert [item["status"] for item in sandbox.hooks.statuses(3)] == ["read", "delivered", "read"]


def test_a_failure_can_be_told_with_its_code(sandbox: Running) -> None:
    message_id = sandbox.send(TEXT).json()["messages"][0]["id"]
    sandbox.hooks.wait(2)
    sandbox.hooks.clear()

    body = {"message_id": message_id, "status": "failed", "error_code": 131042}
    sandbox.control("status", body)

    assert sandbox.hooks.statuses(1)[0]["errors"][0]["code"] == 131042


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"message_id": "x"}, "message_id"),
        ({"message_id": ["x"]}, "message_id"),
        ({"status": "eaten"}, "status must be one of sent, delivered, read, played, failed"),
        ({"status": ["read"]}, "status must be one of"),
        ({"status": "failed", "error_code": 7}, "error_code must be"),
        ({"status": "failed", "error_code": "131042"}, "error_code must be"),
        ({"status": "failed", "error_code": [1]}, "error_code must be"),
        ({"error_code": 131042}, "error_code is of a failed message"),
        ({"stauts": "failed"}, "unknown keys: stauts"),
    ],
)
def test_a_status_that_makes_no_sense_is_refused(
    sandbox: Running, change: dict[str, Any], told: str
) -> None:
    message_id = sandbox.send(TEXT).json()["messages"][0]["id"]

    assert told in refused(sandbox, "status", {"message_id": message_id, "status": "read"} | change)


@pytest.mark.parametrize(
    "body", [{}, {"payload": {}, "ulr": "http://x"}, {"payload": {}, "url": 5}]
)
def test_a_payload_that_nobody_would_get_is_refused(sandbox: Running, body: dict[str, Any]) -> None:
    assert refused(sandbox, "webhook", body)


def test_any_payload_can_be_sent_signed(sandbox: Running) -> None:
    sandbox.control("webhook", {"payload": {"object": "whatsapp_business_account", "entry": []}})

    payload = sandbox.hooks.wait(1)[0]
    assert payload["signed"]
    assert payload["entry"] == []


def test_a_fault_answers_without_processing_so_often_and_no_more(sandbox: Running) -> None:
    sandbox.control("faults", {"count": 2, "status": 503, "match": {"path": "/messages$"}})

    codes = [sandbox.send(TEXT).status_code for _ in range(3)]

    assert codes == [503, 503, 200]
    assert len(sandbox.hooks.statuses(2)) == 2


def test_a_fault_matches_method_and_path(sandbox: Running) -> None:
    match = {"method": "get", "path": WABA}
    sandbox.control("faults", {"status": 500, "body": {"error": {"code": 1}}, "match": match})

    other = sandbox.send(TEXT)
    hit = sandbox.call("GET", f"/{WABA}")

    assert (other.status_code, hit.status_code) == (200, 500)
    assert hit.json() == {"error": {"code": 1}}


def test_a_fault_may_answer_what_is_not_json(sandbox: Running) -> None:
    sandbox.control("faults", {"status": 502, "body": "<html>Bad gateway</html>"})

    response = sandbox.call("GET", f"/{WABA}")

    assert response.text == "<html>Bad gateway</html>"


def test_a_delay_makes_the_ordinary_answer_late(sandbox: Running) -> None:
    sandbox.control("faults", {"delay_ms": 150})

    before = time.monotonic()
    response = sandbox.send(TEXT)

    assert response.status_code == 200
    assert time.monotonic() - before >= 0.15


def test_a_reset_before_leaves_nothing_done(sandbox: Running) -> None:
    sandbox.control("faults", {"reset": "before"})

    with pytest.raises(httpx.ReadError):
        sandbox.send(TEXT)

    assert sandbox.ledger()[-1]["status"] is None
    message_id = sandbox.send(TEXT).json()["messages"][0]["id"]
    assert {status["id"] for status in sandbox.hooks.statuses(2)} == {message_id}


def test_a_reset_after_has_done_the_work_and_says_so_only_by_webhook(sandbox: Running) -> None:
    sandbox.control("faults", {"reset": "after"})

    with pytest.raises(httpx.ReadError):
        sandbox.send(TEXT | {"biz_opaque_callback_data": "call-1"})

    told = sandbox.hooks.statuses(2)
    assert [status["status"] for status in told] == ["sent", "delivered"]
    assert told[0]["biz_opaque_callback_data"] == "call-1"
    assert sandbox.ledger()[-1]["status"] is None


def test_faults_can_be_taken_back(sandbox: Running) -> None:
    assert sandbox.control("faults", {"count": 3, "status": 500}) == {"waiting": 3}

    assert sandbox.control("faults", method="DELETE") == {"waiting": 0}
    assert sandbox.send(TEXT).status_code == 200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({}, "needs one of delay_ms, status, reset"),
        ({"count": 2, "body": "a"}, "needs one of"),
        ({"status": None}, "needs one of"),
        ({"status": 500, "count": 0}, "count"),
        ({"status": 500, "count": True}, "count"),
        ({"status": 500, "count": "1"}, "count"),
        ({"delay_ms": -1}, "delay_ms"),
        ({"delay_ms": True}, "delay_ms"),
        ({"delay_ms": [1]}, "delay_ms"),
        ({"delay": 500, "stauts": 500}, "unknown keys: delay, stauts"),
        ({"status": 99}, "status"),
        ({"status": "500"}, "status"),
        ({"status": [1]}, "status"),
        ({"reset": "never"}, "reset"),
        ({"reset": ["after"]}, "reset"),
        ({"status": 500, "reset": "after"}, "exclude each other"),
        ({"delay_ms": 5, "body": {}}, "body needs a status"),
        ({"status": 500, "match": {"path": "("}}, "match.path"),
        ({"status": 500, "match": {"path": 5}}, "fault.match.path must be a text"),
        ({"status": 500, "match": {"pth": "a"}}, "unknown keys: pth"),
        ({"status": 500, "match": []}, "fault.match must be an object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    sandbox: Running, fault: dict[str, Any], told: str
) -> None:
    assert told in refused(sandbox, "faults", fault)
    assert sandbox.control("faults", method="DELETE") == {"waiting": 0}


@pytest.mark.parametrize("content", ["{", "[" * 100_000, '{"status": NaN}', "[]"])
def test_a_control_that_is_no_json_object_is_refused(sandbox: Running, content: str) -> None:
    assert sandbox.http.post("/_sandbox/faults", content=content).status_code == 400


def test_the_ledger_shows_every_request_in_order_as_it_came(sandbox: Running) -> None:
    sandbox.send(TEXT)
    sandbox.call("GET", f"/v20.0/{WABA}?fields=name", headers={"X-Mine": "1"})
    sandbox.http.get("/nobody")

    first, second, third = sandbox.ledger()

    assert [entry["n"] for entry in (first, second, third)] == [1, 2, 3]
    assert (first["method"], first["path"]) == ("POST", f"/v23.0/{NUMBER}/messages")
    assert '"hola"' in first["body"]
    assert (second["query"], second["headers"]["x-mine"]) == ("fields=name", "1")
    assert second["headers"]["authorization"] == f"Bearer {TOKEN}"
    assert [entry["status"] for entry in (first, second, third)] == [200, 200, 400]


def test_the_ledger_keeps_the_path_undecoded(sandbox: Running) -> None:
    sandbox.call("GET", "/v20.0/%31%30?a=%2F")

    entry = sandbox.ledger()[-1]

    assert (entry["path"], entry["query"]) == ("/v20.0/%31%30", "a=%2F")


def test_the_ledger_keeps_bytes_that_are_no_text(sandbox: Running) -> None:
    sandbox.call("POST", f"/{NUMBER}/messages", content=b"\xff\xfe")

    entry = sandbox.ledger()[-1]

    assert entry["body_encoding"] == "base64"
    assert base64.b64decode(entry["body"]) == b"\xff\xfe"


def test_the_ledger_keeps_a_repeated_header(sandbox: Running) -> None:
    sandbox.http.get("/x", headers=[("X-Twice", "1"), ("X-Twice", "2")])

    assert sandbox.ledger()[-1]["headers"]["x-twice"] == "1, 2"


def test_the_ledger_can_be_read_from_a_point_on(sandbox: Running) -> None:
    for _ in range(3):
        sandbox.call("GET", f"/{WABA}")

    later = sandbox.control("ledger?since=2", method="GET")["requests"]

    assert [entry["n"] for entry in later] == [3]
    assert refused(sandbox, "ledger?since=x", None, "GET")


def test_the_ledger_keeps_the_newest_within_its_bounds(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_MAX_ENTRIES", 3)
    monkeypatch.setattr(ledger, "_MAX_BYTES", 100)
    bodies = [b"a" * 60, b"b", b"c", b"d", b"e" * 60, b"f" * 60, b"g"]

    kept = []
    for body in bodies:
        sandbox.http.post("/x", content=body)
        kept.append([entry["n"] for entry in sandbox.ledger()])

    assert kept == [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [6], [6, 7]]


def test_no_old_webhook_follows_a_reset(sandbox: Running) -> None:
    sandbox.hooks.answers = [500]
    sandbox.control("inbound", INBOUND)  # comes again after 20 and 40 ms

    sandbox.control("reset")
    sandbox.hooks.clear()
    time.sleep(0.2)

    assert sandbox.hooks.received == []


def test_a_reset_waits_for_a_webhook_on_its_way(sandbox: Running) -> None:
    sandbox.hooks.slow_s = 0.3
    sandbox.send(TEXT)
    sandbox.hooks.wait_begun(1)

    sandbox.control("reset")
    arrived = len(sandbox.hooks.received)
    time.sleep(0.5)

    assert arrived == len(sandbox.hooks.received) == 1


def test_a_reset_brings_back_the_first_day(sandbox: Running) -> None:
    sandbox.post(f"/{WABA}", {"name": "Otro"})
    sandbox.control("faults", {"status": 500})

    sandbox.control("reset")

    assert sandbox.ledger() == []
    assert sandbox.get(f"/{WABA}")["name"] == "Test Account"


def test_an_unknown_control_is_not_a_graph_call(sandbox: Running) -> None:
    response = sandbox.http.post("/_sandbox/nothing")

    assert response.status_code == 404
    assert sandbox.ledger() == []


@pytest.mark.parametrize("host", ["10.0.0.7", "192.0.2.1"])
def test_the_control_surface_is_for_this_machine_only(host: str) -> None:
    app = create_app(World.default())
    transport = httpx.ASGITransport(app, client=(host, 40_000))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return (await client.get("/_sandbox/ledger")).status_code

    assert asyncio.run(ask()) == 403
