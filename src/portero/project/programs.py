"""The processes of an installation, as the supervisor runs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from portero.project.listening import answers, socket_answers
from portero.project.supervisor import Program

SANDBOX_HEALTH = "/_sandbox/ledger?since=999999999"
GATEWAY_HEALTH = "/-/health"
CONSOLE_HEALTH = "/-/health"
LIVE_HEALTH = "/live/health"
METRICS_HEALTH = "/metrics"


def gateway_program(
    environ: Mapping[str, str], *, process: int, fd: int, url: str, internal_socket: Path
) -> Program:
    """Gateway process number `process` on the shared listening socket `fd`."""

    def ready() -> bool:
        # The shared port answers as soon as one process does; its own socket tells them apart.
        return socket_answers(internal_socket) and answers(url + GATEWAY_HEALTH)

    name = "gateway" if process == 1 else f"gateway-{process}"
    return _child(environ, name, "gateway", str(process), str(fd), ready=ready, fds=(fd,))


def sandbox_program(
    environ: Mapping[str, str], *, fd: int, url: str, world: Path | None
) -> Program:
    arguments = (str(fd), str(world or ""))
    ready = partial(answers, url + SANDBOX_HEALTH)
    return _child(environ, "sandbox", "sandbox", *arguments, ready=ready, fds=(fd,))


def console_program(environ: Mapping[str, str], *, url: str) -> Program:
    return _child(environ, "console", "console", ready=partial(answers, url + CONSOLE_HEALTH))


def live_program(environ: Mapping[str, str], *, fd: int, url: str) -> Program:
    ready = partial(answers, url + LIVE_HEALTH)
    return _child(environ, "live", "live", str(fd), ready=ready, fds=(fd,))


def metrics_program(environ: Mapping[str, str], *, url: str) -> Program:
    return _child(environ, "metrics", "metrics", ready=partial(answers, url + METRICS_HEALTH))


def worker_program(environ: Mapping[str, str]) -> Program:
    return _child(environ, "worker", "worker", ready=lambda: True)


def database_program(environ: Mapping[str, str], *, ready: Callable[[], bool]) -> Program:
    return _child(environ, "database", "database", ready=ready)


def demo_workspace_program(environ: Mapping[str, str]) -> Program:
    return _child(environ, "workspace", "demo-workspace", ready=lambda: True)


def _child(
    environ: Mapping[str, str],
    name: str,
    kind: str,
    *arguments: str,
    ready: Callable[[], bool],
    fds: tuple[int, ...] = (),
) -> Program:
    # -P: a folder with a file named like a module of ours must not change what runs.
    command = (sys.executable, "-P", "-m", "portero.project.child", str(os.getpid()), kind)
    return Program(
        name=name,
        command=(*command, *arguments),
        environment=environ,
        answers=ready,
        descriptors=fds,
    )
