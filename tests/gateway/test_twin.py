"""What the gateway offers comes through to the twin and back: the same answer as Meta's own client gets.

Whole lives are led through the gateway, and at the end every read is asked twice, of the gateway and
of the twin itself. Where the two differ, one of them has a shape wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pywa import WhatsApp
from pywa.types.flows import FlowMetricGranularity, FlowMetricName
from pywa.types.groups import GroupJoinApprovalMode

from databases import Database
from gateway.house import (
    APP_ID,
    BUSINESS,
    LUCIA,
    META_TOKEN,
    PEDRO,
    SOPORTE,
    VENTAS,
    WABA,
    House,
    Key,
    world,
)
from portero.graphapi.answers import rebuild_answer
from portero.graphapi.kinds import Kind
from portero.graphapi.parse import RawCall, parse

PERSON = "100000000000031"
KINDS = {
    VENTAS: Kind.NUMBER,
    SOPORTE: Kind.NUMBER,
    WABA: Kind.WABA,
    BUSINESS: Kind.BUSINESS,
    APP_ID: Kind.APP,
    PERSON: Kind.USER,
}
PRODUCT = {"messaging_product": "whatsapp"}
SPAN = {"start": 1_700_000_000, "end": 1_700_086_400, "granularity": "DAILY"}
SDP = {"sdp_type": "offer", "sdp": "v=0"}
WA_LUCIA = "5215512345678"


@pytest.fixture(scope="module")
def house(shared_database: Database) -> Iterator[House]:
    """The usual house, with an official number in it that is in use on a phone, too."""
    [account] = world()["wabas"]
    ventas, soporte = account["numbers"]
    ventas |= {"is_official_business_account": True, "is_on_biz_app": True}
    made = House(
        shared_database,
        wabas=[{**account, "numbers": [ventas, soporte]}],
        people=[{"id": PERSON, "name": "Ana", "email": "ana@tienda.test"}],
        speed={"sent_ms": 0, "delivered_ms": 0, "read_ms": None},
    )
    yield made
    made.close()


@pytest.fixture
def both(house: House) -> Both:
    return Both(house, house.workspace.key())


class Both:
    """A caller of the gateway who can also look at the twin itself."""

    def __init__(self, house: House, key: Key) -> None:
        self.house, self.key = house, key
        self.kinds: dict[str, Kind] = {}

    def do(self, method: str, path: str, body: Any = None, **params: Any) -> dict[str, Any]:
        """A call through the gateway that succeeds."""
        answer = self.ask(method, path, json=body, params=params)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        made: dict[str, Any] = answer.json()
        return made

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = self.key.headers | options.pop("headers", {})
        url = f"/v23.0/{path}"
        return self.house.gateway.http.request(method, url, headers=headers, **options)

    def directly(self, method: str, path: str, body: Any = None, **params: Any) -> dict[str, Any]:
        """What the twin itself answers, with Meta's token."""
        headers = {"authorization": f"Bearer {META_TOKEN}"}
        answer = self.house.sandbox.http.request(
            method, f"/v23.0/{path}", json=body, params=params, headers=headers
        )
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def at_meta(self, method: str, path: str, body: Any = None, **params: Any) -> dict[str, Any]:
        """A call at the twin itself: what a key cannot do for its risk, or may do elsewhere.

        The gateway would show the same: nothing of the answer is unknown to its table.
        """
        made = self.directly(method, path, body, **params)
        query = urlencode(params).encode()
        sent = None if body is None else json.dumps(body).encode()
        json_type = None if sent is None else "application/json"
        raw = RawCall(method, f"/{path}".encode(), query, json_type, sent)
        shown = rebuild_answer(parse(raw, KINDS | self.kinds), 200, made)
        assert _told(shown) == _told(made), path
        return made

    def same(self, path: str, **params: Any) -> dict[str, Any]:
        """A read that gives through the gateway what it gives directly."""
        through = self.do("GET", path, **params)
        assert _told(through) == _told(self.directly("GET", path, **params)), path
        return through

    def until_learned(self, path: str) -> None:
        """Until the registry knows an id that a webhook told."""
        deadline = time.monotonic() + 10
        while self.ask("GET", path).status_code != 200:
            assert time.monotonic() < deadline, f"{path} is not learned"
            time.sleep(0.02)


def _told(value: Any) -> Any:
    """An answer without its links, which are the gateway's own."""
    if isinstance(value, dict):
        return {k: _told(v) for k, v in value.items() if k not in ("paging", "url", "download_url")}
    return [_told(item) for item in value] if isinstance(value, list) else value


