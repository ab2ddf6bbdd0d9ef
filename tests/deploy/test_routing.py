"""One public origin: what goes to the gateway, what to the console, and how it arrives."""

from __future__ import annotations

import socket
import ssl
import time
import warnings

import httpx
import pytest

from deploy.conftest import Told
from deploy.proxies import HOST
from deploy.wire import speak, statuses
from portero.graphapi.kinds import Kind
from portero.graphapi.operations import OPERATIONS

# An id of each kind as Graph writes it; every other kind has a decimal one.
IDS = {
    Kind.GROUP: "Y2FwaV9ncm91cDox",
    Kind.UPLOAD: "upload:MTphdHRhY2g",
    Kind.QR_CODE: "ABCDEFGHIJK123",
}
DECIMAL = "100000000000101"
OTHERS = ("/-/health", "/-/keys/revoke", "/webhooks/whatsapp", "/media/c2VhbGVk")
CONSOLE = ("/", "/people", "/people/42", "/roles/new?from=1", "/assets/0123456789abcdef/console.css",
           "/v", "/version", "/meta", "/mediabank", "/webhooks")  # fmt: skip
ODD = ("/%2e%2e/v23.0/1", "/v23.0/%2e%2e/people", "//v23.0/1/messages", "/v23.0//1", "/v23.0/./1",
       "/v23.0/1%2fmessages", "/V23.0/1", "/v23.0%2f1", "/%76%32%33.0/1")  # fmt: skip


def paths_of_operations() -> list[tuple[str, bool]]:
    """Every operation's path without a version, and whether that is possible beside a console."""
    found = {}
    for operation in OPERATIONS:
        parts = [_filled(segment) for segment in operation.segments]
        first = operation.segments[0] if operation.segments else ""
        found["/" + "/".join(parts)] = bool(first) and first != "{group}"
    return sorted(found.items())


def _filled(segment: str) -> str:
    return IDS.get(Kind(segment[1:-1]), DECIMAL) if segment.startswith("{") else segment


@pytest.fixture
def client(told: Told) -> httpx.Client:
    return httpx.Client(base_url=told.proxy.url, verify=told.proxy.trust, timeout=20)


def reached(answer: httpx.Response) -> str:
    return answer.text.partition(":")[0]


def test_every_operation_reaches_the_gateway_with_a_version_and_without(
    client: httpx.Client,
) -> None:
    with client:
        for path, stands_alone in paths_of_operations():
            for whole in (f"/v23.0{path}", f"/v9.12{path}", *([path] if stands_alone else [])):
                assert client.get(whole).text == f"gateway: GET {whole} +0\n"


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_not_graph_but_the_gateways_reaches_it(client: httpx.Client, path: str) -> None:
    with client:
        assert reached(client.get(path)) == "gateway"
        assert reached(client.post(path, content=b"x" * 60_000)) == "gateway"


@pytest.mark.parametrize("path", CONSOLE)
def test_the_rest_reaches_the_console(client: httpx.Client, path: str) -> None:
    with client:
        assert reached(client.get(path)) == "console"


def test_a_stream_is_said_on_as_it_comes(client: httpx.Client) -> None:
    began = time.monotonic()
    with client, client.stream("GET", "/live/events?ticket=x") as answer:
        first = next(answer.iter_text())

        assert first == "live: GET /live/events +0\n"
        assert time.monotonic() - began < 2  # the rest comes a second later at the earliest


@pytest.mark.parametrize("path", ODD)
def test_a_path_arrives_as_it_was_sent_wherever_it_goes(told: Told, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"

    answer = speak(told.proxy, request.encode())

    seen = [*told.gateway.seen, *told.console.seen]
    assert seen == [("GET", path, b"")] or (seen == [] and statuses(answer) == [400])


def test_the_host_is_kept_and_the_apps_are_told_of_tls(told: Told, client: httpx.Client) -> None:
    with client:
        client.get("/v23.0/1")

    [headers] = told.gateway.headers
    assert headers["host"][0].partition(":")[0] == HOST
    assert headers["x-forwarded-proto"] == ["https"]
    assert headers["x-forwarded-for"] == ["127.0.0.1"]


def test_security_headers_are_left_to_the_apps(client: httpx.Client) -> None:
    with client:
        names = {name for name, _ in client.get("/v23.0/1").headers.items()}

    assert names <= {"server", "date", "content-type", "content-length", "connection"}


def test_an_upload_is_passed_on_as_it_comes(told: Told) -> None:
    head = f"POST /v23.0/1/media HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 300000\r\n\r\n"
    with told.proxy.connect() as connection:
        connection.sendall(head.encode() + b"x" * 1000)
        deadline = time.monotonic() + 5
        while told.gateway.received < 1000 and time.monotonic() < deadline:
            time.sleep(0.01)
        arrived_early = told.gateway.received
        connection.sendall(b"x" * 299_000)
        answer = connection.recv(65536)

    assert arrived_early == 1000
    assert statuses(answer) == [200]
    assert list(told.proxy.folder.glob("body/*")) == []


def test_a_document_of_a_hundred_megabytes_fits(told: Told, client: httpx.Client) -> None:
    with client:
        answer = client.post("/v23.0/1/media", content=bytes(100 * 1024 * 1024))

    assert answer.text == "gateway: POST /v23.0/1/media +104857600\n"


def test_g19_a_form_over_the_limit_does_not_reach_the_console(told: Told) -> None:
    head = f"POST /people HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2000000\r\n\r\n"

    answer = speak(told.proxy, head.encode(), *[b"x" * 100_000] * 20)

    assert set(statuses(answer)) <= {413, 502}  # none, when it is lost with the connection
    assert told.console.seen == []


def test_g19_a_head_that_is_too_large_ends_at_the_proxy(told: Told) -> None:
    head = f"GET /v23.0/1 HTTP/1.1\r\nHost: {HOST}\r\nX: {'y' * 40_000}\r\n\r\n"

    answer = speak(told.proxy, head.encode())

    assert statuses(answer)[0] in {400, 431}
    assert told.gateway.seen == []


def test_another_host_is_nobodys(told: Told) -> None:
    for host in ("evil.test", "localhost.evil.test", "127.0.0.1"):
        head = f"GET /v23.0/1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = speak(told.proxy, head.encode())

        assert b"gateway: " not in answer
    assert told.gateway.seen == told.console.seen == []


def test_old_tls_is_refused(told: Told) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")  # as weak as an old client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", told.proxy.port), timeout=20) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain)

    with told.proxy.connect() as connection:
        assert connection.version() in {"TLSv1.2", "TLSv1.3"}
