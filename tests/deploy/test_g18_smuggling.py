"""G18: proxy and gateway read every request alike, whatever a client sends: raw bytes over TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from deploy.backends import Backend, listening
from deploy.conftest import Origin, Told
from deploy.proxies import HOST, running
from deploy.wire import speak
from gateway.house import VENTAS, Key, dumps, free_port, text
from gateway.odd_requests import ONE, REFUSED

CASES = {**REFUSED, **{name: data for name, (data, _) in ONE.items()}}
NUMBERS = {name: number for number, name in enumerate(CASES)}
_LINE = re.compile(rb"^(?:gateway|console): .*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def odd(proxy_name: str) -> Iterator[Told]:
    """A proxy under the name that the corpus gives its host."""
    gateway, console = Backend("gateway"), Backend("console")
    with listening(gateway, console):
        ports = {"gateway": gateway.port, "console": console.port}
        with running(proxy_name, port=free_port(), host="a", **ports) as proxy:
            yield Told(proxy, gateway, console)


@dataclass(frozen=True)
class Talk:
    """What a case was answered, and the requests that reached a server, with the server."""

    answer: bytes
    arrived: list[tuple[Backend, tuple[str, str, bytes]]]


@pytest.fixture(scope="module")
def talks(odd: Told) -> Mapping[str, Talk]:
    """Every case, all sent at once, so that they share connections behind the proxy."""
    with ThreadPoolExecutor(len(CASES)) as threads:
        answers = list(threads.map(lambda case: speak(odd.proxy, marked(case), wait_s=1.5), CASES))
    return {
        case: Talk(answer, seen_of(odd, case)) for case, answer in zip(CASES, answers, strict=True)
    }


def marked(case: str) -> bytes:
    """With paths that go to the gateway and say which case they are of; no body changes length."""
    tag = b"%03d" % NUMBERS[case]
    data = CASES[case].replace(b"one", tag).replace("ñ".encode(), tag + "ñ".encode())
    return data.replace(b"hidden", b"9%05d" % NUMBERS[case])


def seen_of(told: Told, case: str) -> list[tuple[Backend, tuple[str, str, bytes]]]:
    number = NUMBERS[case]
    mark = re.compile(rf"(?<![0-9]){number:03d}(?![0-9])|9{number:05d}|2f{number:03d}")
    return [
        (backend, request)
        for backend in (told.gateway, told.console)
        for request in backend.seen
        if mark.search(request[1])
    ]


@pytest.mark.parametrize("case", CASES)
def test_g18_every_request_that_arrives_is_one_the_proxy_knows_of(
    talks: Mapping[str, Talk], case: str
) -> None:
    talk = talks[case]

    arrived = sorted(backend.line(*request) for backend, request in talk.arrived)

    assert arrived == sorted(line.decode() for line in _LINE.findall(talk.answer))


@pytest.mark.parametrize("case", ONE)
def test_g18_what_means_one_request_is_that_request_or_none(
    talks: Mapping[str, Talk], case: str
) -> None:
    method, path, body = ONE[case][1]
    path = path.replace("one", f"{NUMBERS[case]:03d}")
    body = body.replace(b"hidden", b"9%05d" % NUMBERS[case])

    first = [request for _, request in talks[case].arrived][:1]

    assert first in ([(method, path, body)], [])
    assert first or case not in {"a plain GET", "a plain POST", "chunks", "a request as the body"}


def test_g18_who_comes_next_on_a_shared_connection_gets_their_own_answer(odd: Told) -> None:
    for case in REFUSED:
        with odd.proxy.connect(timeout=5) as attacker:
            with suppress(OSError):  # refused before it was all said
                attacker.sendall(marked(case))
            path = f"/7{NUMBERS[case]:05d}"
            request = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            answer = speak(odd.proxy, request.encode())

            assert answer.endswith(f"gateway: GET {path} +0\n".encode()), case


# How a head may try to make two readers disagree on where its body ends. In each the genuine call
# that follows is meant to be body to one of them and a call to the other.
HEADS = {
    "CL around": "Content-Length: {all}\r\n\r\n",
    "CL twice, the shorter first": "Content-Length: 0\r\nContent-Length: {all}\r\n\r\n",
    "CL twice, the longer first": "Content-Length: {all}\r\nContent-Length: 0\r\n\r\n",
    "CL as a list": "Content-Length: {all}, 0\r\n\r\n",
    "CL behind a fold": "Content-Length:\r\n {all}\r\n\r\n",
    "CL with a plus": "Content-Length: +{all}\r\n\r\n",
    "TE in a fold": "Content-Length: {all}\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n",
    "TE before a colon with a blank": "Content-Length: {all}\r\nTransfer-Encoding : chunked\r\n\r\n",
    "TE with a vertical tab": "Content-Length: {all}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    "TE misspelt": "Content-Length: {all}\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "TE with an underscore": "Content-Length: {all}\r\nTransfer_Encoding: chunked\r\n\r\n",
    "TE behind a bare CR": "Content-Length: {all}\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
    "a bare LF before it": "Content-Length: {all}\r\nX: y\n\r\n",
    "a NUL": "Content-Length: {all}\r\nX: \x00\r\n\r\n",
    "Expect": "Expect: 100-continue\r\nContent-Length: {all}\r\n\r\n",
    "a chunk around": "Transfer-Encoding: chunked\r\n\r\n{all:x}\r\n",
    "a chunk with an extension around": "Transfer-Encoding: chunked\r\n\r\n{all:x};a=b\r\n",
}


@pytest.fixture
def key(origin: Origin) -> Key:
    return origin.house.workspace.key(name="smuggler")


def call(key: Key, body: str) -> bytes:
    """A genuine call that would send a message."""
    content = dumps(text(body=body)).encode()
    head = _head(key) + f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _head(key: Key) -> str:
    return (
        f"POST /v23.0/{VENTAS}/messages HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Authorization: Bearer {key.text}\r\n"
    )


@pytest.mark.parametrize("name", HEADS)
def test_g18_a_call_inside_anothers_body_never_leaves(origin: Origin, key: Key, name: str) -> None:
    inner = call(key, "smuggled")
    outer = _head(key) + HEADS[name].format(all=len(inner))
    end = b"\r\n0\r\n\r\n" if "chunk around" in name or "chunk with" in name else b""
    honest = call(key, f"honest: {name}")

    for request in (outer.encode() + inner + end, honest):
        answer = speak(
            origin.proxy, request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), wait_s=2
        )

    assert answer.startswith(b"HTTP/1.1 200 ")
    arrived = [entry["body"] for entry in origin.house.sandbox.ledger()]
    assert len(arrived) == 1
    assert f"honest: {name}" in arrived[0]
    assert "smuggled" not in str(origin.house.workspace.records())
