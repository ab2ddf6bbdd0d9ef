"""One address, at which a ticket becomes a stream of server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from portero.live.watching import Event, Stream, Watch
from portero.store.failures import DATABASE_ERRORS

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

HEALTH, STREAM = "/live/health", "/live/events"
logger = logging.getLogger(__name__)

_BEAT_S = 15.0
"""A comment now and then: proxies close what is silent, and so does who reads nothing."""
_WRITE_S = 10.0
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class App:
    """`origins`: from whose pages a browser may open streams, as browsers spell them."""

    def __init__(self, watch: Watch, *, origins: Collection[str]) -> None:
        self._watch = watch
        self._origins = frozenset(one.encode() for one in origins)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == HEALTH:
            await _reply(send, 200, b"ok")
        elif scope["path"] != STREAM:
            await _reply(send, 404, b"not found")
        elif scope["method"] != "GET":
            await _reply(send, 405, b"GET", (b"allow", b"GET"))
        else:
            await self._stream(scope, receive, send)

    async def _stream(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        origin = dict(scope["headers"]).get(b"origin")
        if origin is not None and origin not in self._origins:
            await _reply(send, 403, b"another origin")
            return
        allowed = (
            ()
            if origin is None
            else (
                (b"access-control-allow-origin", origin),
                (b"vary", b"origin"),
            )
        )
        tickets = parse_qs(scope["query_string"].decode("ascii", "replace")).get("ticket", [])
        try:
            async with self._watch.stream(tickets[0] if len(tickets) == 1 else "") as stream:
                if stream is None:
                    await _reply(send, 403, b"no ticket, or spent", *allowed)
                else:
                    await _tell(stream, receive, send, allowed)
        except DATABASE_ERRORS as error:
            logger.warning("streams: none is opened: %s", type(error).__name__)
            await _reply(send, 503, b"the database is away", *allowed)


async def _tell(stream: Stream, receive: Receive, send: Send, headers: tuple[Header, ...]) -> None:
    """Write what is due until the stream or its reader is gone."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/event-stream"),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
                *headers,
            ],
        }
    )
    left = asyncio.create_task(_until_left(receive))
    with contextlib.suppress(TimeoutError):
        try:
            await _write(send, b": open\n\n")
            while not left.done():
                due = await _next(stream, left)
                is_over = Event.GONE in due
                told = [Event.GONE] if is_over else sorted(due)
                text = "".join(f"event: {event}\ndata:\n\n" for event in told) or ": beat\n\n"
                if not left.done():
                    await _write(send, text.encode())
                if is_over:
                    break
        finally:
            left.cancel()
    with contextlib.suppress(OSError):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _next(stream: Stream, left: asyncio.Task[None]) -> set[Event]:
    """What is due, as soon as something is; nothing after a while."""
    waking = asyncio.create_task(stream.wake.wait())
    try:
        await asyncio.wait({waking, left}, timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waking.cancel()
    return stream.take()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, body: bytes) -> None:
    """Raises TimeoutError for a reader who takes nothing."""
    message = {"type": "http.response.body", "body": body, "more_body": True}
    await asyncio.wait_for(send(message), _WRITE_S)


async def _reply(send: Send, status: int, body: bytes, *headers: Header) -> None:
    start = {"type": "http.response.start", "status": status, "headers": [_TEXT, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
