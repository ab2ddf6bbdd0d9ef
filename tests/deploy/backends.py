"""Two servers behind a proxy that tell what reached them, by the gateway's own listener."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.front_door import Receive, Scope, Send, serving
from gateway.house import Loop
from portero.gateway.body import BodyError, BodyLimits, BodyReader
from portero.gateway.protocol import HttpLimits


@dataclass
class Backend:
    """Answers every request with a line of its own, and keeps what it saw, in order.

    `received` counts the bytes of bodies as they arrive: a proxy that holds them back shows there.
    """

    name: str
    port: int = 0
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, list[str]]] = field(default_factory=list)
    received: int = 0
    pauses_s: float = 0
    """How long it waits between the first part of an answer and the rest."""

    def forget(self) -> None:
        self.seen.clear()
        self.headers.clear()
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces = []
        try:
            async for piece in BodyReader(receive, BodyLimits(max_bytes=200_000_000)):
                self.received += len(piece)
                pieces.append(piece)
        except BodyError:
            return
        request = (scope["method"], scope["raw_path"].decode("latin-1"), b"".join(pieces))
        self.seen.append(request)
        self.headers.append(_by_name(scope))
        if self.pauses_s:
            await _drip(send, self.line(*request).encode(), self.pauses_s)
        else:
            await _reply(send, self.line(*request).encode())

    def line(self, method: str, path: str, body: bytes) -> str:
        """What it answers to such a request."""
        return f"{self.name}: {method} {path} +{len(body)}\n"


def _by_name(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        named.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return named


async def _reply(send: Send, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _drip(send: Send, body: bytes, pause_s: float) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await asyncio.sleep(pause_s)
    await send({"type": "http.response.body", "body": b"the end"})


@contextmanager
def listening(*backends: Backend) -> Iterator[None]:
    """Serve them in a loop of their own until the end of the block."""
    loop = Loop()
    stop, ready = loop.run(_event()), loop.run(_event())
    task = loop.start(_serve_all(list(backends), ready, stop))
    loop.run(ready.wait())
    try:
        yield
    finally:
        loop.loop.call_soon_threadsafe(stop.set)
        loop.run(asyncio.wait_for(task, 10))
        loop.close()


async def _serve_all(backends: list[Backend], ready: asyncio.Event, stop: asyncio.Event) -> None:
    if not backends:
        ready.set()
        await stop.wait()
        return
    async with serving(backends[0], HttpLimits()) as (_, port):
        backends[0].port = port
        await _serve_all(backends[1:], ready, stop)


async def _event() -> asyncio.Event:
    return asyncio.Event()
