"""`portero demo`: a whole installation with a lived-in workspace, in one folder, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portero.project.cli.output import say, write
from portero.project.demo.lan import Lan, NoProxy, prepare
from portero.project.demo.words import introduction
from portero.project.demo.world import DEMO_FILE, WORLD_FILE, new_world, placed
from portero.project.environment import write_file, write_private
from portero.project.gateway_settings import internal_socket
from portero.project.listening import AddressTaken, listen
from portero.project.postgres import Cluster
from portero.project.programs import (
    console_program,
    database_program,
    demo_workspace_program,
    gateway_program,
    live_program,
    sandbox_program,
    worker_program,
)
from portero.project.serving import relay
from portero.project.supervisor import Program, ProgramFailed, supervising, until_signalled

HOST = "127.0.0.1"
_LAN_PORT = 4
_LOCK_FILE = ".demo.lock"
# What an operator says about PostgreSQL itself holds for the demo too; nothing else does.
_KEPT = ("PORTERO_PG_BIN", "PORTERO_PG_USER")


class DemoFailed(Exception):
    """The demo cannot run; `taken` when a port or the folder is in use."""

    def __init__(self, sentence: str, *, taken: bool = False) -> None:
        super().__init__(sentence)
        self.taken = taken


@dataclass(frozen=True, slots=True)
class Addresses:
    """Four ports in a row."""

    port: int

    @property
    def console(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def console_by_name(self) -> str:
        """As people open it: browsers make passkeys for names, not for addresses."""
        return f"http://localhost:{self.port}"

    @property
    def gateway(self) -> str:
        return f"http://{HOST}:{self.port + 1}"

    @property
    def sandbox(self) -> str:
        return f"http://{HOST}:{self.port + 2}"

    @property
    def live(self) -> str:
        return f"http://{HOST}:{self.port + 3}"


async def run(
    data: Path, *, port: int, json_file: Path | None, lan_name: str | None = None
) -> None:
    """Run until SIGTERM or SIGINT. `json_file` is written once everything answers.

    With `lan_name` other machines reach it at that name, by https, and mails are kept nowhere: in
    their mailbox anybody in the network could read them.

    Raises DemoFailed.
    """
    addresses, state = Addresses(port), data.resolve()
    lan = None if lan_name is None else Lan(lan_name, port + _LAN_PORT, state / "lan")
    try:
        with _own_folder(state), _ports(port) as descriptors:
            _write_world(state, addresses)
            await _supervise(state, addresses, descriptors, json_file, lan)
    except AddressTaken as error:
        raise DemoFailed(f"{error}: stop it, or choose others with --port", taken=True) from None
    except (ProgramFailed, NoProxy, ValueError) as error:
        raise DemoFailed(str(error)) from None
    except OSError as error:
        raise DemoFailed(f"{error.filename or state}: {error.strerror}") from None


async def _supervise(
    state: Path,
    addresses: Addresses,
    descriptors: tuple[int, int, int],
    json_file: Path | None,
    lan: Lan | None,
) -> None:
    gateway_fd, sandbox_fd, live_fd = descriptors
    environ = _environment(state, addresses, lan)
    proxies = [] if lan is None else [_proxy(lan, addresses.port)]
    cluster = Cluster(state, environ)
    async with supervising(relay) as supervisor:
        say(f"Starting PostgreSQL in {state} …")
        await supervisor.start(database_program(environ, ready=lambda: cluster.status().running))
        await supervisor.run(demo_workspace_program(environ))
        document = _document(state, addresses, lan)
        say("Starting the sandbox, the gateway, the console and the worker …")
        await supervisor.start(
            sandbox_program(
                environ, fd=sandbox_fd, url=addresses.sandbox, world=state / WORLD_FILE
            ),
            gateway_program(
                environ,
                process=1,
                fd=gateway_fd,
                url=addresses.gateway,
                internal_socket=internal_socket(state, 1),
            ),
            console_program(environ, url=addresses.console),
            live_program(environ, fd=live_fd, url=addresses.live),
            worker_program(environ),
            *proxies,
        )
        _write_document(document, state / DEMO_FILE, *([json_file] if json_file else []))
        write(introduction(document, state, lan))
        await until_signalled()


@contextlib.contextmanager
def _own_folder(state: Path) -> Iterator[None]:
    """Hold the folder as long as the demo runs: two on one folder would fight over its database."""
    state.mkdir(parents=True, exist_ok=True)
    internal_socket(state, 1)
    with (state / _LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = f"a demo runs on {state} already: stop it, or choose another with --data"
            raise DemoFailed(sentence, taken=True) from None
        yield


@contextlib.contextmanager
def _ports(first: int) -> Iterator[tuple[int, int, int]]:
    """Take the ports before anything is made; all but the console inherit theirs."""
    listen(HOST, first).close()  # the console's server binds it itself
    with (
        listen(HOST, first + 1) as gateway,
        listen(HOST, first + 2) as sandbox,
        listen(HOST, first + 3) as live,
    ):
        yield gateway.fileno(), sandbox.fileno(), live.fileno()


def _write_world(state: Path, addresses: Addresses) -> None:
    """The sandbox's world: made once, with the addresses of this run."""
    path = state / WORLD_FILE
    world = json.loads(path.read_text()) if path.exists() else new_world()
    located = placed(world, gateway_url=addresses.gateway, sandbox_url=addresses.sandbox)
    write_private(path, json.dumps(located, ensure_ascii=False, indent=1))


def _proxy(lan: Lan, port: int) -> Program:
    return prepare(lan, console=port, gateway=port + 1, live=port + 3)


def _environment(state: Path, addresses: Addresses, lan: Lan | None) -> dict[str, str]:
    """The settings of this run, also written to portero.env for `portero --state`."""
    reached = (
        {"PORTERO_MAIL_URL": "mailbox:"}
        if lan is None
        else {"PORTERO_PUBLIC_URL": lan.url, "PORTERO_TRUSTED_PROXIES": f"{HOST}/32"}
    )
    settings = {
        **reached,
        "PORTERO_GRAPH_URL": addresses.sandbox,
        "PORTERO_CONSOLE_LISTEN": addresses.console.removeprefix("http://"),
        "PORTERO_LIVE_LISTEN": addresses.live.removeprefix("http://"),
        "PORTERO_GATEWAY_LISTEN": addresses.gateway.removeprefix("http://"),
    }
    write_file(state, settings)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not name.startswith(("PORTERO_", "DATABASE_URL"))
    }
    return {**inherited, **settings, "PORTERO_STATE": str(state)}


def _document(state: Path, addresses: Addresses, lan: Lan | None) -> dict[str, Any]:
    made = json.loads((state / DEMO_FILE).read_text())
    urls = {
        "console_url": lan.url if lan else addresses.console_by_name,
        "gateway_url": lan.url if lan else addresses.gateway,
        "sandbox_url": addresses.sandbox,
    }
    return {**urls, **{name: value for name, value in made.items() if name not in urls}}


def _write_document(document: Mapping[str, Any], *paths: Path) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    for path in paths:
        write_private(path, text)
