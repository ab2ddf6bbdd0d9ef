"""At the public address, by https and through the shipped proxies, as a browser sees it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, expect, sync_playwright

from databases import Database
from deploy.proxies import HOST, NAMES, Proxy, running
from e2e.browsing import _FLAGS
from e2e.installations import console_alone, keys_of, portero_says, portero_serving
from e2e.passkeys import with_passkeys
from e2e.signing_in import PASSWORD
from gateway.house import Workspace, free_port
from programs import needed

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Public:
    proxy: Proxy
    link: str


@pytest.fixture(params=NAMES)
def public(
    request: pytest.FixtureRequest, template: str, clone: Callable[[], Database]
) -> Iterator[Public]:
    database, port, live = clone(), free_port(), free_port()
    told = {
        "PORTERO_PUBLIC_URL": f"https://{HOST}:{port}",
        "PORTERO_TRUSTED_PROXIES": "127.0.0.1/32",
        "PORTERO_LIVE_LISTEN": f"127.0.0.1:{live}",
    }
    email = Workspace(database, *keys_of(database)).create().email
    settings = {
        "PORTERO_STATE": str(database.cluster.state),
        "PORTERO_DATABASE": database.name,
        **told,
    }
    with (
        console_alone(database, **told) as url,
        portero_serving(settings, "serve", "live", "--json"),
        running(
            request.param,
            port=port,
            gateway=free_port(),
            console=int(url.rpartition(":")[2]),
            live=live,
        ) as proxy,
    ):
        yield Public(proxy, portero_says(settings, "person", "link", email))


@pytest.fixture
def page(public: Public) -> Iterator[Page]:
    """A browser that takes this run's certificate, as it would take one of an authority's."""
    certificate = x509.load_pem_x509_certificate(public.proxy.certificate.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    with sync_playwright() as playwright:
        flags = [*_FLAGS, f"--ignore-certificate-errors-spki-list={pin}"]
        browser: Browser = playwright.chromium.launch(
            executable_path=needed("chromium"), args=flags
        )
        yield browser.new_context(locale="en").new_page()
        browser.close()


def test_a_passkey_is_made_for_the_public_name_and_streams_come_from_it(
    public: Public, page: Page
) -> None:
    devices, authenticator = with_passkeys(page)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.goto(public.link)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Add a passkey").click()
    page.wait_for_load_state()
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url(lambda url: not url.endswith("/add/"))

    with page.expect_response(lambda answer: "/live/events" in answer.url) as opened:
        page.goto(f"{public.proxy.url}/people/")
    found = devices.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
    cookies = page.context.cookies()

    assert [one["rpId"] for one in found["credentials"]] == [HOST]
    assert opened.value.status == 200
    assert opened.value.url.startswith(f"{public.proxy.url}/live/events?")
    assert {c["name"] for c in cookies} >= {"__Host-portero_session", "__Host-portero_csrf"}
    assert all(c["secure"] and c["httpOnly"] for c in cookies)

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_load_state()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("navigation", name="Places")).to_be_visible()
    assert complaints == []
