"""A need goes to a gateway process on this machine, and how it ended is told truly."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from databases import Database
from gateway.house import LUCIA, VENTAS, House, text
from portero.domain.messaging.ports import Need, NotPerformed, OutcomeUnknown
from portero.project.wiring import GatewayClient
from portero.store.sealing import Secret

SECRET = Secret(b"service-credential-of-a-test")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="portero-") as name:  # short: sockets have short paths
        yield Path(name)


@pytest.fixture(scope="module")
def house(shared_database: Database) -> Iterator[House]:
    made = House(shared_database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[GatewayClient]:
    with tempfile.TemporaryDirectory(prefix="portero-") as name:
        path = Path(name) / "1.sock"
        gateway = house.another_gateway(internal_socket=path, internal_secret=SECRET)
        yield GatewayClient(Path(name), SECRET)
        house.more.remove(gateway)
        gateway.close()


def message(house: House, **changes: object) -> Need:
    asked = {
        "workspace": house.workspace.id,
        "principal": house.workspace.owner,
        "operation": "send_message",
        "ids": (VENTAS,),
        "body": text(LUCIA),
        **changes,
    }
    return Need(**asked)  # type: ignore[arg-type]  # the values are of the fields' types


def test_a_need_is_performed(house: House, client: GatewayClient) -> None:
    house.sandbox.reset()

    done = client(message(house))

    assert done.status == 200
    assert done.body["messages"][0]["id"].startswith("wamid.")
    assert done.call in {record["call_id"] for record in house.workspace.records()}
    assert len(house.sandbox.ledger()) == 1


def test_a_refusal_comes_back_as_a_client_would_see_it(house: House, client: GatewayClient) -> None:
    account = house.workspace.key({"send:image": "all"}).account

    refused = client(message(house, principal=account))

    assert refused.status == 403
    assert refused.body["error"]["error_data"]["details"].startswith("permission_missing")


def test_a_need_nobody_can_read_is_a_fault_of_ours(house: House, client: GatewayClient) -> None:
    with pytest.raises(ValueError, match="no operation"):
        client(message(house, operation="no_such_thing"))


def test_a_wrong_service_credential_is_a_fault_of_ours(house: House, client: GatewayClient) -> None:
    stranger = GatewayClient(client.folder, Secret(b"wrong"))

    with pytest.raises(ValueError, match="service credential"):
        stranger(message(house))


def test_without_a_gateway_nothing_was_performed(house: House, folder: Path) -> None:
    with pytest.raises(NotPerformed):
        GatewayClient(folder, SECRET)(message(house))


def test_the_socket_of_a_killed_process_is_passed_over(
    house: House, client: GatewayClient, folder: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "0.sock"))
    (folder / "1.sock").symlink_to(client.folder / "1.sock")

    assert GatewayClient(folder, SECRET)(message(house)).status == 200


@contextmanager
def rude(path: Path, answer: bytes) -> Iterator[None]:
    """A process that takes a request, says `answer`, and hangs up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{", b"HTTP/1.1 500 Oh\r\n\r\nInternal"],
)
def test_i6_what_was_taken_and_not_answered_is_unknown(
    house: House, folder: Path, answer: bytes
) -> None:
    with rude(folder / "1.sock", answer), pytest.raises(OutcomeUnknown):
        GatewayClient(folder, SECRET)(message(house))
