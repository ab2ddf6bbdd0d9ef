"""Valid requests to start from: every operation of the table, documented bodies, real clients'."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx
from pywa.api import GraphAPI

from abuse.samples import Place, places, sample
from fuzz.draft import FORM, JSON, Draft, Multipart, Part, tree_of
from gateway.house import template, text
from gateway.media_samples import png
from graphapi import client_requests
from graphapi.message_bodies import CASES, GROUP_ID, WAMID
from graphapi.test_requests_of_pywa import REQUESTS
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Payload, RiskClass
from portero.graphapi.operations import OPERATIONS

Ids = Mapping[Kind, str]
BOUNDARY = b"c0c0c0c0"
_MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY


@dataclass(frozen=True)
class Seed:
    """A request that means one thing, and how often it is taken."""

    name: str
    method: bytes
    target: str
    kind: str
    body: bytes = b""
    parts: tuple[tuple[tuple[tuple[bytes, bytes], ...], bytes], ...] = ()
    content_type: bytes = b""
    weight: int = 1

    def fresh(self, key: str) -> Draft:
        path, _, query = self.target.partition("?")
        headers = [(b"Authorization", b"Bearer " + key.encode())]
        if self.content_type:
            headers.append((b"Content-Type", self.content_type))
        return Draft(
            self.method,
            path.encode()[1:].split(b"/"),
            _pairs(query.encode()),
            headers,
            self._body(),
            self.kind,
        )

    def _body(self) -> Any:
        if self.kind == "json":
            return tree_of(self.body)
        if self.kind == "form":
            return _pairs(self.body)
        if self.kind == "multipart":
            parts = [Part(list(headers), data) for headers, data in self.parts]
            return Multipart(BOUNDARY, parts)
        return self.body


def _pairs(text: bytes) -> list[tuple[bytes, bytes]]:
    split = (pair.partition(b"=") for pair in text.split(b"&") if pair)
    return [(name, value) for name, _, value in split]


def seeds(ours: Ids) -> tuple[Seed, ...]:
    """Every seed, with ids that are the workspace's everywhere."""
    return (*_of_the_table(ours), *_messages(ours), *_of_pywa(ours), *_uploads(ours))


def _of_the_table(ours: Ids) -> Iterator[Seed]:
    """One for each place of an id, so that each is there at least once."""
    for operation in OPERATIONS:
        if not operation.slots:
            target = f"/v23.0{operation.template}"
            asks = None if operation.method == "GET" else {"batch": "[]"}
            yield _request(operation.name, operation.method, target, asks)
        is_offered = operation.risk not in {RiskClass.NEVER, RiskClass.HIGH_RISK}
        for place in places(operation):
            yield replace(_sampled(place, ours), weight=3 if is_offered else 1)


def _sampled(place: Place, ours: Ids) -> Seed:
    operation = place.operation
    made = sample(place, ours, ours)
    if made.multipart:
        fields = {k: v for k, v in (made.json or {}).items() if k != "file"}
        return _upload(operation.name, made.target, fields)
    if operation.payload is Payload.BYTES:
        kind = b"application/octet-stream"
        return Seed(operation.name, b"POST", made.target, "bytes", b"abc", content_type=kind)
    return _request(operation.name, operation.method, made.target, made.json)


def _messages(ours: Ids) -> Iterator[Seed]:
    """What most calls are: messages, as JSON and as a form, a receipt, a template."""
    target = f"/v23.0/{ours[Kind.NUMBER]}/messages"
    bodies = {case.name: case.body for case in CASES} | {
        "plain": text(),
        "template": template(),
        "marketing": template("summer_sale"),
        "unknown template": template("nobody_made_this"),
    }
    for name, body in bodies.items():
        owned = _owned(json.dumps(body), ours)
        yield _request(name, "POST", target, json.loads(owned), weight=6)
    for name in ("plain", "template"):
        yield _form(name, target, bodies[name])


def _owned(text: str, ours: Ids) -> str:
    """Documented ids, as ids of the workspace."""
    return text.replace(WAMID, ours[Kind.MESSAGE]).replace(GROUP_ID, ours[Kind.GROUP])


def _form(name: str, target: str, body: Mapping[str, Any]) -> Seed:
    """As Meta's own SDK writes it: nested values as JSON text."""
    pairs = (f"{n}={quote(v if isinstance(v, str) else json.dumps(v))}" for n, v in body.items())
    written = "&".join(pairs).encode()
    return Seed(f"{name} as a form", b"POST", target, "form", written, content_type=FORM, weight=3)


def _request(name: str, method: str, target: str, body: Any, *, weight: int = 1) -> Seed:
    if body is None:
        return Seed(name, method.encode(), target, "none", weight=weight)
    text = json.dumps(body).encode()
    return Seed(name, method.encode(), target, "json", text, content_type=JSON, weight=weight)


def _uploads(ours: Ids) -> Iterator[Seed]:
    media = f"/v23.0/{ours[Kind.NUMBER]}/media"
    yield _upload("upload", media, {"messaging_product": "whatsapp"}, weight=4)
    marketing = template("summer_sale")
    target = f"/v23.0/{ours[Kind.NUMBER]}/marketing_messages"
    yield _request("marketing message", "POST", target, marketing, weight=3)
    typed = {"messaging_product": "whatsapp", "type": "image/png"}
    yield _upload("upload with a type", media, typed, weight=2)


def _upload(name: str, target: str, fields: Mapping[str, Any], *, weight: int = 1) -> Seed:
    def head(named: str, more: bytes = b"") -> tuple[bytes, bytes]:
        return b"Content-Disposition", b'form-data; name="%s"%s' % (named.encode(), more)

    parts: list[Any] = [((head(n),), str(v).encode()) for n, v in fields.items()]
    mime = (b"Content-Type", b"image/png")
    parts.append(((head("file", b'; filename="a.png"'), mime), png()))
    return Seed(
        name,
        b"POST",
        target,
        "multipart",
        parts=tuple(parts),
        content_type=_MULTIPART,
        weight=weight,
    )


def _of_pywa(ours: Ids) -> Iterator[Seed]:
    """Requests as pywa wrote them, recorded, with the workspace's ids in the place of its own."""
    swaps = {value: ours[kind] for value, kind in client_requests.KINDS.items()}
    swaps |= {client_requests.MESSAGE: ours[Kind.MESSAGE], client_requests.CALL_ID: ours[Kind.CALL]}
    ids = re.compile(
        rb"(?<![0-9A-Za-z])("
        + b"|".join(re.escape(v.encode()) for v in swaps)
        + rb")(?![0-9A-Za-z])"
    )

    def swapped(written: bytes) -> bytes:
        return ids.sub(lambda found: swaps[found[1].decode()].encode(), written)

    for name, act in REQUESTS:
        for request in _recorded(act):
            target = swapped(request.url.raw_path).decode()
            kind = request.headers.get("content-type", "").encode()
            form = "json" if kind.startswith(JSON) else "bytes" if request.content else "none"
            body = swapped(request.content)
            yield Seed(f"pywa {name}", request.method.encode(), target, form, body, (), kind)


def _recorded(act: Any) -> list[httpx.Request]:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"data": []})

    with httpx.Client(transport=httpx.MockTransport(answer)) as session:
        act(GraphAPI(token="t", session=session, api_version=23.0))
    return sent
