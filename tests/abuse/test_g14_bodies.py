"""G14, G15, G17, G34: a body means one thing, and Meta is sent what was decided on, written by us."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from itertools import permutations
from typing import Any
from urllib.parse import quote

import pytest

from abuse.door import FORM, JSON, Answer, Door
from abuse.watch import Watch
from gateway.house import LUCIA, PEDRO, VENTAS, WABA, House, Key, template, text
from portero.graphapi import strict_json

MESSAGES = f"/v23.0/{VENTAS}/messages"
STRANGER = "34699999999"
GOOD = '"messaging_product":"whatsapp","to":"525512345678","type":"text","text":{"body":"hola"}'


def post(door: Door, key: Key, body: bytes | str, kind: str = JSON, query: str = "") -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    target = f"{MESSAGES}?{query}" if query else MESSAGES
    return door.call("POST", target, key=key, headers=[("Content-Type", kind)], body=raw)


def reached(watch: Watch) -> list[dict[str, Any]]:
    """What Meta's own parser makes of what it was sent."""
    return [json.loads(one["body"]) for one in watch.ledger() if one["method"] == "POST"]


def recorded(watch: Watch) -> list[tuple[str, ...]]:
    """Whom the admitted calls say they reach."""
    allowed = (r for r in watch.records() if (r["kind"], r["effect"]) == ("intent", "allow"))
    return [tuple(r["body"].get("to", ())) for r in allowed]


def assert_one_meaning(watch: Watch) -> None:
    """Decided = sent: the recipients on record are those that Meta's parser finds."""
    sent = [(body["to"].removeprefix("+"),) for body in reached(watch)]
    assert sent == recorded(watch)


_DUPLICATES = (
    '{%s,"to":"34699999999"}',
    '{"to":"34699999999",%s}',
    '{%s,"t\\u006f":"34699999999"}',
    '{%s,"\\u0074\\u006F":"34699999999"}',
    '{%s,"to":"525512345678"}',
    '{%s,"text":{"body":"otra"}}',
    '{"messaging_product":"whatsapp","to":"525512345678","type":"text","text":{"body":"a","body":"b"}}',
    '{%s,"type":"template"}',
    '{%s,"context":{"message_id":"wamid.AAAA","message_id":"wamid.BBBB"}}',
    '{%s,"to":null}',
    '{"to":null,%s}',
)


@pytest.mark.parametrize("written", _DUPLICATES)
@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_g14_a_key_written_twice_is_refused(
    door: Door, watch: Watch, everything: Key, written: str, kind: str
) -> None:
    answer = post(door, everything, written.replace("%s", GOOD), kind)

    assert (answer.status, answer.reason) == (400, "malformed")
    assert reached(watch) == []


