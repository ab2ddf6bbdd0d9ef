"""`portero serve` and `portero sandbox`: one kind of process under the supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from portero.project.cli.output import say, write, write_json
from portero.project.configuration import Configuration
from portero.project.gateway_settings import internal_socket
from portero.project.listening import listen
from portero.project.programs import (
    METRICS_HEALTH,
    console_program,
    gateway_program,
    live_program,
    metrics_program,
    sandbox_program,
    worker_program,
)
from portero.project.supervisor import Program, supervising, until_signalled
from portero.sandbox import World
from portero.sandbox.__main__ import introduction

_NAME_WIDTH = 10


async def serve_gateway(configuration: Configuration, *, processes: int, as_json: bool) -> None:
    """Several processes accept from one socket: the port is taken once, and stays ours."""
    address = configuration.gateway_listen
    with listen(address.host, address.port) as sock:
        programs = [
            gateway_program(
                os.environ,
                process=process,
                fd=sock.fileno(),
                url=address.url,
                internal_socket=internal_socket(configuration.state, process),
            )
            for process in range(1, processes + 1)
        ]
        document = {"gateway_url": address.url, "processes": processes}
        ready = f"The gateway answers on {address.url}, with {processes} process(es)."
        await _keep(programs, document if as_json else ready)


async def serve_console(configuration: Configuration, *, as_json: bool) -> None:
    address = configuration.console_listen
    listen(address.host, address.port).close()  # a taken port is told at once, and once
    ready = f"The console answers on {address.url}."
    await _keep(
        [console_program(os.environ, url=address.url)],
        {"console_url": address.url} if as_json else ready,
    )


async def serve_live(configuration: Configuration, *, as_json: bool) -> None:
    address = configuration.live_listen
    with listen(address.host, address.port) as sock:
        ready = f"Streams are served on {address.url}."
        program = live_program(os.environ, fd=sock.fileno(), url=address.url)
        await _keep([program], {"live_url": address.url} if as_json else ready)


async def serve_metrics(configuration: Configuration, *, as_json: bool) -> None:
    address = configuration.metrics_listen
    listen(address.host, address.port).close()  # a taken port is told at once, and once
    url = address.url + METRICS_HEALTH
    ready = f"Prometheus is answered on {url}."
    program = metrics_program(os.environ, url=address.url)
    await _keep([program], {"metrics_url": url} if as_json else ready)


async def serve_worker(*, as_json: bool) -> None:
    ready = "The worker runs: it sends mail."
    await _keep([worker_program(os.environ)], {"worker": "runs"} if as_json else ready)


async def serve_sandbox(*, port: int, world: Path | None, as_json: bool) -> None:
    """Raises WorldError for a file that describes no world."""
    made = World.from_file(world) if world else World.default()
    with listen("127.0.0.1", port) as sock:
        url = f"http://127.0.0.1:{port}"
        program = sandbox_program(os.environ, fd=sock.fileno(), url=url, world=world)
        document = {"sandbox_url": url, "tokens": list(made.tokens), "app_secret": made.app.secret}
        await _keep([program], document if as_json else introduction(made, port))


def relay(name: str, line: str) -> None:
    """A line of a child's on our stderr, behind the child's name, which a line of JSON says itself."""
    say(line if line.startswith("{") else f"{name:<{_NAME_WIDTH}} {line}")


async def _keep(programs: list[Program], ready: Mapping[str, object] | str) -> None:
    async with supervising(relay) as supervisor:
        await supervisor.start(*programs)
        if isinstance(ready, str):
            write(ready)
        else:
            write_json(ready)
        await until_signalled()