def test_a_group_lives_through_the_gateway(both: Both) -> None:
    both.do("POST", f"{VENTAS}/groups", PRODUCT | {"subject": "Vecinos", "description": "Avisos"})
    [group] = [one["id"] for one in both.same(f"{VENTAS}/groups")["data"]["groups"]]
    both.until_learned(group)
    event = {"group_id": group, "event": "join", "from": LUCIA}
    both.house.sandbox.control("group", event)

    both.same(group, fields="subject,description,participants,suspended,join_approval_mode")
    both.same(f"{group}/invite_link")
    both.do("POST", f"{group}/invite_link", PRODUCT)
    changed = both.do("POST", group, PRODUCT | {"subject": "Barrio"})
    sent = both.do(
        "POST",
        f"{VENTAS}/messages",
        PRODUCT
        | {"recipient_type": "group", "to": group, "type": "text", "text": {"body": "hola"}},
    )
    removed = both.do(
        "DELETE", f"{group}/participants", PRODUCT | {"participants": [{"user": f"+{WA_LUCIA}"}]}
    )
    both.do("DELETE", f"{group}/invite_link", PRODUCT)
    deleted = both.do("DELETE", group)

    assert changed["request_id"]
    assert sent["messages"][0]["group_id"] == group
    assert removed["removed_participants"][0]["wa_id"] == WA_LUCIA
    assert deleted["success"]


def test_requests_to_join_are_settled_through_the_gateway(both: Both) -> None:
    body = PRODUCT | {"subject": "Cerrado", "join_approval_mode": "approval_required"}
    both.do("POST", f"{VENTAS}/groups", body)
    [group] = [one["id"] for one in both.same(f"{VENTAS}/groups")["data"]["groups"]]
    both.until_learned(group)
    for customer in (LUCIA, PEDRO):
        event = {"group_id": group, "event": "join", "from": customer}
        both.house.sandbox.control("group", event)

    listed = both.same(f"{group}/join_requests")["data"]
    first, second = (one["join_request_id"] for one in listed)
    approved = both.do("POST", f"{group}/join_requests", PRODUCT | {"join_requests": [first]})
    rejected = both.do(
        "DELETE", f"{group}/join_requests", PRODUCT | {"join_requests": [second, "nobody"]}
    )

    assert approved["approved_join_requests"] == [first]
    assert rejected["rejected_join_requests"] == [second]
    assert rejected["failed_join_requests"][0]["errors"][0]["code"] == 131213


def test_calls_go_through_the_gateway(both: Both) -> None:
    both.do("POST", f"{VENTAS}/settings", {"calling": {"status": "ENABLED"}})
    reply = {"response": "accept", "is_permanent": True}
    interactive = {"type": "call_permission_reply", "call_permission_reply": reply}
    inbound = {"phone_number_id": VENTAS, "from": LUCIA, "type": "interactive"}
    both.house.sandbox.control("inbound", inbound | {"interactive": interactive})

    permission = both.same(f"{VENTAS}/call_permissions", user_wa_id=f"+{WA_LUCIA}")
    body = PRODUCT | {"to": f"+{WA_LUCIA}", "action": "connect", "session": SDP}
    placed = both.do("POST", f"{VENTAS}/calls", body)["calls"][0]["id"]
    ended = both.do("POST", f"{VENTAS}/calls", PRODUCT | {"call_id": placed, "action": "terminate"})

    assert permission["permission"]["status"] == "permanent"
    assert ended["success"]
    both.same(f"{VENTAS}/settings")
    both.same(f"{WABA}/call_analytics", **SPAN)


def test_a_flow_lives_through_the_gateway(both: Both) -> None:
    text = '{"version": "7.0", "screens": [{"id": "A"}]}'
    flow = both.do("POST", f"{WABA}/flows", {"name": "Cita", "categories": ["OTHER"]})["id"]
    uploaded = both.ask(
        "POST",
        f"{flow}/assets",
        data={"name": "flow.json", "asset_type": "FLOW_JSON"},
        files={"file": ("flow.json", text.encode(), "application/json")},
    )
    clone = {"name": "Copia", "categories": ["OTHER"], "clone_flow_id": flow}
    copied = both.do("POST", f"{WABA}/flows", clone)["id"]
    both.do("POST", copied, {"name": "Copia 2"})
    both.do("POST", f"{flow}/publish")

    fields = "name,status,categories,validation_errors,json_version,data_api_version,endpoint_uri"
    fields += ",whatsapp_business_account,application,updated_at,health_status"
    shown = both.same(flow, fields=fields)
    both.same(f"{WABA}/flows", fields="name,status")
    both.same(f"{flow}/assets")
    both.do("POST", f"{flow}/deprecate")
    both.do("DELETE", copied)

    assert uploaded.json() == {"success": True, "validation_errors": []}
    assert (shown["status"], shown["json_version"]) == ("PUBLISHED", "7.0")


