"""Changes to a draft, at every level at which two readers of a request could come to differ.

Every change takes a draft and dice, and does what the dice say or nothing. Nothing here knows what
the gateway accepts: that is the point.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fuzz.draft import FORM, JSON, Draft, Literal, Multipart, Obj, Part, text_of

_METHODS = (b"GET", b"POST", b"DELETE", b"PUT", b"PATCH", b"HEAD", b"OPTIONS", b"post", b"QUERY")
_VERSIONS = (b"v23.0", b"v99.0", b"v1.0", b"v23", b"V23.0", b"v23.0.0", b"")
_SEGMENTS = (
    b"..", b".", b"", b"me", b"messages", b"media", b"%2e%2e", b"%2f", b"x;y", b"-", b"uploads",
    b"message_templates", b"subscribed_apps", b"%00", b"a%0d%0ab", b"\xc3\xb1", b"*",
    b"media-link", b"message_templates.json",
)  # fmt: skip
_TEXTS = (
    "", " ", "\x00", "a\x00b", "\r\nX: y", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "null",
    "true", "0", "-1", "1e3", "NaN", "[]", "{}", "١٢٣٤٥٦٧", "\uff11\uff12\uff13", "ß", "İ", "ﬀ", "x" * 5000,
    "../../x", "%2e%2e", "<script>", "'\"", "\u2028", "é", "e\u0301", "😀", "text", "template",
    "whatsapp", "WHATSAPP", "individual", "group", "read", "{{1}}", "https://evil.test/",
)  # fmt: skip
_LITERALS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"0x10", b"01", b"1.", b".5", b"+1",
    b"1e5", b"1E400", b"9" * 400, b"1" + b"0" * 5000, b"18446744073709551616", b"1.0", b"12.5",
    b"525512345678", b"34600111222.0", b"'a'", b"undefined", b"None", b"True", b'"\\ud800"',
    b'"\\x41"', b'"\\u0000"', b'"a\nb"', b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b"",
    b"/**/1", b"[1,]", b'{"a":1,}', b"[" * 2000 + b"]" * 2000, b'{"a":' * 700 + b"1" + b"}" * 700,
    b'"' + b"x" * 70_000 + b'"',
)  # fmt: skip
_PHONES = (
    "525512345678", "+525512345678", "5215512345678", "+52 1 55 1234 5678", "00525512345678",
    "34600111222", "+34 600 111 222", "(34)600.111-222", "٥٢٥٥١٢٣٤٥٦٧٨", "\uff15\uff12\uff15\uff15\uff11", "52551234567x",
    "+52\u200f5512345678", "525512345678,34600111222", "525512345678;ext=1", "34699999999",
    "US.13491208655302741918", "US.ENT.11815799212886844830", "MX.1", "1", "0525512345678",
    "5491123456789", "541123456789", "5511987654321", "551187654321", "+1 650 555 0100",
)  # fmt: skip
_NAMES = (
    "to", "To", "recipient", "type", "text", "template", "status", "message_id", "id", "ids",
    "method", "_method", "batch", "fields", "limit", "after", "access_token", "appsecret_proof",
    "debug", "metadata", "callback", "suppress_http_code", "phone_number_id", "pin", "name",
    "biz_opaque_callback_data", "context", "messaging_product", "recipient_type", "user", "x",
    "include_headers", "format", "pretty", "locale", "redirect", "category", "language", "hsm_id",
    "override_callback_uri", "webhook_configuration", "__proto__", "constructor",
)  # fmt: skip
_KINDS = (
    JSON, FORM, b"application/json; charset=utf-16", b"application/json;charset=latin-1",
    b"text/plain", b"text/json", b"application/jsonp", b"APPLICATION/JSON", b" application/json ",
    b"application/json, text/plain", b"application/x-www-form-urlencoded; charset=utf-7", b"",
    b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=x",
    b"multipart/mixed; boundary=c0c0c0c0", b"application/x-www-form-urlencoded,application/json",
    b"application/octet-stream", b"application/graphql", b"*/*", b"application/json\t;a=b",
)  # fmt: skip
_HEADERS = (
    (b"X-HTTP-Method-Override", b"DELETE"), (b"X-Method-Override", b"GET"),
    (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"identity"), (b"Accept", b"text/html"),
    (b"X-Forwarded-For", b"10.0.0.1"), (b"Forwarded", b"for=1.1.1.1"), (b"X-Original-URL", b"/me"),
    (b"X-Rewrite-URL", b"/me"), (b"Cookie", b"access_token=x"), (b"Range", b"bytes=0-1"),
    (b"Expect", b"100-continue"), (b"Connection", b"keep-alive, Authorization"),
    (b"Connection", b"content-length"), (b"TE", b"trailers"), (b"Upgrade", b"h2c"),
    (b"Transfer_Encoding", b"chunked"), (b"Content-Type", b"application/json"),
    (b"content-type", b"text/plain"), (b"Idempotency-Key", b""), (b"Idempotency-Key", b"\xff"),
    (b"If-None-Match", b"*"), (b"Trailer", b"Authorization"), (b"Host", b"evil.test"),
    (b"X-Portero-Key", b"x"), (b"Origin", b"https://evil.test"), (b"X", b"y" * 4000),
)  # fmt: skip
_NOTHING_BEHIND = (b"\0", b"x", b"{}", b"\n", b" ", b"\xef\xbb\xbf", b"//c", b"\x1a", b",")


@dataclass(frozen=True)
class Dice:
    """A die, and what an attacker knows: other people's ids, and the key in hand."""

    of: random.Random
    foreign: Sequence[str]
    ours: Sequence[str]
    key: str

    def one(self, things: Sequence[Any]) -> Any:
        return things[int(self.of.random() * len(things))]

    def chance(self, share: float) -> bool:
        return self.of.random() < share

    def an_id(self) -> str:
        return str(self.one(self.foreign if self.chance(0.7) else self.ours))


