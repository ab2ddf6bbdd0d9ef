"""One gateway process: its parts, put together, started and stopped in order."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from portero.engine.addresses import TrustedProxies
from portero.gateway.answering import Answering
from portero.gateway.app import GatewayApp
from portero.gateway.attempt import Doorway
from portero.gateway.authentication import Authenticator
from portero.gateway.downloads import DownloadDoor
from portero.gateway.forwarding import Forwarding, second_host
from portero.gateway.graph import CallWay, GraphDoor
from portero.gateway.ingest import WebhookDoor
from portero.gateway.internal import InternalApp
from portero.gateway.last_use import LastUse
from portero.gateway.media_links import MediaLinks
from portero.gateway.resources import Registry
from portero.gateway.revocation import RevocationDoor
from portero.gateway.server import Address, Listener, serve
from portero.gateway.settings import Settings
from portero.gateway.templates import Templates
from portero.gateway.understanding import Understanding
from portero.gateway.upload_door import UploadDoor
from portero.gateway.upstream import Upstream, split_url
from portero.gateway.workspaces import Workspaces
from portero.store.failures import DATABASE_ERRORS
from portero.store.ids import uuid7
from portero.store.listed import read_committed
from portero.store.presence import Presence
from portero.store.reconcile import close_the_dead
from portero.store.recorder import Recorder

POOL_MAX = 8
COMMAND_S = 5.0
RECONCILE_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running process is made of; tests reach in here, nothing else does."""

    presence: Presence
    recorder: Recorder
    workspaces: Workspaces
    last_use: LastUse
    public: GatewayApp
    internal: InternalApp | None


async def run(settings: Settings, *, ready: Callable[[Sequence[Address]], None]) -> None:
    """Serve until told to stop; `ready` gets the addresses once everything answers."""
    async with assembled(settings) as parts:
        # What start-up made stays; walking over it again and again would only cost pauses.
        gc.collect()
        gc.freeze()
        await listen(settings, parts, ready=ready)


async def listen(
    settings: Settings,
    parts: Parts,
    *,
    ready: Callable[[Sequence[Address]], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Open the public listener and, where there is one, the internal socket."""
    public = parts.public
    listeners = [
        Listener(public, whole=public.whole, host=settings.host, port=settings.port, fd=settings.fd)
    ]
    if parts.internal is not None:
        listeners.append(Listener(parts.internal, uds=settings.internal_socket))
    await serve(listeners, graceful_timeout_s=settings.graceful_s, ready=ready, stop=stop)


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Parts]:
    """A process whose lease is live and whose recorder writes; taken apart in reverse."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(settings.database, timeout=5)

    presence = Presence(process=uuid7(), connect=connect)
    recorder = Recorder(connect=connect, on_head=presence.moved)
    origins = [split_url(url)[0] for url in _upstream_urls(settings)]
    upstream = Upstream(origins)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            asyncpg.create_pool(
                settings.database,
                min_size=1,
                max_size=POOL_MAX,
                command_timeout=COMMAND_S,
                timeout=COMMAND_S,
                init=read_committed,
                reset=_as_it_is,
            )
        )
        stack.push_async_callback(upstream.close)
        parts = _assemble(settings, pool, presence, recorder, upstream)
        # Stopped last to first: the lease outlives the recorder, so that no call is half closed.
        await stack.enter_async_context(_running(presence.run(), last=presence.leave))
        await stack.enter_async_context(_running(recorder.run(), first=recorder.settled))
        await stack.enter_async_context(_running(_reconcile(connect)))
        await stack.enter_async_context(_running(parts.last_use.run(), first=parts.last_use.write))
        yield parts


async def _as_it_is(_connection: object) -> None:
    """What a connection is given back with: nothing of ours outlives its transaction.

    The list of workspaces is the transaction's own, and there are no session's locks, settings or
    cursors; resetting them would cost every use of the pool one more round trip.
    """


def _upstream_urls(settings: Settings) -> list[str]:
    return [settings.graph_url, second_host(settings.graph_url), *settings.media_urls]


def _assemble(
    settings: Settings,
    pool: asyncpg.Pool,
    presence: Presence,
    recorder: Recorder,
    upstream: Upstream,
) -> Parts:
    workspaces = Workspaces(pool=pool, presence=presence, kek=settings.kek)
    door = Doorway(presence.process, workspaces, presence, recorder)
    last_use = LastUse(pool)
    authenticator = Authenticator(workspaces=workspaces, settings=settings, last_use=last_use)
    registry = Registry(pool=pool, recorder=recorder)
    forwarding = Forwarding(upstream=upstream, settings=settings)
    templates = Templates(
        upstream=upstream,
        forwarding=forwarding,
        door=door,
        pool=pool,
        graph_version=settings.graph_version,
    )
    understanding = Understanding(registry=registry, resolve_template=templates.resolve)
    links = MediaLinks(kek=settings.kek, public_url=settings.public_url)
    answering = Answering(links=links, registry=registry, public_url=settings.public_url)
    way = CallWay(door, authenticator, understanding, forwarding, answering)
    graph = GraphDoor(way)
    public = GatewayApp(
        graph=graph,
        uploads=UploadDoor(way),
        downloads=DownloadDoor(
            door=door,
            authenticator=authenticator,
            workspaces=workspaces,
            registry=registry,
            upstream=upstream,
            links=links,
        ),
        webhooks=WebhookDoor(pool=pool, workspaces=workspaces),
        revocation=RevocationDoor(pool=pool, authenticator=authenticator),
        presence=presence,
        proxies=TrustedProxies(settings.trusted_proxies),
    )
    internal = None
    if settings.internal_socket is not None and settings.internal_secret is not None:
        internal = InternalApp(graph=graph, workspaces=workspaces, secret=settings.internal_secret)
    return Parts(presence, recorder, workspaces, last_use, public, internal)


@asynccontextmanager
async def _running(
    work: Any,
    *,
    first: Callable[[], Any] | None = None,
    last: Callable[[], Any] | None = None,
) -> AsyncIterator[None]:
    """Something that runs beside; `first` before it is cancelled, `last` after."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        if first is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                await asyncio.wait_for(first(), 5.0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if last is not None:
            await last()


async def _reconcile(connect: Callable[[], Any]) -> None:
    while True:
        try:
            connection = await connect()
            try:
                await close_the_dead(connection)
            finally:
                await connection.close()
        except DATABASE_ERRORS as error:
            logger.warning("reconcile: the database is away: %s", type(error).__name__)
        await asyncio.sleep(RECONCILE_S)
