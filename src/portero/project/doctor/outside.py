"""An installation as the world reaches it: its name, its certificate, and what stands behind the proxy.

Asked from this machine by the public address, as anybody would ask. What answers here may still be
closed to the world by a firewall; only the world can say.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from portero.console import arrival
from portero.project.configuration import Configuration
from portero.project.doctor.finding import Finding, well, wrong
from portero.project.programs import GATEWAY_HEALTH, LIVE_HEALTH

_TIMEOUT_S = 10
_TLS_PORT = 443
_LONGEST_ANSWER = 65_536
RENEW_BEFORE_S = 14 * 24 * 3600
"""Certificates of 90 days are renewed a month before their end: two weeks mean that it fails."""
_NOBODY = "203.0.113.99"
"""An address of documentation (RFC 5737), from which nobody can come."""
_LIES: Mapping[str, str] = {
    "X-Forwarded-For": _NOBODY,
    "X_Forwarded_For": _NOBODY,
    "X-Real-IP": _NOBODY,
    "Forwarded": f"for={_NOBODY}",
}
_WEBHOOK = "/webhooks/whatsapp?hub.mode=subscribe&hub.challenge=1&hub.verify_token="
_REFUSED, _MISDIRECTED = 403, 421
_AWAY = frozenset({502, 503, 504})
_ROUTES = "Compare the proxy's configuration with the one in deploy/, which routes by path."


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    own_address: str
    """By which this machine asked."""


class _Unreachable(Exception):
    """The message says how far it came; `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def examine(configuration: Configuration) -> Iterator[Finding]:
    """Raises nothing for what is wrong."""
    url = configuration.public_url
    if not url.startswith("https:") and configuration.graph_url.startswith("http:"):
        yield well("public address", "none is needed: Meta is the sandbox of this machine")
        return
    if not url.startswith("https:"):
        yield wrong(
            "public address",
            "PORTERO_PUBLIC_URL names no https address: Meta's webhooks, and programs on other machines,"
            " do not reach this installation",
            "Put a proxy with a certificate in front (docs/how-to/install.md) and name its address.",
        )
        return
    try:
        yield _certificate(url)
        yield from _behind(configuration)
    except _Unreachable as error:
        yield wrong("public address", str(error), error.remedy)


def _certificate(url: str) -> Finding:
    host, port = _host_of(url)
    with _connected(host, port) as connection:
        ends = ssl.cert_time_to_seconds(str((connection.getpeercert() or {})["notAfter"]))
    days = int((ends - time.time()) // 86_400)
    if ends - time.time() < RENEW_BEFORE_S:
        return wrong(
            "certificate",
            f"that of {host} ends in {days} days",
            "Renew it, and look why it was not renewed by itself.",
        )
    return well("certificate", f"{host} has one that is trusted, for {days} more days")


def _behind(configuration: Configuration) -> Iterator[Finding]:
    gateway = _ask(configuration.public_url, GATEWAY_HEALTH)
    yield _route("gateway", gateway, GATEWAY_HEALTH, "portero serve gateway")
    yield _webhooks(_ask(configuration.public_url, f"{_WEBHOOK}no-token-of-ours"))
    if not configuration.is_public:
        yield well("console by the proxy", f"it stays at {configuration.console_url}")
        return
    streams = _ask(configuration.console_url, LIVE_HEALTH)
    yield _route("streams", streams, LIVE_HEALTH, "portero serve live")
    yield _console(configuration)


def _route(what: str, answer: _Answer, path: str, command: str) -> Finding:
    check = f"{what} by the proxy"
    if answer.status == 200:
        return well(check, f"{path} arrives")
    if answer.status in _AWAY:
        return wrong(
            check,
            f"{path} is answered with {answer.status}: the proxy reaches nobody there",
            f"Start it with `{command}`, and compare the address it listens on with the proxy's.",
        )
    return wrong(check, f"{path} is answered with {answer.status}", _ROUTES)


def _webhooks(answer: _Answer) -> Finding:
    check = "webhooks"
    if answer.status == _REFUSED:
        return well(check, "the address for Meta arrives, and a wrong token is refused")
    return wrong(
        check,
        f"the address for Meta, /webhooks/whatsapp, is answered with {answer.status} instead of 403",
        _ROUTES,
    )


def _console(configuration: Configuration) -> Finding:
    check = "console by the proxy"
    question = arrival.question(configuration.secret_key.reveal().decode())
    answer = _ask(configuration.console_url, f"/arrival/{question}", _LIES)
    if answer.status == _REFUSED:
        return wrong(
            check,
            "it refuses what the proxy passes on: " + answer.body.decode(errors="replace").strip(),
            "PORTERO_TRUSTED_PROXIES must hold the address the proxy comes from, and the proxy must say"
            " X-Forwarded-For and X-Forwarded-Proto: deploy/ shows how.",
        )
    if answer.status == _MISDIRECTED:
        return wrong(
            check,
            "it is asked by another name than the one in PORTERO_PUBLIC_URL",
            "Let the proxy pass Host on as it comes.",
        )
    if answer.status != 200:
        return _route("console", answer, "/", "portero serve console")
    try:
        seen = str(json.loads(answer.body)["address"])
    except (ValueError, KeyError, TypeError):
        return wrong(check, "something else answers there", _ROUTES)
    return _who_is_seen(check, seen, answer.own_address, configuration)


def _who_is_seen(check: str, seen: str, own: str, configuration: Configuration) -> Finding:
    if seen == _NOBODY:
        return wrong(
            check,
            "the proxy passes on what a client says of its own address: anybody is whoever they like",
            "Let it write X-Forwarded-For anew from the connection and drop the rest, names with an"
            " underscore too: deploy/ shows how.",
        )
    is_ours = any(ipaddress.ip_address(seen) in one for one in configuration.trusted_proxies)
    if is_ours and seen != own:
        return wrong(
            check,
            f"it sees {seen}, a proxy of yours, in place of this machine's {own}: to it everybody comes"
            " from there",
            "A proxy in front of the proxy does not say whom it answers: let it write X-Forwarded-For,"
            " and let the inner one believe it.",
        )
    return well(check, f"it sees this machine as {seen}, by https")


def _ask(url: str, path: str, headers: Mapping[str, str] | None = None) -> _Answer:
    host, port = _host_of(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S)
    with closing(connection), _connected(host, port) as sock:
        connection.sock = sock
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            body = response.read(_LONGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise _Unreachable(f"{url}{path.partition('?')[0]}: {error}", _ROUTES) from None
        return _Answer(response.status, body, sock.getsockname()[0])


def _connected(host: str, port: int) -> ssl.SSLSocket:
    """A connection as any client makes it. Raises _Unreachable."""
    where = host if port == _TLS_PORT else f"{host}:{port}"
    try:
        plain = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    except socket.gaierror:
        raise _Unreachable(
            f"the name {host} leads nowhere",
            "Make a DNS record for it, or mend PORTERO_PUBLIC_URL.",
        ) from None
    except OSError as error:
        raise _Unreachable(
            f"nobody answers at {where}: {error.strerror or error}",
            "Start the proxy; look at its own log, and at the firewall.",
        ) from None
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise _Unreachable(
            f"the certificate at {where} is not taken: {error.verify_message}",
            "Get one for this name from an authority that clients know, with its whole chain; for one of"
            " your own, name its authority in SSL_CERT_FILE.",
        ) from None
    except OSError as error:
        plain.close()
        raise _Unreachable(
            f"{where} does not speak TLS as it should: {error}", "Look at the proxy's own log."
        ) from None


def _host_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or _TLS_PORT
