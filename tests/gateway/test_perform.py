"""Our own processes state a need on the internal socket; it takes the way of every call."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.house import LUCIA, VENTAS, Gateway, House, error_of, text
from portero.gateway.workspaces import Workspaces
from portero.store.sealing import Secret

SECRET = b"service-credential-of-a-test"


@pytest.fixture(scope="module")
def gateway(house: House) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(prefix="portero-") as folder:
        socket = Path(folder) / "gateway.sock"
        made = house.another_gateway(internal_socket=socket, internal_secret=Secret(SECRET))
        made.socket = socket
        yield made
        made.close()
        house.more.remove(made)


@pytest.fixture
def internal(gateway: Gateway) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=str(gateway.socket))
    with httpx.Client(
        transport=transport,
        base_url="http://gateway",
        headers={"authorization": f"Bearer {SECRET.decode()}"},
    ) as client:
        yield client


def need(house: House, principal: Any, **changes: Any) -> dict[str, Any]:
    return {
        "workspace": str(house.workspace.id),
        "principal": str(principal),
        "operation": "send_message",
        "parts": {"ids": [VENTAS], "body": text(LUCIA)},
        **changes,
    }


def test_a_person_sends_through_the_same_way(house: House, internal: httpx.Client) -> None:
    owner = house.workspace.owner

    told = internal.post("/perform", json=need(house, owner, on_behalf="bot-1")).json()

    assert told["status"] == 200
    assert told["body"]["messages"][0]["id"].startswith("wamid.")
    intent = next(r for r in house.workspace.records() if str(r["call_id"]) == told["call"])
    assert (intent["actor"], intent["on_behalf"]) == (str(owner), "bot-1")
    assert len(house.sandbox.ledger()) == 1


def test_the_gateway_decides_again_for_that_principal(house: House, internal: httpx.Client) -> None:
    key = house.workspace.key({"send:image": "all"})

    told = internal.post("/perform", json=need(house, key.account)).json()

    assert told["status"] == 403
    assert told["body"]["error"]["error_data"]["details"].startswith("permission_missing")
    assert house.sandbox.ledger() == []


def test_one_need_has_one_effect(house: House, internal: httpx.Client) -> None:
    asked = need(house, house.workspace.owner, idempotency_id="order-77")

    first, second = (internal.post("/perform", json=asked).json() for _ in range(2))

    assert first["body"] == second["body"]
    assert len(house.sandbox.ledger()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "no_such_thing"},
        {"principal": "not-an-id"},
        {"parts": {"ids": []}},
        {"parts": {"ids": [VENTAS, VENTAS]}},
        {"parts": {"ids": 7}},
        {"parts": {"ids": [VENTAS], "params": ["a"]}},
        {"parts": "text"},
    ],
)
def test_a_need_that_cannot_be_read_is_refused(
    house: House, internal: httpx.Client, changes: dict[str, Any]
) -> None:
    answer = internal.post("/perform", json={**need(house, house.workspace.owner), **changes})

    assert answer.status_code == 400
    assert house.sandbox.ledger() == []


def test_without_the_service_credential_nothing_happens(house: House, gateway: Gateway) -> None:
    transport = httpx.HTTPTransport(uds=str(gateway.socket))
    with httpx.Client(transport=transport, base_url="http://gateway") as stranger:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = stranger.post(
                "/perform", json=need(house, house.workspace.owner), headers=headers
            )
            assert answer.status_code == 401
    assert house.sandbox.ledger() == []


def test_a_database_that_is_away_is_a_need_not_performed(
    house: House, internal: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare 500 would be read as an outcome nobody knows."""

    async def away(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(Workspaces, "current", away)

    answer = internal.post("/perform", json=need(house, house.workspace.owner))

    assert error_of(answer) == (503, 2, None, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert house.sandbox.ledger() == []