def test_what_hangs_on_a_number_is_read_and_changed(both: Both) -> None:
    made = both.do(
        "POST",
        f"{VENTAS}/message_qrdls",
        {"prefilled_message": "Hola", "generate_qr_image": "SVG"},
    )
    code = made["code"]
    both.do("POST", f"{VENTAS}/message_qrdls", {"code": code, "prefilled_message": "Buenas"})
    both.do("POST", f"{VENTAS}/whatsapp_commerce_settings", is_cart_enabled="false")
    both.do("POST", f"{VENTAS}/whatsapp_business_profile", PRODUCT | {"about": "Abierto"})
    both.do("POST", f"{VENTAS}/conversational_automation", {"prompts": ["Hola"]})
    both.do("POST", f"{VENTAS}/block_users", PRODUCT | {"block_users": [{"user": f"+{LUCIA}"}]})
    both.at_meta("POST", f"{VENTAS}/username", {"username": "reserved.andina"})
    both.do("POST", f"{VENTAS}", {"search_visibility": "VISIBLE"})
    contact = {"name": "R", "email": "r@x.test"}
    compliance = {"entity_name": "Tienda", "entity_type": "PARTNERSHIP"}
    compliance |= {
        "grievance_officer_details": contact,
        "customer_care_details": {"email": "c@x.test"},
    }
    both.do("POST", f"{VENTAS}/business_compliance_info", PRODUCT | compliance)
    both.at_meta("POST", f"{SOPORTE}/official_business_account", {"action": "SUBMIT_APPLICATION"})

    assert made["qr_image_url"].endswith(".svg")
    both.same(f"{VENTAS}/message_qrdls")
    both.same(f"{VENTAS}/message_qrdls/{code}")
    both.same(f"{VENTAS}/message_qrdls", fields="code,prefilled_message,qr_image_url.format(SVG)")
    both.same(f"{VENTAS}/whatsapp_commerce_settings")
    both.same(f"{VENTAS}/whatsapp_business_profile", fields="about,vertical")
    both.same(f"{VENTAS}", fields="conversational_automation,search_visibility,is_on_biz_app")
    both.same(f"{VENTAS}/block_users")
    both.same(f"{VENTAS}/username")
    both.same(f"{VENTAS}/username_suggestions")
    both.same(f"{VENTAS}/business_compliance_info")
    both.same(f"{SOPORTE}/official_business_account")
    both.at_meta("DELETE", f"{VENTAS}/requested_username")
    both.do("DELETE", f"{VENTAS}/message_qrdls/{code}")
    both.do("DELETE", f"{VENTAS}/block_users", PRODUCT | {"block_users": [{"user": f"+{LUCIA}"}]})
    both.at_meta("POST", f"{VENTAS}/smb_app_data", PRODUCT | {"sync_type": "history"})


def test_a_partial_failure_to_block_keeps_both_halves(both: Both) -> None:
    users = [{"user": f"+{LUCIA}"}, {"user": "+34600111777"}]

    answer = both.ask("POST", f"{VENTAS}/block_users", json=PRODUCT | {"block_users": users})

    assert answer.status_code == 400
    body = answer.json()
    assert body["error"]["code"] == 139100
    assert [one["wa_id"] for one in body["block_users"]["added_users"]] == [WA_LUCIA]
    assert body["block_users"]["failed_users"][0]["errors"][0]["code"] == 131047


