"""What goes to Meta is built from typed parts: nothing a caller wrote is copied."""

import json
from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from graphapi.client_requests import KINDS, NUMBER, WABA
from portero.graphapi.errors import GraphError
from portero.graphapi.operation import Host, UploadedFile
from portero.graphapi.parse import RawCall, parse
from portero.graphapi.upstream import rebuild

JSON = "application/json"


def test_a_send_leaves_as_json_to_our_version_with_a_canonical_recipient() -> None:
    body = b'{ "to": "+52 (55) 1234-5678", "type":"TEXT", "messaging_product" : "whatsapp", "text":{"body":"\\u00f1"}, "context": null }'

    upstream = rebuild(
        parse(
            RawCall("POST", f"/v13.0/{NUMBER}/messages/".encode(), b"access_token=k", JSON, body),
            KINDS,
        ),
        version="v23.0",
    )

    assert (upstream.method, upstream.host) == ("POST", Host.GRAPH)
    assert (upstream.path, upstream.query) == (f"/v23.0/{NUMBER}/messages", "")
    assert upstream.content_type == JSON
    assert json.loads(upstream.body or b"") == {
        "messaging_product": "whatsapp",
        "type": "text",
        "text": {"body": "ñ"},
        "to": "+525512345678",
    }


def test_a_read_leaves_without_a_body() -> None:
    upstream = rebuild(
        parse(RawCall("GET", f"/{WABA}/phone_numbers".encode(), b"limit=2", None, None), KINDS),
        version="v23.0",
    )

    assert (upstream.content_type, upstream.body, upstream.form) == (None, None, None)
    assert upstream.query == "limit=2"


def test_a_file_leaves_with_the_typed_fields_beside_it() -> None:
    raw = RawCall("POST", f"/{NUMBER}/media".encode(), b"", None, None)
    fields = {"messaging_product": "WhatsApp", "type": "image/png", "ttl_minutes": "0060"}

    upstream = rebuild(
        parse(raw, KINDS, fields=fields, file=UploadedFile("file", "a.png", "image/png")),
        version="v23.0",
    )

    assert upstream.body is None
    assert upstream.form == {
        "messaging_product": "whatsapp",
        "type": "image/png",
        "ttl_minutes": "60",
    }


@given(st.text(min_size=1, max_size=60))
def test_no_value_can_break_out_of_its_parameter(value: str) -> None:
    query = urlencode({"name": value, "limit": "7"}).encode("utf-8", "surrogatepass")
    raw = RawCall("GET", f"/{WABA}/message_templates".encode(), query, None, None)
    try:
        upstream = rebuild(parse(raw, KINDS), version="v23.0")
    except GraphError:
        return

    assert upstream.path == f"/v23.0/{WABA}/message_templates"
    assert parse_qsl(upstream.query, keep_blank_values=True) == [("name", value), ("limit", "7")]
    assert upstream.query.isascii()
