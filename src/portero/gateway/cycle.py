"""One request and its answer: uvicorn's, except that a whole answer leaves in one write.

uvicorn writes a head when it is given and the body when that comes: two system calls and two
segments for every answer, where nearly every answer of ours is whole when it begins.
"""

from __future__ import annotations

from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle


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
        lines = [name + b": " + value for name, value in (*self.default_headers, *headers)]
        if not self.keep_alive:
            lines.append(b"connection: close")
        text = b"\r\n".join(lines)
        if text.count(b"\n") != len(lines) - 1 or text.count(b"\r") != len(lines) - 1:
            return None  # a value that would end its line
        return b"%b%b\r\n\r\n%b" % (STATUS_LINE[head["status"]], text, body)

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
