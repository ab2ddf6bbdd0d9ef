"""G34: a parameter may stand in the query, in a form or in JSON; it is one value or a refusal."""

import json
from urllib.parse import urlencode

import pytest

from graphapi.client_requests import (
    FLOW,
    GROUP,
    KINDS,
    MEDIA,
    MESSAGE,
    NUMBER,
    TEMPLATE,
    USER,
    WABA,
)
from graphapi.message_bodies import CASES, Case
from portero.graphapi.errors import GraphError
from portero.graphapi.operation import Call
from portero.graphapi.parse import RawCall, parse
from portero.graphapi.upstream import rebuild

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def call(
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    content_type: str | None = None,
    body: bytes | None = None,
) -> Call:
    raw = RawCall(method, path.encode(), urlencode(query or {}).encode(), content_type, body)
    return parse(raw, KINDS)


def refusal(*parts: object) -> str | None:
    with pytest.raises(GraphError) as refused:
        call(*parts)  # type: ignore[arg-type]  # the parts of one request
    return refused.value.reason


def form(**values: str) -> bytes:
    return urlencode(values).encode()


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        ({"pin": "123456"}, JSON, b'{"pin":"654321"}'),
        ({"pin": "123456"}, FORM, form(pin="654321")),
        ({"pin": "123456"}, JSON, b'{"pin":["123456"]}'),
        ({"pin": "123456"}, JSON, b'{"pin":true}'),
    ],
)
def test_g34_two_values_for_one_parameter_are_refused(
    query: dict[str, str], content_type: str, body: bytes
) -> None:
    assert refusal("POST", f"/{NUMBER}", query, content_type, body) == "malformed"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON, b'{"pin":"123456"}'), (JSON, b'{"pin":123456}'), (FORM, form(pin="123456"))],
)
def test_g34_equal_copies_are_one_value(content_type: str, body: bytes) -> None:
    twice = call("POST", f"/{NUMBER}", {"pin": "123456"}, content_type, body)

    assert twice.body == {"pin": "123456"}
    assert rebuild(twice, version="v23.0").query == ""


def test_g34_two_selections_of_fields_are_refused() -> None:
    assert call("GET", f"/{WABA}", {"fields": "id"}, FORM, form(fields="id")).fields is not None
    assert refusal("GET", f"/{WABA}", {"fields": "id"}, FORM, form(fields="name")) == "malformed"
    assert refusal("GET", f"/{WABA}", {}, JSON, b'{"fields":["id"]}') == "malformed"


def test_g34_an_id_said_twice_is_one_id() -> None:
    twice = call(
        "DELETE", f"/{MEDIA}", {"phone_number_id": NUMBER}, FORM, form(phone_number_id=NUMBER)
    )

    assert [(ref.value, ref.place) for ref in twice.ids] == [
        (MEDIA, "path"),
        (NUMBER, "query.phone_number_id"),
    ]


@pytest.mark.parametrize("name", ["access_token", "appsecret_proof"])
def test_g03_a_credential_is_no_part_of_the_call_and_never_leaves(name: str) -> None:
    for parts in (
        ({name: "x"}, JSON, b'{"pin":"123456"}'),
        ({}, FORM, form(pin="123456", **{name: "x"})),
        ({name: "x"}, FORM, form(pin="123456", **{name: "y"})),
    ):
        made = call("POST", f"/{NUMBER}", *parts)
        upstream = rebuild(made, version="v23.0")
        assert made.body == {"pin": "123456"}
        assert name not in f"{upstream.path}{upstream.query}{upstream.body!r}"


@pytest.mark.parametrize("name", ["access_token", "Access_Token", "ACCESS_TOKEN", "access_token[]"])
def test_g03_a_credential_anywhere_else_is_refused(name: str) -> None:
    body = json.dumps({"pin": "123456", name: "x"}).encode()

    assert refusal("POST", f"/{NUMBER}", {}, JSON, body) == "malformed"


