"""The documented installation on a bare Debian 12, by the script that the documentation names."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.bare import Machine, bare_debian
from deploy.faults import Fault, faults
from deploy.proxies import NAMES, _write_certificate

pytestmark = pytest.mark.long

NAME = "wa.example.com"
WITHIN_S = 600
SAFE_ENOUGH = 2.0
"""Of ten, by systemd's own reckoning."""
UNITS = ("portero-console", "portero-gateway", "portero-live", "portero-metrics", "portero-worker")


@dataclass(frozen=True)
class Installed:
    machine: Machine
    proxy: str
    took_s: float

    def portero(self, *arguments: str, said: str = "") -> str:
        return self.machine.run("portero", *arguments, said=said)

    def install(self) -> str:
        files = ["--certificate", "/root/tls/certificate.pem", "--key", "/root/tls/key.pem"]
        return self.machine.run(
            "/src/deploy/install.sh", "--name", NAME, "--proxy", self.proxy, *files
        )

    def wrong(self) -> list[str]:
        """What the doctor finds wrong."""
        found = json.loads(self.machine.run("portero", "doctor", "--json", check=False))
        return [f"{f['check']}: {f['message']}" for f in found["findings"] if not f["ok"]]

    def status(self, path: str) -> int:
        """By the public address, from the machine itself."""
        code = (
            "import sys, urllib.error, urllib.request as r\n"
            "try: print(r.urlopen(sys.argv[1], timeout=20).status)\n"
            "except urllib.error.HTTPError as e: print(e.code)"
        )
        return int(self.machine.run("python3", "-c", code, f"https://{NAME}{path}"))


@pytest.fixture(scope="module", params=NAMES)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    with bare_debian(tmp_path_factory.mktemp("bare")) as machine:
        _give_a_name(machine.root)
        began = time.monotonic()
        new = Installed(machine, request.param, 0)
        new.install()
        yield Installed(machine, request.param, time.monotonic() - began)


def _give_a_name(root: Path) -> None:
    """A name that leads to itself, and a certificate that its own machine takes."""
    tls = root / "root" / "tls"
    tls.mkdir()
    _write_certificate(tls, NAME, timedelta(days=90))
    for other, name, lasts in (("ending", NAME, 5), ("other", "other.example.com", 90)):
        (tls / other).mkdir()
        _write_certificate(tls / other, name, timedelta(days=lasts), called=other)
    for key in (tls / "key.pem", *tls.glob("*/key.pem")):
        key.chmod(0o644)  # of a test: Caddy reads it as an account of its own
    root.joinpath("root").chmod(0o755)
    with (root / "etc/ssl/certs/ca-certificates.crt").open("a") as taken:
        for certificate in (tls, tls / "ending"):
            taken.write((certificate / "certificate.pem").read_text())
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {NAME}\n")


def test_it_is_up_within_ten_minutes_and_the_doctor_finds_nothing(installed: Installed) -> None:
    assert installed.took_s < WITHIN_S
    assert installed.wrong() == []
    assert installed.status("/login/") == 200
    assert installed.status("/v23.0/me") == 401


def test_the_services_may_do_little(installed: Installed) -> None:
    table = installed.machine.run("systemd-analyze", "security", "--no-pager")
    exposure = {
        unit: float(value)
        for unit, value in re.findall(r"(portero-\w+)\.service +([0-9.]+)", table)
    }

    assert set(exposure) == set(UNITS)
    assert max(exposure.values()) < SAFE_ENOUGH


def test_b6_5_who_serves_does_not_administrate(installed: Installed) -> None:
    as_portero = ["setpriv", "--reuid=portero", "--regid=portero", "--clear-groups", "sh", "-c"]
    tries = {
        "psql -U portero_admin -d postgres -c 'SELECT 1'",
        "psql -U postgres -d postgres -c 'SELECT 1'",
        "touch /opt/portero/src/x",
        "touch /etc/portero/portero.env",
        "echo >> /etc/portero/portero.env",
    }

    for one in tries:
        told = installed.machine.run(*as_portero, f"cd / && {one} && echo did", check=False)
        assert "did" not in told, one
    assert "1" in installed.machine.run(
        "psql", "-U", "portero_admin", "-d", "postgres", "-c", "SELECT 1"
    )


