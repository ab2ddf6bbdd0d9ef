"""A served application on loopback, and raw sockets that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import uvloop

from portero.gateway.body import BodyError, BodyLimits, BodyReader, TooSlow
from portero.gateway.protocol import HttpLimits
from portero.gateway.replies import Reply
from portero.gateway.request import Head
from portero.gateway.server import Address, Listener, serve

# Whether requests that come in one piece are answered without messages.
WHOLE = ContextVar("WHOLE", default=False)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

QUICK = HttpLimits(head_s=0.4, idle_s=0.6, linger_s=0.3, write_stall_s=0.4)
BODY = BodyLimits(max_bytes=100_000, silence_s=0.4, grace_s=0.3, min_rate=1000, total_s=1.5)


class Application:
    """Reads each request whole, keeps what it saw, answers with it."""

    def __init__(self, body: BodyLimits = BODY) -> None:
        self.body = body
        self.seen: list[tuple[str, str, bytes]] = []
        self.seen_of: dict[int, list[tuple[str, str, bytes]]] = {}  # by the client's port
        self.scopes: list[Scope] = []
        self.errors: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.answer = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await BodyReader(receive, self.body).read()
        except BodyError as error:
            self.errors.append(error.code)
            await reply(send, 408 if isinstance(error, TooSlow) else 413, b"")
            return
        self._saw(scope, (scope["method"], scope["raw_path"].decode(), body))
        await self.hold.wait()
        await reply(send, 200, self.answer or body)

    def whole(self, head: Head, body: bytes) -> Awaitable[Reply] | None:
        """The same for what comes in one piece; bodies over the limit are left to messages."""
        return None if len(body) > self.body.max_bytes else self._whole(head, body)

    async def _whole(self, head: Head, body: bytes) -> Reply:
        self._saw(
            {"headers": head.headers, "client": head.client},
            (head.method, head.path.decode(), body),
        )
        await self.hold.wait()
        return Reply(200, self.answer or body, ())

    def _saw(self, scope: Scope, request: tuple[str, str, bytes]) -> None:
        self.scopes.append(scope)
        self.seen.append(request)
        if scope["client"] is not None:
            self.seen_of.setdefault(scope["client"][1], []).append(request)


async def reply(send: Send, status: int, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(
    application: Callable[[Scope, Receive, Send], Awaitable[None]],
    limits: HttpLimits = QUICK,
    *,
    graceful_timeout_s: float = 0.5,
) -> AsyncIterator[tuple[str, int]]:
    addresses: list[Address] = []
    listening, stop = asyncio.Event(), asyncio.Event()

    def ready(bound: Any) -> None:
        addresses.extend(bound)
        listening.set()

    whole = getattr(application, "whole", None) if WHOLE.get() else None
    server = asyncio.create_task(
        serve(
            [Listener(application, whole=whole, limits=limits)],
            graceful_timeout_s=graceful_timeout_s,
            ready=ready,
            stop=stop,
        )
    )
    await listening.wait()
    try:
        yield addresses[0]  # type: ignore[misc]  # a TCP listener's address
    finally:
        stop.set()
        await server


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 30)

    uvloop.run(bounded())


@dataclass
class Talk:
    """What one raw connection was answered, and from which port it spoke."""

    answer: bytes
    port: int
    was_closed: bool = False


async def talk(address: tuple[str, int], *pieces: bytes, wait_s: float = 0.15) -> Talk:
    """Send the pieces, and read until the server closes or falls silent."""
    reader, writer = await asyncio.open_connection(*address)
    said = Talk(b"", writer.get_extra_info("sockname")[1])
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        while chunk := await asyncio.wait_for(reader.read(65536), wait_s):
            said.answer += chunk
        said.was_closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        said.was_closed = True
    finally:
        writer.transport.abort()
    return said


async def speak(address: tuple[str, int], *pieces: bytes, wait_s: float = 0.15) -> bytes:
    return (await talk(address, *pieces, wait_s=wait_s)).answer


def statuses(answer: bytes) -> list[int]:
    return [int(part.split()[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]


H = b"Host: a\r\n"
POST = b"POST /one HTTP/1.1\r\n" + H
GET = b"GET /one HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