Change = Callable[[Draft, Dice], None]


# The path and the method


def another_method(draft: Draft, dice: Dice) -> None:
    draft.method = dice.one(_METHODS)


def another_id_in_the_path(draft: Draft, dice: Dice) -> None:
    places = [i for i, s in enumerate(draft.path) if any(48 <= c < 58 for c in s) and i]
    if places:
        draft.path[dice.one(places)] = dice.an_id().encode()


def another_segment(draft: Draft, dice: Dice) -> None:
    at = dice.of.randrange(len(draft.path))
    how = dice.of.randrange(4)
    if how == 0:
        draft.path.insert(at, dice.one(_SEGMENTS))
    elif how == 1:
        draft.path[at] = dice.one(_SEGMENTS)
    elif how == 2 and len(draft.path) > 1:
        del draft.path[at]
    else:
        draft.path.insert(at, draft.path[at])


def an_escape_in_the_path(draft: Draft, dice: Dice) -> None:
    at = dice.of.randrange(len(draft.path))
    segment = draft.path[at]
    if segment:
        i = dice.of.randrange(len(segment))
        escaped = b"%%%02x" % segment[i]
        if dice.chance(0.3):
            escaped = b"%25" + escaped[1:]
        draft.path[at] = segment[:i] + escaped + segment[i + 1 :]


def another_version(draft: Draft, dice: Dice) -> None:
    draft.path[0] = dice.one(_VERSIONS)


# The query, and forms, which are written alike


def a_pair_twice(draft: Draft, dice: Dice) -> None:
    pairs = _pairs_of(draft, dice)
    if pairs:
        name, value = dice.one(pairs)
        pairs.insert(dice.of.randrange(len(pairs) + 1), (_respelled(name, dice), value))
        if dice.chance(0.7):
            pairs[-1] = (pairs[-1][0], quote(_text(dice), errors="replace").encode())


def another_pair(draft: Draft, dice: Dice) -> None:
    name = _respelled(dice.one(_NAMES).encode(), dice)
    value = quote(_text(dice), errors="replace").encode()
    if dice.chance(0.1):
        value = dice.one((b"%", b"%zz", b"%ff", b"%c0%af", b"+", b"a;b=c", b"\xff", b"a\tb"))
    _pairs_of(draft, dice).append((name, value))


