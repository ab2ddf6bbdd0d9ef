"""One HTTP request with its headers sorted out, whichever door it is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portero.gateway.addresses import TrustedProxies
from portero.gateway.replies import Receive
from portero.graphapi.errors import GraphError
from portero.graphapi.refusals import malformed

_IDEMPOTENCY_KEY_MAX = 255


@dataclass(frozen=True, slots=True)
class Request:
    """`path` and `query` are raw; `address` is the client's, proxies accounted for.

    What may hold a key is not shown: an error may speak of the request.
    """

    method: str
    path: bytes = field(repr=False)
    query: bytes = field(repr=False)
    authorization: Sequence[bytes] = field(repr=False)
    content_type: str | None
    content_length: int | None
    idempotency_key: str | None
    address: str | None
    receive: Receive

    @property
    def media_type(self) -> str:
        return (self.content_type or "").partition(";")[0].strip().lower()


def read_request(
    scope: Mapping[str, Any], receive: Receive, proxies: TrustedProxies
) -> tuple[Request, GraphError | None]:
    """The request, and the objection to headers that could mean two things.

    With an objection the request tells who asks and no more, so that the refusal can be recorded.
    """
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    objection = None
    content_type = length = key = None
    try:
        if b"content-encoding" in headers:
            raise malformed("Compressed bodies are not read.")
        content_type, length = _one(headers, b"content-type"), _one(headers, b"content-length")
        key = _idempotency_key(headers)
    except GraphError as error:
        objection = error
    request = Request(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        authorization=headers.get(b"authorization", ()),
        content_type=content_type,
        content_length=int(length) if length is not None else None,
        idempotency_key=key,
        address=_address(scope, headers, proxies),
        receive=receive,
    )
    return request, objection


def _one(headers: Mapping[bytes, Sequence[bytes]], name: bytes) -> str | None:
    values = headers.get(name)
    if values is None:
        return None
    if any(value != values[0] for value in values[1:]):
        raise malformed(f"The header {name.decode()} is there twice with different values.")
    return values[0].decode("latin-1")


def _idempotency_key(headers: Mapping[bytes, Sequence[bytes]]) -> str | None:
    key = _one(headers, b"idempotency-key")
    if key is not None and not (0 < len(key) <= _IDEMPOTENCY_KEY_MAX and key.isprintable()):
        raise malformed("An Idempotency-Key has 1 to 255 printable characters.")
    return key


def _address(
    scope: Mapping[str, Any], headers: Mapping[bytes, Sequence[bytes]], proxies: TrustedProxies
) -> str | None:
    peer = scope.get("client")
    found = proxies.client(peer[0] if peer else None, headers.get(b"x-forwarded-for", ()))
    return str(found) if found is not None else None