@pytest.mark.parametrize(
    "name", ["Access_Token", "access_token[]", "access token", "access_token%00"]
)
def test_g03_a_credential_under_another_name_is_refused(name: str) -> None:
    assert refusal("POST", f"/{NUMBER}", {"pin": "123456", name: "x"}) == "malformed"


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", f"/{NUMBER}", {"unknown": "1"}),
        ("GET", f"/{WABA}/message_templates", {"offset": "1"}),
        ("GET", f"/{NUMBER}", {"limit": "1"}),
        ("GET", f"/{WABA}/message_templates", {"limit": "1x"}),
        ("GET", f"/{WABA}/message_templates", {"limit": "\u0661"}),
        ("GET", f"/{WABA}/message_templates", {"status": "MADE_UP"}),
        ("GET", f"/{WABA}/message_templates", {"after": "a b"}),
        ("GET", f"/{WABA}/message_templates", {"summary": "total_count;drop"}),
        ("GET", f"/{MEDIA}", {"phone_number_id": WABA + "x"}),
        ("DELETE", f"/{WABA}/message_templates", {}),
        ("DELETE", f"/{WABA}/message_templates", {"hsm_id": TEMPLATE}),
        ("DELETE", f"/{WABA}/message_templates", {"name": "n", "hsm_ids": f"[{TEMPLATE}]"}),
        ("DELETE", f"/{WABA}/assigned_users", {}),
        ("DELETE", f"/{WABA}/assigned_users", {"user": "ana@example.com"}),
        ("POST", f"/{NUMBER}/request_code", {"code_method": "SMS"}),
        ("POST", f"/{NUMBER}/verify_code", {"code": "12345"}),
        ("POST", f"/{WABA}/assigned_users", {"user": USER, "tasks": "[OWN_EVERYTHING]"}),
        ("POST", f"/{FLOW}", {"name": "f", "flow_json": "{}"}),
        ("POST", f"/{NUMBER}/register", {"pin": "123456"}),
    ],
)
def test_a_parameter_that_is_unknown_missing_or_of_another_type_is_refused(
    method: str, path: str, query: dict[str, str]
) -> None:
    assert refusal(method, path, query) == "malformed"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b"[]"),
        (JSON, b'"pin"'),
        (JSON, b"{"),
        (JSON, b'{"pin":"123456","pin":"123456"}'),
        (JSON, b'\xef\xbb\xbf{"pin":"123456"}'),
        (FORM, b"pin=123456&pin=123456"),
        (FORM, b'{"pin":"123456"}'),
        ("text/plain", b'{"pin":"123456"}'),
        ("application/xml", b"<pin>123456</pin>"),
        (None, b'{"pin":"123456"}'),
        ("multipart/form-data; boundary=x", b'{"pin":"123456"}'),
    ],
)
def test_g14_g15_a_body_that_could_be_read_in_two_ways_is_refused(
    content_type: str | None, body: bytes
) -> None:
    assert refusal("POST", f"/{NUMBER}", {}, content_type, body) == "malformed"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_a_content_type_may_have_parameters_and_any_case(content_type: str) -> None:
    assert call("POST", f"/{NUMBER}", {}, content_type, b'{"pin":"123456"}').body == {
        "pin": "123456"
    }