def a_pair_changed(draft: Draft, dice: Dice) -> None:
    pairs = _pairs_of(draft, dice)
    if pairs:
        at = dice.of.randrange(len(pairs))
        name, value = pairs[at]
        if dice.chance(0.4):
            pairs[at] = (_respelled(name, dice), value)
        else:
            pairs[at] = (name, quote(_text(dice), errors="replace").encode())


def bytes_behind_the_query(draft: Draft, dice: Dice) -> None:
    draft.tail = dice.one((b"&", b"&&", b"?", b"?x=1", b"&a", b"#f", b";a=b", b"&=", b"&%00=1"))


def _pairs_of(draft: Draft, dice: Dice) -> list[tuple[bytes, bytes]]:
    if draft.kind == "form" and dice.chance(0.7):
        pairs: list[tuple[bytes, bytes]] = draft.body
        return pairs
    return draft.query


def _respelled(name: bytes, dice: Dice) -> bytes:
    how = dice.of.random()
    if how < 0.6 or not name:
        return name
    if how < 0.75:
        i = dice.of.randrange(len(name))
        return name[:i] + b"%%%02X" % name[i] + name[i + 1 :]
    return dice.one((name.upper(), name + b"[]", name + b"%00", b"+" + name, name + b"[0]", b""))  # type: ignore[no-any-return]


# Headers


def another_header(draft: Draft, dice: Dice) -> None:
    draft.headers.insert(dice.of.randrange(len(draft.headers) + 1), dice.one(_HEADERS))


def another_content_type(draft: Draft, dice: Dice) -> None:
    draft.headers = [h for h in draft.headers if h[0].lower() != b"content-type"]
    draft.headers.append((b"Content-Type", dice.one(_KINDS)))


def a_header_twice(draft: Draft, dice: Dice) -> None:
    if not draft.headers:
        return
    name, value = dice.one(draft.headers)
    if name.lower() != b"authorization" or dice.chance(0.3):
        draft.headers.append((name.swapcase(), value))


def another_credential(draft: Draft, dice: Dice) -> None:
    """The key moved, copied, cut, in another scheme, or beside another one."""
    draft.is_somebodys = False
    key = dice.key.encode()
    how = dice.of.randrange(7)
    if how < 2:
        draft.headers = [h for h in draft.headers if h[0] != b"Authorization"]
    if how in {0, 2}:
        draft.query.append((_respelled(b"access_token", dice), key))
    elif how == 3:
        draft.query.append((b"access_token", b"EAAGnotarealtokenatall0123456789"))
    elif how == 4:
        other = dice.one((b"Basic " + key, b"OAuth " + key, key, b"Bearer  " + key, b"Bearer"))
        draft.headers.append((b"Authorization", other))
    elif how == 5:
        draft.headers = [(b"Authorization", b"Bearer " + key[:-1] + dice.one((b"x", b"", b"~")))]
    elif draft.kind == "form":
        draft.body.append((b"access_token", key))


def in_chunks(draft: Draft, dice: Dice) -> None:
    draft.chunked = True


# JSON


def a_value_changed(draft: Draft, dice: Dice) -> None:
    slots = _slots_of(draft)
    if slots:
        holder, at = dice.one(slots)
        holder[at] = _value(holder[at], dice)


def a_member_twice(draft: Draft, dice: Dice) -> None:
    found = [obj for obj in _objects_of(draft) if obj]
    if found:
        obj = dice.one(found)
        name, value = dice.one(obj)
        copy = [name, value if dice.chance(0.2) else _value(value, dice)]
        obj.insert(dice.of.randrange(len(obj) + 1), copy)
        if dice.chance(0.3) and isinstance(name, str) and name:
            copy[0] = Literal(b'"\\u%04x%s"' % (ord(name[0]), name[1:].encode()))


def another_member(draft: Draft, dice: Dice) -> None:
    """A known name where it does not belong: most of all a second recipient."""
    found = _objects_of(draft)
    if found:
        obj = found[0] if dice.chance(0.6) else dice.one(found)
        obj.insert(dice.of.randrange(len(obj) + 1), [dice.one(_NAMES), _leaf(dice)])


