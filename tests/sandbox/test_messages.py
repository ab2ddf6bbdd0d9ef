"""Sending: what is accepted, what is refused at once, what fails later."""

import base64
from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, OTHER_NUMBER, WABA, WORLD, Running, Start

PARAMETERS = [
    {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.test/a"}}]},
    {
        "type": "body",
        "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "X1"}],
    },
    {
        "type": "button",
        "sub_type": "url",
        "index": "1",
        "parameters": [{"type": "text", "text": "X1"}],
    },
]


def template(name: str, components: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    chosen: dict[str, Any] = {"name": name, "language": {"code": "es_MX"}}
    return {"type": "template", "template": chosen | {"components": components or []}}


def interactive(kind: str, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = {"type": kind, "body": {"text": "Elige"}, "action": action} | more
    return {"type": "interactive", "interactive": content}


def reply(number: int, title: str = "") -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": str(number), "title": title or f"Sí {number}"}}


ROW = {"id": "1", "title": "Uno"}

GOOD: dict[str, dict[str, Any]] = {
    "text without a type": {"text": {"body": "hola"}},
    "text": {"type": "text", "text": {"body": "x" * 4096, "preview_url": True}},
    "image by link": {"type": "image", "image": {"link": "https://x.test/a.png", "caption": "a"}},
    "document": {
        "type": "document",
        "document": {"link": "https://x.test/a.pdf", "filename": "a.pdf"},
    },
    "location": {"type": "location", "location": {"latitude": "19.4", "longitude": -99.1}},
    "contacts": {
        "type": "contacts",
        "contacts": [{"name": {"formatted_name": "Ana"}, "phones": [{"phone": "1"}]}],
    },
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}},
    "reaction taken back": {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": ""}},
    "buttons": interactive("button", {"buttons": [reply(1), reply(2), reply(3)]}),
    "list": interactive("list", {"button": "Ver", "sections": [{"rows": [ROW]}]}),
    "call to action": interactive(
        "cta_url",
        {"name": "cta_url", "parameters": {"display_text": "Ver", "url": "https://x.test"}},
    ),
    "location request": interactive("location_request_message", {"name": "send_location"}),
    "product list": interactive(
        "product_list",
        {"catalog_id": "1", "sections": [{"product_items": [{"product_retailer_id": "a"}]}]},
        header={"type": "text", "text": "Zapatos"},
    ),
    "template": template("plain"),
    "template with everything": template("order", PARAMETERS),
    "template with a named parameter": template(
        "named",
        [
            {
                "type": "BODY",
                "parameters": [{"type": "text", "parameter_name": "nombre", "text": "Ana"}],
            }
        ],
    ),
}

BAD: dict[str, tuple[dict[str, Any], int]] = {
    "text without a body": ({"type": "text", "text": {}}, 100),
    "text of 4097 characters": ({"type": "text", "text": {"body": "x" * 4097}}, 100),
    "text that is no object": ({"type": "text", "text": "hola"}, 100),
    "unknown type": ({"type": "hologram", "hologram": {}}, 100),
    "image without id or link": ({"type": "image", "image": {}}, 131008),
    "image with an unknown id": ({"type": "image", "image": {"id": "999"}}, 100),
    "image with a link that is none": ({"type": "image", "image": {"link": "ftp://x"}}, 100),
    "caption of 1025 characters": (
        {"type": "image", "image": {"link": "https://x.test/a", "caption": "x" * 1025}},
        131009,
    ),
    "latitude beyond the pole": (
        {"type": "location", "location": {"latitude": 91, "longitude": 0}},
        131009,
    ),
    "contact without a name": ({"type": "contacts", "contacts": [{}]}, 131008),
    "reaction without an emoji": ({"type": "reaction", "reaction": {"message_id": "a"}}, 131008),
    "four buttons": (interactive("button", {"buttons": [reply(n) for n in range(4)]}), 131009),
    "two buttons of one title": (
        interactive("button", {"buttons": [reply(1, "Sí"), reply(2, "Sí")]}),
        131009,
    ),
    "a button title of 21": (interactive("button", {"buttons": [reply(1, "x" * 21)]}), 131009),
    "eleven rows in two sections": (
        interactive(
            "list",
            {
                "button": "Ver",
                "sections": [
                    {"title": "a", "rows": [{"id": f"a{n}", "title": "x"} for n in range(6)]},
                    {"title": "b", "rows": [{"id": f"b{n}", "title": "x"} for n in range(5)]},
                ],
            },
        ),
        131009,
    ),
    "a list with an image header": (
        interactive(
            "list",
            {"button": "Ver", "sections": [{"rows": [ROW]}]},
            header={"type": "image", "image": {"link": "https://x.test/a"}},
        ),
        131009,
    ),
    "an unknown flow": (
        interactive(
            "flow",
            {"parameters": {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Ver"}},
        ),
        131009,
    ),
    "a callback string of 513": (
        {"text": {"body": "a"}, "biz_opaque_callback_data": "x" * 513},
        131009,
    ),
    "a missing template": (template("none"), 132001),
    "a rejected template": (template("rejected"), 132001),
    "a paused template": (template("paused"), 132015),
    "a disabled template": (template("disabled"), 132016),
    "a template with a parameter too many": (
        template("plain", [{"type": "body", "parameters": [{"type": "text", "text": "a"}]}]),
        132000,
    ),
    "a template without its parameters": (template("order", PARAMETERS[:1]), 132000),
    "a template without its header": (template("order", PARAMETERS[1:]), 132012),
    "a template without its button": (template("order", PARAMETERS[:2]), 131008),
    "a template with an empty parameter": (
        template("named", [{"type": "body", "parameters": [{"type": "text", "text": ""}]}]),
        131008,
    ),
    "a named template without names": (
        template("named", [{"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}]),
        131008,
    ),
    "no recipient": ({"to": "", "text": {"body": "a"}}, 100),
    "a recipient with a double zero": ({"to": "0034600111222", "text": {"body": "a"}}, 100),
    "a recipient with letters": ({"to": "34600CALLME", "text": {"body": "a"}}, 100),
    "the sender as recipient": ({"to": "525550100101", "text": {"body": "a"}}, 131021),
    "a group": ({"recipient_type": "group", "text": {"body": "a"}}, 131020),
    "another messaging product": ({"messaging_product": "sms", "text": {"body": "a"}}, 100),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_a_good_message_is_accepted_and_delivered(sandbox: Running, body: dict[str, Any]) -> None:
    response = sandbox.send(body)

    assert response.status_code == 200, response.text
    message_id = response.json()["messages"][0]["id"]
    told = sandbox.hooks.statuses(2)
    assert [status["status"] for status in told] == ["sent", "delivered"]
    assert {status["id"] for status in told} == {message_id}


@pytest.mark.parametrize(("body", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_refused_with_its_code(
    sandbox: Running, body: dict[str, Any], code: int
) -> None:
    response = sandbox.send(body)

    assert response.status_code in (400, 404)
    assert response.json()["error"]["code"] == code, response.text


def test_the_count_of_parameters_is_told_in_metas_words(sandbox: Running) -> None:
    error = sandbox.send(template("order", PARAMETERS[:1])).json()["error"]

    assert error["message"] == (
        "(#132000) Number of parameters does not match the expected number of params"
    )
    assert error["error_data"]["details"] == (
        "body: number of localizable_params (0) does not match the expected number of params (2)"
    )


def test_a_named_parameter_must_be_one_the_template_has(sandbox: Running) -> None:
    def send(name: str) -> Any:
        parameters = [{"type": "text", "parameter_name": name, "text": "Ana"}]
        return sandbox.send(template("named", [{"type": "body", "parameters": parameters}]))

    assert send("apellido").json()["error"]["code"] == 132018
    assert send("nombre").status_code == 200


def test_a_missing_template_is_told_in_metas_words(sandbox: Running) -> None:
    response = sandbox.send(template("none"))

    error = response.json()["error"]
    assert response.status_code == 404
    assert error["message"] == "(#132001) Template name does not exist in the translation"
    assert error["error_data"]["details"] == "template name (none) does not exist in es_MX"


def test_the_answer_names_the_customer_as_meta_writes_the_number(sandbox: Running) -> None:
    answer = sandbox.send({"to": "+52 (55) 1234-5678", **template("plain")}).json()

    assert answer["contacts"] == [{"input": "+52 (55) 1234-5678", "wa_id": "5215512345678"}]
    assert answer["messages"][0]["message_status"] == "accepted"


@pytest.mark.parametrize(
    ("to", "wa_id"),
    [
        ("525512345678", "5215512345678"),
        ("5215512345678", "5215512345678"),
        ("541112345678", "5491112345678"),
        ("5511987654321", "5511987654321"),
        ("5551987654321", "555187654321"),
        ("34600111222", "34600111222"),
    ],
)
def test_twins_of_a_number_are_one_customer(sandbox: Running, to: str, wa_id: str) -> None:
    answer = sandbox.send({"to": to, **template("plain")}).json()

    assert answer["contacts"][0]["wa_id"] == wa_id


def test_a_message_id_holds_the_customers_number_in_metas_record(sandbox: Running) -> None:
    message_id = sandbox.send({"text": {"body": "a"}}).json()["messages"][0]["id"]

    record = base64.b64decode(message_id.removeprefix("wamid."))
    digits = CUSTOMER.encode()
    assert record.startswith(b"\x1c\x18" + bytes([len(digits)]) + digits + b"\x15\x02\x00\x11\x18")
    assert record.endswith(b"\x00")


def test_the_callback_string_comes_back_in_every_status(sandbox: Running) -> None:
    sandbox.send({"text": {"body": "a"}, "biz_opaque_callback_data": "order-7"})

    told = sandbox.hooks.statuses(2)

    assert {status["biz_opaque_callback_data"] for status in told} == {"order-7"}


def test_outside_the_window_free_text_is_accepted_and_then_fails(sandbox: Running) -> None:
    response = sandbox.send({"to": "34600555444", "text": {"body": "a"}})

    assert response.status_code == 200
    [failed] = sandbox.hooks.statuses(1)
    assert failed["status"] == "failed"
    error = failed["errors"][0]
    assert (error["code"], error["title"]) == (131047, "Re-engagement message")
    assert error["error_data"]["details"].startswith("Message failed to send because more than 24")


def test_the_window_closes_after_24_hours(sandbox: Running) -> None:
    sandbox.clock.ahead_s = 24 * 3600 + 1

    sandbox.send({"text": {"body": "a"}})

    assert sandbox.hooks.statuses(1)[0]["errors"][0]["code"] == 131047


def test_the_window_of_one_number_is_not_that_of_another(sandbox: Running) -> None:
    sandbox.send({"text": {"body": "a"}}, number=OTHER_NUMBER)

    assert sandbox.hooks.statuses(1)[0]["errors"][0]["code"] == 131047


def test_a_customer_who_stopped_marketing_gets_utility_and_no_promotion(sandbox: Running) -> None:
    sandbox.send({"to": "34600999888", **template("promo")})
    failed = sandbox.hooks.statuses(1)[0]
    sandbox.hooks.clear()
    sandbox.send({"to": "34600999888", **template("plain")})

    assert failed["errors"][0]["code"] == 131050
    assert sandbox.hooks.statuses(1)[0]["status"] == "sent"


@pytest.mark.parametrize("code", [131026, 131049, 131053, 130472])
def test_a_number_that_ends_in_an_error_code_fails_with_it(sandbox: Running, code: int) -> None:
    sandbox.send({"to": f"34600{code}", **template("plain")})

    assert sandbox.hooks.statuses(1)[0]["errors"][0]["code"] == code


def test_media_that_cannot_be_fetched_fails_later(sandbox: Running) -> None:
    sandbox.send({"type": "image", "image": {"link": "https://nowhere.invalid/a.png"}})

    assert sandbox.hooks.statuses(1)[0]["errors"][0]["code"] == 131053


def test_the_46th_message_at_once_to_one_customer_is_too_much(sandbox: Running) -> None:
    codes = [sandbox.send({"text": {"body": "a"}}).status_code for _ in range(45)]

    error = sandbox.send({"text": {"body": "a"}}).json()["error"]

    assert set(codes) == {200}
    assert error["code"] == 131056


def test_the_pair_rate_is_paid_back_in_time(sandbox: Running) -> None:
    for _ in range(46):
        last = sandbox.send({"text": {"body": "a"}})
    sandbox.clock.ahead_s = 7

    again = sandbox.send({"text": {"body": "a"}})

    assert (last.status_code, again.status_code) == (400, 200)


def test_more_than_80_messages_a_second_are_too_many(sandbox: Running) -> None:
    sandbox.clock.freeze()

    codes = [
        sandbox.send({"to": f"3460000{n:04d}", **template("plain")}).status_code for n in range(81)
    ]

    assert codes == [200] * 80 + [400]


@pytest.mark.parametrize(
    ("limit", "code"), [("pair", 131056), ("throughput", 130429)], ids=["pair", "throughput"]
)
def test_a_limit_holds_unless_the_world_lifts_it(other_world: Start, limit: str, code: int) -> None:
    limits = {"pair": False, "throughput": False}
    holding, free = other_world(limits=limits | {limit: True}), other_world(limits=limits)
    for sandbox in (holding, free):
        sandbox.clock.freeze()

    refusals = [
        {
            answer.json()["error"]["code"]
            for answer in [sandbox.send(template("plain")) for _ in range(81)]
            if answer.status_code != 200
        }
        for sandbox in (holding, free)
    ]

    assert refusals == [{code}, set()]


def test_a_test_number_writes_to_its_list_only(other_world: Start) -> None:
    number = {
        "id": "11",
        "display_phone_number": "+1 555 0100",
        "allowed_recipients": ["+" + CUSTOMER],
    }
    sandbox = other_world(
        wabas=[{"id": "10", "numbers": [number]}], windows=[], tokens=WORLD["tokens"][:1]
    )
    text = {"text": {"body": "a"}}

    allowed = sandbox.send(text, number="11")
    refused = sandbox.send({"to": "34600000001", **text}, number="11")

    assert allowed.status_code == 200
    assert refused.json()["error"]["code"] == 131030


@pytest.mark.parametrize(("holds", "codes"), [(True, [131048]), (False, [])])
def test_the_messaging_limit_counts_new_customers_of_a_day(
    other_world: Start, holds: bool, codes: list[int]
) -> None:
    number = {"id": "11", "display_phone_number": "+1 555 0100", "messaging_limit": "TIER_50"}
    waba = {
        "id": "10",
        "numbers": [number],
        "templates": [{"name": "plain", "language": "es_MX", "category": "UTILITY"}],
    }
    sandbox = other_world(
        wabas=[waba],
        windows=[],
        tokens=WORLD["tokens"][:1],
        speed={"delivered_ms": None},
        limits={"messaging": holds},
    )

    for n in range(51):
        sandbox.send({"to": f"3460000{n:04d}", **template("plain")}, number="11")

    told = {status["recipient_id"]: status for status in sandbox.hooks.statuses(51)}
    failed = [status for status in told.values() if status["status"] == "failed"]
    assert [status["errors"][0]["code"] for status in failed] == codes


def test_a_customer_is_reached_by_business_scoped_id(sandbox: Running) -> None:
    message = {"phone_number_id": NUMBER, "from": CUSTOMER, "text": {"body": "a"}}
    sandbox.control("inbound", message)
    user_id = sandbox.hooks.values(1)[0]["contacts"][0]["user_id"]

    answer = sandbox.send({"to": None, "recipient": user_id, "text": {"body": "a"}}).json()

    assert answer["contacts"] == [{"input": user_id, "wa_id": CUSTOMER, "user_id": user_id}]


def test_reading_a_message_that_never_came_is_100_33(sandbox: Running) -> None:
    error = sandbox.send({"status": "read", "message_id": "wamid.unknown"}).json()["error"]

    assert (error["code"], error["error_subcode"]) == (100, 33)


def test_a_message_of_one_number_is_not_read_by_another(sandbox: Running) -> None:
    message = {"phone_number_id": NUMBER, "from": CUSTOMER, "text": {"body": "a"}}
    message_id = sandbox.control("inbound", message)["message_id"]
    read = {"status": "read", "message_id": message_id, "typing_indicator": {"type": "text"}}

    assert sandbox.send(read).json() == {"success": True}
    assert sandbox.send(read, number=OTHER_NUMBER).json()["error"]["code"] == 100


def test_the_marketing_api_takes_marketing_templates_only(sandbox: Running) -> None:
    path, usual = f"/{NUMBER}/marketing_messages", {"messaging_product": "whatsapp"}
    body = usual | {"to": CUSTOMER}

    sent = sandbox.call("POST", path, json=body | template("promo"))
    utility = sandbox.refusal("POST", path, json=body | template("plain"))
    text = sandbox.refusal("POST", path, json=body | {"type": "text", "text": {"body": "a"}})
    shouted = sandbox.call("POST", path, json=body | template("promo") | {"type": "TEMPLATE"})

    assert (sent.status_code, shouted.status_code) == (200, 200)
    assert (utility["code"], text["code"]) == (134100, 131055)


def test_marketing_may_be_left_to_its_own_path(sandbox: Running) -> None:
    sandbox.post(f"/{WABA}", {"disable_marketing_messages_on_cloud_api": True})
    body = {"messaging_product": "whatsapp", "to": CUSTOMER} | template("promo")

    assert sandbox.send(template("promo")).json()["error"]["code"] == 131063
    assert sandbox.call("POST", f"/{NUMBER}/marketing_messages", json=body).status_code == 200
    assert sandbox.send(template("plain")).status_code == 200


def test_an_authentication_template_needs_a_phone_number(sandbox: Running) -> None:
    definition = {"name": "code", "language": "es_MX", "category": "AUTHENTICATION"}
    sandbox.post(f"/{WABA}/message_templates", definition | {"components": [{"type": "BODY"}]})
    sandbox.hooks.wait(1)
    code = template("code", [{"type": "body", "parameters": [{"type": "text", "text": "1"}]}])

    by_id = sandbox.send(code | {"to": None, "recipient": "MX.123456789"})

    assert by_id.json()["error"]["code"] == 131062
    assert sandbox.send(code).status_code == 200


def test_a_number_that_is_not_registered_does_not_send(sandbox: Running) -> None:
    sandbox.post(f"/{NUMBER}/deregister")

    assert sandbox.send({"text": {"body": "a"}}).json()["error"]["code"] == 133010
