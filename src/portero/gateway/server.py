"""Runs ASGI applications on hardened listeners until it is told to stop.

Several listeners share one event loop (the public one and the internal socket), so they share the
application's pools and snapshots. ASGI's lifespan is not used: who calls `serve` opens and closes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from typing_extensions import override

from portero.gateway.protocol import HttpLimits, Whole, hardened

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Mapping[str, Any]]],
        Callable[[Mapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
Address = tuple[str, int] | Path

_BACKLOG = 2048
_CANCELLED_S = 2.0  # for tasks cancelled at the end of the grace to record what they must


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one application listens: `uds`, an inherited `fd`, or else `host` and `port`."""

    app: AsgiApp
    whole: Whole | None = None  # answers what comes in one piece, without ASGI
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one; `ready` tells which
    uds: Path | None = None  # made for the owner alone (0600), removed at the end
    fd: int | None = None  # of a bound socket; stays the caller's
    limits: HttpLimits = field(default_factory=HttpLimits)


async def serve(
    listeners: Sequence[Listener],
    *,
    graceful_timeout_s: float,
    ready: Callable[[Sequence[Address]], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; then accept nothing more and let requests end.

    `ready` is called once, with a bound address per listener, when all of them accept. Requests that
    outlast the grace are cancelled.
    """
    stop = stop or asyncio.Event()
    servers = [_Server(_config(listener, graceful_timeout_s)) for listener in listeners]
    with ExitStack() as held, _signals_setting(stop):
        sockets = [_bind(listener, held) for listener in listeners]
        addresses = [_address(sock) for sock in sockets]
        async with asyncio.TaskGroup() as tasks:
            for server, sock in zip(servers, sockets, strict=True):
                tasks.create_task(server.serve(sockets=[sock]))
            for server in servers:
                await server.listening.wait()
            ready(addresses)
            await stop.wait()
            for server in servers:
                server.should_exit = True


def _config(listener: Listener, graceful_timeout_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        http=hardened(listener.limits, listener.whole),
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=1,  # else uvicorn reads the environment
        proxy_headers=False,  # addresses.py decides, and the environment has no say
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=graceful_timeout_s,  # type: ignore[arg-type]  # goes to wait_for
    )


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which would each stop only one of several."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=_CANCELLED_S)
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()


@contextmanager
def _signals_setting(stop: asyncio.Event) -> Generator[None, None, None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread; elsewhere `stop` is the only way
        return
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _bind(listener: Listener, held: ExitStack) -> socket.socket:
    if listener.fd is not None:
        return held.enter_context(socket.socket(fileno=os.dup(listener.fd)))
    if listener.uds is not None:
        return _bind_path(listener.uds, held)
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    address = (listener.host, listener.port)
    return held.enter_context(socket.create_server(address, family=family, backlog=_BACKLOG))


def _bind_path(path: Path, held: ExitStack) -> socket.socket:
    sock = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    _remove_stale(path)
    sock.bind(str(path))
    held.callback(path.unlink, missing_ok=True)
    path.chmod(0o600)  # nobody can connect before listen(), so nobody slips in between
    return sock


def _remove_stale(path: Path) -> None:
    """Remove what a killed process left behind; raise OSError if somebody still listens there."""
    with (
        suppress(FileNotFoundError, ConnectionRefusedError),
        socket.socket(socket.AF_UNIX) as probe,
    ):
        probe.connect(str(path))
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
    if path.is_socket():
        path.unlink()


def _address(sock: socket.socket) -> Address:
    name = sock.getsockname()
    return Path(name) if isinstance(name, str) else (name[0], name[1])
