"""A proxy for bytes between two parts that delays, swallows, cuts and half-closes what passes.

It knows no protocol, so it stands before PostgreSQL and before Meta alike, on TCP or unix sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

Endpoint = tuple[str, int] | Path
"""Host and port, or the path of a unix socket."""

_CHUNK = 65_536
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds


class Way(Enum):
    """Which way bytes go: from who connected to the server, or back."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


class FaultProxy:
    """Passes bytes as they come until it is told otherwise; `mend` ends every fault.

    Its methods are called in the loop it serves in. A fault holds for connections that are open and
    for those that come.

    Attributes:
        target: where connections lead; may be moved.
        connections: how many were accepted so far.
    """

    def __init__(self, target: Endpoint, *, marks: tuple[bytes, ...] = ()) -> None:
        """`marks` are bytes by which `hold_marked` tells connections, once they went to the server."""
        self.target = target
        self.connections = 0
        self._marks = marks
        self._links: set[_Link] = set()
        self._serving: set[asyncio.Task[object]] = set()
        self._passing = asyncio.Event()
        self._marked_passing = asyncio.Event()
        self._delay_s = 0.0
        self._cut: tuple[Way, int] | None = None
        self._refuses = False
        self.mend()

    # Faults

    def delay(self, seconds: float) -> None:
        """Everything passes so much later, in order."""
        self._delay_s = seconds

    def swallow(self) -> None:
        """Nothing passes any more, and nobody is told: a black hole. What came passes after `mend`."""
        self._passing.clear()

    def hold_marked(self) -> None:
        """As `swallow`, for marked connections alone."""
        self._marked_passing.clear()

    def reset_after(self, way: Way, count: int) -> None:
        """Each connection passes so many bytes more on this way and is reset before the next one.

        With 0 bytes to the server a request never arrives; with 0 to the client it has arrived and
        its answer is lost.
        """
        self._cut = (way, count)
        for link in self._links:
            link.left = count

    def half_close(self, way: Way) -> None:
        """End this way of each open connection; the other still passes."""
        for link in self._links:
            link.end(way)

    def reset(self) -> None:
        """Reset every open connection now."""
        for link in tuple(self._links):
            link.reset()

    def refuse(self) -> None:
        """Reset open connections and each that comes: the server is away."""
        self._refuses = True
        self.reset()

    def mend(self) -> None:
        """End every fault; what was held passes."""
        self._delay_s = 0.0
        self._cut = None
        self._refuses = False
        self._passing.set()
        self._marked_passing.set()

    async def close(self) -> None:
        """Reset every connection and wait until nothing carries bytes any more."""
        self.reset()
        if self._serving:
            await asyncio.wait(self._serving)
        await asyncio.sleep(0)  # sockets close in the next round

    # Passing

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of asyncio runs in a task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        if self._refuses:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await _connect(self.target)
        except OSError:
            _reset(writer)
            return
        link = _Link(writer, server_writer, self._cut[1] if self._cut else 0)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(link, reader, Way.TO_SERVER))
                both.create_task(self._carry(link, server_reader, Way.TO_CLIENT))
        finally:
            self._links.discard(link)
            link.close()

    async def _carry(self, link: _Link, source: asyncio.StreamReader, way: Way) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if way is Way.TO_SERVER and any(mark in data for mark in self._marks):
                    link.marked = True
                await self._passing.wait()
                if link.marked:
                    await self._marked_passing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if not await self._pass(link, data, way):
                    return
            link.end(way)
            return
        link.reset()

    async def _pass(self, link: _Link, data: bytes, way: Way) -> bool:
        """Pass it, or as much as may before the connection is reset; False when it was."""
        cut = self._cut is not None and self._cut[0] is way
        if cut and len(data) > link.left:
            await link.write(data[: link.left], way)
            link.reset()
            return False
        link.left -= len(data) if cut else 0
        await link.write(data, way)
        return True


class _Link:
    """One connection and its continuation. `left`: how many bytes still pass before a cut."""

    def __init__(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, left: int
    ) -> None:
        self.left = left
        self.marked = False
        self._to = {Way.TO_SERVER: server, Way.TO_CLIENT: client}

    async def write(self, data: bytes, way: Way) -> None:
        if data:
            self._to[way].write(data)
            await self._to[way].drain()

    def end(self, way: Way) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._to[way].write_eof()

    def reset(self) -> None:
        for writer in self._to.values():
            _reset(writer)

    def close(self) -> None:
        for writer in self._to.values():
            writer.close()


async def _connect(to: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(to, Path):
        return await asyncio.open_unix_connection(str(to))
    return await asyncio.open_connection(*to)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side hears of an error, not of an end."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def proxying(
    listen: Endpoint, target: Endpoint, *, marks: tuple[bytes, ...] = ()
) -> AsyncIterator[tuple[FaultProxy, Endpoint]]:
    """Serve inside the block; gives the proxy and where it listens (port 0: any free one)."""
    proxy = FaultProxy(target, marks=marks)
    if isinstance(listen, Path):
        server = await asyncio.start_unix_server(proxy.serve, str(listen))
        listen.chmod(0o600)
        bound: Endpoint = listen
    else:
        server = await asyncio.start_server(proxy.serve, *listen)
        bound = server.sockets[0].getsockname()[:2]
    try:
        yield proxy, bound
    finally:
        server.close()
        proxy.mend()
        await proxy.close()
        await server.wait_closed()
        if isinstance(bound, Path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(bound)