def a_second_recipient(draft: Draft, dice: Dice) -> None:
    """`to` beside `recipient`, in the body or in the query: Graph lets one of them win."""
    name, value = dice.one(("to", "recipient")), dice.one(_PHONES)
    if dice.chance(0.3):
        draft.query.append((name.encode(), quote(value).encode()))
    elif draft.kind == "form":
        draft.body.append((name.encode(), quote(value).encode()))
    else:
        for obj in _objects_of(draft)[:1]:
            obj.insert(dice.of.randrange(len(obj) + 1), [name, value])


def a_member_away(draft: Draft, dice: Dice) -> None:
    found = [obj for obj in _objects_of(draft) if obj]
    if found:
        obj = dice.one(found)
        del obj[dice.of.randrange(len(obj))]


def a_member_renamed(draft: Draft, dice: Dice) -> None:
    found = [obj for obj in _objects_of(draft) if obj]
    if found:
        member = dice.one(dice.one(found))
        name = member[0]
        if isinstance(name, str) and name:
            new = (name.upper(), name + " ", " " + name, name + "\x00", name[:-1], name + "\u200b")
            member[0] = dice.one((*new, dice.one(_NAMES)))


def another_recipient(draft: Draft, dice: Dice) -> None:
    for obj in _objects_of(draft):
        for member in obj:
            if member[0] in ("to", "recipient", "user", "user_wa_id") and dice.chance(0.9):
                member[1] = dice.one(_PHONES)


def another_id_in_the_body(draft: Draft, dice: Dice) -> None:
    found = [m for o in _objects_of(draft) for m in o if isinstance(m[0], str) and "id" in m[0]]
    if found:
        dice.one(found)[1] = dice.an_id()


def around_the_json(draft: Draft, dice: Dice) -> None:
    if draft.kind == "json":
        if dice.chance(0.5):
            draft.suffix = dice.one(_NOTHING_BEHIND)
        else:
            draft.prefix = dice.one((*_NOTHING_BEHIND, b"\xff\xfe", b"while(1);", b")]}'\n"))


def json_in_another_encoding(draft: Draft, dice: Dice) -> None:
    if draft.kind == "json":
        encoded = text_of(draft.body).encode(dice.one(("utf-16", "utf-32", "utf-7", "utf-16-be")))
        draft.kind, draft.body = "bytes", encoded


def as_a_form(draft: Draft, dice: Dice) -> None:
    if draft.kind == "json" and isinstance(draft.body, Obj):
        draft.body = _as_pairs(draft.body)
        draft.kind = "form"
        if dice.chance(0.9):
            another_content_type(draft, dice)
            draft.headers[-1] = (b"Content-Type", FORM)


def a_member_in_the_query(draft: Draft, dice: Dice) -> None:
    """The same name in two places, with the same value or another."""
    if draft.kind == "json" and isinstance(draft.body, Obj) and draft.body:
        pair = dice.one(_as_pairs(draft.body))
        value = pair[1] if dice.chance(0.4) else quote(_text(dice), errors="replace").encode()
        draft.query.append((pair[0], value))


def as_multipart(draft: Draft, dice: Dice) -> None:
    if draft.kind in {"json", "form"}:
        pairs = draft.body
        if draft.kind == "json":
            pairs = _as_pairs(draft.body) if isinstance(draft.body, Obj) else []
        parts = [Part([(b"Content-Disposition", b'form-data; name="%s"' % n)], v) for n, v in pairs]
        draft.body, draft.kind = Multipart(b"c0c0c0c0", parts), "multipart"
        draft.headers = [h for h in draft.headers if h[0].lower() != b"content-type"]
        draft.headers.append((b"Content-Type", b"multipart/form-data; boundary=c0c0c0c0"))


def _as_pairs(obj: Obj) -> list[tuple[bytes, bytes]]:
    return [
        (
            quote(name if isinstance(name, str) else "x", errors="replace").encode(),
            quote(value if isinstance(value, str) else text_of(value), errors="replace").encode(),
        )
        for name, value in obj
    ]


def _objects_of(draft: Draft) -> list[Obj]:
    return list(_objects(draft.body)) if draft.kind == "json" else []


