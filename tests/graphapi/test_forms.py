"""Forms and query strings are read in one way or not at all."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portero.graphapi import forms
from portero.graphapi.errors import GraphError


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1+2%203", {"a": "1 2 3"}),
        (b"a=%C3%B1", {"a": "ñ"}),
        (b"%61=1", {"a": "1"}),
        (b"a=%26%3D%2B", {"a": "&=+"}),
        (b'text={"body":"hola"}', {"text": '{"body":"hola"}'}),
        (b"text=%7B%22body%22%3A%22a%0Ab%22%7D", {"text": '{"body":"a\nb"}'}),
        (b"fields=id,name.limit(5){a}", {"fields": "id,name.limit(5){a}"}),
        (b"subscribed_fields[0]=messages", {"subscribed_fields[0]": "messages"}),
        (b"A=1&a=2", {"A": "1", "a": "2"}),
    ],
)
def test_a_form_is_read(data: bytes, fields: dict[str, str]) -> None:
    assert forms.parse(data) == fields


@pytest.mark.parametrize("data", [b"to=1&to=2", b"to=1&to=1", b"to=1&%74o=2", b"a=1&b=2&a=3"])
def test_g34_a_name_given_twice_is_refused(data: bytes) -> None:
    with pytest.raises(GraphError, match="given twice") as caught:
        forms.parse(data)

    assert (caught.value.http, caught.value.code, caught.value.reason) == (400, 100, "malformed")


@pytest.mark.parametrize(
    "data",
    [
        b"a",
        b"=1",
        b"&",
        b"a=1&",
        b"&a=1",
        b"a=1&&b=2",
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%u0041",
        b"a=%FF",
        b"a=%C3",
        b"a=%ED%A0%80",
        b"a=%C0%AF",
        b"a=\xc3\xb1",
        b"a=1\r\nb: 2",
        b"a=\x00",
        b"a=1 2",
        b"a#=1",
        b"a=1#b",
        b"a\\=1",
        b"%00=1",
        b"a%0a=1",
        b"%C3%B1=1",
        b"a%20=1",
        b"a%3Db=1",
    ],
)
def test_g15_a_form_that_parsers_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(GraphError) as caught:
        forms.parse(data)

    assert caught.value.reason == "malformed"


def test_a_semicolon_does_not_separate() -> None:
    assert forms.parse(b"a=1;b=2") == {"a": "1;b=2"}


def test_too_many_fields_are_refused() -> None:
    data = urlencode({f"a{i}": "" for i in range(forms.MAX_FIELDS)}).encode()

    assert len(forms.parse(data)) == forms.MAX_FIELDS
    with pytest.raises(GraphError, match="more than 200"):
        forms.parse(data + b"&b=")


def test_a_form_too_large_is_refused() -> None:
    with pytest.raises(GraphError, match="larger"):
        forms.parse(b"a=" + b"x" * forms.MAX_BYTES)


@settings(deadline=None)  # slow machines are not wrong
@given(
    fields=st.dictionaries(
        st.text("abcXYZ019_.-[]", min_size=1, max_size=10), st.text(max_size=30), max_size=10
    )
)
def test_what_the_standard_library_writes_is_read_back(fields: dict[str, str]) -> None:
    assert forms.parse(urlencode(fields).encode()) == fields


@pytest.mark.parametrize("body", [b'{"to":"1"}', b" \n[1]"])
def test_json_sent_as_a_form_is_called_what_it_is(body: bytes) -> None:
    with pytest.raises(GraphError) as refused:
        forms.parse(body)

    assert "Content-Type: application/json" in refused.value.details
