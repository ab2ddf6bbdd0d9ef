"""A client that sends exactly the bytes it is told to, and remembers every answer.

Client libraries tidy a request up: they collapse dots in paths, refuse odd headers, escape what was
to arrive raw. An attacker does not, so neither does this one.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from gateway.house import VENTAS, Gateway, Key

BOUNDARY = "c0c0c0c0"
MEDIA = f"/v23.0/{VENTAS}/media"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_TIMEOUT_S = 20


@dataclass(frozen=True)
class Answer:
    """One answer as it came. `key`: whose genuine credential alone the request presented."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request: bytes
    key: Key | None

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        found = self.json["error"]
        assert isinstance(found, dict)
        return found

    @property
    def is_refusal(self) -> bool:
        try:
            return self.status >= 400 and isinstance(self.json.get("error"), dict)
        except (ValueError, AttributeError):
            return False

    @property
    def reason(self) -> str:
        """Our reason code; empty when nothing was refused, or Meta is speaking."""
        if not self.is_refusal:
            return ""
        details = str(self.error.get("error_data", {}).get("details", ""))
        code, colon, _ = details.partition(": ")
        return code if colon and code.replace("_", "").isalpha() else ""

    @property
    def verdict(self) -> tuple[int, int, int | None, str]:
        """(HTTP, code, subcode, reason): what a client decides on."""
        error = self.error
        return self.status, error["code"], error.get("error_subcode"), self.reason

    @property
    def call(self) -> UUID | None:
        """The id of the call, when the request came far enough to be one."""
        try:
            return UUID(str(self.error["fbtrace_id"]))
        except (KeyError, ValueError):
            return None

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)


@dataclass
class Door:
    """A gateway's public listener, by raw sockets. `answers` are all since the test began."""

    gateway: Gateway
    answers: list[Answer] = field(default_factory=list)

    def call(
        self,
        method: str,
        target: str | bytes,
        *,
        key: Key | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
        json: Any = None,
        form: str | bytes | None = None,
        body: bytes = b"",
        genuine: Key | None = None,
        gateway: Gateway | None = None,
    ) -> Answer:
        """One request on a connection of its own.

        `key` writes the Authorization header; `genuine` says whose key the request presents when it
        stands elsewhere.
        """
        lines: list[tuple[str, str | bytes]] = [("Host", "graph.test")]
        if key is not None:
            lines.append(("Authorization", f"Bearer {key.text}"))
        if json is not None:
            body, kind = _dumped(json), JSON
            lines.append(("Content-Type", kind))
        elif form is not None:
            body = form.encode() if isinstance(form, str) else form
            lines.append(("Content-Type", FORM))
        lines += headers
        if body or method in {"POST", "PUT", "PATCH"}:
            lines.append(("Content-Length", str(len(body))))
        lines.append(("Connection", "close"))
        head = method.encode() + b" " + _bytes(target) + b" HTTP/1.1\r\n"
        head += b"".join(_bytes(n) + b": " + _bytes(v) + b"\r\n" for n, v in lines)
        return self.raw(head + b"\r\n" + body, key=genuine or key, gateway=gateway)

    def raw(
        self, request: bytes, *, key: Key | None = None, gateway: Gateway | None = None
    ) -> Answer:
        """These bytes, and the first answer to them."""
        received = exchange((gateway or self.gateway).port, request)
        answer = _parsed(received, request, key)
        self.answers.append(answer)
        return answer

    def send(self, key: Key, body: Mapping[str, Any], number: str, **more: Any) -> Answer:
        return self.call("POST", f"/v23.0/{number}/messages", key=key, json=body, **more)

    def upload(
        self,
        key: Key,
        mime: str,
        data: bytes,
        *,
        name: str = "a.bin",
        target: str = MEDIA,
        fields: Mapping[str, str] | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
    ) -> Answer:
        """A multipart body: the fields, then the file. A name is written as it is, however odd."""
        fields = {"messaging_product": "whatsapp"} if fields is None else fields
        head = "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        )
        head += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {mime}\r\n\r\n"
        )
        body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        return self.call("POST", target, key=key, headers=[kind, *headers], body=body)


def exchange(port: int, request: bytes) -> bytes:
    """Everything a server says to these bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
        # It may answer before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        received = b""
        while True:
            try:
                piece = connection.recv(65536)
            except ConnectionResetError:
                return received
            if not piece:
                return received
            received += piece


def _parsed(received: bytes, request: bytes, key: Key | None) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = tuple((n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines))
    if ("transfer-encoding", "chunked") in headers:
        body = _dechunked(body)
    return Answer(int(status.split(" ")[1]), headers, body, request, key)


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return whole


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _dumped(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()
