"""A live secret is seen in every usual encoding, and nothing else is taken for one."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portero.graphapi.leaks import find_secret, needles_of

SECRET = b"EAAGm0PX4ZCpsBO0+aBc/DeFg=HiJk"


def percent_all(data: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in data)


def json_escaped(data: bytes) -> bytes:
    return b"".join(b"\\u%04X" % byte for byte in data)


ENCODINGS = {
    "raw": SECRET,
    "percent": quote(SECRET, safe="").encode(),
    "percent of every byte": percent_all(SECRET),
    "percent twice": quote(quote(SECRET, safe=""), safe="").encode(),
    "json": json.dumps({"t": SECRET.decode()}).encode(),
    "json slash": json.dumps(SECRET.decode()).replace("/", "\\/").encode(),
    "json escaped": json_escaped(SECRET),
    "json in json": json.dumps(json.dumps({"t": SECRET.decode()})).encode(),
    "percent in json": json.dumps({"u": "https://x/?t=" + quote(SECRET, safe="")}).encode(),
    "hex": SECRET.hex().encode(),
    "hex upper": SECRET.hex().upper().encode(),
    "base64": base64.b64encode(SECRET),
    "base64 url": base64.urlsafe_b64encode(SECRET),
    "basic": base64.b64encode(b"x:" + SECRET),
    "base64 in percent": quote(base64.b64encode(SECRET), safe="").encode(),
    "base64 with escaped slash": base64.b64encode(SECRET * 3).replace(b"/", b"\\/"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_is_seen_in_every_usual_encoding(encoding: str) -> None:
    payload = b'{"a":"' + ENCODINGS[encoding] + b'"}'

    assert find_secret(payload, needles_of([b"another-secret-entirely", SECRET]))


@given(st.binary(max_size=20), st.binary(max_size=20), st.booleans())
def test_base64_is_seen_wherever_the_secret_begins(before: bytes, after: bytes, url: bool) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode

    assert find_secret(b"[" + encode(before + SECRET + after) + b"]", needles_of([SECRET]))


@given(st.binary(max_size=200))
def test_what_holds_no_secret_passes(payload: bytes) -> None:
    assert not find_secret(payload, needles_of([SECRET]))


def test_part_of_a_secret_is_not_the_secret() -> None:
    assert not find_secret(SECRET[:-1], needles_of([SECRET]))
    assert not find_secret(base64.b64encode(SECRET[:-3]), needles_of([SECRET]))


def test_no_secrets_and_tiny_secrets_are_never_found() -> None:
    assert not find_secret(b"whatever", needles_of([]))
    assert not find_secret(b"whatever", needles_of([b"", b"what"]))
