"""Operations that share a path are told apart by the whole request, and are never two at once."""

import json
from urllib.parse import urlencode

import pytest

from graphapi.client_requests import CALL_ID, FLOW, GROUP, KINDS, MESSAGE, NUMBER, TEMPLATE, WABA
from portero.graphapi.errors import GraphError
from portero.graphapi.operation import Call, RiskClass
from portero.graphapi.parse import RawCall, parse

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEXT = {
    "messaging_product": "whatsapp",
    "to": "525512345678",
    "type": "text",
    "text": {"body": "a"},
}
READ = {"messaging_product": "whatsapp", "status": "read", "message_id": MESSAGE}
ENDPOINT = {"endpoint_uri": "https://x.mx/flow"}
CALLING = {"status": "ENABLED"}
SIP = {"sip": {"status": "ENABLED", "servers": [{"hostname": "sip.example"}]}}

MEANINGS = (
    (f"/{NUMBER}", {"pin": "123456"}, "set_pin"),
    (
        f"/{NUMBER}",
        {"webhook_configuration": {"override_callback_uri": "https://x.mx", "verify_token": "v"}},
        "redirect_number_webhook",
    ),
    (f"/{NUMBER}", {"new_display_name": "Ventas"}, "rename_number"),
    (f"/{NUMBER}", {"search_visibility": "hidden"}, "set_search_visibility"),
    (f"/{NUMBER}/settings", {"calling": CALLING}, "set_calling"),
    (f"/{NUMBER}/settings", {"calling": SIP}, "set_sip"),
    (f"/{NUMBER}/settings", {"calling": {**CALLING, **SIP}}, "set_sip"),
    (
        f"/{NUMBER}/settings",
        {"user_identity_change": {"enable_identity_key_check": True}},
        "set_identity_check",
    ),
    (
        f"/{NUMBER}/settings",
        {"payload_encryption": {"status": "ENABLED", "client_encryption_key": "k"}},
        "set_payload_encryption",
    ),
    (
        f"/{NUMBER}/settings",
        {"storage_configuration": {"status": "NO_STORAGE_ENABLED", "retention_minutes": 60}},
        "set_storage",
    ),
    (f"/{NUMBER}/message_qrdls", {"prefilled_message": "Hola"}, "create_qr_code"),
    (
        f"/{NUMBER}/message_qrdls",
        {"prefilled_message": "Hola", "code": "4O4YGZEG3RIVE1"},
        "update_qr_code",
    ),
    (
        f"/{NUMBER}/calls",
        {"messaging_product": "whatsapp", "to": "525512345678", "action": "connect"},
        "place_call",
    ),
    (
        f"/{NUMBER}/calls",
        {"messaging_product": "whatsapp", "call_id": CALL_ID, "action": "reject"},
        "answer_call",
    ),
    (f"/{NUMBER}/messages", TEXT, "send_message"),
    (f"/{NUMBER}/messages", READ, "mark_message_read"),
    (f"/{WABA}", {"name": "Tienda"}, "update_waba"),
    (f"/{WABA}", {"is_enabled_for_insights": True}, "enable_insights"),
    (
        f"/{WABA}",
        {"disable_marketing_messages_on_cloud_api": True},
        "disable_marketing_on_cloud_api",
    ),
    (f"/{WABA}/flows", {"name": "f"}, "create_flow"),
    (f"/{WABA}/flows", {"name": "f", **ENDPOINT}, "create_flow_with_endpoint"),
    (f"/{FLOW}", {"name": "f"}, "update_flow"),
    (f"/{FLOW}", ENDPOINT, "set_flow_endpoint"),
    (f"/{FLOW}", {"name": "f", **ENDPOINT}, "set_flow_endpoint"),
    (f"/{TEMPLATE}", {"category": "UTILITY"}, "update_template"),
    (f"/{GROUP}", {"messaging_product": "whatsapp", "subject": "Socios"}, "update_group"),
)


def as_json(path: str, body: object) -> Call:
    return parse(RawCall("POST", path.encode(), b"", JSON, json.dumps(body).encode()), KINDS)


