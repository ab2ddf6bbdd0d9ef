"""Analytics count what happened here, and cost what the world says it costs."""

import time
from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, OTHER_NUMBER, WABA, Running, Start

TEMPLATE = {"type": "template", "template": {"name": "plain", "language": {"code": "es_MX"}}}
FREE = {"type": "text", "text": {"body": "a"}}


@pytest.fixture
def priced(other_world: Start) -> Running:
    """A template and a free-form message were delivered, where a utility costs 0.01."""
    sandbox = other_world(prices={"utility": 0.01})
    for body in (TEMPLATE, FREE):
        sandbox.send(body)
    until_delivered(sandbox, 2)
    return sandbox


def until_delivered(sandbox: Running, count: int) -> None:
    """A status counts once its webhook was answered, a moment after it arrived."""
    deadline = time.monotonic() + 5
    while _total(sandbox, "analytics", "delivered") < count:
        assert time.monotonic() < deadline


def span(**more: Any) -> dict[str, Any]:
    """A day and a half, of which the first day holds now: no message falls on a border."""
    now = int(time.time())
    return {"start": now - 43_200, "end": now + 86_400, "granularity": "MONTHLY"} | more


def _total(sandbox: Running, edge: str, name: str) -> int:
    granularity = "MONTH" if edge == "analytics" else "MONTHLY"
    answer = sandbox.get(f"/{WABA}/{edge}", **span(granularity=granularity))
    return sum(point[name] for point in answer["data_points"])


def points(sandbox: Running, edge: str, **wanted: Any) -> list[dict[str, Any]]:
    answer = sandbox.get(f"/{WABA}/{edge}", **span(**wanted))
    found: list[dict[str, Any]] = answer["data"][0]["data_points"]
    return [{k: v for k, v in point.items() if k not in ("start", "end")} for point in found]


def test_messages_are_counted_by_kind_number_and_country(priced: Running) -> None:
    def sent(**wanted: Any) -> int:
        answer = priced.get(f"/{WABA}/analytics", **span(granularity="MONTH", **wanted))
        return sum(point["sent"] for point in answer["data_points"])

    assert sent() == 2
    assert sent(product_types="[0]") == sent(product_types="[2]") == 1
    assert sent(country_codes='["ES"]') == 2
    assert sent(country_codes='["MX"]') == 0
    assert sent(phone_numbers='["525550100102"]') == 0
    display = priced.get(f"/{NUMBER}")["display_phone_number"]
    assert sent(phone_numbers=f'["{display}"]') == 2


def test_cost_follows_the_prices_of_the_world(priced: Running) -> None:
    found = points(priced, "pricing_analytics", dimensions="[PRICING_CATEGORY,PRICING_TYPE]")

    assert found == [
        {"pricing_category": "UTILITY", "pricing_type": "REGULAR", "volume": 1, "cost": 0.01},
        {
            "pricing_category": "SERVICE",
            "pricing_type": "FREE_CUSTOMER_SERVICE",
            "volume": 1,
            "cost": 0.0,
        },
    ]
    [regular] = points(
        priced, "pricing_analytics", pricing_types="[REGULAR]", metric_types="[VOLUME]"
    )
    assert regular == {"volume": 1}


def test_conversations_last_a_day(priced: Running) -> None:
    [before] = points(priced, "conversation_analytics", metric_types="[CONVERSATION]")
    priced.send(TEMPLATE)
    until_delivered(priced, 3)

    [after] = points(priced, "conversation_analytics", metric_types="[CONVERSATION]")

    assert before == after == {"conversation": 2}


def test_a_template_is_read_and_clicked(priced: Running) -> None:
    priced.post(f"/{WABA}", {"is_enabled_for_insights": True})
    message = priced.send(TEMPLATE).json()["messages"][0]["id"]
    until_delivered(priced, 3)
    priced.control("status", {"message_id": message, "status": "read"})
    click = {"type": "button", "button": {"text": "Gracias"}, "context": {"id": message}}
    priced.control("inbound", {"phone_number_id": NUMBER, "from": CUSTOMER} | click)
    group = priced.post(
        f"/{WABA}/template_groups", {"name": "g", "whatsapp_business_templates": ["201"]}
    )["id"]

    found = points(priced, "template_analytics", template_ids="[201]", granularity="DAILY")
    grouped = points(
        priced, "template_group_analytics", template_group_ids=f"[{group}]", granularity="DAILY"
    )

    [point] = [one for one in found if one["sent"]]
    assert (point["sent"], point["delivered"], point["read"]) == (2, 2, 1)
    assert point["clicked"] == [
        {"type": "quick_reply_button", "button_content": "Gracias", "count": 1}
    ]
    assert point["cost"][0] == {"type": "amount_spent", "value": 0.02}
    assert [one["sent"] for one in grouped if one["sent"]] == [2]


def test_calls_are_counted_and_timed(sandbox: Running) -> None:
    sandbox.post(f"/{NUMBER}/settings", {"calling": {"status": "ENABLED"}})
    call_id = sandbox.control("call", {"phone_number_id": NUMBER, "from": CUSTOMER})["call_id"]
    answer = {
        "messaging_product": "whatsapp",
        "call_id": call_id,
        "session": {"sdp_type": "answer", "sdp": "v=0"},
    }
    sandbox.post(f"/{NUMBER}/calls", answer | {"action": "accept"})
    sandbox.clock.ahead_s = 90
    sandbox.control("call", {"call_id": call_id, "event": "terminate"})

    [found] = points(sandbox, "call_analytics", dimensions="[DIRECTION]")

    assert found["direction"] == "USER_INITIATED"
    assert found["count"] == 1
    assert found["average_duration"] in (90, 91)


def test_groups_are_counted_one_by_one(sandbox: Running) -> None:
    sandbox.post(f"/{OTHER_NUMBER}/groups", {"messaging_product": "whatsapp", "subject": "Vecinos"})
    group = sandbox.hooks.values(1)[0]["groups"][0]["group_id"]

    found = points(sandbox, "group_analytics", metric_types="[SENT]")

    assert found == [{"group_id": group, "sent": 0}]
