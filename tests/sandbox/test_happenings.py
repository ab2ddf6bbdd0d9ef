"""What Meta does by itself: it judges, limits, pauses, restricts, and says so."""

from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, WABA, Running

STRANGER = "34600111555"
FREE = {"type": "text", "text": {"body": "a"}}
TEMPLATE = {"type": "template", "template": {"name": "plain", "language": {"code": "es_MX"}}}


def told(sandbox: Running, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The field and the value of each change."""
    return [
        (change["field"], change["value"])
        for item in sandbox.hooks.wait(count)
        for entry in item["entry"]
        for change in entry["changes"]
    ]


def refused(sandbox: Running, name: str, body: dict[str, Any]) -> str:
    response = sandbox.http.post(f"/_sandbox/{name}", json=body)
    assert response.status_code == 400, response.text
    error: str = response.json()["error"]
    return error


def test_a_number_falls_from_grace_and_rises_again(sandbox: Running) -> None:
    number = {"phone_number_id": NUMBER}
    sandbox.control("number", number | {"quality_rating": "RED", "messaging_limit": "TIER_2K"})
    sandbox.control("number", number | {"quality_rating": "GREEN"})
    sandbox.control("number", number | {"throughput": "HIGH"})

    changes = told(sandbox, 5)
    assert [(field, value.get("event")) for field, value in changes] == [
        ("phone_number_quality_update", "FLAGGED"),
        ("phone_number_quality_update", "DOWNGRADE"),
        ("business_capability_update", None),
        ("phone_number_quality_update", "UNFLAGGED"),
        ("phone_number_quality_update", "THROUGHPUT_UPGRADE"),
    ]
    assert changes[1][1]["old_limit"] == "TIER_100K"
    assert changes[1][1]["current_limit"] == "TIER_2K"
    assert changes[1][1]["max_daily_conversations_per_business"] == "TIER_2K"
    fields = "quality_rating,throughput,whatsapp_business_manager_messaging_limit"
    assert sandbox.get(f"/{NUMBER}", fields=fields) == {
        "quality_rating": "GREEN",
        "throughput": {"level": "HIGH"},
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "id": NUMBER,
    }


def test_a_new_name_is_decided_on(sandbox: Running) -> None:
    body = {"new_display_name": "Tienda", "messaging_product": "whatsapp"}
    sandbox.post(f"/{NUMBER}", body)
    sandbox.control("number", {"phone_number_id": NUMBER, "name_decision": "APPROVED"})

    [(field, value)] = told(sandbox, 1)
    assert (field, value["decision"]) == ("phone_number_name_update", "APPROVED")
    assert value["requested_verified_name"] == "Tienda"
    assert sandbox.get(f"/{NUMBER}")["verified_name"] == "Tienda"


def test_a_paused_template_cannot_be_sent_and_says_why(sandbox: Running) -> None:
    sandbox.control("template", {"template_id": "201", "status": "PAUSED", "quality": "RED"})

    changes = told(sandbox, 2)
    assert changes[0][0] == "message_template_status_update"
    assert changes[0][1]["event"] == "PAUSED"
    assert changes[0][1]["other_info"]["title"] == "FIRST_PAUSE"
    assert changes[1][0] == "message_template_quality_update"
    assert changes[1][1]["previous_quality_score"] == "UNKNOWN"
    assert changes[1][1]["new_quality_score"] == "RED"
    assert sandbox.send(TEMPLATE).json()["error"]["code"] == 132015


def test_a_template_moves_to_another_category_with_or_without_notice(sandbox: Running) -> None:
    wanted = {"template_id": "201", "category": "MARKETING"}
    sandbox.control("template", wanted | {"announced": True})
    before = sandbox.get("/201", fields="category,correct_category")
    sandbox.control("template", wanted)
    after = sandbox.get("/201", fields="category,previous_category")

    [(_, announced), (field, done)] = told(sandbox, 2)
    assert field == "template_category_update"
    assert announced["new_category"] == "UTILITY"
    assert announced["correct_category"] == "MARKETING"
    assert (done["previous_category"], done["new_category"]) == ("UTILITY", "MARKETING")
    assert before == {"category": "UTILITY", "correct_category": "MARKETING", "id": "201"}
    assert after == {"category": "MARKETING", "previous_category": "UTILITY", "id": "201"}


def test_a_restricted_account_writes_to_nobody_first(sandbox: Running) -> None:
    info = {
        "restriction_info": [
            {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1_800_000_000}
        ]
    }
    sandbox.control("account", {"waba_id": WABA, "event": "ACCOUNT_RESTRICTION", "info": info})

    [(field, value)] = told(sandbox, 1)
    assert (field, value["event"]) == ("account_update", "ACCOUNT_RESTRICTION")
    assert value["restriction_info"] == info["restriction_info"]
    assert sandbox.send(TEMPLATE | {"to": STRANGER}).json()["error"]["code"] == 368
    assert sandbox.send(FREE).status_code == 200


def test_a_disabled_account_sends_nothing_until_it_is_reinstated(sandbox: Running) -> None:
    def update(state: str) -> None:
        info = {"ban_info": {"waba_ban_state": state, "waba_ban_date": "today"}}
        sandbox.control("account", {"waba_id": WABA, "event": "DISABLED_UPDATE", "info": info})

    update("SCHEDULE_FOR_DISABLE")
    scheduled = sandbox.send(FREE)
    update("DISABLE")
    disabled = sandbox.send(FREE)
    status = sandbox.get(f"/{WABA}", fields="status")["status"]
    update("REINSTATE")

    assert scheduled.status_code == 200
    assert (disabled.status_code, disabled.json()["error"]["code"]) == (403, 131031)
    assert status == "DISABLED"
    assert sandbox.send(FREE).status_code == 200


def test_a_blocked_customer_is_not_written_to(sandbox: Running) -> None:
    body = {"messaging_product": "whatsapp", "block_users": [{"user": CUSTOMER}]}
    sandbox.post(f"/{NUMBER}/block_users", body)

    assert sandbox.send(FREE).json()["error"]["code"] == 130403


def test_who_is_not_on_whatsapp_is_not_reached(sandbox: Running) -> None:
    sandbox.send(TEMPLATE | {"to": "34600111999"})

    [status] = sandbox.hooks.statuses(1)
    assert (status["status"], status["errors"][0]["code"]) == ("failed", 131026)


def test_a_customer_with_another_phone_is_another_identity(sandbox: Running) -> None:
    sandbox.post(
        f"/{NUMBER}/settings", {"user_identity_change": {"enable_identity_key_check": True}}
    )
    inbound = {"phone_number_id": NUMBER, "from": CUSTOMER}
    sandbox.control("inbound", inbound | FREE)
    known = sandbox.hooks.values(1)[0]["contacts"][0]["identity_key_hash"]
    first = sandbox.send(FREE | {"recipient_identity_key_hash": known})
    sandbox.hooks.wait(3)
    sandbox.hooks.clear()

    system = {"type": "customer_identity_changed", "body": "…", "identity": {"hash": "x"}}
    sandbox.control("inbound", inbound | {"type": "system", "system": system})
    sandbox.hooks.wait(1)
    sandbox.hooks.clear()
    sandbox.send(FREE | {"recipient_identity_key_hash": known})

    assert first.status_code == 200
    [status] = sandbox.hooks.statuses(1)
    assert status["errors"][0]["code"] == 137000


def test_a_flow_is_throttled_and_blocked(sandbox: Running) -> None:
    flow = sandbox.post(
        f"/{WABA}/flows",
        {
            "name": "Cita",
            "categories": ["OTHER"],
            "flow_json": '{"version": "7.0", "screens": [{"id": "A"}]}',
            "publish": True,
        },
    )["id"]
    body = {
        "type": "interactive",
        "interactive": {
            "type": "flow",
            "body": {"text": "Agenda"},
            "action": {
                "name": "flow",
                "parameters": {"flow_message_version": "3", "flow_id": flow, "flow_cta": "Ir"},
            },
        },
    }
    published = sandbox.send(body)
    sandbox.hooks.wait(3)
    sandbox.control("flow", {"flow_id": flow, "status": "THROTTLED"})
    throttled = [sandbox.send(body) for _ in range(11)]
    sandbox.control("flow", {"flow_id": flow, "status": "BLOCKED"})
    blocked = sandbox.send(body)

    assert published.status_code == 200
    assert [one.status_code for one in throttled] == [200] * 10 + [400]
    assert throttled[-1].json()["error"]["code"] == 132069
    assert blocked.json()["error"]["code"] == 132068
    changes = [value for item in list(sandbox.hooks.received) for value in _flow_changes(item)]
    moved = [(one["old_status"], one["new_status"]) for one in changes]
    assert moved == [("DRAFT", "PUBLISHED"), ("PUBLISHED", "THROTTLED"), ("THROTTLED", "BLOCKED")]


def _flow_changes(item: dict[str, Any]) -> list[dict[str, Any]]:
    changes = item["entry"][0]["changes"]
    return [change["value"] for change in changes if change["field"] == "flows"]


def test_any_change_of_any_field_is_told(sandbox: Running) -> None:
    value = {"decision": "APPROVED"}

    sandbox.control("change", {"waba_id": WABA, "field": "account_review_update", "value": value})

    assert told(sandbox, 1) == [("account_review_update", value)]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("number", {"phone_number_id": "1", "quality_rating": "RED"}),
        ("number", {"phone_number_id": NUMBER}),
        ("number", {"phone_number_id": NUMBER, "quality_rating": "PURPLE"}),
        ("template", {"template_id": "1", "status": "PAUSED"}),
        ("template", {"template_id": "201"}),
        ("template", {"template_id": "201", "status": "TIRED"}),
        ("account", {"waba_id": "1", "event": "ACCOUNT_DELETED"}),
        ("account", {"waba_id": WABA, "event": "ACCOUNT_DELETED", "info": []}),
        ("flow", {"flow_id": "1", "status": "BLOCKED"}),
        ("group", {"group_id": "x", "event": "join", "from": CUSTOMER}),
        ("call", {"call_id": "x", "event": "accept"}),
        ("call", {"phone_number_id": NUMBER, "from": CUSTOMER}),
        ("change", {"waba_id": "1", "field": "a", "value": {}}),
        ("delivery", {"together": True}),
        ("delivery", {"copies": 0}),
        ("delivery", {"gather_ms": -1}),
    ],
)
def test_what_cannot_happen_is_refused_with_a_sentence(
    sandbox: Running, name: str, body: dict[str, Any]
) -> None:
    assert refused(sandbox, name, body)


def test_webhooks_come_together_in_one_payload(sandbox: Running) -> None:
    sandbox.control("delivery", {"gather_ms": 60, "together": True})
    message = sandbox.send(FREE).json()["messages"][0]["id"]
    sandbox.control("change", {"waba_id": WABA, "field": "account_alerts", "value": {"a": 1}})

    [payload] = sandbox.hooks.wait(1)
    assert payload["signed"]
    changes = [change for entry in payload["entry"] for change in entry["changes"]]
    assert [change["field"] for change in changes].count("messages") == 2
    assert len(payload["entry"]) < len(changes)
    statuses = [c["value"]["statuses"][0] for c in changes if c["field"] == "messages"]
    assert [one["status"] for one in statuses] == ["sent", "delivered"]
    assert {one["id"] for one in statuses} == {message}


def test_webhooks_come_in_the_wrong_order(sandbox: Running) -> None:
    sandbox.control("delivery", {"gather_ms": 60, "reversed": True})
    sandbox.send(FREE)

    assert [one["status"] for one in sandbox.hooks.statuses(2)] == ["delivered", "sent"]


def test_webhooks_come_twice(sandbox: Running) -> None:
    sandbox.control("delivery", {"copies": 2})
    sandbox.send(FREE)

    received = sandbox.hooks.wait(4)
    assert [one["status"] for one in sandbox.hooks.statuses(4)] == [
        "sent",
        "sent",
        "delivered",
        "delivered",
    ]
    assert received[0]["raw"] == received[1]["raw"]


def test_a_reset_sends_webhooks_as_ever(sandbox: Running) -> None:
    sandbox.control("delivery", {"gather_ms": 50_000})
    sandbox.send(FREE)
    sandbox.control("reset")

    sandbox.control("change", {"waba_id": WABA, "field": "security", "value": {}})

    assert told(sandbox, 1) == [("security", {})]