def _objects(node: Any) -> Iterator[Obj]:
    if isinstance(node, Obj):
        yield node
        for _, value in node:
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _slots_of(draft: Draft) -> list[tuple[list[Any], int]]:
    """Where values stand: a member's second place, a list's every place."""
    if draft.kind != "json":
        return []
    slots: list[tuple[list[Any], int]] = []

    def walk(node: Any) -> None:
        if isinstance(node, Obj):
            for member in node:
                slots.append((member, 1))
                walk(member[1])
        elif isinstance(node, list):
            for i, value in enumerate(node):
                slots.append((node, i))
                walk(value)

    walk(draft.body)
    return slots


def _value(old: Any, dice: Dice) -> Any:
    how = dice.of.random()
    if how < 0.45:
        return _leaf(dice)
    if how < 0.55:
        return [old]
    if how < 0.62:
        return [old, old]
    if how < 0.7:
        return Obj([[dice.one(_NAMES), old]])
    if how < 0.8:
        return text_of(old)
    if how < 0.85 and isinstance(old, str):
        return old.upper()
    if how < 0.9 and isinstance(old, str) and old.isdigit():
        return int(old)
    return dice.one((None, True, False, 0, 1, -1, 2**53 + 1, 1.5, [], Obj(), ""))


def _leaf(dice: Dice) -> Any:
    how = dice.of.random()
    if how < 0.35:
        return _text(dice)
    if how < 0.7:
        return Literal(dice.one(_LITERALS))
    return dice.one(_PHONES)


def _text(dice: Dice) -> str:
    how = dice.of.random()
    if how < 0.5:
        return str(dice.one(_TEXTS))
    return str(dice.one(_PHONES)) if how < 0.75 else dice.an_id()


# Multipart


def a_part_twice(draft: Draft, dice: Dice) -> None:
    if isinstance(draft.body, Multipart) and draft.body.parts:
        part = dice.one(draft.body.parts)
        copy = Part(
            list(part.headers),
            part.data if dice.chance(0.4) else _text(dice).encode("utf-8", "replace"),
        )
        draft.body.parts.insert(dice.of.randrange(len(draft.body.parts) + 1), copy)


def another_part(draft: Draft, dice: Dice) -> None:
    if isinstance(draft.body, Multipart):
        head = b'form-data; name="%s"' % dice.one(_NAMES).encode()
        data = _text(dice).encode("utf-8", "replace")
        at = dice.of.randrange(len(draft.body.parts) + 1)
        draft.body.parts.insert(at, Part([(b"Content-Disposition", head)], data))


def parts_in_another_order(draft: Draft, dice: Dice) -> None:
    if isinstance(draft.body, Multipart):
        dice.of.shuffle(draft.body.parts)


def another_boundary(draft: Draft, dice: Dice) -> None:
    if isinstance(draft.body, Multipart):
        odd = (b'"c0c0c0c0"', b"c0c0c0c0;a=b", b"c0c0c0c0 ", b"c0c0c0c", b"x" * 71, b"c0c0c0c0, x")
        kind = b"multipart/form-data; boundary=" + dice.one(odd)
        if dice.chance(0.3):
            kind += b"; boundary=c0c0c0c0"
        draft.headers = [h for h in draft.headers if h[0].lower() != b"content-type"]
        draft.headers.append((b"Content-Type", kind))
    if isinstance(draft.body, Multipart) and dice.chance(0.3):
        draft.body.is_closed = False


def another_file_name(draft: Draft, dice: Dice) -> None:
    names = (
        b'"../../x.png"', b'"a\\"b.png"', b'"a.png"; filename="b.svg"', b'"a\0.png"', b"a.png",
        b'""', b'"a.png"; filename*=UTF-8\'\'%2e%2e%2fx', b'"' + b"a" * 3000 + b'"', b'"\xff.png"',
        b'"a.png";name="type"', b"'a.png'", b'"a\r\nX: y"', b'"C:\\x.png"', b'"a.png',
    )  # fmt: skip
    if isinstance(draft.body, Multipart):
        for part in draft.body.parts:
            part.headers = [
                (n, v.partition(b"; filename")[0] + b"; filename=" + dice.one(names))
                if b"filename" in v
                else (n, v)
                for n, v in part.headers
            ]