def test_what_an_account_keeps_is_read_and_changed(both: Both) -> None:
    hours = {"name": "Tienda", "schedule_type": "BUSINESS_HOURS"}
    both.do("POST", f"{WABA}/schedules", hours | {"start_time": "09:00", "end_time": "18:00"})
    welcome = both.do(
        "POST",
        f"{WABA}/welcome_message_sequences",
        {"name": "Uno", "welcome_message_sequence": {"text": "Hola"}},
    )["sequence_id"]
    signup = both.do("POST", f"{WABA}/signups", {"signup_message": "Ofertas"})["id"]
    both.do("POST", f"signups/{signup}", {"promo_code": "HOLA"})
    both.at_meta("POST", f"{WABA}/payment_configuration", {"configuration_name": "upi"})
    group = both.do(
        "POST",
        f"{WABA}/template_groups",
        {"name": "Pedidos", "whatsapp_business_templates": ["100000000000201"]},
    )["id"]
    both.at_meta("POST", WABA, {"is_enabled_for_insights": True})

    both.same(f"{WABA}/schedules", fields="name,schedule_type,start_time,end_time,is_active")
    both.same(f"{WABA}/welcome_message_sequences")
    both.same(f"{WABA}/signups", fields="signup_message,promo_code,link,status")
    both.same(f"signups/{signup}", fields="promo_code,status")
    both.same(f"{WABA}/payment_configurations")
    both.same(f"{WABA}/payment_configuration", configuration_name="upi")
    both.same(f"{WABA}/template_groups")
    both.same(f"{WABA}/activities", fields="activity_type,actor_name,description,timestamp")
    both.same(
        f"{WABA}/message_template_previews",
        category="AUTHENTICATION",
        languages="es_MX,en_US",
        code_expiration_minutes="5",
        button_types="OTP",
    )
    both.same(f"{WABA}/template_group_analytics", template_group_ids=f"[{group}]", **SPAN)
    both.do("DELETE", f"{WABA}/welcome_message_sequences", sequence_id=welcome)
    both.at_meta("DELETE", f"{WABA}/payment_configuration", configuration_name="upi")


def test_figures_are_the_same_through_the_gateway(both: Both) -> None:
    both.at_meta("POST", WABA, {"is_enabled_for_insights": True})
    sent = both.do(
        "POST",
        f"{VENTAS}/messages",
        PRODUCT
        | {
            "to": f"+{LUCIA}",
            "type": "template",
            "template": {"name": "order_update", "language": {"code": "es_MX"}},
        },
    )["messages"][0]["id"]
    now = int(time.time())
    span = {"start": now - 86_400, "end": now + 86_400, "granularity": "DAILY"}

    field = f"analytics.start({span['start']}).end({span['end']}).granularity(DAY)"

    def delivered() -> int:
        points = both.directly("GET", WABA, fields=field)["analytics"]["data_points"]
        return sum(point["delivered"] for point in points)

    deadline = time.monotonic() + 10
    while not delivered():
        assert time.monotonic() < deadline
    both.same(WABA, fields=field)
    both.same(f"{WABA}/conversation_analytics", dimensions='["CONVERSATION_CATEGORY"]', **span)
    cost = both.same(
        f"{WABA}/pricing_analytics",
        dimensions='["PRICING_CATEGORY","COUNTRY"]',
        metric_types='["COST","VOLUME"]',
        **span,
    )
    both.same(f"{WABA}/template_analytics", template_ids="[100000000000201]", **span)
    both.same(f"{WABA}/group_analytics", **span)
    both.same(
        "100000000000201/compare",
        template_ids="[100000000000202]",
        **{key: value for key, value in span.items() if key != "granularity"},
    )
    [history] = both.same(f"{VENTAS}/message_history", message_id=sent)["data"]
    both.same(f"{history['id']}/events")
    points = cost["data"][0]["data_points"]
    assert [(p["pricing_category"], p["country"], p["volume"]) for p in points] == [
        ("UTILITY", "MX", 1)
    ]


def test_a_portfolio_is_read_through_the_gateway(both: Both) -> None:
    both.at_meta("POST", f"{WABA}/assigned_users", user=PERSON, tasks='["VIEW_TEMPLATES"]')
    both.same(BUSINESS, fields="name,verification_status")
    both.same(f"{BUSINESS}/owned_whatsapp_business_accounts", fields="name,ownership_type")
    both.same(f"{BUSINESS}/client_whatsapp_business_accounts")
    people = both.same(f"{BUSINESS}/business_users", fields="name,role,email")["data"]
    both.same(f"{BUSINESS}/system_users")
    both.same(f"{WABA}/assigned_users", business=BUSINESS)
    both.same(f"{people[0]['id']}/assigned_whatsapp_business_accounts")
    both.same(APP_ID, fields="name")
    both.same(f"{APP_ID}/connected_client_businesses")


