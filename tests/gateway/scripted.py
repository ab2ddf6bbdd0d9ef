"""A scripted server on loopback, and what tests of the upstream client share."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import uvloop

from portero.gateway.upstream import (
    Origin,
    Upstream,
    UpstreamLimits,
    UpstreamRequest,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
QUICK = UpstreamLimits(
    connect_s=1, queue_s=0.3, answer_s=0.3, total_s=2, stream_total_s=5, idle_s=1
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A loopback server that keeps every byte it is sent and answers as its script says."""

    def __init__(self, script: Handler) -> None:
        self.script = script
        self.seen = bytearray()
        self.connections = 0
        self.origin = Origin("http", "127.0.0.1", 0)
        self.talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.script(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen += head
        return head


@asynccontextmanager
async def serving(script: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.origin = Origin("https" if tls else "http", "127.0.0.1", port)
    try:
        yield server
    finally:
        listener.close()
        for task in server.talks:
            task.cancel()
        await asyncio.gather(*server.talks)


@asynccontextmanager
async def answering(
    *answers: bytes, limits: UpstreamLimits = QUICK, then_close: bool = False
) -> AsyncIterator[tuple[Server, Upstream]]:
    """A server that reads a head per answer, on every connection, and a client for it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await server.head(reader)
            writer.write(answer)
        if not then_close:
            server.seen += await reader.read()

    async with serving(script) as server:
        upstream = Upstream([server.origin], limits=limits)
        try:
            yield server, upstream
        finally:
            await upstream.close()


def get(server: Server, target: str = "/v26.0/1") -> UpstreamRequest:
    return UpstreamRequest("GET", server.origin, target, [])


def allow() -> None:
    """A check that objects to nothing."""


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    uvloop.run(bounded())


class Revoked(Exception):
    """What a check raises that objects."""
