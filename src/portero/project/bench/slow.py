"""Meta's stand-in that takes its time: `python -m portero.project.bench.slow PORT DELAY_MS`."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import httptools
import uvloop
from typing_extensions import override

_BODY = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"+%s","wa_id":"%s"}],'
    b'"messages":[{"id":"wamid.%032x"}]}'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Slow(asyncio.Protocol):
    """Answers every message after the delay."""

    count = 0

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._parser = httptools.HttpRequestParser(self)
        self._customer = b""
        self._transport: Any = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._customer = b"521" + url.rpartition(b"/")[0][-10:]

    def on_message_complete(self) -> None:
        Slow.count += 1
        body = _BODY % (self._customer, self._customer, Slow.count)
        asyncio.get_running_loop().call_later(self._delay_s, self._answer, _HEAD % len(body) + body)

    def _answer(self, raw: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(raw)


async def main() -> None:
    """Serve until ended."""
    loop = asyncio.get_running_loop()
    delay_s = float(sys.argv[2]) / 1000
    await loop.create_server(lambda: Slow(delay_s), "127.0.0.1", int(sys.argv[1]), backlog=2048)
    gc.disable()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
