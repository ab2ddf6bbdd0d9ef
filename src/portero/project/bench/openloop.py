"""The open loop's generator: `python -m portero.project.bench.openloop` with its task on stdin."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop
from typing_extensions import override

_LAST_ANSWERS_S = 5.0


class Generator:
    """Sends what is due on whichever connection is idle, and remembers how long each took."""

    def __init__(self, requests: list[bytes]) -> None:
        self.latencies_ms: list[float] = []
        self.refused = 0
        self._requests = requests
        self._next = 0
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._clock = asyncio.get_running_loop().time

    @property
    def waiting(self) -> int:
        return len(self._due)

    def send(self, due: float) -> None:
        self._due.append(due)
        self.pump()

    def pump(self) -> None:
        while self._due and self._idle:
            request = self._requests[self._next % len(self._requests)]
            self._next += 1
            self._idle.popleft().send(request, self._due.popleft())

    def idle(self, connection: _Connection) -> None:
        self._idle.append(connection)
        self.pump()

    def answered(self, due: float, status: int) -> None:
        self.latencies_ms.append((self._clock() - due) * 1000)
        self.refused += status != 200


class _Connection(asyncio.Protocol):
    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0.0
        self._transport: Any = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._generator.idle(self)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._generator.answered(self._due, self._parser.get_status_code())
        self._generator.idle(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)


async def run(told: dict[str, Any]) -> dict[str, float]:
    """Send for as long as told; returns what `Load` holds."""
    parts = urlsplit(told["url"])
    generator = Generator([_encode(parts.netloc, *one) for one in told["mix"]])
    loop = asyncio.get_running_loop()
    for _ in range(told["connections"]):
        await loop.create_connection(lambda: _Connection(generator), parts.hostname, parts.port)
    dice = random.Random(7)
    began = loop.time() + 0.05
    due, ends, count = began, began + told["seconds"], 0
    gc.disable()
    while due < ends:
        if (left := due - loop.time()) > 0:
            await asyncio.sleep(left)
        generator.send(due)
        count += 1
        due += dice.expovariate(told["rate"])
    last = loop.time() + _LAST_ANSWERS_S
    while len(generator.latencies_ms) < count and loop.time() < last:
        await asyncio.sleep(0.01)
    lost = count - len(generator.latencies_ms)
    taken = sorted([*generator.latencies_ms, *[_LAST_ANSWERS_S * 1000] * lost])
    return {
        "requests": count,
        "per_second": (count - lost) / told["seconds"],
        "refused": generator.refused + lost,
        **{f"p{n}_ms": taken[(len(taken) - 1) * n // 100] for n in (50, 95, 99)},
    }


def _encode(host: str, path: str, headers: dict[str, str], body: str) -> bytes:
    raw = body.encode()
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(raw)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))  # noqa: T201 - the result
