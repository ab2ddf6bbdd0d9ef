"""What an installation is told from outside, read once and refused when it is not safe.

docs/settings.md lists every setting; a test compares it with `SETTINGS`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict

from portero.project.environment import make_private_folder, write_private
from portero.project.logins import Login, parse_url
from portero.project.postgres import find_server
from portero.store.sealing import KeyRing, Secret

SETTINGS: Mapping[str, str] = {
    "PORTERO_STATE": "",
    "DATABASE_URL": "",
    "PORTERO_PG_BIN": "",
    "PORTERO_PG_USER": "portero",
    "PORTERO_DATABASE": "portero",
    "PORTERO_KEK_FILE": "",
    "PORTERO_PEPPER_FILE": "",
    "PORTERO_SECRET_KEY_FILE": "",
    "PORTERO_INTERNAL_SECRET_FILE": "",
    "PORTERO_GRAPH_URL": "https://graph.facebook.com",
    "PORTERO_GRAPH_VERSION": "v23.0",
    "PORTERO_MEDIA_HOSTS": "lookaside.fbsbx.com",
    "PORTERO_TRUSTED_PROXIES": "",
    "PORTERO_HOSTS": "localhost,127.0.0.1",
    "PORTERO_CONSOLE_LISTEN": "127.0.0.1:8000",
    "PORTERO_GATEWAY_LISTEN": "127.0.0.1:8001",
    "PORTERO_GATEWAY_PROCESSES": "1",
    "PORTERO_LIVE_LISTEN": "127.0.0.1:8003",
    "PORTERO_METRICS_LISTEN": "127.0.0.1:9464",
    "PORTERO_PUBLIC_URL": "",
    "PORTERO_CONSOLE_URL": "",
    "PORTERO_MAIL_URL": "",
    "PORTERO_MAIL_PASSWORD_FILE": "",
    "PORTERO_MAIL_FROM": "Portero <portero@localhost>",
    "PORTERO_LOG": "text",
}
"""Name to default; an empty default means unset. The order is that of docs/settings.md."""

SECRET_FILES: Mapping[str, str] = {
    "PORTERO_KEK_FILE": "kek",
    "PORTERO_PEPPER_FILE": "pepper",
    "PORTERO_SECRET_KEY_FILE": "secret-key",
    "PORTERO_INTERNAL_SECRET_FILE": "internal-secret",
}
"""Setting to what the file is called in the folder `secrets`, where the setting is not given."""

MOST_PROCESSES = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigurationError(Exception):
    """What is wrong with the configuration, every fault on a line of its own."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @property
    def host_in_url(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """As a client on this machine reaches it."""
        return f"http://{self.host_in_url}:{self.port}"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, or the folder in which a demo keeps it for its mailbox page."""

    host: str
    port: int
    user: str
    password: Secret | None
    is_tls: bool
    """TLS from the first byte; otherwise STARTTLS, but on this machine."""
    is_mailbox: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """A complete and safe configuration: whoever holds one may start."""

    state: Path
    database: str
    kek: KeyRing
    pepper: KeyRing
    secret_key: Secret
    internal_secret: Secret
    """What a process of ours shows to the gateway's internal listener."""
    graph_url: str
    graph_version: str
    media_hosts: frozenset[str]
    trusted_proxies: tuple[Network, ...]
    hosts: tuple[str, ...]
    console_listen: Address
    gateway_listen: Address
    gateway_processes: int
    live_listen: Address
    metrics_listen: Address
    public_url: str
    """How programs and Meta reach the gateway; empty = by its own address."""
    console_url: str
    """How people reach the console: one origin with the gateway where that has a public name."""
    mail: MailServer | None
    """Where mail is handed in; None = nowhere."""
    mail_from: str
    logs_json: bool
    """Lines of JSON instead of words."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Configuration:
        """Read PORTERO_* and the secret files. Raises ConfigurationError naming every fault."""
        reader = _Reader(environ)
        reader.read("DATABASE_URL", lambda t: parse_url(t) if t else None)
        values: dict[str, Any] = {
            "state": reader.read("PORTERO_STATE", _state),
            "database": reader.read("PORTERO_DATABASE", str),
            "kek": reader.read_secret("PORTERO_KEK_FILE", KeyRing.parse),
            "pepper": reader.read_secret("PORTERO_PEPPER_FILE", KeyRing.parse),
            "secret_key": reader.read_secret("PORTERO_SECRET_KEY_FILE", _secret_key),
            "internal_secret": reader.read_secret("PORTERO_INTERNAL_SECRET_FILE", _secret_key),
            "graph_url": reader.read("PORTERO_GRAPH_URL", _origin),
            "graph_version": reader.read("PORTERO_GRAPH_VERSION", _graph_version),
            "media_hosts": reader.read("PORTERO_MEDIA_HOSTS", lambda t: frozenset(_names(t))),
            "trusted_proxies": reader.read("PORTERO_TRUSTED_PROXIES", _networks),
            "hosts": reader.read("PORTERO_HOSTS", _names),
            "console_listen": reader.read("PORTERO_CONSOLE_LISTEN", _address),
            "gateway_listen": reader.read("PORTERO_GATEWAY_LISTEN", _address),
            "gateway_processes": reader.read("PORTERO_GATEWAY_PROCESSES", _processes),
            "live_listen": reader.read("PORTERO_LIVE_LISTEN", _address),
            "metrics_listen": reader.read("PORTERO_METRICS_LISTEN", _loopback_address),
            "public_url": reader.read("PORTERO_PUBLIC_URL", lambda t: _origin(t) if t else ""),
            "console_url": reader.read("PORTERO_CONSOLE_URL", lambda t: _origin(t) if t else ""),
            "mail": reader.read_mail_server(),
            "mail_from": reader.read("PORTERO_MAIL_FROM", _sender),
            "logs_json": reader.read("PORTERO_LOG", logs_json),
        }
        reader.require_tls(values)
        reader.finish()
        values["console_url"] = _console_url(values)
        return cls(**values)

    @property
    def is_public(self) -> bool:
        """Whether people come from other machines: by https, through the proxies that are named."""
        return self.console_url.startswith("https:")

    @property
    def live_origin(self) -> str:
        """Where browsers find streams: behind a proxy at the console's own origin, which is empty."""
        return "" if self.is_public else f"http://localhost:{self.live_listen.port}"

    @property
    def console_origins(self) -> tuple[str, ...]:
        """From whose pages streams are opened."""
        if self.is_public:
            return (self.console_url,)
        port = self.console_listen.port
        return (self.console_url, f"http://localhost:{port}", f"http://127.0.0.1:{port}")

    def dsn(self, login: Login, environ: Mapping[str, str] = os.environ) -> str:
        """Where and as whom to connect. Raises FileNotFoundError before the logins are made."""
        return find_server(self.state, environ).dsn(login, self.database)


def secret_file(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the secret of a setting of SECRET_FILES lies."""
    usual = Path(environ.get("PORTERO_STATE", "")) / "secrets" / SECRET_FILES[name]
    return Path(environ.get(name) or usual)


def create_secrets(state: Path) -> None:
    """Make the secrets a new installation needs; those that exist are left alone."""
    folder = state / "secrets"
    make_private_folder(folder)
    for name, text in (
        ("kek", KeyRing.generate().text()),
        ("pepper", KeyRing.generate().text()),
        ("secret-key", secrets.token_urlsafe(48)),
        ("internal-secret", secrets.token_urlsafe(48)),
    ):
        path = folder / name
        if not path.exists():
            write_private(path, text)


def database_settings(dsn: str, **parameters: str) -> dict[str, Any]:
    """Django's description of a database; `parameters` are set at the start of each connection."""
    parts = conninfo_to_dict(dsn)
    bounds = {"lock_timeout": "5s", "statement_timeout": "30s", **parameters}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.pop("host"),
        "PORT": parts.pop("port", ""),  # PostgreSQL's own
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user"),
        "PASSWORD": parts.pop("password"),
        "OPTIONS": {
            **parts,
            "options": " ".join(f"-c {k}={v}" for k, v in bounds.items()),
            # Who waited for a lock must then see what its holder committed, whatever the server's
            # default.
            "isolation_level": IsolationLevel.READ_COMMITTED,
        },
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


class _Reader:
    """Reads settings one by one and keeps the faults for the end."""

    def __init__(self, environ: Mapping[str, str]):
        self._environ = environ
        self._faults = [
            f"{name} is no setting of ours"
            for name in sorted(environ)
            if name.startswith("PORTERO_") and name not in SETTINGS
        ]

    def read(self, name: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse(self._environ.get(name) or SETTINGS[name])
        except ValueError as error:
            self._faults.append(f"{name}: {error}")
            return None

    def read_secret(self, name: str, parse: Callable[[str], Any]) -> Any:
        return self.read(name, lambda _: parse(_private_text(secret_file(name, self._environ))))

    def read_mail_server(self) -> MailServer | None:
        password = self.read(
            "PORTERO_MAIL_PASSWORD_FILE",
            lambda text: Secret(_private_text(Path(text)).encode()) if text else None,
        )
        server: MailServer | None = self.read(
            "PORTERO_MAIL_URL", lambda text: _mail_server(text, password) if text else None
        )
        return server

    def require_tls(self, values: Mapping[str, Any]) -> None:
        """What other machines reach, they reach through a proxy with a certificate (B6.5)."""
        public, console = values["public_url"], _console_url(values)
        for name, url in (
            ("console_listen", console),
            ("live_listen", console),
            ("gateway_listen", public),
        ):
            address = values[name]
            if address is None or is_loopback(address.host) or (url or "").startswith("https:"):
                continue
            self._faults.append(
                f"PORTERO_{name.upper()}: other machines reach {address.host}, and without an https"
                " address in PORTERO_PUBLIC_URL what they send goes in clear"
            )
        if console.startswith("https:") and values["trusted_proxies"] == ():
            self._faults.append(
                f"PORTERO_TRUSTED_PROXIES: {console} is answered by a proxy: say from which"
                " addresses it comes, such as 127.0.0.1/32"
            )

    def finish(self) -> None:
        if self._faults:
            raise ConfigurationError("\n".join(self._faults))


def _state(text: str) -> Path:
    if not text:
        raise ValueError("the folder of this installation is not named")
    return Path(text).resolve()


def _private_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise ValueError(f"{path} must be a file that only its owner may read (mode 0600)")
        return path.read_text().strip()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def _graph_version(text: str) -> str:
    if re.fullmatch(r"v[1-9][0-9]?\.0", text) is None:
        raise ValueError("must be written like v23.0")
    return text


def _processes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MOST_PROCESSES):
        raise ValueError(f"must be a number from 1 to {MOST_PROCESSES}")
    return int(text)


def _secret_key(text: str) -> Secret:
    if len(text) < 50:
        raise ValueError("shorter than 50 characters")
    return Secret(text.encode())


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.path.strip("/")
        or parts.query
        or parts.fragment
        or parts.username
        or not parts.hostname
    ):
        raise ValueError("must be scheme and host only")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("must be https; http is for this machine only")
    # As browsers spell it, who are compared with it.
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"


_SMTP, _SMTPS, _MAILBOX = "smtp", "smtps", "mailbox"
_SMTP_PORTS = {_SMTP: 587, _SMTPS: 465}


def _mail_server(text: str, password: Secret | None) -> MailServer:
    if text == f"{_MAILBOX}:":
        return MailServer("", 0, "", None, is_tls=False, is_mailbox=True)
    parts = urlsplit(text)
    if parts.scheme not in _SMTP_PORTS or not parts.hostname or parts.path.strip("/"):
        raise ValueError("must be smtp://user@host:587, smtps://user@host:465 or mailbox:")
    if parts.password is not None:
        raise ValueError("holds the password: put that into PORTERO_MAIL_PASSWORD_FILE")
    user = unquote(parts.username or "")
    port = parts.port or _SMTP_PORTS[parts.scheme]
    return MailServer(parts.hostname, port, user, password, is_tls=parts.scheme == _SMTPS)


def _sender(text: str) -> str:
    if text.count("@") != 1 or not text.isprintable():
        raise ValueError("must be an address, such as Portero <portero@example.com>")
    return text


def logs_json(text: str) -> bool:
    if text not in ("text", "json"):
        raise ValueError("must be text or json")
    return text == "json"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    if not names or any("*" in name or name.startswith(".") for name in names):
        raise ValueError("needs exact host names, no wildcards")
    return names


def _networks(text: str) -> tuple[Network, ...]:
    networks = tuple(ipaddress.ip_network(n.strip()) for n in text.split(",") if n.strip())
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("trusts every address")
    return networks


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("must be host:port")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError("must be an address of this machine, not a name") from None
    return Address(host, int(port))


def _loopback_address(text: str) -> Address:
    address = _address(text)
    if not is_loopback(address.host):
        raise ValueError("must be an address of this machine alone: what it tells has no lock")
    return address


def _console_url(values: Mapping[str, Any]) -> str:
    """By name where it is this machine's alone: a browser makes passkeys for names, not addresses."""
    public, listen = values["public_url"] or "", values["console_listen"]
    if values["console_url"]:
        return str(values["console_url"])
    if public.startswith("https:") or listen is None:
        return str(public)
    return f"http://localhost:{listen.port}"
