"""One process that serves streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from portero.live.app import App
from portero.live.watching import Watch
from portero.store.listed import read_committed

POOL = 8
_COMMAND_S = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process is told."""

    database: str = field(repr=False)
    """As the application's login: row-level security shows one workspace a transaction."""
    origins: Collection[str]


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[App]:
    """The application, with what it needs running beside it."""
    async with asyncpg.create_pool(
        settings.database,
        min_size=1,
        max_size=POOL,
        command_timeout=_COMMAND_S,
        init=read_committed,
    ) as pool:
        watch = Watch(pool=pool, connect=lambda: asyncpg.connect(settings.database))
        looking = asyncio.create_task(watch.run())
        try:
            yield App(watch, origins=settings.origins)
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
