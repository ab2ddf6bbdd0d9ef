"""Bodies that could mean two things, or nothing that Meta documents: refused, never passed on."""

from typing import Any

import pytest

from graphapi.message_bodies import (
    BSUID,
    BY_NAME,
    GROUP_ID,
    WAMID,
    Json,
    button,
    interactive,
    parameters,
    send,
    template,
    text,
)
from portero.graphapi.errors import GraphError
from portero.graphapi.messages import parse_message

TEXT = {"body": "Hola"}


def refusal(body: Any) -> str:
    """The details of the refusal; fails when the body is accepted."""
    with pytest.raises(GraphError) as caught:
        parse_message(body)
    assert (caught.value.http, caught.value.code, caught.value.reason) == (400, 100, "malformed")
    assert caught.value.details is not None
    return caught.value.details


def test_g17_both_to_and_recipient_are_refused() -> None:
    assert "exactly one of {to, recipient}" in refusal(send("text", TEXT, recipient=BSUID))


def test_g17_neither_to_nor_recipient_is_refused() -> None:
    body = send("text", TEXT)
    del body["to"]

    assert "exactly one of {to, recipient}" in refusal(body)


@pytest.mark.parametrize(
    "to",
    [
        [],
        ["525512345678"],
        ["525512345678", "34600111222"],
        {"phone": "525512345678"},
        True,
        5255.5,
        "",
        "525512345678,34600111222",
        "525512345678;34600111222",
        "525512345678\n34600111222",
        "00525512345678",
        "me",
        f"{BSUID} ",
        f"{BSUID},{BSUID}",
        "us.13491208655302741918",
    ],
)
def test_g17_a_recipient_that_is_not_one_person_is_refused(to: object) -> None:
    assert "malformed" in refusal(send("text", TEXT, to=to))


def test_g17_a_number_in_recipient_is_refused() -> None:
    body = send("text", TEXT, recipient="525512345678")
    del body["to"]

    assert "business-scoped" in refusal(body)


def test_g17_a_group_id_for_one_person_is_refused() -> None:
    assert "phone number" in refusal(send("text", TEXT, to=GROUP_ID))


@pytest.mark.parametrize("to", ["525512345678", BSUID, "", "a b"])
def test_g17_a_person_as_a_group_is_refused(to: str) -> None:
    refusal(send("text", TEXT, recipient_type="group", to=to))


def test_g17_a_group_in_recipient_is_refused() -> None:
    body = send("text", TEXT, recipient_type="group", recipient=GROUP_ID)
    del body["to"]

    assert "group id" in refusal(body)


def test_g17_a_pin_for_one_person_is_refused() -> None:
    pin = {"type": "unpin", "message_id": WAMID}

    assert "groups only" in refusal(send("pin", pin))


@pytest.mark.parametrize("kind", ["broadcast", "", "Group ", ["group"], 1])
def test_g17_another_recipient_type_is_refused(kind: object) -> None:
    assert "recipient_type" in refusal(send("text", TEXT, recipient_type=kind))


@pytest.mark.parametrize(
    "name", ["method", "access_token", "batch", "To", "to ", "recipients", "x", "text[body]", ""]
)
def test_g17_an_unknown_parameter_is_refused(name: str) -> None:
    assert "Unexpected parameter" in refusal(send("text", TEXT, **{name: "x"}))


def test_g17_an_unknown_parameter_is_refused_even_when_null() -> None:
    assert "Unexpected parameter 'foo'" in refusal(send("text", TEXT, foo=None))


@pytest.mark.parametrize(
    "other", ["image", "template", "interactive", "reaction", "contacts", "audio", "pin"]
)
def test_g17_the_object_of_another_type_is_refused(other: str) -> None:
    assert f"Unexpected parameter '{other}'" in refusal(send("text", TEXT, **{other: {}}))


def test_g17_without_a_type_only_text_is_meant() -> None:
    body = BY_NAME["template"].copy()
    del body["type"]

    assert "Unexpected parameter 'template'" in refusal(body)


@pytest.mark.parametrize("status", ["read", "delivered", True])
def test_g17_sending_and_marking_as_read_at_once_is_refused(status: object) -> None:
    refusal(send("text", TEXT, status=status))


@pytest.mark.parametrize("part", ["to", "recipient", "type", "text", "template", "recipient_type"])
def test_g17_marking_as_read_with_a_part_of_sending_is_refused(part: str) -> None:
    body = {**BY_NAME["read"].copy(), part: "x"}

    assert f"Unexpected parameter '{part}'" in refusal(body)


@pytest.mark.parametrize("part", ["status", "message_id"])
def test_g17_half_a_read_receipt_is_refused(part: str) -> None:
    body = BY_NAME["typing"].copy()
    del body[part]

    assert refusal(body) == f"malformed: Parameter '{part}' is mandatory."


@pytest.mark.parametrize("status", ["delivered", "sent", "played", "deleted", 1])
def test_g17_another_status_than_read_is_refused(status: object) -> None:
    refusal({**BY_NAME["read"].copy(), "status": status})


