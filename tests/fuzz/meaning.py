"""What a request meant: to Meta, as the sandbox's own reader takes it, and to us, as the record says.

The two sides share nothing: one starts from bytes that arrived, the other from rows in the log.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from portero.graphapi.errors import GraphError
from portero.sandbox.phones import digits_of, is_bsuid
from portero.sandbox.reading import GraphRequest, read_request

Row = dict[str, Any]
_KINDS = (
    "number", "waba", "template", "template_group", "media", "flow", "business", "app", "group",
    "join_request", "upload", "user", "solution", "qr_code", "message", "call", "catalog",
    "signup", "preverified_number", "history", "intent", "bot", "profile", "contact",
)  # fmt: skip
# Where Meta reads an id of something, whatever the operation.
_ID_MEMBERS = frozenset(
    {"message_id", "phone_number_id", "flow_id", "hsm_id", "catalog_id", "call_id"}
)
_MEDIA_MEMBERS = frozenset({"image", "video", "audio", "document", "sticker"})
# Types of Meta whose permission is not called after them.
_PERMISSIONS_OF: Mapping[str, tuple[str, ...]] = {
    "interactive": ("send:interactive", "send:product", "send:order"),
    "audio": ("send:audio", "send:voice"),
    "pin": ("group:update",),
}


@dataclass(frozen=True)
class Arrived:
    """One request as the sandbox read it.

    Attributes:
        n: its number in the ledger.
        where: method and path, without version.
        people: whom it reaches, as digits or ids, canonical.
        template: the name of the template it sends.
        type: Meta's message type.
        call: our call id, where Meta is told.
        ids: what stands where Meta reads an id.
        words: every text and number in it.
    """

    n: int
    where: tuple[str, str]
    people: tuple[str, ...]
    template: str | None
    type: str | None
    call: str | None
    ids: frozenset[str]
    words: frozenset[str]
    status: int


def arrived(entry: Row) -> Arrived | None:
    """None when the sandbox itself could not read it."""
    body = entry["body"].encode()
    if entry.get("body_encoding") == "base64":
        body = base64.b64decode(entry["body"])
    try:
        read = read_request(
            method=entry["method"],
            path=unquote(entry["path"]),
            query=entry["query"],
            headers=entry["headers"],
            body=body,
            base_url="",
        )
    except GraphError:
        return None
    return _told(entry, read)


def _told(entry: Row, read: GraphRequest) -> Arrived:
    sends = len(read.segments) == 2 and read.segments[1] in {"messages", "marketing_messages"}
    sends = sends and "status" not in read.params
    kind = str(read.params.get("type", "text")).lower() if sends else None
    template = read.params.get("template") if kind == "template" else None
    mid = read.params.get("mid")
    is_download = read.segments[:2] == ("whatsapp_business", "attachments")
    where = (
        ("GET", f"/media/{mid}") if is_download else (read.method, "/" + "/".join(read.segments))
    )
    return Arrived(
        n=entry["n"],
        where=where,
        people=tuple(_people(read)),
        template=template.get("name") if isinstance(template, dict) else None,
        type=kind,
        call=read.params.get("biz_opaque_callback_data") if sends else None,
        ids=frozenset((*_path_ids(read), *_ids(read.params))),
        words=frozenset((*read.segments, *_words(read.params))),
        status=entry["status"] or 0,
    )


def _people(read: GraphRequest) -> Iterator[str]:
    """Whom Graph would reach: `to` wins over `recipient`."""
    params = read.params
    for name in ("to", "recipient", "user_wa_id"):
        if params.get(name):
            yield _person(str(params[name]))
            break
    for name in ("block_users", "participants"):
        for one in params[name] if isinstance(params.get(name), list) else ():
            yield _person(str(one.get("user") or one.get("user_id")))


def _person(text: str) -> str:
    digits = None if is_bsuid(text) else digits_of(text)
    return text if digits is None else digits


def _path_ids(read: GraphRequest) -> Iterator[str]:
    """A QR code is looked up by Meta beneath its number: it is an id of nothing else."""
    codes = read.segments[2:] if read.segments[1:2] == ("message_qrdls",) else ()
    for segment in read.segments:
        if segment not in codes and (segment.isdigit() or segment.startswith("upload:")):
            yield segment


def _ids(value: Any, inside: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            scalar = isinstance(part, str | int) and not isinstance(part, bool)
            if scalar and (name in _ID_MEMBERS or (name == "id" and inside in _MEDIA_MEMBERS)):
                yield str(part)
            yield from _ids(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _ids(part, inside)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _words(part)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part)
    elif value is not None:
        yield from re.split(r"[,\[\]\"'\s]+", text := str(value))
        yield text


@dataclass(frozen=True)
class Decided:
    """One call that was let go, as its record tells."""

    call: str
    operation: str
    actor: str
    where: tuple[str, str]
    people: tuple[str, ...]
    template: str | None
    checks: frozenset[str]
    resources: frozenset[str]


def decided(intent: Row) -> Decided:
    body = intent["body"]
    ids = iter(body.get("ids", ()))
    if intent["operation"] == "download_media":
        where = ("GET", f"/media/{next(ids)}")
    else:
        path = re.sub(r"\{\w+\}", lambda _: str(next(ids)), body["path"])
        where = (body["method"], path.rstrip("/") or "/")
    return Decided(
        call=str(intent["call_id"]),
        operation=intent["operation"],
        actor=intent["actor"],
        where=where,
        people=tuple(body.get("to", ())),
        template=body.get("template"),
        checks=frozenset(intent["checks"]),
        resources=frozenset(intent["resources"]),
    )


class Comparison:
    """Pairs what arrived with what was decided, each once, and tells what is left over."""

    def __init__(self, digest_keys: Sequence[bytes]) -> None:
        self._keys = digest_keys
        self._known: dict[str, frozenset[str]] = {}

    def violations(self, came: Iterable[Arrived], let_go: Iterable[Decided]) -> Iterator[str]:
        at_meta, on_record = defaultdict(list), defaultdict(list)
        for one in came:
            at_meta[one.where].append(one)
        for each in let_go:
            on_record[each.where].append(each)
        for where in at_meta.keys() | on_record.keys():
            yield from self._paired(at_meta[where], on_record[where])

    def _paired(self, came: list[Arrived], let_go: list[Decided]) -> Iterator[str]:
        """A perfect matching, or what stays without one."""
        options = {
            one.n: [i for i, each in enumerate(let_go) if self._means(one, each)] for one in came
        }
        taken: dict[int, int] = {}

        def place(n: int, seen: set[int]) -> bool:
            for i in options[n]:
                if i not in seen:
                    seen.add(i)
                    if i not in taken or place(taken[i], seen):
                        taken[i] = n
                        return True
            return False

        for one in came:
            if not place(one.n, set()):
                near = [each for each in let_go if one.call in (None, each.call)][:2]
                yield f"arrived, and no record means it: {one}; on record there: {near}"
        for i, each in enumerate(let_go):
            if i not in taken:
                yield f"on record, and nothing that arrived means it: {each}"

    def _means(self, came: Arrived, let_go: Decided) -> bool:
        if came.call is not None and came.call != let_go.call:
            return False
        if came.people != let_go.people:
            return False
        if came.type is not None and not _permission_fits(came, let_go):
            return False
        if came.template is not None and came.template != let_go.template:
            return False
        told = frozenset().union(*map(self._digests, self._spoken(came)))
        return let_go.resources <= told and all(
            not let_go.resources.isdisjoint(self._digests(value)) for value in came.ids
        )

    def _spoken(self, came: Arrived) -> Iterator[str]:
        yield from came.words
        for person in came.people:
            yield from _twins(person)

    def _digests(self, value: str) -> frozenset[str]:
        """How records would name it, whatever it is."""
        if value not in self._known:
            texts = [f"{kind}:{value}".encode("utf-8", "replace") for kind in _KINDS]
            self._known[value] = frozenset(
                hmac.digest(key, text, "sha256").hex()[:32] for key in self._keys for text in texts
            )
        return self._known[value]


def _twins(person: str) -> Iterator[str]:
    """One telephone, however its country writes it."""
    yield person
    if person.startswith("521") and len(person) == 13:
        yield "52" + person[3:]
    if person.startswith("549"):
        yield "54" + person[3:]
    if person.startswith("55") and len(person) == 12:
        yield f"{person[:4]}9{person[4:]}"


def _permission_fits(came: Arrived, let_go: Decided) -> bool:
    kind = came.type or ""
    wanted = _PERMISSIONS_OF.get(kind, (f"send:{kind}",))
    return any(check.startswith(wanted) for check in let_go.checks)