def test_g34_json_inside_a_form_is_read_only_where_an_object_or_a_list_is_due() -> None:
    text = call("POST", f"/{WABA}", {}, FORM, form(name='{"a":1}'))
    assert text.body == {"name": '{"a":1}'}

    assert refusal("POST", f"/{NUMBER}/settings", {}, FORM, form(calling="ENABLED")) == "malformed"
    assert (
        refusal("POST", f"/{NUMBER}/settings", {}, FORM, form(calling='{"a":1,"a":2}'))
        == "malformed"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_g34_a_message_in_a_form_is_the_message_in_json(case: Case) -> None:
    as_json = json.dumps(case.body).encode()
    as_form = urlencode(
        {k: v if isinstance(v, str) else json.dumps(v) for k, v in case.body.items()}
    ).encode()

    by_json = call("POST", f"/{NUMBER}/messages", {}, JSON, as_json)
    by_form = call("POST", f"/{NUMBER}/messages", {}, FORM, as_form)

    assert by_form.body == by_json.body
    assert (by_form.ids, by_form.permissions) == (by_json.ids, by_json.permissions)
    assert rebuild(by_form, version="v23.0") == rebuild(by_json, version="v23.0")


@pytest.mark.parametrize(
    "value",
    [f'["{TEMPLATE}","3002"]', f"['{TEMPLATE}','3002']", f"[{TEMPLATE}, 3002]", f"{TEMPLATE},3002"],
)
def test_a_list_may_be_written_as_graph_clients_write_it(value: str) -> None:
    made = call("DELETE", f"/{WABA}/message_templates", {"hsm_ids": value})

    assert made.params == {"hsm_ids": (TEMPLATE, "3002")}


@pytest.mark.parametrize(
    "value", ["[3001", "[3001]]", "3001;3002", "[,]", '["3001"', "{3001}", "'3001"]
)
def test_a_list_that_is_written_otherwise_is_refused(value: str) -> None:
    assert refusal("DELETE", f"/{WABA}/message_templates", {"hsm_ids": value}) == "malformed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            f"/{NUMBER}/calls",
            {
                "messaging_product": "whatsapp",
                "action": "connect",
                "to": "525512345678",
                "recipient": "MX.123",
            },
        ),
        (
            f"/{NUMBER}/block_users",
            {
                "messaging_product": "whatsapp",
                "block_users": [{"user": "525512345678", "user_id": "MX.123"}],
            },
        ),
        (
            f"/{GROUP}/participants",
            {"messaging_product": "whatsapp", "participants": [{"name": "Ana"}]},
        ),
        (f"/{NUMBER}/calls", {"messaging_product": "whatsapp", "action": "connect"}),
        (
            f"/{NUMBER}/messages",
            {
                "messaging_product": "whatsapp",
                "to": "525512345678",
                "recipient": "MX.123",
                "type": "text",
                "text": {"body": "a"},
            },
        ),
    ],
)
def test_g17_two_names_for_one_recipient_and_none_are_refused(path: str, body: object) -> None:
    assert refusal("POST", path, {}, JSON, json.dumps(body).encode()) == "malformed"


def test_everybody_a_request_names_is_known_in_canonical_form() -> None:
    body = {
        "messaging_product": "whatsapp",
        "block_users": [{"user": "+52 1 55 1234 5678"}, {"user_id": "MX.1234567"}],
    }

    made = call("POST", f"/{NUMBER}/block_users", {}, JSON, json.dumps(body).encode())

    assert [(r.kind, r.value, r.identity) for r in made.recipients] == [
        ("phone", "5215512345678", "525512345678"),
        ("bsuid", "MX.1234567", "MX.1234567"),
    ]
    assert made.messages == 0
    assert (
        rebuild(made, version="v23.0").body
        == json.dumps(
            {
                "messaging_product": "whatsapp",
                "block_users": [{"user": "+5215512345678"}, {"user_id": "MX.1234567"}],
            },
            separators=(",", ":"),
        ).encode()
    )


def test_the_template_of_a_request_is_known_by_name() -> None:
    create = {
        "name": "order_update",
        "language": "es_MX",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hola"}],
    }
    created = call("POST", f"/{WABA}/message_templates", {}, JSON, json.dumps(create).encode())
    deleted = call(
        "DELETE", f"/{WABA}/message_templates", {"name": "order_update", "hsm_id": TEMPLATE}
    )
    marked = call(
        "POST",
        f"/{NUMBER}/messages",
        {},
        JSON,
        json.dumps(
            {"messaging_product": "whatsapp", "status": "read", "message_id": MESSAGE}
        ).encode(),
    )

    assert created.template is not None
    assert (created.template.name, created.template.language) == ("order_update", "es_MX")
    assert deleted.template is not None
    assert (deleted.template.name, deleted.template.id) == ("order_update", TEMPLATE)
    assert marked.template is None


def test_every_id_in_a_template_definition_is_an_id_of_the_call() -> None:
    create = {
        "name": "book",
        "language": "es",
        "category": "UTILITY",
        "components": [
            {"type": "BODY", "text": "Hola"},
            {"type": "BUTTONS", "buttons": [{"type": "FLOW", "text": "Cita", "flow_id": FLOW}]},
            {
                "type": "CAROUSEL",
                "cards": [
                    {
                        "components": [
                            {"type": "BODY", "text": "a"},
                            {"type": "HEADER", "format": "PRODUCT", "catalog_id": "9101"},
                        ]
                    }
                ],
            },
        ],
    }

    made = call("POST", f"/{WABA}/message_templates", {}, JSON, json.dumps(create).encode())

    assert [(ref.kind.value, ref.value, ref.place) for ref in made.ids[1:]] == [
        ("flow", FLOW, "body.components[1].buttons[0].flow_id"),
        ("catalog", "9101", "body.components[2].cards[0].components[1].catalog_id"),
    ]
