"""What the supervisor's children run: `python -m portero.project.child PARENT KIND [ARGUMENTS]`.

Not for people: `portero serve`, `portero sandbox` and `portero demo` start it. Each kind loads only
what it needs; the gateway, the streams and the sandbox never load Django.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from portero.project.telling import to_stderr
from portero.project.tether import die_with

_LOOK_AFTER_S = 0.5

logger = logging.getLogger(__name__)


def gateway(process: str, fd: str) -> None:
    import uvloop

    from portero.gateway import process as gateway_process
    from portero.project.configuration import Configuration
    from portero.project.gateway_settings import gateway_settings, internal_folder

    configuration = Configuration.from_environment()
    internal_folder(configuration.state).mkdir(mode=0o700, exist_ok=True)
    settings = gateway_settings(configuration, process=int(process), fd=int(fd))
    uvloop.run(gateway_process.run(settings, ready=lambda _addresses: None))


def sandbox(fd: str, world: str) -> None:
    from portero.sandbox import World, create_app
    from portero.sandbox.server import server_for

    app = create_app(World.from_file(Path(world)) if world else World.default())
    server_for(app, 0).run(sockets=[socket.socket(fileno=int(fd))])


def console() -> None:
    from portero.project.configuration import Configuration
    from portero.project.console_server import serve

    serve(Configuration.from_environment())


def live(fd: str) -> None:
    import uvloop

    from portero.project.configuration import Configuration
    from portero.project.live_server import run

    uvloop.run(run(Configuration.from_environment(), fd=int(fd)))


def metrics() -> None:
    from portero.project.configuration import Configuration
    from portero.project.metrics import serve

    serve(Configuration.from_environment())()


def worker() -> None:
    """Send mail, and whatever else waits for nobody."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    import django

    django.setup()
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    assert isinstance(app.connector, DjangoConnector)  # noqa: S101 - its app is made so
    with app.replace_connector(app.connector.get_worker_connector()) as working:
        working.run_worker()


def database() -> None:
    """Keep our own PostgreSQL up until told to stop, then stop it."""
    from portero.project.postgres import Cluster

    cluster = Cluster(Path(os.environ["PORTERO_STATE"]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    cluster.start()
    while not stop.wait(_LOOK_AFTER_S):
        if not cluster.status().running:
            logger.warning("PostgreSQL is gone: starting it again")
            cluster.start()
    cluster.stop()


def demo_workspace() -> None:
    from portero.project.demo.workspace import ensure_workspace

    ensure_workspace(Path(os.environ["PORTERO_STATE"]))


_KINDS: Mapping[str, Callable[..., None]] = {
    "gateway": gateway,
    "sandbox": sandbox,
    "console": console,
    "live": live,
    "metrics": metrics,
    "worker": worker,
    "database": database,
    "demo-workspace": demo_workspace,
}


def main(arguments: list[str]) -> None:
    parent, kind, *rest = arguments
    die_with(int(parent))
    to_stderr(kind, as_json=os.environ.get("PORTERO_LOG") == "json")
    for chatty in ("procrastinate", "django.request"):
        # What goes as it should, and what somebody filled in wrongly, is no news.
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the supervisor says what runs
    _KINDS[kind](*rest)


if __name__ == "__main__":
    main(sys.argv[1:])