def another_part_header(draft: Draft, dice: Dice) -> None:
    odd = (
        (b"Content-Type", b"image/svg+xml"), (b"Content-Type", b"image/jpeg"),
        (b"Content-Type", b"text/html"), (b"Content-Transfer-Encoding", b"base64"),
        (b"Content-Disposition", b'form-data; name="type"'), (b"X", b"y" * 9000),
        (b"Content-Length", b"5"), (b"Content-Disposition", b"attachment"), (b"", b""),
    )  # fmt: skip
    if isinstance(draft.body, Multipart) and draft.body.parts:
        dice.one(draft.body.parts).headers.append(dice.one(odd))


def other_file_bytes(draft: Draft, dice: Dice) -> None:
    if isinstance(draft.body, Multipart) and draft.body.parts:
        part = draft.body.parts[-1]
        odd = (b"", b"<svg onload=x>", b"%PDF-1.4", b"GIF89a", b"\xff\xd8\xff", part.data[:20])
        part.data = dice.one((*odd, part.data + b"\r\n--c0c0c0c0\r\n\r\n", part.data * 50))


# The bytes on the wire


def tampered(written: bytes, dice: Dice) -> bytes:
    """The request as HTTP that somebody may read in another way, or that is none."""
    head = written.find(b"\r\n\r\n")
    at = dice.of.randrange(head if dice.chance(0.7) else len(written))
    how = dice.of.randrange(11)
    if how == 0:
        return written[:at] + bytes([written[at] ^ (1 << dice.of.randrange(8))]) + written[at + 1 :]
    if how == 1:
        return written[:at] + bytes([dice.of.randrange(256)]) + written[at:]
    if how == 2:
        return written[:at] + written[at + 1 + dice.of.randrange(8) :]
    if how == 3:
        cut = written[at : at + 1 + dice.of.randrange(40)]
        return written[:at] + cut + written[at:]
    if how == 4:
        return written[:at]
    if how == 5:
        return written.replace(b"\r\n", b"\n", 1 + dice.of.randrange(3))
    lines = (
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Content-Length: 0",
        b"Content-Length: 5", b" folded", b"X-\0: y", b": z", b"Host: b", b"Content-Length : 3",
        b"Transfer-Encoding:\tchunked", b"Authorization: Bearer x", b"Content-Length: 0x5",
    )  # fmt: skip
    if how <= 8:
        end = written.find(b"\r\n", at if at < head else 0)
        return written[:end] + b"\r\n" + dice.one(lines) + written[end:]
    if how == 9:
        return written.replace(b"Content-Length: ", b"Content-Length: 1", 1)
    return written + written


HEAD: tuple[Change, ...] = (
    another_method, another_id_in_the_path, another_id_in_the_path, another_segment,
    an_escape_in_the_path, another_version, a_pair_twice, another_pair, a_pair_changed,
    bytes_behind_the_query, another_header, another_content_type, a_header_twice,
    another_credential, in_chunks,
)  # fmt: skip
OF_KIND: dict[str, tuple[Change, ...]] = {
    "none": HEAD,
    "bytes": HEAD,
    "json": (
        a_value_changed, a_value_changed, a_value_changed, a_member_twice, a_member_twice,
        another_member, a_second_recipient, a_second_recipient, a_second_recipient,
        a_member_away, a_member_renamed, another_recipient, another_recipient, another_id_in_the_body, another_id_in_the_body,
        around_the_json, json_in_another_encoding, as_a_form, a_member_in_the_query, as_multipart,
    ),
    "form": (a_pair_twice, another_pair, a_pair_changed, a_second_recipient, as_multipart),
    "multipart": (
        a_part_twice, another_part, parts_in_another_order, another_boundary, another_file_name,
        another_part_header, other_file_bytes,
    ),
}  # fmt: skip
_RAW_SHARE = 0.08


def mutate(draft: Draft, dice: Dice) -> bytes:
    """Change the draft by as many steps as the dice say, none included, and write it."""
    for _ in range(dice.one((0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 5))):
        changes = OF_KIND[draft.kind] if dice.chance(0.6) else HEAD
        change = dice.one(changes)
        change(draft, dice)
        draft.steps.append(change.__name__)
    written = draft.written()
    if dice.chance(_RAW_SHARE):
        written = tampered(written, dice)
        draft.is_raw, draft.is_somebodys = True, False
        draft.steps.append("tampered")
    return written