def _odd_json() -> dict[str, bytes]:
    good = GOOD.encode()
    text_of = (
        b'{"messaging_product":"whatsapp","to":"525512345678","type":"text","text":{"body":%s}}'
    )
    location = (
        b'{"messaging_product":"whatsapp","to":"525512345678","type":"location",'
        b'"location":{"latitude":%s,"longitude":1}}'
    )
    whole = b"{" + good + b"}"
    return {
        "NaN": location % b"NaN",
        "Infinity": location % b"Infinity",
        "-Infinity": location % b"-Infinity",
        "1e999": location % b"1e999",
        "-1e999": location % b"-1e999",
        "a big integer": location % (b"9" * 400),
        "2^53+1": location % b"9007199254740993",
        "a leading zero": location % b"01",
        "a plus sign": location % b"+1",
        "a bare point": location % b"1.",
        "hexadecimal": location % b"0x10",
        "a lone surrogate": text_of % b'"\\ud800"',
        "a lone low surrogate": text_of % b'"\\udc00 x"',
        "a broken pair": text_of % b'"\\ud83d\\u0041"',
        "encoded surrogates": text_of % b'"\xed\xa0\x80"',
        "overlong UTF-8": text_of % b'"\xc0\xaf"',
        "latin-1": text_of % b'"\xe9"',
        "NUL": text_of % b'"\\u0000"',
        "a raw newline": text_of % b'"a\nb"',
        "a raw NUL": text_of % b'"a\x00b"',
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "UTF-16BE": whole.decode().encode("utf-16-be"),
        "UTF-32": whole.decode().encode("utf-32"),
        "UTF-7": b"+AHs-" + good + b"+AH0-",
        "bytes behind": whole + b"x",
        "a second value": whole + b'{"to":"34699999999"}',
        "a second line": whole + b"\n" + whole,
        "NUL behind": whole + b"\x00",
        "a comment": b"{/*x*/" + good + b"}",
        "a trailing comma": b"{" + good + b",}",
        "single quotes": whole.replace(b'"', b"'"),
        "bare names": whole.replace(b'"to"', b"to"),
        "depth 10 000 of lists": b'{"text":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "depth 10 000 of objects": b'{"text":' * 10_000 + b"1" + b"}" * 10_000,
        "depth 10 000 unfinished": b"[" * 10_000,
        "depth 21 and a string without end": b"[" * 21 + b'"' + b'\\"' * 100_000,
        "depth 30": b"{" + good + b',"context":' + b'{"a":' * 30 + b"1" + b"}" * 31,
        "a list": b"[" + whole + b"]",
        "a string of JSON": json.dumps(whole.decode()).encode(),
        "a number": b"1",
        "null": b"null",
        "empty": b" ",
        "a prefix against hijacking": b"for(;;);" + whole,
        "an escaped quote too few": whole[:-1],
        "300 KiB": b"{" + good + b',"context":"' + b"x" * 300_000 + b'"}',
        "many keys": b"{" + good + b"".join(b',"k%d":1' % n for n in range(2000)) + b"}",
    }  # fmt: skip


@pytest.mark.parametrize("oddity", _odd_json())
def test_g15_json_that_parsers_read_differently_is_refused(
    door: Door, watch: Watch, everything: Key, oddity: str
) -> None:
    answer = post(door, everything, _odd_json()[oddity])

    assert (answer.status, answer.reason) == (400, "malformed"), answer.body
    assert reached(watch) == []


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "text/json", "application/xml", "application/x-json", "application/json5",
        "application/vnd.api+json", "application/ld+json", "", "application/json, text/plain",
        "application/octet-stream", "multipart/mixed; boundary=x", "application/graphql", "json",
    ],
)  # fmt: skip
def test_g15_a_body_of_another_type_is_not_guessed_at(
    door: Door, watch: Watch, everything: Key, kind: str
) -> None:
    answer = post(door, everything, "{" + GOOD + "}", kind)

    assert (answer.status, answer.reason) == (400, "malformed")
    assert reached(watch) == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity", "gzip, gzip", "x"])
def test_g15_a_compressed_body_is_refused(
    door: Door, watch: Watch, everything: Key, encoding: str
) -> None:
    headers = [("Content-Type", JSON), ("Content-Encoding", encoding)]

    answer = door.call(
        "POST", MESSAGES, key=everything, headers=headers, body=b"{" + GOOD.encode() + b"}"
    )

    assert (answer.status, answer.reason) == (400, "malformed")
    assert reached(watch) == []


def _odd_forms() -> dict[str, str]:
    good = "messaging_product=whatsapp&to=525512345678&type=text&text=" + quote('{"body":"hola"}')
    return {
        "to twice": f"{good}&to=34699999999",
        "to twice, alike": f"{good}&to=525512345678",
        "to twice, escaped": f"{good}&%74o=34699999999",
        "a list in the name": f"{good}&to[]=34699999999",
        "an index in the name": f"{good}&to[0]=34699999999",
        "a semicolon": f"{good};to=34699999999",
        "no equals sign": f"{good}&to",
        "a broken escape": f"{good}&x=%zz",
        "half an escape": f"{good}&x=%4",
        "not UTF-8": f"{good}&recipient_type=%ff",
        "JSON with a key twice": good.replace("hola%22%7D", "hola%22%2C%22body%22%3A%22b%22%7D"),
        "JSON with NaN": good.replace("%22hola%22", "NaN"),
        "JSON and more": f"{good}%7B%7D",
        "JSON for a text": good.replace("to=525512345678", "to=%5B%22525512345678%22%5D"),
        "text for JSON": good.split("&text=")[0] + "&text=hola",
        "a list for an object": good.split("&text=")[0] + "&text=%5B%22hola%22%5D",
        "an empty pair": f"{good}&&",
        "a NUL": f"{good}&recipient_type=individual%00",
        "JSON as a form": "{" + GOOD + "}",
        "too many": good + "".join(f"&k{n}=1" for n in range(300)),
    }


