"""Answers are rebuilt: known members only, our own links, no credential (B4.7)."""

from typing import Any
from urllib.parse import urlencode

import pytest

from graphapi.client_requests import FLOW, KINDS, MEDIA, NUMBER, TEMPLATE, WABA
from portero.graphapi.answers import paging_link, rebuild_answer, rebuild_error
from portero.graphapi.operation import Call
from portero.graphapi.parse import RawCall, parse

TOKEN = "EAAGm0PX4ZCpsBO0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"
BASE = "https://gateway.example"


def get(path: str, **query: str) -> Call:
    return parse(RawCall("GET", path.encode(), urlencode(query).encode(), None, None), KINDS)


def post(path: str, body: bytes) -> Call:
    return parse(RawCall("POST", path.encode(), b"", "application/json", body), KINDS)


def test_the_answer_to_a_send_keeps_what_is_documented_and_nothing_else() -> None:
    call = post(
        f"/{NUMBER}/messages",
        b'{"messaging_product":"whatsapp","to":"525512345678","text":{"body":"a"}}',
    )
    documented: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+525512345678", "wa_id": "5215512345678", "user_id": "MX.1"}],
        "messages": [{"id": "wamid.HBgL", "message_status": "accepted"}],
    }
    sent: dict[str, Any] = {
        **documented,
        "contacts": [{**documented["contacts"][0], "internal": 1}],
        "messages": [{**documented["messages"][0], "debug": {"token": TOKEN}}],
        "access_token": TOKEN,
        "__debug__": {"messages": []},
    }

    assert rebuild_answer(call, 200, sent) == documented


def test_without_a_selection_only_what_needs_no_further_permission_is_shown() -> None:
    call = get(f"/{NUMBER}")

    answer = rebuild_answer(
        call,
        200,
        {
            "id": NUMBER,
            "verified_name": "Ventas",
            "webhook_configuration": {"application": "https://x.mx"},
            "conversational_automation": {"prompts": ["Hola"]},
            "message_qrdls": {"data": []},
            "new_field_of_tomorrow": 1,
        },
    )

    assert answer == {"id": NUMBER, "verified_name": "Ventas"}


def test_a_selection_shows_what_was_selected_even_when_more_comes() -> None:
    call = get(f"/{NUMBER}", fields="verified_name,throughput{level}")

    answer = rebuild_answer(
        call,
        200,
        {
            "id": NUMBER,
            "verified_name": "Ventas",
            "throughput": {"level": "STANDARD", "internal": 1},
            "display_phone_number": "+1 555",
            "webhook_configuration": {"application": "https://x.mx"},
        },
    )

    assert answer == {"id": NUMBER, "verified_name": "Ventas", "throughput": {"level": "STANDARD"}}


def test_a_selection_of_a_profile_comes_with_the_product_as_metas_does() -> None:
    call = get(f"/{NUMBER}/whatsapp_business_profile", fields="about")
    row = {"about": "Abierto", "messaging_product": "whatsapp"}

    answer = rebuild_answer(call, 200, {"data": [row | {"email": "a@x.test"}]})

    assert answer == {"data": [row]}


def test_a_selection_reaches_into_objects_and_the_objects_of_lists() -> None:
    call = get(f"/{NUMBER}", fields="health_status{entities{entity_type,errors{error_code}}}")
    entity = {
        "id": NUMBER,
        "entity_type": "PHONE_NUMBER",
        "can_send_message": "BLOCKED",
        "errors": [{"error_code": 141006, "error_description": "d"}, "odd"],
    }

    answer = rebuild_answer(
        call,
        200,
        {"id": NUMBER, "health_status": {"can_send_message": "BLOCKED", "entities": [entity]}},
    )

    assert answer == {
        "id": NUMBER,
        "health_status": {
            "entities": [
                {
                    "id": NUMBER,
                    "entity_type": "PHONE_NUMBER",
                    "errors": [{"error_code": 141006}],
                }
            ]
        },
    }


