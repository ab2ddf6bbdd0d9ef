"""When the gateway is not there: what a client library is told, and that nothing is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from deploy.proxies import running
from gateway.house import Loop, free_port


@contextmanager
def hanging_up(loop: Loop, *, after: int) -> Iterator[tuple[int, list[bytes]]]:
    """A server that hangs up on the request after so many of a connection, having read it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(after):
            heard.append(await reader.readuntil(b"}"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        heard.append(await reader.readuntil(b"}"))
        writer.transport.abort()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(hear, "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    server = loop.run(start())
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        loop.run(stop())


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_a_gateway_that_is_away_is_told_in_metas_shape(proxy_name: str) -> None:
    nobody = free_port()
    with (
        running(proxy_name, port=free_port(), gateway=nobody, console=nobody) as proxy,
        httpx.Client(base_url=proxy.url, verify=proxy.trust, timeout=20) as client,
    ):
        answer = client.post("/v23.0/1/messages", json={"to": "525512345678"})
        console = client.get("/")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (503, 2, "OAuthException")
    assert error["error_data"]["details"].startswith("unavailable: ")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "1"
    assert error["fbtrace_id"]
    assert console.status_code == 502


@pytest.mark.parametrize("after", [0, 1], ids=["first of its connection", "next"])
def test_a_call_that_broke_off_is_not_sent_again(proxy_name: str, after: int, loop: Loop) -> None:
    with (
        hanging_up(loop, after=after) as (port, heard),
        running(proxy_name, port=free_port(), gateway=port, console=port) as proxy,
        httpx.Client(base_url=proxy.url, verify=proxy.trust, timeout=20) as client,
    ):
        answers = [client.post("/v23.0/1/messages", json={}) for _ in range(after + 1)]

    assert [answer.status_code for answer in answers] == [200] * after + [503]
    assert len(heard) == after + 1