@pytest.mark.parametrize("oddity", _odd_forms())
def test_g15_forms_that_parsers_read_differently_are_refused(
    door: Door, watch: Watch, everything: Key, oddity: str
) -> None:
    answer = post(door, everything, _odd_forms()[oddity], FORM)

    assert (answer.status, answer.reason) == (400, "malformed"), answer.body
    assert reached(watch) == []


_AWKWARD = (
    "hola", "ñandú 👍 \u202e", '"\\/\b\f\n\r\t', "\u2028\u2029", "</script>", "a\u0301", "\ufeffx",
    "\U0010ffff", "0" * 4096, "&to=34699999999", '","to":"34699999999', "%22%2C", "\\u0022", "\ufffe",
)  # fmt: skip


def test_g15_what_may_be_written_in_many_ways_is_sent_in_ours(
    door: Door, watch: Watch, everything: Key
) -> None:
    for word in _AWKWARD:
        body = text(body=word)
        spellings = (
            json.dumps(body),
            json.dumps(body, ensure_ascii=False),
            json.dumps(body, indent="\t", separators=(" ,", " :")),
            json.dumps(body, sort_keys=True).replace("/", "\\/"),
            "".join(f"\\u{ord(c):04x}" if c == "o" else c for c in json.dumps(body)),
        )
        for spelling in spellings:
            assert post(door, everything, spelling).status == 200, spelling

    bodies = reached(watch)
    assert [b["text"]["body"] for b in bodies] == [w for w in _AWKWARD for _ in range(5)]
    for arrived in watch.ledger():
        own = json.loads(arrived["body"])
        own.pop("biz_opaque_callback_data")
        assert json.dumps(own, ensure_ascii=False, separators=(",", ":")) in arrived[
            "body"
        ].replace(
            f',"biz_opaque_callback_data":"{json.loads(arrived["body"])["biz_opaque_callback_data"]}"',
            "",
        )
    assert_one_meaning(watch)


def test_g14_g15_random_damage_never_makes_two_meanings(
    door: Door, watch: Watch, everything: Key, dice: random.Random
) -> None:
    """A differential fuzz: whatever is let through, Meta's parser and our record agree on it."""
    pieces = [b'"to":"34699999999",', b'"to":null,', b"\\u0074", b",", b"}", b"{", b'"', b"\x00", b"[",
              b"\xef\xbb\xbf", b"1e9", b"\\", b"\n", b" ", b'"type":"text",', b"\xff"]  # fmt: skip
    for _ in range(400):
        body = bytearray(b"{" + GOOD.encode() + b"}")
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(body))
            body[at : at + dice.randint(0, 3)] = dice.choice(pieces)
        post(door, everything, bytes(body))

    assert_one_meaning(watch)
    assert all(body["to"] != f"+{STRANGER}" or body["type"] == "text" for body in reached(watch))


def _both(*names: str) -> Iterator[dict[str, Any]]:
    for to, recipient in permutations((LUCIA, PEDRO), 2):
        yield {**text(to), **dict.fromkeys(names, recipient)}


_TWO_RECIPIENTS: tuple[dict[str, Any], ...] = (
    *_both("recipient"),
    {**text(LUCIA), "recipient": LUCIA},
    {**text(LUCIA), "recipient": "US.13491208655302741918"},
    {**text(), "to": [LUCIA]},
    {**text(), "to": [LUCIA, PEDRO]},
    {**text(), "to": {"0": LUCIA}},
    {**text(), "to": f"{LUCIA},{PEDRO}"},
    {**text(), "to": f"{LUCIA} {PEDRO}"},
    {**text(), "to": int(LUCIA), "recipient": PEDRO},
    {**text(), "recipients": [PEDRO]},
    {**text(), "To": PEDRO},
    {**text(), "wa_id": PEDRO},
    {**text(), "phone": PEDRO},
    {**text(), "to ": PEDRO},
    {**text(), "cc": PEDRO},
    {**text(), "to": True},
    {**text(), "to": ""},
    {**text(), "to": {}},
    {**text(), "recipient_type": "group"},
    {**text(), "recipient_type": "Group", "to": "Y2FwaV9ncm91cDox"},
    {**text(), "recipient_type": ["individual"]},
    {**text(), "recipient_type": "broadcast"},
    {**text(), "group_id": "Y2FwaV9ncm91cDox"},
    {**text(), "status": "read", "message_id": "wamid.AAAA"},
    {**text(), "status": "read"},
    {**text(), "typing_indicator": {"type": "text"}},
    {**text(), "message_id": "wamid.AAAA"},
    {**text(), "template": template()["template"]},
    {**template(), "text": {"body": "y además"}},
    {**template(), "type": "text", "text": {"body": "x"}},
    {**template(), "type": None},
    {**text(), "type": ["text"]},
    {**text(), "type": "TEMPLATE", "template": template()["template"]},
    {**text(), "image": {"link": "https://evil.test/x.png"}},
    {**text(), "type": "unsupported"},
    {**text(), "type": "system"},
    {**text(), "messaging_product": "instagram"},
    {**text(), "messaging_product": ["whatsapp"]},
    {**text(), "from": PEDRO},
    {**text(), "phone_number_id": "100000000000102"},
    {**text(), "text": [{"body": "hola"}]},
    {**text(), "text": {"body": {"body": "hola"}}},
    {**text(), "text": {"body": "hola", "to": PEDRO}},
    {**text(), "metadata": {"a": 1}},
    {**text(), "ttl": 1},
    {**text(), "errors": []},
    {**text(), "__proto__": {"to": PEDRO}},
    {**text(), "constructor": {}},
)


