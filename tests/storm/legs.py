"""Fault proxies on both legs of a fleet: before PostgreSQL, and before Meta."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.house import House
from portero.project.faults.proxy import Endpoint, FaultProxy, proxying
from storm.fleet import sockets

SOCKET = ".s.PGSQL.5432"
# By these the connections are known on which a process hears of policies and says that it has.
LEASE = (b"INSERT INTO gateway_process", b"portero_policy")


@dataclass(frozen=True)
class Legs:
    """The two proxies and where they listen. `on` calls one of their methods in their loop."""

    database: FaultProxy
    meta: FaultProxy
    folder: Path
    graph_url: str
    house: House

    def on(self, deed: Callable[[], None]) -> None:
        async def go() -> None:
            deed()

        self.house.loop.run(go())


@contextmanager
def legs_of(house: House) -> Iterator[Legs]:
    stop = house.loop.run(_event())
    ready: asyncio.Future[tuple[FaultProxy, FaultProxy, str]] = house.loop.run(_future())

    async def run(folder: Path) -> None:
        parts = urlsplit(house.sandbox.url)
        assert parts.hostname is not None
        assert parts.port is not None
        meta: Endpoint = (parts.hostname, parts.port)
        async with (
            proxying(folder / SOCKET, sockets(house) / SOCKET, marks=LEASE) as (database, _),
            proxying(("127.0.0.1", 0), meta) as (upstream, bound),
        ):
            assert isinstance(bound, tuple)
            ready.set_result((database, upstream, f"http://127.0.0.1:{bound[1]}"))
            await stop.wait()

    async def wait() -> tuple[FaultProxy, FaultProxy, str]:
        return await ready

    with tempfile.TemporaryDirectory(prefix="portero-legs-") as name:
        task = house.loop.start(run(Path(name)))
        database, upstream, url = house.loop.run(wait())
        try:
            yield Legs(database, upstream, Path(name), url, house)
        finally:
            house.loop.loop.call_soon_threadsafe(stop.set)
            house.loop.run(_ended(task))


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def _future() -> asyncio.Future[tuple[FaultProxy, FaultProxy, str]]:
    return asyncio.get_running_loop().create_future()


async def _ended(task: asyncio.Task[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await task
