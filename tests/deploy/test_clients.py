"""Unmodified client libraries through a whole origin: TLS, proxy, gateway."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import httpx
import pytest
from facebook_business.adobjects.whatsappbusinessaccount import WhatsAppBusinessAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from heyoo import WhatsApp as Heyoo
from pywa import WhatsApp

from deploy.conftest import Origin
from gateway.house import LUCIA, TEMPLATES, VENTAS, WABA, Key
from gateway.media_samples import png


@pytest.fixture
def key(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> Key:
    """Every library finds the certificate as it finds any: by the environment."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(origin.proxy.certificate))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return origin.house.workspace.key(url_compatible=True)


@pytest.fixture
def pywa(origin: Origin, key: Key) -> Iterator[WhatsApp]:
    session = httpx.Client()
    made = WhatsApp(phone_id=VENTAS, token=key.text, waba_id=WABA, session=session)
    session.base_url = httpx.URL(f"{origin.proxy.url}/v23.0")
    yield made
    session.close()


def test_pywa_sends_uploads_and_reads_back(pywa: WhatsApp, origin: Origin) -> None:
    assert pywa.send_message(to=LUCIA, text="hola").id.startswith("wamid.")

    media = pywa.upload_media(media=io.BytesIO(png()), mime_type="image/png", filename="foto.png")
    assert pywa.send_image(to=LUCIA, image=media.id).id
    url = pywa.get_media_url(media_id=media.id).url
    assert url.startswith(f"{origin.proxy.url}/media/")
    assert pywa.get_media_bytes(url=url) == png()


def test_heyoo_sends(origin: Origin, key: Key) -> None:
    heyoo = Heyoo(token=key.text, phone_number_id=VENTAS)
    heyoo.url = f"{origin.proxy.url}/v23.0/{VENTAS}/messages"

    assert "messages" in heyoo.send_message("hola", LUCIA)


def test_facebook_business_follows_pages_with_its_key_in_the_query(
    origin: Origin, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FacebookSession, "GRAPH", origin.proxy.url)
    api = FacebookAdsApi.init(access_token=key.text, api_version="v23.0")
    account = WhatsAppBusinessAccount(WABA, api=api)

    names = {template["name"] for template in account.get_message_templates(params={"limit": 2})}

    assert names == {name for _, name, *_ in TEMPLATES}
    api._session.requests.close()


def test_without_a_version_too(origin: Origin, key: Key) -> None:
    with httpx.Client(base_url=origin.proxy.url) as client:
        answer = client.get(f"/{VENTAS}", headers=key.headers)

    assert answer.json()["id"] == VENTAS


def test_a_kept_connection_adds_no_wait(origin: Origin, key: Key) -> None:
    """Forty milliseconds a call would show that one side waits for the other's acknowledgement."""
    with httpx.Client(base_url=origin.proxy.url) as client:
        took = []
        for _ in range(9):
            started = time.perf_counter()
            assert client.get(f"/v23.0/{VENTAS}", headers=key.headers).status_code == 200
            took.append(time.perf_counter() - started)

    assert sorted(took)[0] < 0.035


def test_webhooks_of_meta_arrive(origin: Origin) -> None:
    with httpx.Client(base_url=origin.proxy.url, verify=origin.proxy.trust) as client:
        answer = client.post("/webhooks/whatsapp", json={"object": "x", "entry": []})
        health = client.get("/-/health")

    assert (answer.status_code, answer.text) == (401, "signature does not match")
    assert health.json() == {"alive": True}