@pytest.mark.parametrize("number", range(len(_TWO_RECIPIENTS)))
def test_g17_a_body_reaches_one_person_by_one_member(
    door: Door, watch: Watch, everything: Key, number: int
) -> None:
    answer = door.send(everything, _TWO_RECIPIENTS[number], VENTAS)

    assert answer.status == 400
    assert answer.reason in {"malformed", "id_unknown"}, answer.body
    assert reached(watch) == []


@pytest.mark.parametrize("name", ["to\0", "\0", "x\0y"])
def test_g15_a_member_whose_name_no_database_can_hold_is_refused_on_record(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    answer = door.send(everything, {**text(), name: "x"}, VENTAS)

    assert (answer.status, answer.reason) == (400, "malformed")
    [record] = watch.records()
    assert (record["effect"], record["reason"]) == ("deny", "malformed")


def _bodies() -> dict[str, dict[str, Any]]:
    def of(kind: str, content: Any) -> dict[str, Any]:
        return {"messaging_product": "whatsapp", "to": LUCIA, "type": kind, kind: content}

    buttons = [{"type": "reply", "reply": {"id": "1", "title": "Sí"}}]
    return {
        "text": of("text", {"body": "hola", "preview_url": False}),
        "image": of("image", {"link": "https://a.test/x.png", "caption": "foto"}),
        "document": of("document", {"link": "https://a.test/x.pdf", "filename": "x.pdf"}),
        "location": of("location", {"latitude": 1.5, "longitude": 2, "name": "aquí"}),
        "contacts": of(
            "contacts",
            [
                {
                    "name": {"formatted_name": "Ana", "first_name": "Ana"},
                    "phones": [{"phone": "+34"}],
                }
            ],
        ),
        "buttons": of(
            "interactive",
            {"type": "button", "body": {"text": "¿Sí?"}, "action": {"buttons": buttons}},
        ),
        "template": template(),
    }


def _mutations(body: Any, dice: random.Random) -> Iterator[Any]:
    """The body with one thing wrong, at every depth."""
    for path in _paths(body):
        for change in (_with_stranger, _of_another_type, _in_a_list, _nested):
            mutated = copy.deepcopy(body)
            parent: Any = mutated
            for step in path[:-1]:
                parent = parent[step]
            change(parent, path[-1], dice)
            yield mutated


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in items:
        yield (*path, name)
        if isinstance(part, dict | list):
            yield from _paths(part, (*path, name))


def _with_stranger(parent: Any, name: Any, dice: random.Random) -> None:
    if isinstance(parent, dict):
        parent[dice.choice(["to", "recipient", "x", "access_token", "id"])] = STRANGER


def _of_another_type(parent: Any, name: Any, dice: random.Random) -> None:
    parent[name] = dice.choice([None, True, 7, 1.5, "", [], {}, "x" * 70_000])


def _in_a_list(parent: Any, name: Any, dice: random.Random) -> None:
    parent[name] = [parent[name]]


def _nested(parent: Any, name: Any, dice: random.Random) -> None:
    parent[name] = {str(name): parent[name]}


@pytest.mark.parametrize("kind", _bodies())
def test_g17_a_mutated_body_is_refused_or_means_what_is_on_record(
    door: Door, watch: Watch, everything: Key, dice: random.Random, kind: str
) -> None:
    whole = _bodies()[kind]
    assert door.send(everything, whole, VENTAS).status == 200
    for mutated in _mutations(whole, dice):
        door.send(everything, mutated, VENTAS)

    assert_one_meaning(watch)
    known = {name for name, _ in _members(whole)} | {"biz_opaque_callback_data", "recipient"}
    for body in reached(watch):
        assert {name for name, _ in _members(body)} <= known | {"id"}
        assert STRANGER not in json.dumps(body) or body["to"] == f"+{STRANGER}"


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name, part
            yield from _members(part)
    elif isinstance(value, list):
        for part in value:
            yield from _members(part)


def _places() -> dict[str, tuple[str, str, str]]:
    """(query, content type, body): the same parameter in two places, said differently."""
    form = "messaging_product=whatsapp&type=text&text=" + quote('{"body":"hola"}')
    members = '"messaging_product":"whatsapp","type":"text","text":{"body":"hola"}'
    return {
        "query and JSON": (f"to={PEDRO}", JSON, '{%s,"to":"%s"}' % (members, LUCIA)),
        "query and form": (f"to={PEDRO}", FORM, f"{form}&to={LUCIA}"),
        "query and JSON, escaped": (f"%74%6f={PEDRO}", JSON, '{%s,"to":"%s"}' % (members, LUCIA)),
        "type in query": (f"to={LUCIA}&type=template", JSON, "{%s}" % members),
        "text in query": (
            "text=" + quote('{"body":"otra"}'), JSON, '{%s,"to":"%s"}' % (members, LUCIA)),
        "recipient in query": (f"recipient={PEDRO}", JSON, '{%s,"to":"%s"}' % (members, LUCIA)),
        "status in query": ("status=read&message_id=wamid.AAAA", JSON,
                            '{%s,"to":"%s"}' % (members, LUCIA)),
        "number against text": ("to=1", JSON, '{%s,"to":1}' % members),
        "twin in query": (f"to=521{LUCIA[2:]}", JSON, '{%s,"to":"%s"}' % (members, LUCIA)),
    }  # fmt: skip


@pytest.mark.parametrize("place", _places())
def test_g34_one_parameter_in_two_places_is_one_value_or_refused(
    door: Door, watch: Watch, everything: Key, place: str
) -> None:
    query, kind, body = _places()[place]

    answer = post(door, everything, body, kind, query)

    assert (answer.status, answer.reason) == (400, "malformed"), answer.body
    assert reached(watch) == []


def test_g34_the_same_value_in_two_places_is_sent_once(
    door: Door, watch: Watch, everything: Key
) -> None:
    query, form = (
        f"to={LUCIA}",
        f"to={LUCIA}&messaging_product=whatsapp&text=%7B%22body%22:%22a%22%7D",
    )

    assert post(door, everything, json.dumps(text()), JSON, query).status == 200
    assert post(door, everything, form, FORM, query).status == 200

    assert [one["query"].count("to=") for one in watch.ledger()] == [0, 0]
    assert_one_meaning(watch)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("name=order_update", {"name": "summer_sale"}),
        ("name=order_update&hsm_id=100000000000203", {}),
        ("hsm_ids=[100000000000201]", {"hsm_ids": ["100000000000203"]}),
        ("hsm_id=100000000000201&name=x", {"hsm_id": "100000000000203"}),
    ],
)
def test_g34_deleting_one_template_is_not_deleting_another(
    door: Door, house: House, watch: Watch, query: str, body: dict[str, Any]
) -> None:
    sets = [house.workspace.template_set("order_update")]
    editor = house.workspace.key({"template:delete": "all"}, scope={"template_sets": sets})

    answer = door.call("DELETE", f"/v23.0/{WABA}/message_templates?{query}", key=editor, json=body)

    assert answer.status in {400, 403}
    assert watch.ledger() == []


def test_g14_control_a_lenient_parser_is_seen_to_decide_on_another_body(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_json, "loads", _first_wins)

    body = '{%s,"to":"34699999999"}' % GOOD

    answer = post(door, everything, body)

    assert answer.status == 200
    assert [sent["to"] for sent in reached(watch)] == [f"+{LUCIA}"]
    assert json.loads(body)["to"] == STRANGER  # to a parser that lets the last win


def _first_wins(data: bytes) -> object:
    return json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
