"""JSON that two parsers could read differently is refused; the rest is read as everybody does."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portero.graphapi import strict_json
from portero.graphapi.errors import GraphError

BIG = 2**53

DUPLICATES = (
    b'{"to":"1","to":"2"}',
    b'{"to":"1","to":"1"}',
    b'{"a":1,"b":2,"a":3}',
    b'{"to":"1","t\\u006f":"2"}',
    b'{"\\u0074o":"1","\\u0074o":"2"}',
    b'{"":1,"":2}',
    b'{"a":{"b":1,"b":2}}',
    b'[{"a":1},{"a":1,"a":2}]',
    b'{"a":null,"a":1}',
    '{"ñ":1,"ñ":2}'.encode(),
    '{"ñ":1,"\\u00f1":2}'.encode(),
    b'{"a/":1,"a\\/":2}',
)
GAPS = (
    # numbers that are not JSON, or not the same number to everybody
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b'{"a":NaN}',
    b"[Infinity]",
    b"nan",
    b"1e999",
    b"-1e999",
    b"[1e400]",
    b'{"a":-1.5e999}',
    b"9007199254740993",
    b"-9007199254740993",
    b"1" * 5000,
    b"[" + b"9" * 400 + b"]",
    b"01",
    b"-01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"1_000",
    b"1e",
    b"--1",
    "\u0661".encode(),
    "\uff11".encode(),
    # surrogates and encodings
    b'"\\ud800"',
    b'"\\udc00"',
    b'"\\uD800x"',
    b'"\\udc00\\ud800"',
    b'{"\\ud83d":1}',
    b'["a","\\uDFFF"]',
    b'"\xed\xa0\x80"',
    b'"\xc0\xaf"',
    b'"\xff"',
    b'"\xe2\x82"',
    b"\xef\xbb\xbf{}",
    b'\xef\xbb\xbf"a"',
    "\ufeff{}".encode("utf-16-le"),
    '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-16-le"),
    '{"a":1}'.encode("utf-32"),
    '{"a":"é"}'.encode("latin-1"),
    # trailing, missing or foreign bytes
    b"",
    b" ",
    b"\n",
    b"{}{}",
    b"{} x",
    b"{};",
    b"{}\x00",
    b"1 2",
    b'"a" "b"',
    b"{}\x0b",
    b"\x0c{}",
    b"\xc2\xa0{}",
    b"[1,]",
    b'{"a":1,}',
    b"[,1]",
    b"[1 2]",
    b'{"a" 1}',
    b"{a:1}",
    b"{'a':1}",
    b"'a'",
    b"{",
    b"[",
    b'"',
    b'{"a":',
    b"]",
    b"}{",
    b"[}",
    b"// x\n{}",
    b"/* x */{}",
    b"#\n{}",
    b"True",
    b"None",
    b"undefined",
    b"TRUE",
    # inside strings
    b'"a\nb"',
    b'"a\tb"',
    b'"\x00"',
    b'"\x1f"',
    b'"\\x41"',
    b'"\\u12"',
    b'"\\u 123"',
    b'"\\u+123"',
    b'"\\uZZZZ"',
    b'"\\a"',
    b'"\\"',
    # depth
    b"[" * 21 + b"]" * 21,
    b"[" * 10_000 + b"]" * 10_000,
    b"[" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"a":' * 21 + b"1" + b"}" * 21,
    b'[{"a":' * 11 + b"1" + b"}]" * 11,
    b'["[","{",' * 21 + b"1" + b"]" * 21,
    b"[" * 200_000,
    b"[{" * 50_000,
    b"[" * 21 + b'"[',
    b"[" * 21 + b'"\\',
    # size
    b'"' + b"a" * strict_json.MAX_BYTES + b'"',
    b" " * strict_json.MAX_BYTES + b"1",
)
ACCEPTED: tuple[tuple[bytes, Any], ...] = (
    (b"{}", {}),
    (b" \r\n\t[1, 2]\n", [1, 2]),
    (b"null", None),
    (b"true", True),
    (b'"\\u00f1\\n\\/"', "ñ\n/"),
    ('"😀 ñ"'.encode(), "😀 ñ"),
    (b'"\\ud83d\\ude00"', "😀"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\u0000"', "\x00"),
    (b'"\xef\xbb\xbf"', "\ufeff"),
    (b"9007199254740992", BIG),
    (b"-9007199254740992", -BIG),
    (b"-0", 0),
    (b"1.5e3", 1500.0),
    (b'{"a":{"b":1},"b":{"b":1}}', {"a": {"b": 1}, "b": {"b": 1}}),
    (b'[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}]),
    (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    (b"[" * 20 + b"]" * 20, json.loads("[" * 20 + "]" * 20)),
    (b'"' + b"[{" * 5_000 + b'"', "[{" * 5_000),
    (b"[" + b"[],{}," * 100 + b"1]", [[], {}] * 100 + [1]),
    (b'["\\"[[[[[[[[[[[[[[[[[[[[[[",[]]', ['"[[[[[[[[[[[[[[[[[[[[[[', []]),
)


def _shown(value: object) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize("data", DUPLICATES, ids=_shown)
def test_g14_a_duplicate_key_is_refused(data: bytes) -> None:
    with pytest.raises(GraphError, match="same key twice") as caught:
        strict_json.loads(data)

    assert (caught.value.http, caught.value.code, caught.value.reason) == (400, 100, "malformed")


@pytest.mark.parametrize("data", GAPS, ids=_shown)
def test_g15_what_parsers_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(GraphError) as caught:
        strict_json.loads(data)

    assert (caught.value.http, caught.value.code, caught.value.reason) == (400, 100, "malformed")


@pytest.mark.parametrize("behind", [b"", b"\\", b"\n"], ids=_shown)
def test_g15_a_string_that_never_ends_is_passed_over_once(behind: bytes) -> None:
    data = b"[" * 21 + b'"' + b'\\"' * 12_000 + behind  # looked at from each quote: seconds
    begun = time.thread_time()

    with pytest.raises(GraphError, match="deeper"):
        strict_json.loads(data)

    assert time.thread_time() - begun < 0.5


@pytest.mark.parametrize(("data", "value"), ACCEPTED, ids=_shown)
def test_plain_json_is_read(data: bytes, value: object) -> None:
    assert strict_json.loads(data) == value


def test_a_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(GraphError) as caught:
        strict_json.loads(b'{"secret-key":1,"secret-key":2}')

    assert "secret" not in str(caught.value.details)


_numbers = st.integers(-BIG, BIG) | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@settings(deadline=None)  # slow machines are not wrong
@given(value=_json, escaped=st.booleans())
def test_g15_what_is_accepted_reads_the_same_in_the_standard_library(
    value: object, escaped: bool
) -> None:
    data = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")

    try:
        accepted = strict_json.loads(data)
    except GraphError:
        return  # too deep, or half a surrogate pair

    assert accepted == json.loads(data)
    assert json.loads(json.dumps(accepted).encode()) == accepted


_PIECES = rb"""{ } [ ] : , " \ \u d800 a 1 e9 - 0 . null NaN "a" "a":""".split()


@settings(max_examples=500, deadline=None)
@given(pieces=st.lists(st.sampled_from((*_PIECES, b" ", b"\n", b"\xff", b"\xc3\xb1")), max_size=40))
def test_g15_arbitrary_bytes_are_read_as_the_standard_library_does_or_refused(
    pieces: list[bytes],
) -> None:
    data = b"".join(pieces)

    try:
        accepted = strict_json.loads(data)
    except GraphError:
        return

    assert accepted == json.loads(data)
    assert json.loads(json.dumps(accepted).encode()) == accepted


@settings(deadline=None)  # slow machines are not wrong
@given(depth=st.integers(1, 60), data=st.data())
def test_g15_the_depth_limit_is_exact(depth: int, data: st.DataObject) -> None:
    shapes = data.draw(st.lists(st.booleans(), min_size=depth, max_size=depth))
    opening = "".join('{"k":' if is_object else '["]}",' for is_object in shapes)
    closing = "".join("}" if is_object else "]" for is_object in reversed(shapes))
    text = f"{opening}0{closing}".encode()

    if depth > strict_json.MAX_DEPTH:
        with pytest.raises(GraphError, match="deeper"):
            strict_json.loads(text)
    else:
        assert strict_json.loads(text) == json.loads(text)
