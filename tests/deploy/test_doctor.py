"""The doctor looks at an installation from outside, through the shipped proxies, and at spoilt ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

import django_ready  # noqa: F401 - questions are signed
from databases import Database
from deploy.backends import Backend, _reply, listening
from deploy.proxies import HOST, running
from e2e.installations import console_alone
from gateway.front_door import Receive, Scope, Send
from gateway.house import free_port
from portero.project.configuration import Configuration
from portero.project.doctor import outside
from portero.project.doctor.finding import Finding

A_QUARTER = timedelta(days=90)
CHECKS = [
    "certificate",
    "gateway by the proxy",
    "webhooks",
    "streams by the proxy",
    "console by the proxy",
]


class Gateway(Backend):
    """Refuses a verify token it does not know, as the real one does."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/webhooks/"):
            length = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 403, "headers": length})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _reply(send, b"ok")


@dataclass(frozen=True)
class Behind:
    """What stands behind the proxy of each test."""

    port: int
    console: int
    gateway: int
    live: int
    environ: Mapping[str, str]


@pytest.fixture(scope="module")
def behind(shared_database: Database) -> Iterator[Behind]:
    port, gateway, live = free_port(), Gateway("gateway"), Backend("live")
    told = {
        "PORTERO_PUBLIC_URL": f"https://{HOST}:{port}",
        "PORTERO_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    with listening(gateway, live), console_alone(shared_database, **told) as url:
        state = shared_database.cluster.state
        environ = {"PORTERO_STATE": str(state), "PORTERO_DATABASE": shared_database.name, **told}
        yield Behind(port, int(url.rpartition(":")[2]), gateway.port, live.port, environ)


@contextmanager
def proxied(behind: Behind, name: str = "nginx", **more: Any) -> Iterator[str]:
    """The certificate of a running proxy in front."""
    ports = {"port": behind.port, "gateway": behind.gateway, "console": behind.console}
    with running(name, **{**ports, "live": behind.live, "lasts": A_QUARTER, **more}) as proxy:
        yield str(proxy.certificate)


Look = Callable[..., list[Finding]]


@pytest.fixture
def look(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> Look:
    def look(certificate: str, **told: str) -> list[Finding]:
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        return list(outside.examine(Configuration.from_environment({**behind.environ, **told})))

    return look


def test_as_shipped_there_is_nothing_wrong(behind: Behind, look: Look, proxy_name: str) -> None:
    with proxied(behind, proxy_name) as certificate:
        found = look(certificate)

    assert [f for f in found if not f.ok] == []
    assert [f.check for f in found] == CHECKS
    assert found[-1].message == "it sees this machine as 127.0.0.1, by https"


SPOILT = [
    pytest.param(
        {"X-Forwarded-For $remote_addr": "X-Forwarded-For $proxy_add_x_forwarded_for"},
        "console by the proxy", "anybody is whoever they like", id="a chain that is appended to",
    ),
    pytest.param(
        {"proxy_set_header X-Forwarded-Proto $scheme;": ""},
        "console by the proxy", "must say X-Forwarded-Proto", id="a scheme that is not said",
    ),
    pytest.param(
        {"proxy_set_header Host $host;": "proxy_set_header Host 127.0.0.1;"},
        "console by the proxy", "by another name", id="a host that is not passed on",
    ),
    pytest.param(
        {"|webhooks/|media/": "|media/"},
        "webhooks", "answered with 4", id="webhooks that go elsewhere",
    ),
    pytest.param(
        {'location ~ "^/(-/|': 'location ~ "^/('},
        "gateway by the proxy", "answered with 404", id="health that goes elsewhere",
    ),
    pytest.param(
        {"location /live/ {": "location /streams/ {"},
        "streams by the proxy", "answered with 404", id="streams that go elsewhere",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoilt", "check", "says"), SPOILT)
def test_a_spoilt_proxy_is_found(
    behind: Behind, look: Look, spoilt: dict[str, str], check: str, says: str
) -> None:
    with proxied(behind, spoilt=spoilt) as certificate:
        found = look(certificate)

    [wrong] = [f for f in found if not f.ok]
    assert wrong.check == check
    assert says in wrong.message + wrong.remedy
    assert wrong.remedy


def test_underscores_that_pass_are_found(behind: Behind, look: Look) -> None:
    with proxied(behind, "caddy", spoilt={"\trequest_header -*_*\n": ""}) as certificate:
        [wrong] = [f for f in look(certificate) if not f.ok]

    assert "names with an underscore" in wrong.remedy


@pytest.mark.parametrize(
    ("what", "check", "command"),
    [
        ("gateway", "gateway by the proxy", "portero serve gateway"),
        ("live", "streams by the proxy", "portero serve live"),
        ("console", "console by the proxy", "portero serve console"),
    ],
)
def test_what_the_proxy_does_not_reach_is_named(
    behind: Behind, look: Look, what: str, check: str, command: str
) -> None:
    with proxied(behind, **{what: free_port()}) as certificate:
        wrong = {f.check: f.remedy for f in look(certificate) if not f.ok}

    assert command in wrong[check]
    assert set(wrong) <= {check, "webhooks"}


def test_a_proxy_that_is_not_named_is_found(shared_database: Database, look: Look) -> None:
    port, gateway, live = free_port(), Gateway("gateway"), Backend("live")
    told = {
        "PORTERO_PUBLIC_URL": f"https://{HOST}:{port}",
        "PORTERO_TRUSTED_PROXIES": "192.0.2.1/32",
    }
    with listening(gateway, live), console_alone(shared_database, **told) as url:
        here = Behind(port, int(url.rpartition(":")[2]), gateway.port, live.port, {})
        with proxied(here) as certificate:
            [wrong] = [f for f in look(certificate, **told) if not f.ok]

    assert wrong.check == "console by the proxy"
    assert wrong.remedy.startswith("PORTERO_TRUSTED_PROXIES must hold")


def test_a_certificate_that_ends_soon_is_found(behind: Behind, look: Look) -> None:
    with proxied(behind, lasts=timedelta(days=13)) as certificate:
        [wrong] = [f for f in look(certificate) if not f.ok]

    assert wrong.check == "certificate"
    assert wrong.message in (
        "that of localhost ends in 12 days",
        "that of localhost ends in 13 days",
    )


def test_a_certificate_that_clients_do_not_take_is_found(behind: Behind, look: Look) -> None:
    with proxied(behind, lasts=-timedelta(minutes=1)) as certificate:
        [expired] = look(certificate)
    with proxied(behind) as certificate:
        [unknown] = look("/dev/null")
        [misnamed] = look(certificate, PORTERO_PUBLIC_URL=f"https://127.0.0.2:{behind.port}")

    assert {f.check for f in (expired, unknown, misnamed)} == {"public address"}
    assert "certificate has expired" in expired.message
    assert "self-signed certificate" in unknown.message
    assert "SSL_CERT_FILE" in unknown.remedy


def test_an_address_where_nobody_speaks_tls_is_found(behind: Behind, look: Look) -> None:
    [away] = look("/dev/null", PORTERO_PUBLIC_URL=f"https://{HOST}:{free_port()}")
    [plain] = look("/dev/null", PORTERO_PUBLIC_URL=f"https://{HOST}:{behind.console}")
    [nowhere] = look("/dev/null", PORTERO_PUBLIC_URL="https://nowhere.invalid")

    assert "nobody answers at" in away.message
    assert "does not speak TLS" in plain.message
    assert nowhere.message == "the name nowhere.invalid leads nowhere"