def test_processes_that_are_killed_come_back(installed: Installed) -> None:
    for unit in UNITS:
        installed.machine.run("systemctl", "kill", "--signal=KILL", unit)

    assert _until_well(installed) == []


def test_the_doctor_names_each_of_twenty_faults_put_in_by_hand(installed: Installed) -> None:
    put_in = faults(installed.proxy)
    missed = []
    for fault in put_in:
        installed.machine.run("sh", "-c", fault.put)
        try:
            said = _until_named(installed, fault)
        finally:
            installed.machine.run("sh", "-c", fault.undo)
        if said is not None:
            missed.append((fault.name, said))
        assert _until_well(installed) == [], f"after {fault.name}"

    assert missed == []
    assert len(put_in) >= 20


def _until_named(installed: Installed, fault: Fault) -> list[str] | None:
    """None once the doctor names it; what it says instead, after a worker would be missed."""
    deadline = time.monotonic() + 45
    while True:
        found = json.loads(installed.machine.run("portero", "doctor", "--json", check=False))
        bad = [f for f in found["findings"] if not f["ok"]]
        if any(f["check"] == fault.check and fault.says in f["message"] + f["remedy"] for f in bad):
            return None
        if time.monotonic() > deadline:
            return [f"{f['check']}: {f['message']} → {f['remedy']}" for f in bad]
        time.sleep(1)


def test_installing_again_keeps_what_was_set_and_what_is_there(installed: Installed) -> None:
    installed.portero("workspace", "create", "Kept", "--owner", "kept@example.com")
    env = installed.machine.root / "etc/portero/portero.env"
    env.write_text(env.read_text() + "PORTERO_GATEWAY_PROCESSES=2\n")
    secrets = _secrets(installed.machine)

    installed.install()

    assert env.read_text().endswith("PORTERO_GATEWAY_PROCESSES=2\n")
    assert _secrets(installed.machine) == secrets
    assert installed.wrong() == []
    assert installed.portero("role", "list", "--workspace", "Kept")
    sockets = installed.machine.run("ls", "/var/lib/portero/internal").split()
    assert sockets == ["1.sock", "2.sock"]


def test_saved_wiped_and_restored_nothing_is_lost(installed: Installed) -> None:
    installed.portero("workspace", "create", "Tienda", "--owner", "ana@example.com")
    told = installed.portero("key", "create", "bot", "--new-account", "bot", "--role", "Agent",
                             "--workspace", "Tienda", "--quiet")  # fmt: skip
    assert told.startswith("ptr_")
    installed.machine.run("systemctl", "stop", "portero.target", *UNITS)
    installed.machine.run("mkdir", "-p", "/root/data", "/root/safe")
    saved = json.loads(
        installed.portero("backup", "/root/data/a", "--keys", "/root/safe/a", "--json")
    )
    roles = installed.portero("role", "list", "--workspace", "Tienda", "--json")
    secrets = _secrets(installed.machine)

    installed.machine.run(
        "psql", "-U", "portero_admin", "-d", "postgres", "-c", "DROP DATABASE portero"
    )
    installed.machine.run("sh", "-c", "rm -r /var/lib/portero/secrets")
    # The logins' passwords are new ones: the server's old ones went with the folder.
    told = installed.portero(
        "restore", "/root/data/a", "--keys", "/root/safe/a", said=saved["code"]
    )
    installed.machine.run("systemctl", "start", "portero.target", *UNITS)

    assert _until_well(installed) == []
    assert f"{saved['rows']} rows, as many in each table as were saved" in told
    assert "make new ones instead of\n  bot" in told
    assert installed.portero("role", "list", "--workspace", "Tienda", "--json") == roles
    kept = ("kek", "pepper", "secret-key", "internal-secret")
    assert {n: _secrets(installed.machine)[n] for n in kept} == {n: secrets[n] for n in kept}


def _until_well(installed: Installed) -> list[str]:
    deadline = time.monotonic() + 60
    while (wrong := installed.wrong()) and time.monotonic() < deadline:
        time.sleep(1)
    return wrong


def _secrets(machine: Machine) -> dict[str, str]:
    folder = machine.root / "var/lib/portero/secrets"
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}
