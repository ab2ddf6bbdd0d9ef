"""Many requests over a few kept connections: exact bytes out, whole answers back, a bound on each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

# The gateway may wait five seconds each for a look-up, the commit before it, its own commit and a free
# connection, and answers then, whatever comes. Beyond that and half as much again it hangs.
HANG_S = 30.0
_QUIET_S = 0.25  # tampered bytes may be half a request: then the server waits, and we hang up


@dataclass(frozen=True)
class Shot:
    """One request as bytes. `is_raw`: HTTP only perhaps, so an answer is owed only perhaps."""

    n: int
    written: bytes
    is_raw: bool

    @property
    def has_no_body_back(self) -> bool:
        return self.written.startswith(b"HEAD ")


@dataclass(frozen=True)
class Back:
    """What came back: None for nothing, which only a tampered request may get."""

    shot: Shot
    status: int | None
    headers: bytes = b""
    body: bytes = b""


class NoAnswer(AssertionError):
    """The server kept an ordinary request waiting, or hung up on it."""


class _Connection(asyncio.Protocol):
    """Reads one answer at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = b""
        self.is_closed = False
        self._answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._is_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP's
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._look()

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def ask(self, shot: Shot) -> asyncio.Future[tuple[int, bytes, bytes]]:
        self._answer = asyncio.get_running_loop().create_future()
        self._is_head = shot.has_no_body_back
        self.received = b""
        self.transport.write(shot.written)
        return self._answer

    def _look(self) -> None:
        if self._answer is None or self._answer.done():
            return
        while self.received.startswith(b"HTTP/1.1 100 "):
            _, blank, rest = self.received.partition(b"\r\n\r\n")
            if not blank:
                return
            self.received = rest
        head, blank, rest = self.received.partition(b"\r\n\r\n")
        if not blank:
            return
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            if not rest.endswith(b"0\r\n\r\n"):
                return
        elif not self._is_head:
            at = lowered.find(b"content-length:")
            length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            rest = rest[:length]
        if b"connection: close" in lowered:
            self.is_closed = True
        self._answer.set_result((int(head[9:12]), head, rest))


async def fire(port: int, shots: Iterator[Shot], *, lanes: int) -> list[Back]:
    """All shots, several in flight, each lane one after the other. Raises NoAnswer."""
    backs: list[Back] = []

    async def lane() -> None:
        connection = await _connected(port)
        try:
            for shot in shots:
                if connection.is_closed or shot.is_raw:
                    connection.transport.abort()
                    connection = await _connected(port)
                backs.append(await (_tried if shot.is_raw else _asked)(connection, shot))
                connection.is_closed |= shot.is_raw
        finally:
            connection.transport.abort()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(lanes):
            tasks.create_task(lane())
    return backs


async def _connected(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
    return connection


async def _asked(connection: _Connection, shot: Shot) -> Back:
    try:
        async with asyncio.timeout(HANG_S):
            return Back(shot, *await connection.ask(shot))
    except (TimeoutError, ConnectionError) as error:
        raise NoAnswer(f"{type(error).__name__}: request {shot.n}: {shot.written!r}") from error


async def _tried(connection: _Connection, shot: Shot) -> Back:
    asked = connection.ask(shot)
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_QUIET_S):
            return Back(shot, *await asyncio.shield(asked))
    if not connection.is_closed:
        with contextlib.suppress(OSError):
            connection.transport.write_eof()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_QUIET_S):
                return Back(shot, *await asyncio.shield(asked))
    asked.cancel()
    return Back(shot, None)
