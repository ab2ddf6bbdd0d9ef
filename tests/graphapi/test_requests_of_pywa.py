"""Everything pywa can ask of Graph is understood, and as the operation that it is."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pywa import types
from pywa.api import GraphAPI
from pywa.types import others

from graphapi.client_requests import (
    APP,
    BUSINESS,
    CALL_ID,
    FLOW,
    GROUP,
    MEDIA,
    MESSAGE,
    NUMBER,
    SIGNUP,
    TEMPLATE,
    UPLOAD,
    WABA,
    again,
    by_pywa,
)
from portero.graphapi.errors import GraphError

Act = Callable[[GraphAPI], object]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "waba": others.WhatsAppBusinessAccount._api_fields(),
    "number": others.BusinessPhoneNumber._api_fields(),
    "settings": types.calls.BusinessPhoneNumberSettings._api_fields(),
    "profile": others.BusinessProfile._api_fields(),
    "commerce": others.CommerceSettings._api_fields(),
    "qr": others.QRCode._api_fields("SVG"),
    "signup": others.SignupDetails._api_fields(),
    "template": types.templates.TemplateDetails._api_fields(),
    "flow": types.flows.FlowDetails._api_fields(False, NUMBER),
    "group": types.groups.GroupDetails._api_fields(),
}
SUMMARY = (
    "total_count",
    "message_template_count",
    "message_template_limit",
    "are_translations_complete",
)
BODY: dict[str, Any] = {
    "type": "BODY",
    "text": "Hi {{1}} there",
    "example": {"body_text": [["Ana"]]},
}
NEW_TEMPLATE: dict[str, Any] = {
    "name": "order_update",
    "language": "es_MX",
    "category": "UTILITY",
    "parameter_format": "POSITIONAL",
    "components": [BODY, {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "OK"}]}],
}
CALLING: dict[str, Any] = {
    "calling": {
        "status": "ENABLED",
        "call_icon_visibility": "DEFAULT",
        "call_hours": {
            "status": "ENABLED",
            "timezone_id": "America/Mexico_City",
            "weekly_operating_hours": [
                {"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}
            ],
            "holiday_schedule": [],
        },
    }
}
SIP: dict[str, Any] = {
    "calling": {
        "sip": {"status": "ENABLED", "servers": [{"hostname": "sip.example", "port": 5061}]}
    }
}
SESSION = {"sdp_type": "offer", "sdp": "v=0"}
PAGE = {"limit": 10, "after": "QVFIUj=="}
SEND = {
    "sender": NUMBER,
    "to": "525512345678",
    "recipient": None,
    "recipient_type": None,
    "reply_to_message_id": MESSAGE,
    "biz_opaque_callback_data": "x",
    "recipient_identity_key_hash": None,
}

REQUESTS: tuple[tuple[str, Act], ...] = (
    ("send_message", lambda a: a.send_message(typ="text", msg={"body": "hi"}, **SEND)),
    (
        "send_marketing_message",
        lambda a: a.send_marketing_message(
            template={"name": "sale", "language": {"code": "es"}, "components": []},
            message_activity_sharing=True,
            **SEND,
        ),
    ),
    ("mark_message_read", lambda a: a.mark_message_as_read(NUMBER, MESSAGE)),
    ("mark_message_read", lambda a: a.set_indicator(NUMBER, MESSAGE, "text")),
    (
        "redirect_number_webhook",
        lambda a: a.set_phone_alternate_callback_url("https://x.mx", "v", NUMBER),
    ),
    ("redirect_number_webhook", lambda a: a.delete_phone_alternate_callback_url(NUMBER)),
    ("subscribe_app", lambda a: a.set_waba_alternate_callback_url(WABA, "https://x.mx", "v")),
    ("subscribe_app", lambda a: a.delete_waba_alternate_callback_url(WABA)),
    ("list_subscriptions", lambda a: a.get_waba_subscribed_apps(WABA)),
    (
        "subscribe_webhook",
        lambda a: a.set_app_callback_url(int(APP), "t", "https://x.mx", "v", ("messages", "flows")),
    ),
    ("set_encryption", lambda a: a.set_business_public_key(NUMBER, "-----BEGIN PUBLIC KEY-----\n")),
    ("upload_media", lambda a: a.upload_media(NUMBER, b"x", "image/png", "a.png", 60)),
    ("read_media", lambda a: a.get_media_url(MEDIA)),
    ("delete_media", lambda a: a.delete_media(MEDIA, NUMBER)),
    ("add_number", lambda a: a.create_phone_number(WABA, "52", "5512345678", "Tienda")),
    ("request_code", lambda a: a.request_verification_code(NUMBER, "SMS", "en_US")),
    ("verify_code", lambda a: a.verify_phone_number(NUMBER, "123456")),
    ("register_number", lambda a: a.register_phone_number(NUMBER, "123456", "BR")),
    ("deregister_number", lambda a: a.deregister_phone_number(NUMBER)),
    ("list_client_wabas", lambda a: a.get_shared_wabas(BUSINESS, FIELDS["waba"], PAGE)),
    ("list_owned_wabas", lambda a: a.get_owned_wabas(BUSINESS, FIELDS["waba"], PAGE)),
    ("read_waba", lambda a: a.get_waba_info(WABA, FIELDS["waba"])),
    ("update_waba", lambda a: a.update_waba_settings(WABA, {"name": "Tienda"})),
    ("enable_insights", lambda a: a.update_waba_settings(WABA, {"is_enabled_for_insights": True})),
    ("read_number", lambda a: a.get_business_phone_number(NUMBER, FIELDS["number"])),
    ("list_numbers", lambda a: a.get_business_phone_numbers(WABA, FIELDS["number"], PAGE)),
    (
        "read_settings",
        lambda a: a.get_business_phone_number_settings(NUMBER, FIELDS["settings"], False),
    ),
    ("set_calling", lambda a: a.update_business_phone_number_settings(NUMBER, CALLING)),
    ("set_sip", lambda a: a.update_business_phone_number_settings(NUMBER, SIP)),
    (
        "set_identity_check",
        lambda a: a.update_business_phone_number_settings(
            NUMBER, {"user_identity_change": {"enable_identity_key_check": True}}
        ),
    ),
    (
        "update_automation",
        lambda a: a.update_conversational_automation(
            NUMBER, ("Hola",), ({"command_name": "ayuda", "command_description": "Ayuda"},)
        ),
    ),
    ("rename_number", lambda a: a.update_display_name(NUMBER, "Ventas")),
    ("read_profile", lambda a: a.get_business_profile(NUMBER, FIELDS["profile"])),
    (
        "update_profile",
        lambda a: a.update_business_profile(NUMBER, {"about": "Hola", "websites": []}),
    ),
    ("read_commerce_settings", lambda a: a.get_commerce_settings(NUMBER, FIELDS["commerce"])),
    (
        "update_commerce_settings",
        lambda a: a.update_commerce_settings(NUMBER, {"is_cart_enabled": True}),
    ),
    ("create_template", lambda a: a.create_template(WABA, dict(NEW_TEMPLATE))),
    ("read_template", lambda a: a.get_template(TEMPLATE, FIELDS["template"])),
    (
        "list_templates",
        lambda a: a.get_templates(
            WABA,
            FIELDS["template"],
            {"status": "APPROVED,PAUSED", "category": "UTILITY", "language": "es_MX", "name": "o"},
            SUMMARY,
            PAGE,
        ),
    ),
    ("update_template", lambda a: a.update_template(TEMPLATE, {"components": [BODY]})),
    ("delete_template", lambda a: a.delete_template(WABA, "order_update", TEMPLATE)),
    ("delete_template", lambda a: a.delete_template(WABA, "order_update", None)),
    ("archive_templates", lambda a: a.archive_templates(WABA, (TEMPLATE, "3002"))),
    ("unarchive_templates", lambda a: a.unarchive_templates(WABA, (TEMPLATE,))),
    ("compare_templates", lambda a: a.compare_templates(TEMPLATE, ("3002",), "1", "2")),
    ("migrate_templates", lambda a: a.migrate_templates(WABA, "2002", 1)),
    ("unpause_template", lambda a: a.unpause_template(TEMPLATE)),
    (
        "upsert_templates",
        lambda a: a.upsert_message_templates(
            WABA,
            {
                "name": "code",
                "languages": ["es", "en_US"],
                "category": "AUTHENTICATION",
                "components": [
                    {"type": "BODY", "add_security_recommendation": True},
                    {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]},
                ],
            },
        ),
    ),
    ("create_flow", lambda a: a.create_flow(WABA, "f", ("OTHER",), FLOW, None, "{}", True)),
    (
        "create_flow_with_endpoint",
        lambda a: a.create_flow(WABA, "f", ("OTHER",), None, "https://x.mx", None, None),
    ),
    ("update_flow", lambda a: a.update_flow_metadata(FLOW, "f", ("OTHER",), None, None)),
    ("set_flow_endpoint", lambda a: a.update_flow_metadata(FLOW, None, None, "https://x.mx", None)),
    ("upload_flow_json", lambda a: a.update_flow_json(FLOW, "{}")),
    ("publish_flow", lambda a: a.publish_flow(FLOW)),
    ("delete_flow", lambda a: a.delete_flow(FLOW)),
    ("deprecate_flow", lambda a: a.deprecate_flow(FLOW)),
    ("read_flow", lambda a: a.get_flow(FLOW, FIELDS["flow"])),
    (
        "read_flow",
        lambda a: a.get_flow(
            FLOW,
            (
                "metric.name(ENDPOINT_REQUEST_COUNT).granularity(DAY).since(2026-01-01).until(2026-01-31)",
            ),
        ),
    ),
    ("list_flows", lambda a: a.get_flows(WABA, FIELDS["flow"], PAGE)),
    ("list_flow_assets", lambda a: a.get_flow_assets(FLOW, PAGE)),
    ("migrate_flows", lambda a: a.migrate_flows(WABA, "2002", ("a", "b"))),
    ("create_qr_code", lambda a: a.create_qr_code(NUMBER, "Hola", "PNG")),
    ("read_qr_code", lambda a: a.get_qr_code(NUMBER, "4O4YGZEG3RIVE1", FIELDS["qr"])),
    ("list_qr_codes", lambda a: a.get_qr_codes(NUMBER, FIELDS["qr"], PAGE)),
    ("update_qr_code", lambda a: a.update_qr_code(NUMBER, "4O4YGZEG3RIVE1", "Hola")),
    ("delete_qr_code", lambda a: a.delete_qr_code(NUMBER, "4O4YGZEG3RIVE1")),
    ("block_customers", lambda a: a.block_users(NUMBER, ("525512345678",), ("MX.1234567",))),
    ("unblock_customers", lambda a: a.unblock_users(NUMBER, ("525512345678",), ())),
    ("list_blocked", lambda a: a.get_blocked_users(NUMBER, PAGE)),
    ("create_upload", lambda a: a.create_upload_session(APP, "a.png", 12, "image/png")),
    ("upload_bytes", lambda a: a.upload_file(f"{UPLOAD}?sig=ARZqkGCA_qJ3", b"bytes", 0)),
    ("read_upload", lambda a: a.get_upload_session(f"{UPLOAD}?sig=ARZqkGCA_qJ3")),
    ("read_call_permission", lambda a: a.get_call_permissions(NUMBER, "525512345678", None)),
    ("place_call", lambda a: a.initiate_call(NUMBER, "525512345678", None, SESSION, "x")),
    ("answer_call", lambda a: a.pre_accept_call(NUMBER, CALL_ID, SESSION)),
    ("answer_call", lambda a: a.accept_call(NUMBER, CALL_ID, SESSION)),
    ("answer_call", lambda a: a.reject_call(NUMBER, CALL_ID)),
    ("answer_call", lambda a: a.terminate_call(NUMBER, CALL_ID)),
    ("create_group", lambda a: a.create_group(NUMBER, "Socios", "x", "auto_approve")),
    ("update_group", lambda a: a.update_group_info(GROUP, "Socios", None, b"jpeg")),
    ("update_group", lambda a: a.update_group_info(GROUP, "Socios", "Todos", None)),
    ("list_join_requests", lambda a: a.get_group_join_requests(GROUP, PAGE)),
    ("approve_join_requests", lambda a: a.approve_group_join_requests(GROUP, ("r1",))),
    ("reject_join_requests", lambda a: a.reject_group_join_requests(GROUP, ("r1",))),
    ("read_invite", lambda a: a.get_group_invite_link(GROUP)),
    ("reset_invite", lambda a: a.reset_group_invite_link(GROUP)),
    ("delete_group", lambda a: a.delete_group(GROUP)),
    ("remove_participants", lambda a: a.remove_group_participants(GROUP, ("525512345678",), ())),
    ("read_group", lambda a: a.get_group_info(GROUP, FIELDS["group"])),
    ("list_groups", lambda a: a.get_active_groups(NUMBER, FIELDS["group"], PAGE)),
    ("set_username", lambda a: a.set_username(NUMBER, "tienda", "none")),
    ("read_username", lambda a: a.get_current_username(NUMBER)),
    ("list_username_suggestions", lambda a: a.get_reserved_usernames(NUMBER)),
    ("delete_username", lambda a: a.delete_username(NUMBER)),
    (
        "create_signup",
        lambda a: a.create_signup(
            WABA, "m", "c", "https://x.mx/p", "https://x.mx", "CODE", "Tienda", {"enabled": True}
        ),
    ),
    ("list_signups", lambda a: a.get_signups(WABA, FIELDS["signup"], PAGE)),
    ("read_signup", lambda a: a.get_signup(SIGNUP)),
    ("update_signup", lambda a: a.update_signup(SIGNUP, "ACTIVE", "m", "c", None, None, "T")),
)


@pytest.mark.parametrize(("operation", "act"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_a_request_of_pywa_is_the_operation_it_means(operation: str, act: Act) -> None:
    assert by_pywa(act).operation.name == operation


def test_every_method_of_pywa_that_sends_a_request_is_tried() -> None:
    helpers = {"get_app_access_token", "get_business_access_token"}  # refused, see below
    other = {"stream_media_bytes", "send_raw_request"}  # addresses the caller chooses
    sending = {name for name in vars(GraphAPI) if not name.startswith("_")} - helpers - other

    tried = {name for _, act in REQUESTS for name in act.__code__.co_names} & sending

    assert sending - tried == set()


@pytest.mark.parametrize(
    "act",
    [
        lambda a: a.get_app_access_token(6001, "s"),
        lambda a: a.get_business_access_token(6001, "s", "code"),
        lambda a: a.get_business_phone_number_settings(NUMBER, None, True),
    ],
)
def test_g09_what_pywa_asks_to_get_a_credential_is_never_offered(act: Act) -> None:
    with pytest.raises(GraphError) as refused:
        by_pywa(act)

    assert refused.value.reason == "never_offered"


@pytest.mark.parametrize(("operation", "act"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_what_leaves_is_read_as_what_came(operation: str, act: Act) -> None:
    came = by_pywa(act)

    left = again(came)

    assert (left.operation, left.permissions) == (came.operation, came.permissions)
    assert (left.ids, left.params, left.body) == (came.ids, came.params, came.body)
    assert (left.fields, left.template) == (came.fields, came.template)
    assert [r.identity for r in left.recipients] == [r.identity for r in came.recipients]