def as_text(body: dict[str, object]) -> dict[str, str]:
    """The values as a form or a query carries them: JSON where they are not text."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items()}


@pytest.mark.parametrize(("path", "body", "operation"), MEANINGS)
def test_the_body_says_which_operation_of_the_path_is_meant(
    path: str, body: dict[str, object], operation: str
) -> None:
    assert as_json(path, body).operation.name == operation


@pytest.mark.parametrize(("path", "body", "operation"), MEANINGS)
def test_g34_a_form_and_a_query_mean_what_the_same_json_means(
    path: str, body: dict[str, object], operation: str
) -> None:
    text = urlencode(as_text(body)).encode()

    by_json = as_json(path, body)
    by_form = parse(RawCall("POST", path.encode(), b"", FORM, text), KINDS)
    by_query = parse(RawCall("POST", path.encode(), text, None, None), KINDS)

    for call in (by_form, by_query):
        assert call.operation.name == operation
        assert (call.params, call.body, call.permissions) == (
            by_json.params,
            by_json.body,
            by_json.permissions,
        )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/{NUMBER}", {"pin": "123456", "new_display_name": "x"}),
        (f"/{NUMBER}", {"pin": "123456", "webhook_configuration": {"override_callback_uri": ""}}),
        (f"/{NUMBER}", {"search_visibility": "HIDDEN", "pin": "123456"}),
        (
            f"/{NUMBER}/settings",
            {"calling": CALLING, "user_identity_change": {"enable_identity_key_check": True}},
        ),
        (f"/{NUMBER}/settings", {"calling": SIP, "storage_configuration": {"status": "DEFAULT"}}),
        (f"/{WABA}", {"name": "x", "is_enabled_for_insights": True}),
        (
            f"/{WABA}",
            {"disable_marketing_messages_on_cloud_api": True, "is_enabled_for_insights": True},
        ),
        (f"/{NUMBER}/messages", {**TEXT, **READ}),
        (f"/{NUMBER}/messages", {**TEXT, "typing_indicator": {"type": "text"}}),
    ],
)
def test_a_request_for_two_things_at_once_is_refused(path: str, body: object) -> None:
    with pytest.raises(GraphError) as refused:
        as_json(path, body)

    assert refused.value.reason == "malformed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/{NUMBER}", {}),
        (f"/{NUMBER}", {"messaging_product": "whatsapp"}),
        (f"/{NUMBER}/settings", {}),
        (f"/{NUMBER}/calls", {"messaging_product": "whatsapp", "action": "teleport"}),
        (f"/{NUMBER}", {"pin": None}),
    ],
)
def test_a_request_that_does_not_say_what_to_do_is_refused(path: str, body: object) -> None:
    with pytest.raises(GraphError) as refused:
        as_json(path, body)

    assert refused.value.reason == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        {"connection_status": "CONNECTED"},
        {"webhook_url": "https://x.mx"},
        {"whatsapp_business_api_data": {"pin": "123456"}},
        {"username": "tienda"},
    ],
)
def test_what_metas_file_lists_and_nobody_documents_is_never_offered(body: object) -> None:
    with pytest.raises(GraphError) as refused:
        as_json(f"/{NUMBER}", body)

    assert refused.value.reason == "never_offered"


def test_g34_the_meaning_cannot_differ_between_query_and_body() -> None:
    body = json.dumps({"messaging_product": "whatsapp", "call_id": CALL_ID, "action": "reject"})

    for action in ("connect", "accept"):
        raw = RawCall(
            "POST", f"/{NUMBER}/calls".encode(), f"action={action}".encode(), JSON, body.encode()
        )
        with pytest.raises(GraphError) as refused:
            parse(raw, KINDS)
        assert refused.value.reason == "malformed"


def test_g13_a_flow_endpoint_is_high_risk_wherever_it_is_said() -> None:
    for query, body in (
        (b"endpoint_uri=https%3A%2F%2Fx.mx", b"{}"),
        (b"", json.dumps(ENDPOINT).encode()),
    ):
        call = parse(RawCall("POST", f"/{FLOW}".encode(), query, JSON, body), KINDS)
        assert call.operation.risk is RiskClass.HIGH_RISK


@pytest.mark.parametrize("value", ["true", "True", "1", "TRUE", "yes"])
def test_g09_sip_passwords_are_not_read_however_the_flag_is_spelled(value: str) -> None:
    raw = RawCall(
        "GET",
        f"/{NUMBER}/settings".encode(),
        f"include_sip_credentials={value}".encode(),
        None,
        None,
    )

    with pytest.raises(GraphError) as refused:
        parse(raw, KINDS)

    assert refused.value.reason in ("never_offered", "malformed")


def test_publishing_and_cloning_need_their_own_permissions_too() -> None:
    plain = as_json(f"/{WABA}/flows", {"name": "f", "publish": False})
    both = as_json(f"/{WABA}/flows", {"name": "f", "publish": True, "clone_flow_id": FLOW})

    assert plain.permissions == ("flow:create",)
    assert both.permissions == ("flow:create", "flow:publish", "flow:read")
