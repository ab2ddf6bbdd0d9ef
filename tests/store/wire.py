"""A wire between a process and the database that a test can stop, cut, or cut at one message."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from databases import Database

_SOCKET = ".s.PGSQL.5432"


class Wire:
    """A socket in front of the server's socket. Bytes pass as they come."""

    def __init__(self, database: Database, folder: Path) -> None:
        parts = urlsplit(database.dsn("gateway"))
        self._server = str(Path(parse_qs(parts.query)["host"][0]) / _SOCKET)
        self._dsn = parts._replace(query=f"host={quote(str(folder))}&port=5432").geturl()
        self._passing = asyncio.Event()
        self._passing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._refuses = False
        self._cut_before: bytes | None = None
        self._cut_after: bytes | None = None
        self._cut_at_answer = False

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._dsn, timeout=1)

    def pause(self) -> None:
        """Nothing passes, and nobody is told."""
        self._passing.clear()

    def resume(self) -> None:
        self._passing.set()

    def cut(self) -> None:
        """Every connection breaks, and no new one is made until `mend`."""
        self._refuses = True
        self._break()

    def mend(self) -> None:
        self._refuses = False

    def cut_before(self, message: bytes) -> None:
        """Break at the next message to the server that holds these bytes; it never arrives."""
        self._cut_before = message

    def cut_after(self, message: bytes) -> None:
        """Break at the answer to the next message that holds these bytes; it has been obeyed."""
        self._cut_after = message

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        self._open |= {writer, server_writer}
        with suppress(ConnectionError):
            await asyncio.gather(
                self._carry(reader, server_writer, self._stop_at_message),
                self._carry(server_reader, writer, self._stop_at_answer),
            )
        self._open -= {writer, server_writer}
        for end in (writer, server_writer):
            end.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        stop_at: Callable[[bytes], bool],
    ) -> None:
        while data := await source.read(65536):
            await self._passing.wait()
            if stop_at(data):
                self._break()
                return
            target.write(data)
            await target.drain()
        target.close()

    def _stop_at_message(self, data: bytes) -> bool:
        if self._cut_before is not None and self._cut_before in data:
            self._cut_before = None
            return True
        if self._cut_after is not None and self._cut_after in data:
            self._cut_after, self._cut_at_answer = None, True
        return False

    def _stop_at_answer(self, _data: bytes) -> bool:
        # A client waits for one answer before it asks again: the next one is the one meant.
        stop, self._cut_at_answer = self._cut_at_answer, False
        return stop

    def _break(self) -> None:
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def wire_to(database: Database) -> AsyncIterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="portero-wire-") as folder:
        wire = Wire(database, Path(folder))
        server = await asyncio.start_unix_server(wire.serve, Path(folder) / _SOCKET)
        try:
            yield wire
        finally:
            wire.resume()
            wire.cut()
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0.01)  # what passed bytes comes to its end
