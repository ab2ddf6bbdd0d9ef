"""The notation of shapes, read and refused."""

import time

import pytest

from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import IdRef, Kind
from portero.graphapi.notation import Notation
from portero.graphapi.shapes import DROPPED, Found

NOTATION = Notation({"tree": {"name!": "text", "children": ["$tree", 3]}})


@pytest.mark.parametrize(
    ("written", "value", "typed"),
    [
        ("text", "a", "a"),
        ("text", 12, "12"),
        ("text<=3", "abc", "abc"),
        ("token", "en_US", "en_US"),
        ("digits", "0012", "0012"),
        ("url", "https://x.mx/a?b=c", "https://x.mx/a?b=c"),
        ("callback", "", ""),
        ("callback", "https://x.mx", "https://x.mx"),
        ("pin", "001234", "001234"),
        ("code", "123-456", "123-456"),
        ("integer", -5, -5),
        ("integer", "5", 5),
        ("integer 1..3", 3, 3),
        ("number", "1.5", 1.5),
        ("number", 2, 2),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("moment", 1700000000, "1700000000"),
        ("moment", "2026-01-31T10:00:00+0000", "2026-01-31T10:00:00+0000"),
        ("any", {"a": [1, None]}, {"a": [1, None]}),
        ("phone", "+52 55 1234 5678", "+525512345678"),
        ("phone", 525512345678, "+525512345678"),
        ("user", "MX.1234567", "MX.1234567"),
        ("one of PNG|SVG", "png", "PNG"),
        (["integer"], [1, "2"], (1, 2)),
        (["token"], "a,b", ("a", "b")),
        (["token"], "[]", ()),
        ({"a!": "text", "b": "integer"}, {"a": "x", "b": None}, {"a": "x"}),
        ({"a?": "text", "b?": "text"}, {"b": "x"}, {"b": "x"}),
        (
            "$tree",
            {"name": "a", "children": [{"name": "b"}]},
            {"name": "a", "children": ({"name": "b"},)},
        ),
    ],
)
def test_a_value_that_fits_is_typed(written: object, value: object, typed: object) -> None:
    assert NOTATION.read(written).read(value, "p", Found()) == typed


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text", None),
        ("text", True),
        ("text", 1.5),
        ("text", "a\x00b"),
        ("text", ["a"]),
        ("text<=3", "abcd"),
        ("token", "a b"),
        ("token", ""),
        ("token", "ñ"),
        ("digits", "\u0661"),
        ("url", "javascript:alert(1)"),
        ("url", "https://x.mx/a b"),
        ("url", "https://x.mx/\n"),
        ("callback", "http://x.mx"),
        ("callback", "https://" + "x" * 250),
        ("pin", "12345"),
        ("pin", "\u0661\u0662\u0663\u0664\u0665\u0666"),
        ("integer", True),
        ("integer", 1.0),
        ("integer", "1.0"),
        ("integer", "\u0661"),
        ("integer", "1_000"),
        ("integer", " 1"),
        ("integer 1..3", 4),
        ("number", "1e5"),
        ("number", "nan"),
        ("number", False),
        ("boolean", "maybe"),
        ("boolean", 1),
        ("moment", "yesterday"),
        ("phone", "ana"),
        ("phone", "MX.1234567"),
        ("phone", True),
        ("phone", 525512345678.0),
        ("phone", None),
        ("user", "ana"),
        ("user", "525512345678"),
        ("user", 525512345678),
        ("user", None),
        ("id:media", "1a"),
        ("id:group", "123"),
        ("one of PNG|SVG", "gif"),
        ("one of PNG|SVG", ["png"]),
        (["integer", 2], [1, 2, 3]),
        (["integer"], {"a": 1}),
        (["integer"], 1),
        ({"a!": "text"}, {}),
        ({"a!": "text"}, {"a": None}),
        ({"a": "text"}, {"b": "x"}),
        ({"a": "text"}, "x"),
        ({"a?": "text", "b?": "text"}, {}),
        ({"a?": "text", "b?": "text"}, {"a": "x", "b": "y"}),
        ("$tree", {"name": "a", "children": [{"name": "b", "x": 1}]}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(written: object, value: object) -> None:
    with pytest.raises(GraphError) as refused:
        NOTATION.read(written).read(value, "p", Found())

    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("item", ["a", "'a'", ""])
def test_the_space_in_a_list_of_words_is_read_once(item: str) -> None:
    text = f"{item}{' ' * 12_000}]"  # read again from each space: seconds
    begun = time.thread_time()

    with pytest.raises(GraphError):
        NOTATION.read(["token"]).read(text, "p", Found())

    assert time.thread_time() - begun < 0.5


def test_ids_are_found_with_their_place() -> None:
    found = Found()

    NOTATION.read({"a": [{"b": "id:media"}]}).read({"a": [{"b": "1"}, {"b": 2}]}, "body", found)

    assert found.ids == [
        IdRef(Kind.MEDIA, "1", "body.a[0].b"),
        IdRef(Kind.MEDIA, "2", "body.a[1].b"),
    ]


@pytest.mark.parametrize(
    ("written", "value", "kept"),
    [
        ("text", 5, 5),
        ("integer", "5", "5"),
        ("one of A|B", "C", "C"),
        ("text", None, None),
        ("text", ["a"], DROPPED),
        (["text"], ["a", {"x": 1}], ["a"]),
        (["text"], "a", DROPPED),
        ({"a": "text"}, {"a": 1, "b": 2}, {"a": 1}),
        ({"a": {"b": "text"}}, {"a": "x"}, {}),
        ("any", {"a": {"token": "x", "b": 1}}, {"a": {"b": 1}}),
        (
            "$tree",
            {"name": "a", "x": 1, "children": [{"name": "b", "y": 2}]},
            {"name": "a", "children": [{"name": "b"}]},
        ),
    ],
)
def test_an_answer_keeps_what_is_known(written: object, value: object, kept: object) -> None:
    assert NOTATION.read(written).keep(value) == kept


def test_a_free_form_value_of_an_answer_is_kept_to_a_bounded_depth() -> None:
    value: object = "leaf"
    for _ in range(50):
        value = [value]

    kept = NOTATION.read("any").keep(value)

    depth = 0
    while isinstance(kept, list):
        (kept,) = kept
        depth += 1
    assert (kept, depth) == (None, 20)


@pytest.mark.parametrize("written", ["txt", "text<3", "one", "id:unicorn", 5, None])
def test_what_is_not_the_notation_is_a_mistake_of_ours(written: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - also raised by the enumeration of kinds
        NOTATION.read(written)
