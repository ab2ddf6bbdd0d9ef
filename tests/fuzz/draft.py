"""A request in parts that can be changed one by one, however odd the result, and then written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"

Pairs = list[tuple[bytes, bytes]]


class Obj(list[Any]):
    """A JSON object as a list of [name, value]: a name may be there twice."""


@dataclass(frozen=True)
class Literal:
    """Bytes in the place of a JSON value, whether JSON knows them or not."""

    text: bytes


@dataclass
class Part:
    """One part of a multipart body."""

    headers: Pairs
    data: bytes


@dataclass
class Multipart:
    boundary: bytes
    parts: list[Part]
    is_closed: bool = True

    def written(self) -> bytes:
        lines = b""
        for part in self.parts:
            lines += b"--" + self.boundary + b"\r\n"
            lines += b"".join(name + b": " + value + b"\r\n" for name, value in part.headers)
            lines += b"\r\n" + part.data + b"\r\n"
        return lines + b"--" + self.boundary + (b"--\r\n" if self.is_closed else b"\r\n")


@dataclass
class Draft:
    """One request before it is written.

    Attributes:
        path: as it stands in the request line, version included.
        query: names and values, escaped already.
        headers: all but Host, Content-Length and Transfer-Encoding.
        body: an `Obj` or another JSON value, form pairs, a Multipart, or bytes as they are.
        chunked: write the body in chunks.
        is_raw: the bytes were tampered with once written: what it is as HTTP nobody knows.
        is_somebodys: the one credential in it is the sender's; else nobody needs to be known.
        steps: the names of the changes made.
    """

    method: bytes
    path: list[bytes]
    query: Pairs
    headers: Pairs
    body: Any
    kind: str  # "none", "json", "form", "multipart" or "bytes"
    chunked: bool = False
    is_raw: bool = False
    is_somebodys: bool = True
    tail: bytes = b""  # behind the query
    prefix: bytes = b""  # before and behind a JSON text
    suffix: bytes = b""
    steps: list[str] = field(default_factory=list)

    def payload(self) -> bytes:
        if self.kind == "json":
            return self.prefix + text_of(self.body).encode("latin-1") + self.suffix
        if self.kind == "form":
            return b"&".join(name + b"=" + value for name, value in self.body)
        if self.kind == "multipart":
            written: bytes = self.body.written()
            return written
        raw: bytes = self.body or b""
        return raw

    def written(self) -> bytes:
        target = b"/" + b"/".join(self.path)
        if self.query or self.tail:
            target += b"?" + b"&".join(name + b"=" + value for name, value in self.query)
            target += self.tail
        payload = self.payload()
        lines = [self.method + b" " + target + b" HTTP/1.1", b"Host: graph.test"]
        lines += [name + b": " + value for name, value in self.headers]
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
            payload = (
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(payload), payload) if payload else b"0\r\n\r\n"
            )
        elif payload or self.method not in {b"GET", b"DELETE", b"HEAD"}:
            lines.append(b"Content-Length: %d" % len(payload))
        return b"\r\n".join(lines) + b"\r\n\r\n" + payload


def text_of(node: Any) -> str:
    """A JSON text; what `Literal` says stands in it as it is."""
    if isinstance(node, Obj):
        return "{" + ",".join(f"{text_of(name)}:{text_of(value)}" for name, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(text_of, node)) + "]"
    if isinstance(node, Literal):
        return node.text.decode("latin-1")
    return json.dumps(node)


def tree_of(text: str | bytes) -> Any:
    """The value of a JSON text, its objects as `Obj`."""
    return json.loads(text, object_pairs_hook=lambda pairs: Obj(map(list, pairs)))
