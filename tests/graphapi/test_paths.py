"""A path has one spelling; every other one is refused before anything is looked up."""

from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphapi.client_requests import KINDS, MEDIA, NUMBER, TEMPLATE, WABA
from portero.graphapi.errors import GraphError
from portero.graphapi.parse import RawCall, ids_in_path, parse
from portero.graphapi.paths import read_path
from portero.graphapi.upstream import rebuild

PLAIN = (
    f"/{NUMBER}",
    f"/{WABA}/message_templates",
    f"/{NUMBER}/message_qrdls/4O4YGZEG3RIVE1",
    f"/v23.0/{MEDIA}",
    f"/v23.0/{WABA}/phone_numbers",
)
# What attackers put inside, before, after or instead of a segment (G01, G02).
ODD = (
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "\\",
    "%00",
    "\x00",
    "%0d%0a",
    "\r\n",
    "\t",
    " ",
    "%20",
    "+",
    ";x",
    ";",
    "%3B",
    "?",
    "%3F",
    "#",
    "%23",
    "&",
    "*",
    "~",
    "@",
    "$",
    "'",
    '"',
    "<",
    "|",
    "^",
    "{number}",
    "\u0663",
    "\uff11",
    "ñ",
    "\u202e",
    "%D9%A3",
    "%u002e",
    "%c0%ae",
)


def corpus() -> list[str]:
    """Every oddity at every boundary of every plain path, and alone between slashes."""
    paths = [path + odd for path, odd in product(PLAIN, ODD)]
    paths += [f"{path}/{odd}/x" for path, odd in product(PLAIN, ODD)]
    paths += [path.replace("/", f"/{odd}", 1) for path, odd in product(PLAIN, ODD)]
    paths += [f"{path}." for path in PLAIN]
    paths += [path.replace("/", "//", 1) for path in PLAIN]
    paths += [f"{path}//" for path in PLAIN]
    paths += ["", "//", "x", NUMBER, "http://graph.facebook.com/me", "/" + "a" * 3000]
    return sorted(set(paths))


@pytest.mark.parametrize("path", corpus())
def test_g01_g02_an_odd_path_never_becomes_a_call(path: str) -> None:
    raw = RawCall("GET", path.encode("utf-8", "surrogateescape"), b"", None, None)

    with pytest.raises(GraphError) as refused:
        parse(raw, KINDS)

    assert refused.value.http == 400


def test_the_corpus_of_paths_is_as_large_as_promised() -> None:
    assert len(corpus()) >= 200


@given(st.binary(max_size=80))
def test_g01_any_bytes_are_a_path_or_a_refusal(data: bytes) -> None:
    raw = RawCall("GET", b"/" + data, b"", None, None)

    with suppress(GraphError):
        assert all(value.isascii() and value.encode() in data for value in ids_in_path(raw))


SPELLINGS = (
    f"/{WABA}/phone_numbers",
    f"/{WABA}/phone_numbers/",
    f"/v13.0/{WABA}/phone_numbers",
    f"/v23.0/{WABA}/phone_numbers/",
    f"/v26.0/{WABA}/phone_numbers",
    f"/v99.0/{WABA}/phone_numbers",
)


@pytest.mark.parametrize("path", SPELLINGS)
def test_g30_every_version_and_none_is_the_same_call_and_leaves_with_ours(path: str) -> None:
    call = parse(RawCall("GET", path.encode(), b"", None, None), KINDS)

    assert call.operation.name == "list_numbers"
    assert [(ref.value, ref.place) for ref in call.ids] == [(WABA, "path")]
    assert rebuild(call, version="v23.0").path == f"/v23.0/{WABA}/phone_numbers"


@pytest.mark.parametrize(
    "path",
    [
        f"/v23.0/v24.0/{WABA}",
        f"/{WABA}/v23.0",
        f"/{WABA}/v23.0/phone_numbers",
        f"/v23/{WABA}",
        f"/V23.0/{WABA}",
        f"/v23.0.1/{WABA}",
        f"/v1234.0/{WABA}",
        f"/vx.0/{WABA}",
        f"/23.0/{WABA}",
    ],
)
def test_g30_a_version_anywhere_else_or_spelled_otherwise_is_refused(path: str) -> None:
    with pytest.raises(GraphError):
        parse(RawCall("GET", path.encode(), b"", None, None), KINDS)


def test_g30_the_operations_of_the_second_host_leave_without_a_version() -> None:
    body = f'{{"hsm_ids":"{TEMPLATE},3002"}}'.encode()
    for prefix in ("", "/v26.0"):
        path = f"{prefix}/{WABA}/message_templates/archive".encode()

        upstream = rebuild(
            parse(RawCall("POST", path, b"", "application/json", body), KINDS), version="v23.0"
        )

        assert (upstream.host, upstream.path) == (
            "api.facebook.com",
            f"/{WABA}/message_templates/archive",
        )
        assert upstream.body == body


def test_the_version_is_kept_for_links_back_to_the_caller() -> None:
    assert read_path(b"/v13.0/1001/").version == "v13.0"
    assert read_path(b"/1001").version is None


def test_the_ids_to_look_up_are_those_of_the_path_alone() -> None:
    raw = RawCall(
        "DELETE", f"/v23.0/{MEDIA}".encode(), f"phone_number_id={NUMBER}".encode(), None, None
    )

    assert ids_in_path(raw) == (MEDIA,)


def test_a_code_beneath_its_number_needs_no_entry_in_the_registry() -> None:
    raw = RawCall("GET", f"/{NUMBER}/message_qrdls/4O4YGZEG3RIVE1".encode(), b"", None, None)

    assert ids_in_path(raw) == (NUMBER,)
    assert [ref.kind for ref in parse(raw, KINDS).ids] == ["number", "qr_code"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "", "GET "])
def test_a_method_that_no_operation_has_is_never_offered(method: str) -> None:
    with pytest.raises(GraphError) as refused:
        parse(RawCall(method, f"/{NUMBER}".encode(), b"", None, None), KINDS)

    assert refused.value.reason == "never_offered"
