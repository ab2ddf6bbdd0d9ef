"""Consoles to look at: the whole demo, or one alone before a database of a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from databases import Database
from gateway.house import free_port
from portero.project.configuration import create_secrets
from portero.store.sealing import KeyRing

_START_S = 90
_TETHERED = ["setpriv", "--pdeathsig=INT"]


@dataclass(frozen=True)
class Demo:
    """A running demo: its data folder, and what it wrote for programs to read."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def console(self) -> str:
        url: str = self.document["console_url"]
        return url

    def ledger(self) -> list[dict[str, Any]]:
        """Every request that reached the sandbox."""
        answer = httpx.get(f"{self.document['sandbox_url']}/_sandbox/ledger", timeout=30)
        found: list[dict[str, Any]] = answer.json()["requests"]
        return found

    def send(self, key: str, to: str, message: Mapping[str, Any]) -> httpx.Response:
        """Send a message from the first number with a key of the demo, by its name."""
        [text] = [known["key"] for known in self.document["keys"] if known["name"] == key]
        number = self.document["numbers"][0]["phone_number_id"]
        return httpx.post(
            f"{self.document['gateway_url']}/v23.0/{number}/messages",
            json={"messaging_product": "whatsapp", "to": to, **message},
            headers={"authorization": f"Bearer {text}"},
            timeout=30,
        )


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """`portero demo` as a person starts it, ended as by Ctrl-C."""
    told = folder / "told.json"
    command = ["demo", "--data", str(folder / "demo"), "--port", str(ports_in_a_row())]
    with _portero(folder, *command, "--json", str(told)) as process:
        deadline = time.monotonic() + _START_S
        while not told.exists():
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, (folder / "output").read_text()
            time.sleep(0.05)
        yield Demo(folder / "demo", json.loads(told.read_text()))


def ports_in_a_row(count: int = 4) -> int:
    """The first of so many that were free a moment ago."""
    import socket

    while True:
        first = free_port()
        try:
            for port in range(first + 1, first + count):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first


@contextmanager
def _portero(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    script = Path(sys.executable).with_name("portero")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*_TETHERED, str(script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@contextmanager
def console_and_worker(database: Database) -> Iterator[str]:
    """A console whose mails go to its mailbox page, and the worker that writes them."""
    mailbox = {"PORTERO_MAIL_URL": "mailbox:"}
    with console_alone(database, **mailbox) as url:
        settings = {
            "PORTERO_STATE": str(database.cluster.state),
            "PORTERO_DATABASE": database.name,
            "PORTERO_CONSOLE_LISTEN": url.removeprefix("http://").replace("localhost", "127.0.0.1"),
            **mailbox,
        }
        source = str(Path(__file__).parents[2] / "src")
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "portero.project.child", str(os.getpid()), "worker"],
            env={**os.environ, **settings, "PYTHONPATH": source},
        )
        try:
            yield url
        finally:
            worker.terminate()
            worker.wait(20)


def keys_of(database: Database) -> tuple[KeyRing, KeyRing]:
    """The installation's own, by which its commands open and close what is in the database."""
    folder = database.cluster.state / "secrets"
    create_secrets(database.cluster.state)
    return KeyRing.parse((folder / "kek").read_text()), KeyRing.parse(
        (folder / "pepper").read_text()
    )


@contextmanager
def console_alone(database: Database, *, host: str = "127.0.0.1", **more: str) -> Iterator[str]:
    """The console's process with nothing else running; yields its address.

    `more` are settings besides those it needs.
    """
    state = database.cluster.state
    create_secrets(state)
    port = free_port()
    settings = {
        "PORTERO_STATE": str(state),
        "PORTERO_DATABASE": database.name,
        "PORTERO_CONSOLE_LISTEN": f"{host}:{port}",
        "PORTERO_GRAPH_URL": f"http://127.0.0.1:{free_port()}",
        **more,
    }
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "portero.project.child", str(os.getpid()), "console"],
        env={**os.environ, **settings, "PYTHONPATH": source},
    )
    try:
        _await_health(f"http://{host}:{port}/-/health", process)
        yield f"http://{host.replace('127.0.0.1', 'localhost')}:{port}"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def running_child(kind: str, settings: Mapping[str, str], url: str) -> Iterator[None]:
    """A process of ours with nothing else running, once `url` answers."""
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "portero.project.child", str(os.getpid()), kind],
        env={**os.environ, **settings, "PYTHONPATH": source},
    )
    try:
        _await_health(url, process)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def portero_serving(settings: Mapping[str, str], *arguments: str) -> Iterator[str]:
    """A command that stays, once it has written that it answers; yields its first line."""
    process = subprocess.Popen(
        [*_TETHERED, Path(sys.executable).with_name("portero"), *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def portero_says(settings: Mapping[str, str], *arguments: str) -> str:
    """What a command writes to stdout."""
    done = subprocess.run(
        [Path(sys.executable).with_name("portero"), *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert process.poll() is None
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the console does not answer")
