"""An installation of the benchmark's own: database, workspace, gateway, and Meta's stand-in.

Everything is what `portero serve` runs, with PostgreSQL's durability on; only Meta is a program that
answers at once (or after a delay), because it is not Meta that is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

from portero.project.gateway_settings import internal_socket
from portero.project.listening import answers, listen, socket_answers
from portero.project.postgres import Cluster
from portero.project.programs import GATEWAY_HEALTH

WABA = "102290129340398"
NUMBERS = tuple(f"1065512{n:08}" for n in range(200))
META_TOKEN = "EAAG" + "b" * 60
APP_SECRET = "0123456789abcdef" * 2
VERIFY_TOKEN = "bench-verify"  # noqa: S105 - of an installation that lives for minutes
DATABASE = "portero"
_PATIENCE_S = 60.0


class Shop(TypedDict):
    """What the measured workspace is called by."""

    workspace: str
    owner: str
    account: str
    key_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Stand:
    """The running parts.

    Attributes:
        url: where programs reach the gateway.
        gateways: its processes.
        database: the server, whose processes count as its own.
    """

    state: Path
    url: str
    shop: Shop
    cluster: Cluster
    gateways: tuple[subprocess.Popen[bytes], ...]

    @property
    def dsn(self) -> str:
        """The superuser's, to look and to clean; nothing measured goes through it."""
        return self.cluster.dsn("superuser", DATABASE)


@contextmanager
def installed(graph_url: str) -> Iterator[tuple[Path, Cluster, Shop, Mapping[str, str]]]:
    """A database with the workspace in it, in a folder that goes with it."""
    state = Path(tempfile.mkdtemp(prefix="portero-bench-"))
    state.chmod(0o755)  # the server's own account passes through
    environ = environment(state, graph_url)
    cluster = Cluster(state, environ)
    try:
        cluster.start()
        made = state / "shop.json"
        run_module("portero.project.bench.founding", environ, str(made))
        yield state, cluster, json.loads(made.read_text()), environ
    finally:
        cluster.stop()
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def stand(graph_url: str, *, processes: int = 1) -> Iterator[Stand]:
    """A whole installation whose gateway forwards to `graph_url`."""
    with (
        installed(graph_url) as (state, cluster, shop, environ),
        gateways(environ, state, processes) as (url, running),
    ):
        yield Stand(state, url, shop, cluster, running)


@contextmanager
def gateways(
    environ: Mapping[str, str], state: Path, processes: int
) -> Iterator[tuple[str, tuple[subprocess.Popen[bytes], ...]]]:
    """Gateway processes that share one address, as `portero serve gateway` starts them."""
    with listen("127.0.0.1", 0) as shared, contextlib.ExitStack() as stack:
        fd, port = shared.fileno(), shared.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        running = tuple(
            stack.enter_context(
                child(
                    [*_CHILD, str(os.getpid()), "gateway", str(number), str(fd)],
                    environ={**environ, "PORTERO_GATEWAY_LISTEN": f"127.0.0.1:{port}"},
                    fds=(fd,),
                )
            )
            for number in range(1, processes + 1)
        )
        for number in range(1, processes + 1):
            wait_for(lambda number=number: socket_answers(internal_socket(state, number)))
        wait_for(lambda: answers(url + GATEWAY_HEALTH))
        yield url, running


_CHILD = (sys.executable, "-P", "-m", "portero.project.child")


def environment(state: Path, graph_url: str) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PORTERO_", "DATABASE_URL"))}
    for name in ("PORTERO_PG_BIN", "PORTERO_PG_USER"):
        if name in os.environ:
            kept[name] = os.environ[name]
    return {
        **kept,
        "PORTERO_STATE": str(state),
        "PORTERO_GRAPH_URL": graph_url,
        "DJANGO_SETTINGS_MODULE": "portero.project.settings",
    }


def run_module(module: str, environ: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", module, *arguments],
        env=dict(environ),
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def child(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    fds: tuple[int, ...] = (),
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block; what it complains of goes to our stderr."""
    process = subprocess.Popen(  # noqa: S603 - programs of ours and the rivals named here
        list(command),
        env=dict(environ) if environ is not None else None,
        pass_fds=fds,
        stdout=subprocess.DEVNULL,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(is_so: object, *, patience_s: float = _PATIENCE_S) -> None:
    """Wait until it is so. Raises TimeoutError."""
    assert callable(is_so)  # noqa: S101 - a programming error
    ends = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError("a program of the benchmark did not answer")
        time.sleep(0.02)


def accepts(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def cpu_s(*pids: int) -> float:
    """User and system time that processes and all their descendants have used so far, seconds."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for one in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    total += times.user + times.system
    return total
