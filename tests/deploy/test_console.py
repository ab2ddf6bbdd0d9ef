"""A console behind the shipped proxies, told what their files say: who comes, from where, and how."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx
import pytest
from django.core import signing

import django_ready  # noqa: F401 - signing asks the settings for more keys
from databases import Database
from deploy.proxies import DEPLOY, HOST, Proxy, running
from deploy.test_g20_addresses import HERE, LIES, OFFICE
from e2e.installations import console_alone, keys_of
from e2e.signing_in import PASSWORD, code_of
from gateway.house import Workspace, free_port

FILES = ("nginx.conf", "Caddyfile")
_SETTING = re.compile(r"^# +(PORTERO_[A-Z_]+)=(\S+)$", re.MULTILINE)
_A_YEAR = "max-age=31536000"


@dataclass(frozen=True)
class Public:
    """A console at a public name, and how it is reached without its proxy."""

    proxy: Proxy
    direct: str
    database: Database

    def browser(self, **more: object) -> httpx.Client:
        given: dict[str, object] = {"base_url": self.proxy.url, "verify": self.proxy.trust, **more}
        given["headers"] = [("origin", self.proxy.url), *httpx.Headers(more.get("headers")).raw]  # type: ignore[arg-type]
        return httpx.Client(timeout=30, **given)  # type: ignore[arg-type]

    def command(self, *arguments: str) -> str:
        """What a command of this installation writes."""
        done = subprocess.run(
            [Path(sys.executable).with_name("portero"), *arguments],
            env={**os.environ, **self.settings},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "PORTERO_STATE": str(self.database.cluster.state),
            "PORTERO_DATABASE": self.database.name,
            "PORTERO_CONSOLE_LISTEN": self.direct.removeprefix("http://"),
            **public(self.proxy.port),
        }


def public(port: int) -> dict[str, str]:
    """What the files say to set, with this run's name for the example's."""
    told = settings_of(FILES[0])
    return {**told, "PORTERO_PUBLIC_URL": f"https://{HOST}:{port}"}


def settings_of(file: str) -> dict[str, str]:
    return dict(_SETTING.findall((DEPLOY / file).read_text()))


@contextmanager
def served(database: Database, proxy: str, **spoilt: str) -> Iterator[Public]:
    port = free_port()
    with console_alone(database, **public(port)) as url:
        behind = int(url.rpartition(":")[2])
        ports = {"port": port, "gateway": free_port(), "console": behind}
        with running(proxy, **ports, spoilt=spoilt) as proxied:
            yield Public(proxied, f"http://127.0.0.1:{behind}", database)


@pytest.fixture(scope="module")
def origin(clone: Callable[[], Database], proxy_name: str) -> Iterator[Public]:
    database = clone()
    with served(database, proxy_name) as made:
        yield made


@pytest.fixture(scope="module")
def link(origin: Public) -> str:
    """With which the owner of a workspace comes in for the first time."""
    email = Workspace(origin.database, *keys_of(origin.database)).create().email
    return origin.command("person", "link", email)


def arrival(origin: Public) -> str:
    """Where the doctor asks how its request came."""
    secret = (origin.database.cluster.state / "secrets" / "secret-key").read_text()
    return f"/arrival/{signing.dumps('', key=secret, salt='portero.arrival')}"


def cookies_of(answer: httpx.Response) -> list[Morsel[str]]:
    found = [SimpleCookie(line) for line in answer.headers.get_list("set-cookie")]
    return [morsel for cookie in found for morsel in cookie.values()]


def form_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the page's form."""
    return dict(re.findall(r'name="(csrfmiddlewaretoken|next)" value="([^"]*)"', page.text))


def test_both_say_the_same() -> None:
    assert settings_of(FILES[0]) == settings_of(FILES[1])
    assert set(settings_of(FILES[0])) == {"PORTERO_PUBLIC_URL", "PORTERO_TRUSTED_PROXIES"}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
def test_health_is_answered_at_the_address_it_listens_on_and_nothing_else(
    shared_database: Database, address: str
) -> None:
    with console_alone(shared_database, host=address, **settings_of(FILES[0])) as url:
        assert httpx.get(f"{url}/-/health", timeout=30).status_code == 200
        for path in ("/", "/login/", "/assets/x/console.css", "/-/health/"):
            assert httpx.get(f"{url}{path}", timeout=30).status_code == 403


def test_b2_1_every_cookie_is_bound_to_the_name_and_to_tls(origin: Public, link: str) -> None:
    with origin.browser(follow_redirects=True, headers={"accept-language": "en"}) as browser:
        page = browser.get(link.removeprefix(origin.proxy.url))
        page = browser.post(page.url, data={**form_of(page), "password": PASSWORD})
        page = browser.get("/factors/totp/activate/")
        [secret] = re.findall(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page.text)
        page = browser.post(page.url, data={**form_of(page), "code": code_of(secret)})
        page = browser.get("/")
        given = [m for one in (*page.history, page) for m in cookies_of(one)]
        given += cookies_of(browser.get("/people/"))
        held = set(browser.cookies)

    assert link.startswith(f"{origin.proxy.url}/welcome/")
    assert page.status_code == 200
    assert held == {"__Host-portero_session", "__Host-portero_csrf", "__Host-portero_device"}
    assert given
    for morsel in given:
        assert morsel.key.startswith("__Host-")
        assert (morsel["secure"], morsel["path"], morsel["domain"]) == (True, "/", "")
        assert morsel["httponly"]
        assert morsel["samesite"] == "Lax"