def test_a_selection_inside_something_that_is_no_object_shows_nothing() -> None:
    call = get(f"/{WABA}", fields="owner_business_info{name},phone_numbers{id}")

    answer = rebuild_answer(
        call, 200, {"id": WABA, "owner_business_info": "x", "phone_numbers": ["y"]}
    )

    assert answer == {"id": WABA}


def test_a_node_without_an_id_shows_none() -> None:
    call = get(f"/{NUMBER}/settings", fields="user_identity_change")

    answer = rebuild_answer(call, 200, {"id": NUMBER, "user_identity_change": {"enabled": True}})

    assert answer == {"user_identity_change": {"enabled": True}}


def test_expanded_edges_are_rebuilt_like_the_lists_they_are() -> None:
    call = get(f"/{WABA}", fields="name,phone_numbers{verified_name},message_templates.limit(1)")
    payload = {
        "id": WABA,
        "name": "Tienda",
        "phone_numbers": {
            "data": [{"id": NUMBER, "verified_name": "Ventas", "certificate": "x"}],
            "paging": {
                "cursors": {"before": "A", "after": "B"},
                "next": f"https://graph.facebook.com/?access_token={TOKEN}",
            },
        },
        "message_templates": {"data": [{"id": TEMPLATE, "name": "t", "unknown": 1}]},
    }

    assert rebuild_answer(call, 200, payload, base_url=BASE) == {
        "id": WABA,
        "name": "Tienda",
        "phone_numbers": {
            "data": [{"id": NUMBER, "verified_name": "Ventas"}],
            "paging": {"cursors": {"before": "A", "after": "B"}},
        },
        "message_templates": {"data": [{"id": TEMPLATE, "name": "t"}]},
    }


def page(**links: str) -> dict[str, Any]:
    return {
        "data": [{"id": NUMBER, "verified_name": "Ventas"}],
        "paging": {"cursors": {"before": "QVFIA", "after": "QVFIB"}, **links},
        "summary": {"total_count": 2, "internal": 1},
    }


def test_g08_links_to_other_pages_are_ours_and_carry_no_token() -> None:
    call = get(f"/v13.0/{WABA}/phone_numbers", limit="1", after="OLD", access_token="ptr_svc_x")
    theirs = (
        f"https://graph.facebook.com/v23.0/{WABA}/phone_numbers?access_token={TOKEN}&after=QVFIB"
    )

    answer = rebuild_answer(call, 200, page(next=theirs, previous=theirs), base_url=BASE)

    assert answer["paging"] == {
        "cursors": {"before": "QVFIA", "after": "QVFIB"},
        "next": f"{BASE}/v13.0/{WABA}/phone_numbers?limit=1&after=QVFIB",
        "previous": f"{BASE}/v13.0/{WABA}/phone_numbers?limit=1&before=QVFIA",
    }
    assert answer["summary"] == {"total_count": 2}


def test_g08_there_is_a_link_only_where_meta_has_one() -> None:
    call = get(f"/{WABA}/phone_numbers", fields="id,verified_name")

    last = rebuild_answer(call, 200, page(previous="https://graph.facebook.com/x"), base_url=BASE)
    bare = rebuild_answer(call, 200, page(next="https://graph.facebook.com/x"))

    assert set(last["paging"]) == {"cursors", "previous"}  # type: ignore[arg-type]  # a JSON object
    assert bare["paging"] == {"cursors": {"before": "QVFIA", "after": "QVFIB"}}


def test_a_link_leads_back_to_the_same_call() -> None:
    call = get(
        f"/v26.0/{WABA}/message_templates",
        fields="id,name",
        status="APPROVED",
        limit="3",
        summary="total_count",
        before="X",
    )

    link = paging_link(BASE + "/", call, "QVFI==", "after")

    assert link.startswith(f"{BASE}/v26.0/{WABA}/message_templates?")
    path, _, query = link.removeprefix(BASE).partition("?")
    followed = parse(RawCall("GET", path.encode(), query.encode(), None, None), KINDS)
    assert followed.fields == call.fields
    assert followed.params == {
        "status": ("APPROVED",),
        "limit": 3,
        "summary": "total_count",
        "after": "QVFI==",
    }


