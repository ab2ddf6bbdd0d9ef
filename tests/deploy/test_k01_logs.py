"""K01, G03: no log of a proxy holds a key, a link that opens a file or a door, or who was written to."""

from __future__ import annotations

import time

import httpx
import pytest

from deploy.conftest import Origin
from deploy.proxies import HOST, running
from deploy.wire import speak
from gateway.house import LUCIA, VENTAS, free_port, text


def test_k01_g03_no_log_holds_a_key_wherever_it_stood(origin: Origin) -> None:
    key = origin.house.workspace.key(url_compatible=True)
    path = f"/v23.0/{VENTAS}"
    with httpx.Client(base_url=origin.proxy.url, verify=origin.proxy.trust) as client:
        assert client.get(path, headers=key.headers).status_code == 200
        assert client.get(f"{path}?access_token={key.text}").status_code == 200
        form = {**text(), "text": '{"body":"hola"}', "access_token": key.text}
        assert client.post(f"{path}/messages", data=form).status_code == 200
        referer = {"Referer": f"https://{HOST}/?k={key.text}", "User-Agent": key.text}
        client.get(f"/people?access_token={key.text}", headers={**referer, "Cookie": key.text})
        for opens in ("media", "welcome", "undo"):
            client.get(f"/{opens}/{key.text}")
    speak(
        origin.proxy,
        f"GET {path}?access_token={key.text} HTTP/1.1\r\nHost: {HOST}\r\n\0: x\r\n\r\n".encode(),
    )
    speak(origin.proxy, f"GET /?access_token={key.text} HTTP/9.1\r\n\r\n".encode(), wait_s=1)

    logged = origin.proxy.logged()
    assert path in logged
    assert key.text not in logged
    assert LUCIA not in logged


def test_k01_g03_nor_when_the_gateway_is_away(proxy_name: str) -> None:
    nobody = free_port()
    secret = "ptr_svc_CANARY3f9c"
    with running(proxy_name, port=free_port(), gateway=nobody, console=nobody) as proxy:
        with httpx.Client(base_url=proxy.url, verify=proxy.trust) as client:
            headers = {"Referer": f"https://{HOST}/?k={secret}", "Authorization": secret}
            for path in (
                f"/v23.0/1?access_token={secret}",
                f"/media/{secret}",
                f"/welcome/{secret}",
                f"/undo/{secret}",
                f"/?k={secret}",
                f"/live/events?ticket={secret}",
            ):
                assert client.get(path, headers=headers).status_code in {502, 503}
        logged = proxy.logged()

    assert "/v23.0/1" in logged
    assert secret not in logged


@pytest.mark.parametrize(
    "spoilt",
    [
        {'"$request_method $portero_path"': '"$request"'},
        {"error.log crit": "error.log"},
    ],
    ids=["a line with its query", "errors with their line"],
)
def test_k01_control_usual_log_settings_would_hold_it(spoilt: dict[str, str]) -> None:
    nobody = free_port()
    ports = {"port": free_port(), "gateway": nobody, "console": nobody}
    with running("nginx", **ports, spoilt=spoilt) as proxy:
        with httpx.Client(base_url=proxy.url, verify=proxy.trust) as client:
            client.get("/v23.0/1?access_token=CANARY3f9c")
        within = time.monotonic() + 5  # the line follows the answer
        while "CANARY3f9c" not in proxy.logged() and time.monotonic() < within:
            time.sleep(0.02)
        assert "CANARY3f9c" in proxy.logged()
