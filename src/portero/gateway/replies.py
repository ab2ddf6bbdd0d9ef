"""ASGI answers: the few headers we choose, on every response (B4.7)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from portero.engine.values import valueclass
from portero.graphapi.errors import GraphError

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# No shared cache may ever hold an authorised answer, whatever its path looks like (G32).
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
JSON = (b"content-type", b"application/json; charset=UTF-8")


@valueclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = (JSON,)

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        length = (b"content-length", str(len(self.body)).encode())
        return [*self.headers, *_ALWAYS, length]

    async def send(self, send: Send) -> None:
        headers = self.all_headers()
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(
    payload: object, *, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Reply:
    return Reply(status, orjson.dumps(payload), (JSON, *headers))


def error_reply(error: GraphError, trace_id: str, *, retry_after_s: int | None = None) -> Reply:
    """A refusal or failure as Graph shapes it; `fbtrace_id` is our call id."""
    headers = [(name.encode(), value.encode()) for name, value in error.headers().items()]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    return json_reply(error.body(trace_id), status=error.http, headers=headers)


def start_of_stream(status: int, headers: Sequence[tuple[bytes, bytes]]) -> Mapping[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [*headers, *_ALWAYS]}