def test_g17_typing_of_another_kind_is_refused() -> None:
    body = BY_NAME["typing"].copy()
    body["typing_indicator"] = {"type": "audio"}

    assert "typing_indicator.type" in refusal(body)


@pytest.mark.parametrize("body", [None, [], "x", 1, True, [send("text", TEXT)]])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert "JSON object" in refusal(body)


@pytest.mark.parametrize("product", [None, "instagram", "messenger", ["whatsapp"], ""])
def test_another_product_is_refused(product: object) -> None:
    assert "messaging_product" in refusal(send("text", TEXT, messaging_product=product))


@pytest.mark.parametrize("type_name", ["Text message", "poll", "status", "", 1, ["text"], {}])
def test_an_unknown_type_is_refused(type_name: object) -> None:
    body = send("text", TEXT)
    body["type"] = type_name

    assert "Parameter 'type'" in refusal(body)


def test_a_word_in_another_script_is_no_type() -> None:
    body = send("text", TEXT)
    body["type"] = "te\u212ft"

    refusal(body)


def test_a_missing_object_is_named_as_meta_names_it() -> None:
    body = send("text", TEXT)
    del body["text"]

    assert refusal(body) == "malformed: Parameter 'text' is mandatory."


def test_a_missing_member_is_named_with_its_place() -> None:
    assert refusal(send("text", {})) == "malformed: Parameter 'text.body' is mandatory."


def test_an_unknown_member_is_named_with_its_place() -> None:
    details = refusal(send("text", {"body": "a", "preview_urls": True}))

    assert details == "malformed: Unexpected parameter 'preview_urls' in 'text'."


def test_an_unknown_name_that_cannot_be_shown_is_not_shown() -> None:
    details = refusal(send("text", {"body": "a", "\u202eevil\r\n": 1}))

    assert details == "malformed: Unexpected parameter '?' in 'text'."


@pytest.mark.parametrize(
    "body",
    [
        send("text", {"body": ""}),
        send("text", {"body": "x" * 4097}),
        send("text", {"body": "nul\x00"}),
        send("text", {"body": ["a"]}),
        send("text", {"body": 5}),
        send("text", {"body": "a", "preview_url": "yes"}),
        send("text", {"body": "a", "preview_url": 1}),
        send("text", TEXT, biz_opaque_callback_data="x" * 513),
        send("text", TEXT, context={}),
        send("text", TEXT, context={"message_id": "1"}),
        send("text", TEXT, context={"message_id": WAMID, "from": "1"}),
        send("image", {"id": "1", "link": "https://a.example/x"}),
        send("image", {}),
        send("image", {"id": "12a"}),
        send("image", {"id": "\u0661\u0662"}),
        send("image", {"id": "../12"}),
        send("image", {"id": True}),
        send("image", {"id": 1.5}),
        send("image", {"id": -1}),
        send("image", {"id": "1", "caption": "x" * 1025}),
        send("image", {"id": "1", "filename": "a.png"}),
        send("sticker", {"id": "1", "caption": "x"}),
        send("audio", {"id": "1", "caption": "x"}),
        send("audio", {"id": "1", "voice": "si"}),
        send("document", {"id": "1", "filename": "a\r\nX: y"}),
        send("location", {"latitude": 91, "longitude": 0}),
        send("location", {"latitude": "1e2", "longitude": 0}),
        send("location", {"latitude": float("nan"), "longitude": 0}),
        send("location", {"latitude": True, "longitude": 0}),
        send("location", {"latitude": 0}),
        send("contacts", []),
        send("contacts", {"name": {"formatted_name": "A"}}),
        send("contacts", [{"name": {}}]),
        send("contacts", [{"name": {"formatted_name": "A"}, "birthday": "18/08/2012"}]),
        send("contacts", [{"name": {"formatted_name": "A"}, "phones": [{"number": "1"}]}]),
        send("reaction", {"message_id": WAMID}),
        send("reaction", {"message_id": "x", "emoji": "a"}),
        send("pin", {"type": "pin", "message_id": WAMID}, recipient_type="group", to=GROUP_ID),
        send("pin", {"type": "unpin", "message_id": WAMID, "expiration_days": 31}),
    ],
)
def test_a_plain_message_outside_its_limits_is_refused(body: Json) -> None:
    refusal(body)


@pytest.mark.parametrize(
    "link",
    [
        "ftp://a.example/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//a.example/x",
        "a.example/x",
        "https://",
        "https:///x",
        "https://user@a.example/x",
        "https://user:secret@a.example/x",
        "https://a.example\\@b.example/x",
        "https://a.example/x y",
        "https://a.example/x\r\nHost: b",
        "https://a.example/" + "x" * 2048,
        "",
        5,
    ],
)
def test_a_media_link_that_is_not_plain_http_is_refused(link: object) -> None:
    assert "http or https URL" in refusal(send("image", {"link": link}))


def _rows(count: int) -> list[Json]:
    return [{"id": str(i), "title": f"Row {i}"} for i in range(count)]


def _replies(*titles: str) -> Json:
    return {
        "buttons": [{"type": "reply", "reply": {"id": title, "title": title}} for title in titles]
    }