def test_browsers_are_told_to_come_by_tls_alone(origin: Public) -> None:
    with origin.browser() as browser:
        for path in ("/", "/login/", "/nothing/"):
            assert browser.get(path).headers["strict-transport-security"] == _A_YEAR


def test_a12_a_form_is_taken_from_the_public_origin_alone(origin: Public) -> None:
    with origin.browser() as browser:
        page = browser.get("/login/")
        form = {**form_of(page), "login": "a@example.com", "password": "x" * 20}
        answers = {
            sender: browser.post(page.url, data=form, headers={"origin": sender}).status_code
            for sender in (
                origin.proxy.url,
                f"https://{HOST}",
                f"http://{HOST}:{origin.proxy.port}",
                "https://evil.example",
                "null",
            )
        }

    assert answers.pop(origin.proxy.url) == 200
    assert set(answers.values()) == {403}


@pytest.mark.parametrize("number", range(len(LIES)))
def test_g20_the_console_sees_who_connected_whatever_they_say(origin: Public, number: int) -> None:
    lies = [*LIES[number], ("X-Forwarded-Proto", "http"), ("X_Forwarded_Proto", "http"),
            ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Port", "1")]  # fmt: skip
    with origin.browser(headers=lies) as browser:
        answer = browser.get(arrival(origin))

    netloc = f"{HOST}:{origin.proxy.port}"
    assert answer.json() == {"address": HERE, "scheme": "https", "host": netloc}


def test_the_console_sees_each_client_by_its_own_address(origin: Public) -> None:
    elsewhere = httpx.HTTPTransport(verify=origin.proxy.trust, local_address="127.0.0.2")
    with origin.browser(transport=elsewhere, headers={"x-forwarded-for": OFFICE}) as browser:
        assert browser.get(arrival(origin)).json()["address"] == "127.0.0.2"


def test_how_a_request_came_is_told_to_nobody_else(origin: Public) -> None:
    with origin.browser() as browser:
        for asked in ("", "x", "ImFzayI:1aaaaa:bbbb"):
            assert browser.get(f"/arrival/{asked}").status_code == 404


def test_g20_control_underscores_let_through_are_a_lie_believed(
    shared_database: Database,
) -> None:
    """What the shipped Caddyfile takes away would else be read in place of the proxy's own word."""
    with (
        served(shared_database, "caddy", **{"\trequest_header -*_*\n": ""}) as spoilt,
        spoilt.browser(headers={"X_Forwarded_For": OFFICE}) as browser,
    ):
        assert browser.get(arrival(spoilt)).json()["address"] == OFFICE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-forwarded-for": HERE},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-for": HERE, "x-forwarded-proto": "http"},
        {"x-forwarded-for": HERE, "x-forwarded-proto": "https, http"},
        {"forwarded": f"for={HERE};proto=https"},
    ],
)
def test_who_did_not_come_by_tls_does_not_come_in(origin: Public, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{origin.direct}/login/", headers={"host": HOST, **headers}, timeout=30)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_g20_a_proxy_that_is_not_named_is_not_believed(shared_database: Database) -> None:
    told = {**public(1), "PORTERO_TRUSTED_PROXIES": "192.0.2.0/24"}
    by_proxy = {"host": HOST, "x-forwarded-for": OFFICE, "x-forwarded-proto": "https"}
    with console_alone(shared_database, **told) as url:
        answer = httpx.get(f"{url}/login/", headers=by_proxy, timeout=30)

    assert (answer.status_code, answer.text) == (403, f"The console answers at https://{HOST}:1\n")


def test_another_name_is_not_answered(origin: Public) -> None:
    by_proxy = {"x-forwarded-for": HERE, "x-forwarded-proto": "https"}
    statuses = {
        host: httpx.get(origin.direct, headers={"host": host, **by_proxy}, timeout=30).status_code
        for host in (HOST, f"{HOST}:1", "127.0.0.1", "elsewhere.example", f"{HOST}.evil.example")
    }

    assert statuses == {
        HOST: 302, f"{HOST}:1": 302,
        "127.0.0.1": 421, "elsewhere.example": 421, f"{HOST}.evil.example": 421,
    }  # fmt: skip


def test_without_a_public_name_what_passed_a_proxy_is_refused(shared_database: Database) -> None:
    names = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP")
    with console_alone(shared_database) as url:
        here = httpx.get(f"{url}/login/", timeout=30)
        passed = [
            httpx.get(f"{url}/login/", headers={n: HERE}, timeout=30).status_code for n in names
        ]

    assert here.status_code == 200
    assert passed == [403] * len(names)
