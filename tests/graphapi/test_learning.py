"""What answers teach the registry, and what they must not."""

import json
from typing import Any

import pytest

from graphapi.client_requests import APP, BUSINESS, KINDS, NUMBER, TEMPLATE, WABA
from portero.graphapi.kinds import Kind
from portero.graphapi.learned import Learned
from portero.graphapi.learning import learned_ids
from portero.graphapi.operation import Call, UploadedFile
from portero.graphapi.parse import RawCall, parse

WAMID = "wamid.HBgLMTY1MDU1NTEyMzQ"


def get(path: str, query: str = "") -> Call:
    return parse(RawCall("GET", path.encode(), query.encode(), None, None), KINDS)


def post(path: str, body: dict[str, Any]) -> Call:
    raw = RawCall("POST", path.encode(), b"", "application/json", json.dumps(body).encode())
    return parse(raw, KINDS)


def test_the_messages_of_a_send_belong_to_its_number() -> None:
    call = post(
        f"/{NUMBER}/messages",
        {"messaging_product": "whatsapp", "to": "525512345678", "text": {"body": "a"}},
    )

    learned = learned_ids(call, {"messages": [{"id": WAMID}], "contacts": [{"wa_id": "1"}]})

    assert learned == (Learned(Kind.MESSAGE, WAMID, parent=NUMBER, number=NUMBER),)


def test_an_uploaded_file_belongs_to_its_number() -> None:
    call = parse(
        RawCall("POST", f"/{NUMBER}/media".encode(), b"", None, None),
        KINDS,
        fields={"messaging_product": "whatsapp"},
        file=UploadedFile("file", "a.png", "image/png"),
    )

    assert learned_ids(call, {"id": "4242"}) == (
        Learned(Kind.MEDIA, "4242", parent=NUMBER, number=NUMBER),
    )


def test_listed_templates_belong_to_their_account_with_what_sends_are_judged_on() -> None:
    row = {
        "id": TEMPLATE,
        "name": "sale",
        "language": "es",
        "category": "MARKETING",
        "status": "PAUSED",
    }

    learned = learned_ids(get(f"/{WABA}/message_templates"), {"data": [{**row, "components": []}]})

    attributes = {name: row[name] for name in ("name", "language", "category", "status")}
    assert learned == (Learned(Kind.TEMPLATE, TEMPLATE, parent=WABA, attributes=attributes),)


def test_a_created_template_is_known_by_what_was_asked_and_answered() -> None:
    call = post(
        f"/{WABA}/message_templates",
        {"name": "sale", "language": "es", "category": "UTILITY", "components": []},
    )

    (learned,) = learned_ids(call, {"id": "3333", "status": "PENDING", "category": "MARKETING"})

    assert learned == Learned(
        Kind.TEMPLATE,
        "3333",
        parent=WABA,
        attributes={"name": "sale", "language": "es", "category": "MARKETING", "status": "PENDING"},
    )


def test_edges_inside_a_node_teach_what_the_lists_teach() -> None:
    call = get(f"/{WABA}", "fields=phone_numbers,message_templates,flows")
    numbers = {"data": [{"id": NUMBER, "display_phone_number": "+1 555", "verified_name": "V"}]}

    learned = learned_ids(
        call,
        {
            "id": WABA,
            "phone_numbers": numbers,
            "message_templates": {"data": [{"id": TEMPLATE, "name": "t"}]},
            "flows": {"data": [{"id": "5555", "name": "f", "status": "DRAFT"}]},
        },
    )

    assert [(one.kind, one.id, one.parent) for one in learned] == [
        (Kind.NUMBER, NUMBER, WABA),
        (Kind.TEMPLATE, TEMPLATE, WABA),
        (Kind.FLOW, "5555", WABA),
    ]
    assert learned[:1] == learned_ids(get(f"/{WABA}/phone_numbers"), numbers)


def test_groups_are_learned_through_their_own_nesting() -> None:
    payload = {"data": {"groups": [{"id": "Y2FwaV9ncm91cDox", "subject": "Socios"}]}}

    assert learned_ids(get(f"/{NUMBER}/groups"), payload) == (
        Learned(
            Kind.GROUP,
            "Y2FwaV9ncm91cDox",
            parent=NUMBER,
            number=NUMBER,
            attributes={"subject": "Socios"},
        ),
    )


def test_an_upload_session_is_learned_without_its_signature() -> None:
    call = parse(RawCall("POST", f"/{APP}/uploads".encode(), b"", None, None), KINDS)

    assert learned_ids(call, {"id": "upload:MTphdHRhY2g=?sig=ARZq"}) == (
        Learned(Kind.UPLOAD, "upload:MTphdHRhY2g=", parent=APP),
    )


@pytest.mark.parametrize(
    ("path", "body", "payload", "kind", "identifier"),
    [
        (f"/{WABA}/flows", {"name": "f"}, {"id": "5555"}, Kind.FLOW, "5555"),
        (
            f"/{WABA}/migrate_flows",
            {"source_waba_id": "2002"},
            {"migrated_flows": [{"source_id": "1", "source_name": "f", "migrated_id": "5556"}]},
            Kind.FLOW,
            "5556",
        ),
        (f"/{WABA}/phone_numbers", {"phone_number": "55"}, {"id": "1111"}, Kind.NUMBER, "1111"),
        (
            f"/{NUMBER}/message_qrdls",
            {"prefilled_message": "Hola"},
            {"code": "4O4YGZEG3RIVE1"},
            Kind.QR_CODE,
            "4O4YGZEG3RIVE1",
        ),
        (
            f"/{NUMBER}/calls",
            {"messaging_product": "whatsapp", "to": "525512345678", "action": "connect"},
            {"calls": [{"id": "wacid.HBgLMTY1"}]},
            Kind.CALL,
            "wacid.HBgLMTY1",
        ),
    ],
)
def test_what_was_made_is_known_from_now_on(
    path: str, body: dict[str, Any], payload: object, kind: Kind, identifier: str
) -> None:
    (learned,) = learned_ids(post(path, body), payload)

    assert (learned.kind, learned.id) == (kind, identifier)


@pytest.mark.parametrize(
    ("call", "payload"),
    [
        (get(f"/{BUSINESS}/owned_whatsapp_business_accounts"), {"data": [{"id": "2999"}]}),
        (
            get(f"/{WABA}", "fields=owner_business_info"),
            {"id": WABA, "owner_business_info": {"id": "7"}},
        ),
        (get(f"/{WABA}/subscribed_apps"), {"data": [{"whatsapp_business_api_data": {"id": "6"}}]}),
        (get(f"/{APP}"), {"id": APP}),
    ],
)
def test_accounts_portfolios_and_apps_are_never_learned(call: Call, payload: object) -> None:
    assert learned_ids(call, payload) == ()


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {"data": None},
        {"data": [None, 1, {"id": None}, {"id": "../1"}, {"id": {"a": 1}}, {"id": "\u0661"}]},
        {"error": {"code": 100}},
    ],
)
def test_odd_answers_teach_nothing(payload: object) -> None:
    assert learned_ids(get(f"/{WABA}/message_templates"), payload) == ()
    assert learned_ids(get(f"/{WABA}/phone_numbers"), payload) == ()
    call = post(
        f"/{NUMBER}/messages",
        {"messaging_product": "whatsapp", "to": "525512345678", "text": {"body": "a"}},
    )
    assert learned_ids(call, payload) == ()