def test_lists_of_groups_keep_their_own_nesting() -> None:
    call = get(f"/{NUMBER}/groups")

    answer = rebuild_answer(
        call, 200, {"data": {"groups": [{"id": "Y2Fw", "subject": "S", "x": 1}], "y": 2}, "z": 3}
    )

    assert answer == {"data": {"groups": [{"id": "Y2Fw", "subject": "S"}]}}


def test_media_keep_the_link_for_the_gateway_to_replace() -> None:
    media = {
        "id": MEDIA,
        "messaging_product": "whatsapp",
        "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "mime_type": "image/png",
        "sha256": "ab",
        "file_size": 12,
    }

    assert rebuild_answer(get(f"/{MEDIA}"), 200, {**media, "secret": 1}) == media


def test_sip_passwords_are_not_shown_even_if_meta_sends_them() -> None:
    answer = rebuild_answer(
        get(f"/{NUMBER}/settings"),
        200,
        {
            "calling": {
                "status": "ENABLED",
                "sip": {
                    "status": "ENABLED",
                    "servers": [{"hostname": "h", "sip_user_password": "p", "password": "p"}],
                },
            }
        },
    )

    assert answer == {
        "calling": {
            "status": "ENABLED",
            "sip": {"status": "ENABLED", "servers": [{"hostname": "h"}]},
        }
    }


POINT = {"start": 1, "end": 2, "count": 3, "cost": 0.5}


@pytest.mark.parametrize(("metrics", "shown"), [("COUNT", False), ("COUNT,COST", True)])
def test_cost_is_shown_only_where_the_call_was_judged_on_cost(metrics: str, shown: bool) -> None:
    payload = {"data": [{"data_points": [POINT]}]}

    alone = rebuild_answer(get(f"/{WABA}/call_analytics", metric_types=metrics), 200, payload)
    expanded = rebuild_answer(
        get(f"/{WABA}", fields=f"call_analytics.metric_types([{metrics}])"),
        200,
        {"id": WABA, "call_analytics": payload},
    )

    for answer in (alone, expanded["call_analytics"]):
        assert ("cost" in str(answer)) is shown
        assert "'count': 3" in str(answer)


def test_free_form_parts_are_kept_without_credentials() -> None:
    call = get(f"/{WABA}/message_templates")
    spec = {
        "a": [1, {"b": None}],
        "access_token": TOKEN,
        "link": f"https://x/?access_token={TOKEN}&y=1",
    }

    answer = rebuild_answer(
        call, 200, {"data": [{"id": TEMPLATE, "degrees_of_freedom_spec": spec}]}
    )

    assert answer["data"] == [
        {
            "id": TEMPLATE,
            "degrees_of_freedom_spec": {
                "a": [1, {"b": None}],
                "link": "https://x/?access_token=[redacted]&y=1",
            },
        }
    ]


@pytest.mark.parametrize(
    "payload", [None, True, [], "x", 1, {"data": "x"}, {"data": [1, "x", None]}]
)
def test_an_answer_of_another_shape_shows_nothing(payload: object) -> None:
    answer = rebuild_answer(get(f"/{WABA}/phone_numbers"), 200, payload)

    assert answer in ({}, {"data": []})


def test_values_of_another_type_than_documented_are_dropped() -> None:
    answer = rebuild_answer(
        get(f"/{NUMBER}"), 200, {"id": NUMBER, "verified_name": {"x": TOKEN}, "throughput": "HIGH"}
    )

    assert answer == {"id": NUMBER}


def test_g37_a_partial_effect_comes_back_beside_its_error() -> None:
    call = post(
        f"/{NUMBER}/block_users",
        b'{"messaging_product":"whatsapp","block_users":[{"user":"525512345678"}]}',
    )
    payload = {
        "messaging_product": "whatsapp",
        "block_users": {
            "added_users": [{"input": "a", "wa_id": "1"}],
            "failed_users": [
                {"input": "b", "wa_id": "2", "errors": [{"code": 131047, "message": "m"}]}
            ],
        },
        "error": {"message": "(#139100) x", "type": "OAuthException", "code": 139100},
    }

    assert rebuild_answer(call, 400, payload) == {
        "messaging_product": "whatsapp",
        "block_users": payload["block_users"],
    }
    assert rebuild_error(400, payload).code == 139100


