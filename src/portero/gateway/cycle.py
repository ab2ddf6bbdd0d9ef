"""One request and its answer: uvicorn's, except that a whole answer leaves in one write.

uvicorn writes a head when it is given and the body when that comes: two system calls and two
segments for every answer, where nearly every answer of ours is whole when it begins. Where the
request is whole as well, no messages need to be passed either: that is a `WholeCycle`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, cast

from typing_extensions import override
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from portero.gateway.replies import Reply

_log = logging.getLogger(__name__)

Headers = Sequence[tuple[bytes, bytes]]


class Cycle(RequestResponseCycle):
    """Keeps a head back until there is something behind it."""

    _head: Any = None

    @override
    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message
            return
        head, self._head = self._head, None
        if head is not None:
            if not self.flow.write_paused and (whole := self._whole(head, message)) is not None:
                self._send_whole(whole)
                return
            await super().send(head)
        await super().send(message)

    def _whole(self, head: Any, message: Any) -> bytes | None:
        """Head and body as bytes; None for what uvicorn must frame, or refuse."""
        body: bytes = message.get("body", b"")
        headers: list[tuple[bytes, bytes]] = head["headers"]
        if (
            message.get("more_body", False)
            or self.scope["method"] == "HEAD"
            or headers[-1] != (b"content-length", str(len(body)).encode())
        ):
            return None
        return _written(head["status"], (*self.default_headers, *headers), body, self.keep_alive)

    def _send_whole(self, whole: bytes) -> None:
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(whole)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        cast("Any", self.on_response)()


class WholeCycle:
    """A request that was there whole when it began. To uvicorn it is a cycle like any other."""

    __slots__ = (
        "_flow",
        "_on_response",
        "_transport",
        "disconnected",
        "keep_alive",
        "response_complete",
    )
    message_event: ClassVar[asyncio.Event] = asyncio.Event()  # for which nobody waits

    def __init__(
        self,
        transport: asyncio.Transport,
        flow: FlowControl,
        *,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        self.disconnected = False
        self.keep_alive = keep_alive
        self.response_complete = False
        self._transport = transport
        self._flow = flow
        self._on_response = on_response

    async def answer(self, coming: Awaitable[Reply], default_headers: Headers) -> None:
        """Write the reply once it is there."""
        try:
            written = self._written(await coming, default_headers)
            if self._flow.write_paused:  # by somebody who asks on and reads nothing
                await self._flow.drain()
        except BaseException as error:  # noqa: BLE001 - uvicorn swallows a cancellation here as well
            _log.error("A request could not be answered.", exc_info=error)
            self.keep_alive = False
            written = self._written(_NO_ANSWER, default_headers)
        if self.disconnected:
            return
        self.response_complete = True
        self._transport.write(written)
        if not self.keep_alive:
            self._transport.close()
        self._on_response()

    def _written(self, reply: Reply, default_headers: Headers) -> bytes:
        headers = (*default_headers, *reply.all_headers())
        written = _written(reply.status, headers, reply.body, self.keep_alive)
        if written is None:
            raise ValueError("the value of a header would end its line")
        return written


def _written(status: int, headers: Headers, body: bytes, keep_alive: bool) -> bytes | None:
    """Head and body as bytes; None where a value would end its line."""
    lines = [name + b": " + value for name, value in headers]
    if not keep_alive:
        lines.append(b"connection: close")
    text = b"\r\n".join(lines)
    if text.count(b"\n") != len(lines) - 1 or text.count(b"\r") != len(lines) - 1:
        return None
    return b"%b%b\r\n\r\n%b" % (STATUS_LINE[status], text, body)


_NO_ANSWER = Reply(500, b"Internal Server Error", ((b"content-type", b"text/plain"),))
