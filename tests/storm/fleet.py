"""`portero serve gateway` with several processes, as an operator starts it, before a house."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.house import House, free_port
from portero.project.configuration import create_secrets
from portero.project.faults import processes
from portero.project.gateway_settings import internal_socket
from portero.project.listening import socket_answers

_STARTUP = Path(__file__).with_name("startup")
_PORTERO = Path(sys.executable).with_name("portero")
_TETHERED = ["setpriv", "--pdeathsig=KILL"]
PATIENCE_S = 90.0


class Fleet:
    """The supervisor and its gateway processes.

    `database` is the folder of the socket through which they reach PostgreSQL, and `graph_url` how
    they reach Meta; the house's own when not given.
    """

    def __init__(
        self,
        house: House,
        folder: Path,
        *,
        count: int = 4,
        database: Path | None = None,
        graph_url: str | None = None,
        sabotage: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.count = count
        self._folder = folder
        self._log = folder / "fleet.log"
        self._make_state(house)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PORTERO_", "STORM_"))}
        self._environment = {
            **kept,
            "PORTERO_STATE": str(folder / "state"),
            "PORTERO_DATABASE": house.database.name,
            "PORTERO_GRAPH_URL": graph_url or house.sandbox.url,
            "PORTERO_GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "DATABASE_URL": f"postgresql://portero@/?host={database or sockets(house)}&port=5432",
            "PYTHONPATH": os.pathsep.join([str(_STARTUP), *filter(None, [kept.get("PYTHONPATH")])]),
            "STORM_SABOTAGE": ",".join(sabotage),
            **(environment or {}),
        }
        self.start_took_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def _make_state(self, house: House) -> None:
        state = self._folder / "state"
        create_secrets(state)
        for name, text in (("kek", house.kek.text()), ("pepper", house.pepper.text())):
            (state / "secrets" / name).write_text(text)
        for file in (house.database.cluster.state / "secrets").glob("postgres-*"):
            shutil.copy2(file, state / "secrets" / file.name)

    @property
    def supervisor(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [*_TETHERED, _PORTERO, "serve", "gateway"]
            self._process = subprocess.Popen(
                [*command, "--processes", str(self.count), "--json"],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def wait_ready(self) -> None:
        """Until all of its processes answer."""
        assert self._process is not None
        assert self._process.stdout is not None
        said = self._process.stdout.read1()  # type: ignore[attr-defined]  # a BufferedReader
        assert said, self.said()
        assert json.loads(said)["gateway_url"] == self.url

    def said(self) -> str:
        return self._log.read_text()[-4000:]

    def gateways(self) -> dict[int, int]:
        """Number to pid of the gateway processes that run now."""
        found = {}
        for pid in processes.children(self.supervisor):
            words = processes.command(pid)
            if "portero.project.child" in words:  # else it is the supervisor's own image still
                found[int(words[words.index("gateway") + 1])] = pid
        return found

    def wait_all(self, *, but: int = 0) -> None:
        """Until there is a full crew again in which `but`, a pid, is no more, and each of it answers."""
        ends = time.monotonic() + PATIENCE_S
        while not self._is_full(but):
            assert time.monotonic() < ends, self.said()
            time.sleep(0.02)

    def _is_full(self, but: int) -> bool:
        running = self.gateways()
        state = self._folder / "state"
        return (
            len(running) == self.count
            and but not in running.values()
            and all(socket_answers(internal_socket(state, number)) for number in running)
        )

    def kill_supervisor(self) -> None:
        """SIGKILL of `portero serve`; its processes are told to stop by the kernel."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def restart(self) -> None:
        """Start it as an init system does: again, until the address is free."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            self.start()
            assert self._process is not None
            assert self._process.stdout is not None
            if self._process.stdout.read1():  # type: ignore[attr-defined]  # a BufferedReader
                return
            self._process.wait(10)
            self._process.stdout.close()
            assert time.monotonic() < ends, self.said()
            time.sleep(0.1)

    def close(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            processes.resume(*self.gateways().values())
            self._process.terminate()
            self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/health", timeout=1).status_code == 200
        except httpx.TransportError:
            return False


def sockets(house: House) -> Path:
    """The folder of the socket on which the house's PostgreSQL listens."""
    return house.database.cluster.status().socket.parent


@contextmanager
def sailing(fleet: Fleet) -> Iterator[Fleet]:
    """Ready inside the block, and gone after it."""
    began = time.monotonic()
    fleet.start()
    try:
        fleet.wait_ready()
        fleet.start_took_s = time.monotonic() - began
        yield fleet
    finally:
        fleet.close()
