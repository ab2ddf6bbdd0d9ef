"""G20: behind the shipped proxies the client is who connected to them, whatever it says of itself.

The clients here come from the proxy's own, trusted address, which is the hardest case: whoever reads
the chain from its end must not step over them to what they wrote before it.
"""

from __future__ import annotations

import httpx
import pytest

from deploy.conftest import Origin, Told
from deploy.proxies import running
from gateway.house import VENTAS, WABA, House, Key, error_of, free_port, text

OFFICE = "203.0.113.7"
HERE = "127.0.0.1"

Headers = list[tuple[str, str]]
LIES: tuple[Headers, ...] = (
    [("X-Forwarded-For", OFFICE)],
    [("X-Forwarded-For", f"{OFFICE}, {HERE}")],
    [("X-Forwarded-For", f"{HERE}, {OFFICE}")],
    [("X-Forwarded-For", OFFICE), ("x-forwarded-for", OFFICE)],
    [("X-Forwarded-For", f"{OFFICE},")],
    [("X_Forwarded_For", OFFICE)],
    [("X-Real-IP", OFFICE)],
    [("Forwarded", f"for={OFFICE}")],
    [("X-Client-IP", OFFICE), ("True-Client-IP", OFFICE), ("CF-Connecting-IP", OFFICE)],
    [("Connection", "close, X-Forwarded-For"), ("X-Forwarded-For", OFFICE)],
)


def send(origin: Origin, key: Key, headers: Headers) -> httpx.Response:
    lines = [*headers, *key.headers.items()]
    with httpx.Client(base_url=origin.proxy.url, verify=origin.proxy.trust) as client:
        return client.post(f"/v23.0/{VENTAS}/messages", json=text(), headers=lines)


def addresses(origin: Origin, key: Key) -> set[str]:
    """From where the gateway saw this key's calls come."""
    mine = [r for r in origin.house.workspace.records() if r["credential"] == str(key.id)]
    return {r["body"]["address"] for r in mine if r["kind"] == "intent"}


@pytest.mark.parametrize("number", range(len(LIES)))
def test_g20_no_header_carries_a_client_into_a_network(origin: Origin, number: int) -> None:
    key = origin.house.workspace.key(conditions={"networks": ["203.0.113.0/24"]})

    answer = send(origin, key, LIES[number])

    assert error_of(answer) == (403, 10, None, "outside_network")
    assert origin.house.sandbox.ledger() == []
    assert addresses(origin, key) == {HERE}


@pytest.mark.parametrize("number", range(len(LIES)))
def test_g20_nor_out_of_one(origin: Origin, number: int) -> None:
    key = origin.house.workspace.key(conditions={"networks": [f"{HERE}/32"]})

    assert send(origin, key, LIES[number]).status_code == 200
    assert addresses(origin, key) == {HERE}


def test_g20_links_name_the_public_origin_whatever_the_headers_say(origin: Origin) -> None:
    key = origin.house.workspace.key()
    lies = {
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil",
    }
    with httpx.Client(base_url=origin.proxy.url, verify=origin.proxy.trust) as client:
        answer = client.get(
            f"/v23.0/{WABA}/message_templates?limit=1", headers={**key.headers, **lies}
        )

    assert answer.json()["paging"]["next"].startswith(f"{origin.proxy.url}/v23.0/")


def test_g20_the_gateway_hears_the_proxys_word_alone(told: Told) -> None:
    headers = {"X-Forwarded-For": OFFICE, "X-Real-IP": OFFICE, "Forwarded": f"for={OFFICE}"}
    with httpx.Client(base_url=told.proxy.url, verify=told.proxy.trust) as client:
        client.get("/v23.0/1", headers=headers)

    [arrived] = told.gateway.headers
    assert arrived["x-forwarded-for"] == [HERE]
    assert "x-real-ip" not in arrived
    assert "forwarded" not in arrived


def test_g20_control_a_proxy_that_appends_lets_a_lie_pass(house: House) -> None:
    key = house.workspace.key(conditions={"networks": ["203.0.113.0/24"]})
    believing = house.another_gateway(trusted_proxies=("127.0.0.1/32",))
    appending = {"X-Forwarded-For $remote_addr": "X-Forwarded-For $proxy_add_x_forwarded_for"}
    ports = {"port": free_port(), "gateway": believing.port, "console": free_port()}
    with running("nginx", **ports, spoilt=appending) as proxy:
        headers = {**key.headers, "X-Forwarded-For": OFFICE}
        with httpx.Client(base_url=proxy.url, verify=proxy.trust) as client:
            answer = client.post(f"/v23.0/{VENTAS}/messages", json=text(), headers=headers)
    house.more.remove(believing)
    believing.close()

    assert answer.status_code == 200