def test_what_only_an_owner_may_do_loses_nothing_of_its_answer(both: Both) -> None:
    stock = both.at_meta("POST", f"{BUSINESS}/add_phone_numbers", {"phone_number": "+15550100909"})
    both.kinds[stock["id"]] = Kind.PREVERIFIED_NUMBER
    both.at_meta("POST", f"{stock['id']}/request_code", {"code_method": "SMS", "language": "en_US"})
    both.at_meta("POST", f"{stock['id']}/verify_code", {"code": "123456"})
    both.at_meta("GET", f"{BUSINESS}/extendedcredits")
    both.at_meta("POST", f"{BUSINESS}/onboard_partners_to_mm_lite")
    both.at_meta("POST", f"{WABA}/subscribed_apps")
    added = {"cc": "52", "phone_number": "5550100003", "verified_name": "Nuevo"}
    both.at_meta("POST", f"{WABA}/phone_numbers", added)
    both.at_meta("POST", SOPORTE, {"pin": "123456"})
    both.at_meta("POST", f"{SOPORTE}/deregister")
    both.at_meta("POST", f"{SOPORTE}/register", PRODUCT | {"pin": "123456"})
    both.at_meta("POST", SOPORTE, PRODUCT | {"new_display_name": "Ayuda"})
    both.at_meta("POST", f"{SOPORTE}/request_code", code_method="SMS", language="es")
    both.at_meta("POST", f"{SOPORTE}/verify_code", code="123456")
    both.at_meta("DELETE", f"{WABA}/subscribed_apps")
    both.at_meta("DELETE", stock["id"])


def test_numbers_on_stock_are_read_through_the_gateway(both: Both) -> None:
    body = {"phone_number": "+15550100909"}
    made = both.at_meta("POST", f"{BUSINESS}/add_phone_numbers", body)["id"]
    partner = {"preverified_id": made, "partner_business_id": "100000000000040"}
    both.at_meta("POST", f"{BUSINESS}/share_preverified_numbers", partner)

    both.same(f"{BUSINESS}/preverified_numbers")
    both.same(made)
    both.same(f"{made}/partners")


@pytest.fixture
def pywa(both: Both) -> Iterator[WhatsApp]:
    made = WhatsApp(phone_id=VENTAS, token=both.key.text, waba_id=WABA)
    made.api._session.base_url = f"{both.house.gateway.url}/v26.0"
    yield made
    made.api._session.close()


def test_pywa_keeps_a_block_list_and_qr_codes(pywa: WhatsApp) -> None:
    pywa.block_users([LUCIA])
    made = pywa.create_qr_code("Hola", image_type="SVG")
    pywa.update_commerce_settings(is_cart_enabled=False)

    assert [one.wa_id for one in pywa.get_blocked_users()] == [WA_LUCIA]
    assert [one.code for one in pywa.get_qr_codes(image_type="SVG")] == [made.code]
    assert not pywa.get_commerce_settings().is_cart_enabled
    assert pywa.delete_qr_code(made.code)


def test_pywa_leads_a_flow(pywa: WhatsApp) -> None:
    text = '{"version": "7.0", "screens": [{"id": "A"}]}'
    made = pywa.create_flow(name="Cita", categories=["OTHER"], flow_json=text)
    pywa.update_flow_json(made.id, text)
    pywa.publish_flow(made.id)

    assert [one.name for one in pywa.get_flow_assets(made.id)] == ["flow.json"]
    metric = pywa.get_flow_metrics(
        made.id, FlowMetricName.ENDPOINT_REQUEST_COUNT, FlowMetricGranularity.DAY
    )
    assert metric["data_points"] == []
    assert pywa.deprecate_flow(made.id)


def test_pywa_leads_a_group(pywa: WhatsApp, both: Both) -> None:
    asked = pywa.create_group(
        subject="Vecinos", join_approval_mode=GroupJoinApprovalMode.APPROVAL_REQUIRED
    )
    [group] = [one["id"] for one in both.same(f"{VENTAS}/groups")["data"]["groups"]]
    both.until_learned(group)
    event = {"group_id": group, "event": "join", "from": LUCIA}
    both.house.sandbox.control("group", event)

    requests = pywa.get_group_join_requests(group)
    assert [one.user.wa_id for one in requests] == [WA_LUCIA]
    requests[0].approve()
    shown = pywa.get_group(group)
    assert [one.wa_id for one in shown.participants] == [WA_LUCIA]
    assert pywa.get_group_invite_link(group).link.startswith("https://chat.whatsapp.com/")
    pywa.remove_group_participants(group, [LUCIA])
    assert pywa.get_group(group).total_participant_count == 0
    assert asked.request_id
    assert pywa.delete_group(group).request_id
