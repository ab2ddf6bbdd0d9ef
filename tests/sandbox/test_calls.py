"""Calls: who may be called, how a call goes, what is told of it."""

from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, Running, Start

PATH = f"/{NUMBER}/calls"
PRODUCT = {"messaging_product": "whatsapp"}
CONNECT = PRODUCT | {
    "to": CUSTOMER,
    "action": "connect",
    "session": {"sdp_type": "offer", "sdp": "v=0"},
    "biz_opaque_callback_data": "ref-1",
}
ASK = {
    "type": "interactive",
    "interactive": {
        "type": "call_permission_request",
        "body": {"text": "¿Le llamamos?"},
        "action": {"name": "call_permission_request"},
    },
}


@pytest.fixture
def calling(sandbox: Running) -> Running:
    sandbox.post(f"/{NUMBER}/settings", {"calling": {"status": "ENABLED"}})
    return sandbox


def allow(sandbox: Running, **more: Any) -> None:
    """The customer allows calls."""
    reply = {"response": "accept", "response_source": "user_action"} | more
    sandbox.control(
        "inbound",
        {
            "phone_number_id": NUMBER,
            "from": CUSTOMER,
            "type": "interactive",
            "interactive": {"type": "call_permission_reply", "call_permission_reply": reply},
        },
    )
    sandbox.hooks.wait(1)
    sandbox.hooks.clear()


def ring(sandbox: Running) -> str:
    """The business calls, and the customer's phone has rung."""
    call_id: str = sandbox.post(PATH, CONNECT)["calls"][0]["id"]
    sandbox.hooks.wait(1)
    return call_id


def permissions(sandbox: Running) -> dict[str, Any]:
    shown: dict[str, Any] = sandbox.get(f"/{NUMBER}/call_permissions", user_wa_id=CUSTOMER)
    return shown


def test_calling_must_be_switched_on(sandbox: Running) -> None:
    assert sandbox.refusal("POST", PATH, json=CONNECT)["code"] == 138000


def test_a_small_number_cannot_switch_calling_on(other_world: Start) -> None:
    waba = {
        "id": "100000000000100",
        "numbers": [
            {"id": NUMBER, "display_phone_number": "+1 555", "messaging_limit": "TIER_250"}
        ],
    }
    sandbox = other_world(wabas=[waba], windows=[], tokens=[{"token": "test-token"}])

    body = {"calling": {"status": "ENABLED"}}

    assert sandbox.refusal("POST", f"/{NUMBER}/settings", json=body)["code"] == 138018


def test_with_sip_calls_do_not_go_by_http(calling: Running) -> None:
    sip = {"status": "ENABLED", "servers": [{"hostname": "sip.example.com"}]}
    calling.post(f"/{NUMBER}/settings", {"calling": {"status": "ENABLED", "sip": sip}})

    assert calling.refusal("POST", PATH, json=CONNECT)["code"] == 138000


def test_who_has_not_allowed_calls_is_not_called(calling: Running) -> None:
    before = permissions(calling)
    refused = calling.refusal("POST", PATH, json=CONNECT)
    allow(calling)
    during = permissions(calling)
    calling.clock.ahead_s = 8 * 24 * 3600.0

    assert before["permission"] == {"status": "no_permission"}
    assert refused["code"] == 138006
    assert during["permission"]["status"] == "temporary"
    assert during["actions"][1]["can_perform_action"]
    assert permissions(calling)["permission"]["status"] == "no_permission"


def test_a_permission_may_last(calling: Running) -> None:
    allow(calling, is_permanent=True)

    assert permissions(calling)["permission"] == {"status": "permanent"}


def test_a_call_rings_is_taken_and_ends(calling: Running) -> None:
    allow(calling)
    call_id = ring(calling)
    calling.control("call", {"call_id": call_id, "event": "accept"})
    calling.clock.ahead_s = 60
    calling.post(PATH, PRODUCT | {"call_id": call_id, "action": "terminate"})

    ringing, connect, accepted, end = calling.hooks.values(4)
    assert ringing["statuses"][0]["status"] == "RINGING"
    assert ringing["statuses"][0]["biz_opaque_callback_data"] == "ref-1"
    assert connect["calls"][0]["session"]["sdp_type"] == "answer"
    assert connect["calls"][0]["direction"] == "BUSINESS_INITIATED"
    assert accepted["statuses"][0]["status"] == "ACCEPTED"
    assert end["calls"][0]["status"] == "COMPLETED"
    assert end["calls"][0]["duration"] in (60, 61)
    again = calling.refusal("POST", PATH, json=PRODUCT | {"call_id": call_id, "action": "reject"})
    assert again["code"] == 138004


def test_a_second_call_to_the_same_customer_is_refused(calling: Running) -> None:
    allow(calling)
    calling.post(PATH, CONNECT)

    assert calling.refusal("POST", PATH, json=CONNECT)["code"] == 138003


def test_a_refused_call_has_failed(calling: Running) -> None:
    allow(calling)
    call_id = ring(calling)
    calling.control("call", {"call_id": call_id, "event": "reject"})

    _, rejected, end = calling.hooks.values(3)
    assert rejected["statuses"][0]["status"] == "REJECTED"
    assert end["calls"][0]["status"] == "FAILED"


def test_a_customer_rings_and_the_business_answers(calling: Running) -> None:
    call_id = calling.control("call", {"phone_number_id": NUMBER, "from": CUSTOMER})["call_id"]
    answer = {"call_id": call_id, "session": {"sdp_type": "answer", "sdp": "v=0"}} | PRODUCT

    calling.post(PATH, answer | {"action": "pre_accept"})
    calling.post(PATH, answer | {"action": "accept"})
    calling.post(PATH, PRODUCT | {"call_id": call_id, "action": "terminate"})

    offer, end = calling.hooks.values(2)
    assert offer["calls"][0]["direction"] == "USER_INITIATED"
    assert offer["calls"][0]["session"]["sdp_type"] == "offer"
    assert end["calls"][0]["status"] == "COMPLETED"


def test_a_customers_call_opens_the_window(calling: Running) -> None:
    calling.control("call", {"phone_number_id": NUMBER, "from": "34600111444"})
    calling.hooks.wait(1)
    calling.hooks.clear()

    calling.send({"to": "34600111444", "type": "text", "text": {"body": "a"}})

    assert calling.hooks.statuses(1)[0]["status"] == "sent"


def test_permission_is_asked_once_a_day_and_twice_a_week(calling: Running) -> None:
    first = calling.send(ASK)
    second = calling.send(ASK)
    calling.clock.ahead_s = 25 * 3600.0
    third = calling.send(ASK)
    calling.clock.ahead_s = 50 * 3600.0
    fourth = calling.send(ASK)

    assert [one.status_code for one in (first, third)] == [200, 200]
    assert [one.json()["error"]["code"] for one in (second, fourth)] == [138009, 138009]
    limits = permissions(calling)["actions"][0]["limits"]
    assert [one["current_usage"] for one in limits] == [0, 2]
