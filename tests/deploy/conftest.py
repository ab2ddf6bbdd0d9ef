"""Each shipped proxy configuration, in front of a real gateway, and in front of two that tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from databases import Database
from deploy.backends import Backend, listening
from deploy.proxies import NAMES, Proxy, running
from gateway.house import Gateway, House, free_port


@dataclass(frozen=True)
class Told:
    """A proxy, and what reached the servers behind it."""

    proxy: Proxy
    gateway: Backend
    console: Backend


@dataclass(frozen=True)
class Origin:
    """A proxy in front of a real gateway that trusts it, and of a console."""

    proxy: Proxy
    house: House
    gateway: Gateway
    console: Backend


@pytest.fixture(scope="session")
def house(clone: Callable[[], Database]) -> Iterator[House]:
    made = House(clone())
    yield made
    made.close()


@pytest.fixture(scope="session", params=NAMES)
def proxy_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def whole(house: House, proxy_name: str) -> Iterator[Origin]:
    port, console = free_port(), Backend("console")
    gateway = house.another_gateway(
        public_url=f"https://localhost:{port}", trusted_proxies=("127.0.0.1/32",)
    )
    with (
        listening(console),
        running(proxy_name, port=port, gateway=gateway.port, console=console.port) as proxy,
    ):
        yield Origin(proxy, house, gateway, console)
    house.more.remove(gateway)
    gateway.close()


@pytest.fixture
def origin(whole: Origin) -> Origin:
    whole.house.sandbox.reset()
    whole.console.forget()
    return whole


@pytest.fixture(scope="session")
def served(proxy_name: str) -> Iterator[Told]:
    gateway, console, live = Backend("gateway"), Backend("console"), Backend("live", pauses_s=3)
    with (
        listening(gateway, console, live),
        running(
            proxy_name,
            port=free_port(),
            gateway=gateway.port,
            console=console.port,
            live=live.port,
        ) as proxy,
    ):
        yield Told(proxy, gateway, console)


@pytest.fixture
def told(served: Told) -> Told:
    served.gateway.forget()
    served.console.forget()
    return served
