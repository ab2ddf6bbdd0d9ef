"""The shipped proxy configurations, run by the real programs: unprivileged, on loopback, over TLS.

A configuration is changed only where it must name this run's ports, certificate and log files.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from programs import needed

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "localhost"
"""The public name, which client libraries can resolve."""
_NOBODY = 65534
_START_S = 15
# Around the shipped file: what Debian's own nginx.conf has, with every path in the run's folder.
_NGINX_MAIN = """
daemon off;
pid nginx.pid;
error_log {folder}/main.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include {folder}/portero.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its port, and the folder with its certificate, logs and temporary files."""

    name: str
    host: str
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def connect(self, *, timeout: float = 20) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.trust.wrap_socket(plain, server_hostname=self.host)

    def logged(self) -> str:
        """Everything it has written to a log, whichever."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def running(
    name: str,
    *,
    port: int,
    gateway: int,
    console: int,
    live: int | None = None,
    host: str = HOST,
    spoilt: Mapping[str, str] | None = None,
    lasts: timedelta = timedelta(days=1),
) -> Iterator[Proxy]:
    """Run nginx or Caddy with its shipped configuration in front of these ports.

    `spoilt` changes it further, for controls: what a guard in it prevents must then be seen.
    """
    program = needed(name)
    folder = Path(tempfile.mkdtemp(prefix="portero-proxy-", dir="/tmp"))
    proxy = Proxy(name, host, port, folder)
    try:
        _write_certificate(folder, host, lasts)
        arguments = _CONFIGURED[name](proxy, {**_ports(gateway, console, live), **(spoilt or {})})
        _give_away(folder)
        with _process([program, *arguments], folder):
            _await(proxy)
            yield proxy
    finally:
        shutil.rmtree(folder)


def _nginx(proxy: Proxy, more: Mapping[str, str]) -> list[str]:
    folder = proxy.folder
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
        "server_name wa.example.com;": f"server_name {proxy.host};",
        "/etc/ssl/portero/fullchain.pem": f"{folder}/certificate.pem",
        "/etc/ssl/portero/privkey.pem": f"{folder}/key.pem",
        "/var/log/nginx/portero.log": f"{folder}/access.log",
        "/var/log/nginx/portero-error.log": f"{folder}/error.log",
        **more,
    }
    (folder / "portero.conf").write_text(_changed("nginx.conf", changes))
    (folder / "nginx.conf").write_text(_NGINX_MAIN.format(folder=folder))
    return ["-p", f"{folder}/", "-c", "nginx.conf", "-e", f"{folder}/main.log"]


def _caddy(proxy: Proxy, more: Mapping[str, str]) -> list[str]:
    folder = proxy.folder
    tls = f"bind 127.0.0.1\n\ttls {folder}/certificate.pem {folder}/key.pem"
    changes = {
        "https://wa.example.com {": f"{proxy.url} {{\n\t{tls}",
        "/var/log/caddy/portero.log": f"{folder}/access.log",
        **more,
    }
    (folder / "Caddyfile").write_text(_changed("Caddyfile", changes))
    return ["run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


_CONFIGURED = {"nginx": _nginx, "caddy": _caddy}
NAMES = tuple(_CONFIGURED)


def _ports(gateway: int, console: int, live: int | None) -> dict[str, str]:
    return {
        "127.0.0.1:8003": f"127.0.0.1:{live or console}",
        "127.0.0.1:8001": f"127.0.0.1:{gateway}",
        "127.0.0.1:8000": f"127.0.0.1:{console}",
    }


def _changed(name: str, changes: Mapping[str, str]) -> str:
    text = (DEPLOY / name).read_text()
    for shipped, ours in changes.items():
        assert text.count(shipped) == 1, f"{name} names {shipped} {text.count(shipped)} times"
        text = text.replace(shipped, ours)
    return text


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[None]:
    """As nobody where we are root. It ends with us, however we end."""
    as_nobody = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    drop = as_nobody if os.geteuid() == 0 else []
    with (folder / "output.log").open("w") as output:
        process = subprocess.Popen(
            ["setpriv", *drop, "--pdeathsig=TERM", *command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _await(proxy: Proxy) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", proxy.port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the proxy does not start:\n{proxy.logged()}")


def _write_certificate(
    folder: Path, host: str, lasts: timedelta, *, called: str | None = None
) -> None:
    """A certificate for this run, signed by itself. Two that are trusted at once are called apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, called or host)])
    names = [x509.DNSName(host), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, _NOBODY, _NOBODY)