def test_an_error_is_no_answer() -> None:
    payload = {"error": {"message": "m", "code": 100}, "paging": {"cursors": {"after": "x"}}}

    assert rebuild_answer(get(f"/{WABA}/phone_numbers"), 400, payload) == {}
    assert rebuild_answer(get(f"/{FLOW}"), 400, payload) == {}


def test_g28_an_error_keeps_what_clients_decide_on() -> None:
    error = rebuild_error(
        400,
        {
            "error": {
                "message": "(#132000) Number of parameters does not match",
                "type": "OAuthException",
                "code": 132000,
                "error_subcode": 2494073,
                "is_transient": False,
                "error_user_title": "Title",
                "error_user_msg": "Text",
                "error_data": {"messaging_product": "whatsapp", "details": "body: (0) != (1)"},
                "fbtrace_id": "theirs",
                "internal": TOKEN,
            }
        },
    )

    assert error.http == 400
    assert error.body("ours") == {
        "error": {
            "message": "(#132000) Number of parameters does not match",
            "type": "OAuthException",
            "code": 132000,
            "error_subcode": 2494073,
            "error_user_title": "Title",
            "error_user_msg": "Text",
            "error_data": {"messaging_product": "whatsapp", "details": "body: (0) != (1)"},
            "fbtrace_id": "ours",
        }
    }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Error validating {TOKEN}.", "Error validating [redacted]."),
        (f"GET https://graph.facebook.com/me?access_token={TOKEN} failed", "GET [link] failed"),
        ("Application 1234567890 has no access", "Application [redacted] has no access"),
        ("app_id: 1234567890", "app_id: [redacted]"),
        ("token 1234567890|AbCdEfGhIjKlMnOpQrStUv", "token [redacted]"),
        ("see https://10.0.0.7:8080/internal", "see [link]"),
        (
            "see https://developers.facebook.com/docs/whatsapp",
            "see https://developers.facebook.com/docs/whatsapp",
        ),
    ],
)
def test_g28_an_error_says_no_token_app_or_address(text: str, left: str) -> None:
    error = rebuild_error(
        400,
        {
            "error": {
                "message": text,
                "code": 100,
                "type": "OAuthException",
                "error_data": {"details": text},
                "error_user_msg": text,
            }
        },
    )

    assert (error.message, error.details, error.user_msg) == (left, left, left)


@pytest.mark.parametrize(("code", "subcode"), [(190, 463), (190, None), (104, None), (102, None)])
def test_an_error_about_our_credential_is_not_the_callers(code: int, subcode: int | None) -> None:
    error = rebuild_error(
        401,
        {"error": {"message": f"Error {TOKEN}", "code": code, "error_subcode": subcode}},
    )

    assert (error.http, error.code, error.reason) == (503, 2, "unavailable")
    assert TOKEN not in str(error.body("t"))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "<html>",
        [],
        {},
        {"error": "x"},
        {"error": {}},
        {"error": {"code": "100"}},
        {"error": []},
    ],
)
@pytest.mark.parametrize(("status", "http"), [(400, 400), (500, 500), (302, 502), (200, 502)])
def test_g28_an_unreadable_error_says_only_that_something_failed(
    payload: object, status: int, http: int
) -> None:
    error = rebuild_error(status, payload)

    assert (error.http, error.code, error.message) == (http, 1, "An unknown error occurred")


def test_g28_odd_members_of_an_error_are_replaced() -> None:
    error = rebuild_error(
        400,
        {
            "error": {
                "code": 100,
                "message": {"a": TOKEN},
                "type": "<script>",
                "error_subcode": "33",
                "error_data": [TOKEN],
            }
        },
    )

    assert (error.message, error.type) == ("(#100) Unknown error", "OAuthException")
    assert (error.subcode, error.details) == (None, None)
