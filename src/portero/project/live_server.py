"""Serves streams to screens."""

from __future__ import annotations

from portero.gateway.server import Listener, serve
from portero.live.process import Settings, application
from portero.project.configuration import Configuration

_GRACE_S = 0.5
"""Streams do not end by themselves; browsers open them again elsewhere."""


async def run(configuration: Configuration, *, fd: int) -> None:
    """Serve the inherited socket until SIGTERM."""
    settings = Settings(database=configuration.dsn("app"), origins=configuration.console_origins)
    async with application(settings) as app:
        listener = Listener(app=app, fd=fd)
        await serve([listener], graceful_timeout_s=_GRACE_S, ready=lambda _addresses: None)
