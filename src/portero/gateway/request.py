"""One HTTP request with its headers sorted out, whichever door it is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from portero.engine.addresses import TrustedProxies
from portero.engine.values import valueclass
from portero.gateway.body import BodyLimits, BodyReader, TooLarge
from portero.gateway.replies import Receive
from portero.graphapi.errors import GraphError
from portero.graphapi.inputs import media_type
from portero.graphapi.refusals import malformed

_IDEMPOTENCY_KEY_MAX = 255


@dataclass(slots=True, repr=False)
class Head:
    """A request up to its body, as it came. `client` is the connection's other end."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]  # names in lower case
    client: tuple[str, int] | None

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Self:
        return cls(
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            scope["client"],
        )


@valueclass(frozen=True, slots=True)
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
    body: bytes | None = field(default=None, repr=False)  # where it came whole with its head

    @property
    def media_type(self) -> str:
        return media_type(self.content_type)

    async def read(self, limits: BodyLimits) -> bytes:
        """The whole body. Raises TooLarge, TooSlow, Disconnected."""
        if self.body is None:
            return await BodyReader(self.receive, limits, content_length=self.content_length).read()
        if len(self.body) > limits.max_bytes:
            raise TooLarge
        return self.body


def read_request(
    head: Head, receive: Receive, proxies: TrustedProxies, *, body: bytes | None = None
) -> tuple[Request, GraphError | None]:
    """The request, and the objection to headers that could mean two things.

    With an objection the request tells who asks and no more, so that the refusal can be recorded.
    """
    headers: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
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
    peer = head.client[0] if head.client else None
    address = proxies.client(peer, headers.get(b"x-forwarded-for", ()))
    request = Request(
        method=head.method,
        path=head.path,
        query=head.query,
        authorization=headers.get(b"authorization", ()),
        content_type=content_type,
        content_length=int(length) if length is not None else None,
        idempotency_key=key,
        address=str(address) if address is not None else None,
        receive=receive,
        body=body,
    )
    return request, objection


def _one(headers: Mapping[bytes, Sequence[bytes]], name: bytes) -> str | None:
    values = headers.get(name)
    if values is None:
        return None
    if len(values) > 1 and any(value != values[0] for value in values):
        raise malformed(f"The header {name.decode()} is there twice with different values.")
    return values[0].decode("latin-1")


def _idempotency_key(headers: Mapping[bytes, Sequence[bytes]]) -> str | None:
    key = _one(headers, b"idempotency-key")
    if key is not None and not (0 < len(key) <= _IDEMPOTENCY_KEY_MAX and key.isprintable()):
        raise malformed("An Idempotency-Key has 1 to 255 printable characters.")
    return key
