"""Clients that send a byte at a time, in a process of their own; cut off, they come again.

Run as `python slow.py PORT COUNT KEY NUMBER EVERY_S`; told to stop by the end of its standard input, it prints what
became of them as JSON: `opened` connections, `sent` bytes one by one, and the seconds each `lasted`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from typing import Any

_BOUNDARY = b"c0c0c0c0"


def beginnings(key: str, number: str) -> list[bytes]:
    """How such a request begins: with nothing, in its head, or in its body of several kinds."""
    head = b"POST /v23.0/%s/%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
    message = head % (number.encode(), b"messages", key.encode())
    upload = head % (number.encode(), b"media", key.encode())
    return [
        b"",  # then it begins a path without end
        b"GET /v23.0/%s HTTP/1.1\r\nHost: a\r\nX: " % number.encode(),
        message + b"Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
        message + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{",
        upload
        + b"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: 99999\r\n\r\n--"
        % _BOUNDARY
        + _BOUNDARY
        + b"\r\nX: ",
    ]


async def one(port: int, begin: bytes, every_s: float, seen: dict[str, Any]) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seen["opened"] += 1
        began = time.monotonic()
        gone = asyncio.create_task(reader.read(1))
        writer.write(begin)
        rest = itertools.chain(b"" if begin else b"GET /", itertools.repeat(ord("a")))
        try:
            while not gone.done():
                await asyncio.wait({gone}, timeout=every_s)
                writer.write(bytes([next(rest)]))
                seen["sent"] += 1
        finally:
            gone.cancel()
            writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            gone.result()
        seen["lasted"].append(time.monotonic() - began)


async def main(port: int, count: int, key: str, number: str, every_s: float) -> None:
    seen: dict[str, Any] = {"opened": 0, "sent": 0, "lasted": []}
    begin = beginnings(key, number)
    tasks = [asyncio.create_task(one(port, begin[i % 5], every_s, seen)) for i in range(count)]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    print(json.dumps(seen))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    _, of_port, of_count, *texts, of_every = sys.argv
    asyncio.run(main(int(of_port), int(of_count), texts[0], texts[1], float(of_every)))
