"""A bare Debian 12 with systemd in a container of its own, on which an installation is tried.

It is made once by debootstrap and kept beside the virtual environment; what a test does to it goes into an
overlay that is thrown away. It shares this machine's network.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from programs import needed

ROOT = Path(__file__).parents[2]
_KEPT = ROOT / ".venv" / "bare-debian-12"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PORTS = (443, 8000, 8001, 8003)
_BOOT_S = 60
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Machine:
    """Its root folder as seen from here, and the process that is its init."""

    root: Path
    init: int

    def run(self, *command: str, said: str = "", check: bool = True) -> str:
        """What a command of root's writes to stdout; what it tells people is in a failure's message."""
        environ = [f"PATH={_PATH}", "HOME=/root", *(f"{k}={v}" for k, v in _pip().items())]
        done = subprocess.run(
            ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-r", "-w",
             "env", "-i", *environ, *command],
            input=said, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _pip() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@contextmanager
def bare_debian(folder: Path) -> Iterator[Machine]:
    """A running one. Skips the test where it cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("only root makes containers")
    _require_ports()
    debootstrap, nspawn = needed("debootstrap"), needed("systemd-nspawn")
    if not _KEPT.exists():
        draft = _KEPT.with_name(f"{_KEPT.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(
            [debootstrap, "--include=ca-certificates,dbus", "bookworm", str(draft)],
            check=True,
            capture_output=True,
        )
        draft.rename(_KEPT)
    root = _overlay(folder)
    try:
        _equip(root)
        with _booted(nspawn, root) as machine:
            yield machine
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


def _require_ports() -> None:
    for port in _PORTS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            pytest.skip(f"port {port} of this machine is taken, which the container shares")


def _overlay(folder: Path) -> Path:
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for one in (upper, work, root):
        one.mkdir()
    layers = f"lowerdir={_KEPT},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(root)], check=True)
    return root


def _equip(root: Path) -> None:
    """Let its pip and its TLS go where ours go."""
    for file in (Path("/etc/pip.conf"), Path("/root/.config/pip/pip.conf"), _CERTIFICATES):
        if file.exists():
            there = root / file.relative_to("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, there)


def _folders_of_pip() -> list[str]:
    said = subprocess.run(
        [shutil.which("python3") or "python3", "-m", "pip", "config", "list"],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    named = re.findall(r"(?:file://)?(/[^\s'\"\\]+)", f"{said} {' '.join(_pip().values())}")
    folders = {str(Path(one).parent if one.endswith("/simple") else one) for one in named}
    return sorted(one for one in folders if Path(one).is_dir())


@contextmanager
def _booted(nspawn: str, root: Path) -> Iterator[Machine]:
    binds = [f"--bind-ro={one}" for one in [f"{ROOT}:/src", *_folders_of_pip()]]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", nspawn, "-q", "-D", str(root), "--register=no", "--keep-unit",
         f"--machine=portero-{os.getpid()}", "--resolv-conf=copy-host", "--console=pipe", "--boot",
         *binds],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield _when_up(Machine(root, _init_of(process)))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _init_of(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + _BOOT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip("systemd-nspawn does not run here")
        for child in children.read_text().split():
            if b"systemd" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.2)
    raise AssertionError("the container does not boot")


def _when_up(machine: Machine) -> Machine:
    deadline = time.monotonic() + _BOOT_S
    while time.monotonic() < deadline:
        if machine.run("systemctl", "is-system-running", check=False).strip() in (
            "running",
            "degraded",
        ):
            return machine
        time.sleep(0.5)
    raise AssertionError("the container does not come up")