def _list(*sections: Json) -> Json:
    return interactive("list", {"button": "Open", "sections": list(sections)})


def _flow(**more: object) -> Json:
    known = {"flow_message_version": "3", "flow_cta": "Book", "flow_id": "1"}
    return interactive("flow", {"name": "flow", "parameters": {**known, **more}})


def _cards(*indexes: object) -> Json:
    product = {"product_retailer_id": "a", "catalog_id": "1"}
    cards = [{"card_index": i, "type": "product", "action": product} for i in indexes]
    return interactive("carousel", {"cards": cards})


@pytest.mark.parametrize(
    "body",
    [
        interactive("poll", {}),
        interactive("button", _replies()),
        interactive("button", _replies("a", "b", "c", "d")),
        interactive("button", _replies("a", "a")),
        interactive("button", _replies("x" * 21)),
        interactive("button", _replies("a"), body=None),
        interactive("button", _replies("a"), body={"text": "x" * 1025}),
        interactive("button", _replies("a"), footer={"text": "x" * 61}),
        interactive("button", _replies("a"), header={"type": "text", "text": "x" * 61}),
        interactive("button", _replies("a"), header={"type": "image", "video": {"id": "1"}}),
        interactive("button", _replies("a"), header={"type": "audio", "audio": {"id": "1"}}),
        interactive("button", _replies("a"), header={"image": {"id": "1"}}),
        interactive(
            "button",
            _replies("a"),
            header={"type": "image", "image": {"id": "1"}, "video": {"id": "2"}},
        ),
        interactive("button", {**_replies("a"), "catalog_id": "1"}),
        interactive("button", {"name": "flow", "parameters": {}}),
        _list({"title": "A", "rows": _rows(11)}),
        _list({"title": "A", "rows": _rows(6)}, {"title": "B", "rows": _rows(5)}),
        _list({"rows": _rows(1)}, {"title": "B", "rows": _rows(1)}),
        _list({"title": "A", "rows": []}),
        _list(),
        _flow(flow_name="also"),
        _flow(flow_id=None),
        _flow(mode="live"),
        _flow(flow_action="open"),
        _flow(flow_action_payload={"screen": "A", "extra": 1}),
        _flow(flow_action_payload={"data": []}),
        _cards(0, 0),
        _cards(0, "0"),
        _cards(0, "0.0"),
        _cards(10),
        _cards(0.5),
        _cards(),
        interactive("product", {"catalog_id": "x", "product_retailer_id": "a"}),
        interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "a"}}),
        interactive("order_details", {"name": "review_order", "parameters": {}}),
        interactive("call_permission_request", {"name": "voice_call"}),
    ],
)
def test_an_interactive_message_outside_its_shape_is_refused(body: Json) -> None:
    refusal(body)


@pytest.mark.parametrize(
    "payload",
    [
        {"name": "order_update"},
        {"language": {"code": "es_MX"}},
        {"name": "order_update", "language": "es_MX"},
        {"name": "order_update", "language": {"code": "ES mx"}},
        {"name": "order_update", "language": {"code": ["es_MX"]}},
        {"name": "order_update", "language": {"code": "es_MX", "policy": "fallback"}},
        {"name": "Order_Update", "language": {"code": "es_MX"}},
        {"name": "order_update ", "language": {"code": "es_MX"}},
        {"name": "", "language": {"code": "es_MX"}},
        {"name": "a", "language": {"code": "es_MX"}, "id": "1"},
        {"name": "a", "language": {"code": "es_MX"}, "components": {}},
    ],
)
def test_a_template_not_named_exactly_is_refused(payload: Json) -> None:
    refusal(send("template", payload))


@pytest.mark.parametrize(
    "component",
    [
        {"parameters": []},
        {"type": "footer", "parameters": []},
        parameters("body", {"type": "text"}),
        parameters("body", text("")),
        parameters("body", text(["a"])),
        parameters("body", {"type": "text", "text": "a", "image": {"id": "1"}}),
        parameters("body", {"type": "image", "image": {"id": "1", "link": "https://a.example"}}),
        parameters("body", {"type": "image", "image": {"id": "1", "caption": "a"}}),
        parameters("body", {"type": "poll", "poll": {}}),
        parameters("body", {"text": "a"}),
        button("quick_reply", 10, {"type": "payload", "payload": "a"}),
        button("quick_reply", "a", {"type": "payload", "payload": "a"}),
        button("dial", 0),
        {"type": "button", "index": 0},
        {"type": "body", "sub_type": "url", "parameters": []},
        {"type": "carousel", "cards": []},
        {"type": "carousel", "cards": [{"components": []}]},
        {
            "type": "carousel",
            "cards": [
                {"card_index": 0, "components": [{"type": "carousel", "cards": []}]},
            ],
        },
    ],
)
def test_a_template_component_outside_its_shape_is_refused(component: Json) -> None:
    refusal(template(component))


def test_a_missing_parameter_text_is_named_with_its_place() -> None:
    details = refusal(template(parameters("body", {"type": "text"})))

    assert (
        details == "malformed: Parameter 'template.components[0].parameters[0].text' is mandatory."
    )
