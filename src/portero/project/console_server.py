"""Serves the console by WSGI threads."""

from __future__ import annotations

import os
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from portero.project.configuration import Configuration
from portero.project.tether import die_with

_THREADS = 4
_KILL_AFTER_S = 10


def serve(configuration: Configuration) -> None:
    """Serve until SIGTERM."""
    address = configuration.console_listen
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    server = Granian(
        "portero.project.wsgi:application",
        address=address.host,
        port=address.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_THREADS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
        workers_kill_timeout=_KILL_AFTER_S,
    )
    server.serve(target_loader=_load, wrap_loader=False)


def _load() -> Any:
    """Run in the worker: it must not outlive the process that started it."""
    die_with(os.getppid())
    from portero.project.wsgi import application  # sets Django up, which the main process need not

    return application
