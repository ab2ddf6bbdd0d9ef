"""The client pool: what leaves, when the last check runs, and what a failure may claim."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portero.gateway.upstream import (
    Ambiguous,
    NotSent,
    Origin,
    Upstream,
    UpstreamLimits,
    UpstreamRequest,
    split_url,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
QUICK = UpstreamLimits(
    connect_s=1, queue_s=0.3, answer_s=0.3, total_s=2, stream_total_s=5, idle_s=1
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A loopback server that keeps every byte it is sent and answers as its script says."""

    def __init__(self, script: Handler) -> None:
        self.script = script
        self.seen = bytearray()
        self.connections = 0
        self.origin = Origin("http", "127.0.0.1", 0)
        self.talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.script(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen += head
        return head


@asynccontextmanager
async def serving(script: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.origin = Origin("https" if tls else "http", "127.0.0.1", port)
    try:
        yield server
    finally:
        listener.close()
        for task in server.talks:
            task.cancel()
        await asyncio.gather(*server.talks)


@asynccontextmanager
async def answering(
    *answers: bytes, limits: UpstreamLimits = QUICK, then_close: bool = False
) -> AsyncIterator[tuple[Server, Upstream]]:
    """A server that reads a head per answer, on every connection, and a client for it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await server.head(reader)
            writer.write(answer)
        if not then_close:
            server.seen += await reader.read()

    async with serving(script) as server:
        upstream = Upstream([server.origin], limits=limits)
        try:
            yield server, upstream
        finally:
            await upstream.close()


def get(server: Server, target: str = "/v26.0/1") -> UpstreamRequest:
    return UpstreamRequest("GET", server.origin, target, [])


def allow() -> None:
    """A check that objects to nothing."""


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    uvloop.run(bounded())


# The request as it leaves


def test_a_request_is_written_as_given_with_host_and_length_of_ours() -> None:
    async def test() -> None:
        async with answering(OK) as (server, upstream):
            request = UpstreamRequest(
                "POST", server.origin, "/v26.0/1/messages", [(b"Authorization", b"Bearer t")], b"{}"
            )

            response = await upstream.send(request, before_first_byte=allow)

            assert (response.status, response.body) == (200, b"ok")
            assert response.headers == [(b"content-length", b"2")]
            host = f"127.0.0.1:{server.origin.port}".encode()
            assert server.seen == (
                b"POST /v26.0/1/messages HTTP/1.1\r\nHost: " + host + b"\r\n"
                b"Authorization: Bearer t\r\nContent-Length: 2\r\n\r\n"
            )

    run(test)


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("GET", "/", (b"X", b"a\r\nHost: evil")),
        ("GET", "/", (b"X", b"a\nb")),
        ("GET", "/", (b"X", b"a\0b")),
        ("GET", "/", (b"X\r\nY", b"a")),
        ("GET", "/", (b"X Y", b"a")),
        ("GET", "/", (b"", b"a")),
        ("GET", "/", (b"Host", b"evil")),
        ("GET", "/", (b"hOST", b"evil")),
        ("GET", "/", (b"Content-Length", b"0")),
        ("GET", "/", (b"Transfer-Encoding", b"chunked")),
        ("GET", "/", (b"Connection", b"upgrade")),
        ("GET", "/a b", (b"X", b"a")),
        ("GET", "/a HTTP/1.1\r\nX: y\r\n\r\n", (b"X", b"a")),
        ("GET", "/a#b", (b"X", b"a")),
        ("GET", "/ñ", (b"X", b"a")),
        ("GET", "http://evil/", (b"X", b"a")),
        ("GET", "", (b"X", b"a")),
        ("HEAD", "/", (b"X", b"a")),
        ("GET /x", "/", (b"X", b"a")),
    ],
)
def test_what_could_break_out_of_its_line_is_refused_unsent(
    method: str, target: str, header: tuple[bytes, bytes]
) -> None:
    async def test() -> None:
        async with answering(OK) as (server, upstream):
            request = UpstreamRequest(method, server.origin, target, [header])

            with pytest.raises(NotSent, match="bad_request"):
                await upstream.send(request, before_first_byte=allow)

            assert server.connections == 0

    run(test)


def test_g22_an_origin_outside_the_list_is_never_reached() -> None:
    async def test() -> None:
        async with answering(OK) as (server, upstream):
            scheme, host, port = server.origin
            for origin in (
                Origin(scheme, "localhost", port),
                Origin("https", host, port),
                Origin(scheme, host, port + 1),
            ):
                with pytest.raises(NotSent, match="host_not_allowed"):
                    await upstream.send(
                        UpstreamRequest("GET", origin, "/", []), before_first_byte=allow
                    )

            assert server.connections == 0

    run(test)


def test_g22_a_url_is_split_strictly() -> None:
    assert split_url("https://Lookaside.FBSBX.com/a?mid=1&x=%2f") == (
        Origin("https", "lookaside.fbsbx.com", 443),
        "/a?mid=1&x=%2f",
    )
    assert split_url("https://graph.facebook.com")[1] == "/"
    assert split_url("http://127.0.0.1:9002/m") == (Origin("http", "127.0.0.1", 9002), "/m")
    for url in (
        "https://graph.facebook.com@evil.example/",
        "https://user:pass@graph.facebook.com/",
        "https://graph.facebook.com#@evil.example/",
        "https://graph.facebook.com\\@evil.example/",
        "https://graph.facebook.com/a b",
        "https://graph.facebook.com/a\r\nX: y",
        "https://graph.facebook.com?x=y",
        "https://graph.facebook.com:99999999/",
        "https://gráph.facebook.com/",
        "//graph.facebook.com/",
        "ftp://graph.facebook.com/",
        "HTTPS:/graph.facebook.com/",
        " https://graph.facebook.com/",
    ):
        with pytest.raises(NotSent, match="bad_url"):
            split_url(url)


def test_g29_a_redirect_is_returned_and_not_followed() -> None:
    async def test() -> None:
        async with answering(OK) as (elsewhere, _):
            target = f"http://127.0.0.1:{elsewhere.origin.port}/".encode()
            moved = b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n"
            async with answering(moved) as (server, upstream):
                response = await upstream.send(get(server), before_first_byte=allow)

            assert response.status == 302
            assert (b"location", target) in response.headers
            assert elsewhere.connections == 0

    run(test)


def test_proxy_variables_of_the_environment_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def test() -> None:
        async with answering(OK) as (server, upstream):
            assert (await upstream.send(get(server), before_first_byte=allow)).status == 200

    run(test)


# The check before the first byte


class Revoked(Exception):
    pass


def test_a_check_that_objects_leaves_the_wire_empty_and_the_connection_usable() -> None:
    async def test() -> None:
        async with answering(OK, OK) as (server, upstream):

            def object_() -> None:
                raise Revoked

            with pytest.raises(Revoked):
                await upstream.send(get(server), before_first_byte=object_)
            await asyncio.sleep(0.05)
            assert server.connections == 1
            assert server.seen == b""

            await upstream.send(get(server, "/first"), before_first_byte=allow)
            with pytest.raises(Revoked):
                await upstream.send(get(server), before_first_byte=object_)
            await upstream.send(get(server, "/second"), before_first_byte=allow)

            assert server.connections == 1
            assert server.seen.count(b"HTTP/1.1") == 2
            assert server.seen.startswith(b"GET /first ")

    run(test)


def test_a_check_that_objects_leaves_a_streamed_body_untouched() -> None:
    async def test() -> None:
        async with answering(OK) as (server, upstream):
            started = False

            async def body() -> AsyncIterator[bytes]:
                nonlocal started
                started = True
                yield b"x"

            def object_() -> None:
                raise Revoked

            chunks = body()
            request = UpstreamRequest("POST", server.origin, "/", [], chunks)
            with pytest.raises(Revoked):
                await upstream.send(request, before_first_byte=object_)

            assert not started
            assert server.seen == b""

    run(test)


def test_the_check_runs_connected_and_the_kernel_has_the_request_before_anything_else_runs() -> (
    None
):
    """A plain blocking socket looks in while the event loop is held right behind the write."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = Origin("http", "127.0.0.1", listener.getsockname()[1])
    order: list[str] = []
    peers: list[socket.socket] = []

    def accept() -> None:
        peers.append(listener.accept()[0])
        order.append("connected")
        peers[0].settimeout(2)

    acceptor = threading.Thread(target=accept)
    acceptor.start()

    async def test() -> None:
        upstream = Upstream([origin], limits=QUICK)

        def check() -> None:
            acceptor.join(2)
            peers[0].setblocking(False)
            with pytest.raises(BlockingIOError):
                peers[0].recv(1)
            peers[0].settimeout(2)
            order.append("checked")
            asyncio.get_running_loop().call_soon(look)

        def look() -> None:  # the very next thing the loop does after the step of the write
            order.append(peers[0].recv(3).decode())

        request = UpstreamRequest("GET", origin, "/", [])
        with pytest.raises(Ambiguous, match="timeout"):
            await upstream.send(request, before_first_byte=check)
        await upstream.close()

    run(test)
    listener.close()
    peers[0].close()
    assert order == ["connected", "checked", "GET"]


# What a failure may claim


def test_a_refused_connection_is_not_sent() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            origin = Origin("http", "127.0.0.1", taken.getsockname()[1])
        upstream = Upstream([origin], limits=QUICK)

        with pytest.raises(NotSent, match="connect_failed"):
            await upstream.send(UpstreamRequest("GET", origin, "/", []), before_first_byte=allow)

    run(test)


def test_a_connection_that_nobody_accepts_is_not_sent() -> None:
    async def test() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with serving(silent) as server:  # speaks no TLS, so the handshake never ends
            origin = server.origin._replace(scheme="https")
            upstream = Upstream([origin], limits=UpstreamLimits(connect_s=0.2))

            with pytest.raises(NotSent, match="connect_timeout"):
                await upstream.send(
                    UpstreamRequest("GET", origin, "/", []), before_first_byte=allow
                )
            await upstream.close()

    run(test)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\n\r\nno length, ended by closing",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
)
def test_an_answer_cut_short_is_ambiguous_and_never_sent_again(answer: bytes) -> None:
    async def test() -> None:
        async with answering(answer, then_close=True) as (server, upstream):
            with pytest.raises(Ambiguous, match="closed_early"):
                await upstream.send(get(server), before_first_byte=allow)

            assert server.connections == 1
            assert server.seen.count(b"GET ") == 1

    run(test)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 64,
    ],
)
def test_an_answer_that_can_be_read_two_ways_is_ambiguous(answer: bytes) -> None:
    async def test() -> None:
        async with answering(answer) as (server, upstream):
            with pytest.raises(Ambiguous, match="malformed"):
                await upstream.send(get(server), before_first_byte=allow)

            assert server.connections == 1

    run(test)


def test_silence_after_the_request_is_ambiguous_within_the_time_limit() -> None:
    async def test() -> None:
        async with answering(b"HTTP/1.1 200 OK\r\n") as (server, upstream):
            started = asyncio.get_running_loop().time()

            with pytest.raises(Ambiguous, match="timeout"):
                await upstream.send(get(server), before_first_byte=allow)

            assert asyncio.get_running_loop().time() - started < 1

    run(test)


def test_a_reset_is_ambiguous() -> None:
    async def test() -> None:
        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            linger = (1).to_bytes(4, "little") + bytes(4)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

        async with serving(reset) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            with pytest.raises(Ambiguous, match=r"reset|closed_early"):
                await upstream.send(get(server), before_first_byte=allow)
            await upstream.close()

    run(test)


def test_a_body_over_the_bound_is_ambiguous_and_keeps_the_status() -> None:
    async def test() -> None:
        answer = b"HTTP/1.1 201 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
        limits = UpstreamLimits(body_bytes=1000)
        async with answering(answer, limits=limits) as (server, upstream):
            with pytest.raises(Ambiguous, match="too_large") as caught:
                await upstream.send(get(server), before_first_byte=allow)

            assert caught.value.status == 201

    run(test)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 600_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: "
        + b"x" * 600_000,
    ],
)
def test_a_head_or_trailer_without_end_is_cut(answer: bytes) -> None:
    async def test() -> None:
        async with answering(answer) as (server, upstream):
            with pytest.raises(Ambiguous, match="too_large"):
                await upstream.send(get(server), before_first_byte=allow)

    run(test)


# Answers of every framing


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
            200,
            b"ok",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: x\r\n\r\n",
            200,
            b"ok",
        ),
    ],
)
def test_every_framing_gives_one_answer_and_the_connection_back(
    answer: bytes, status: int, body: bytes
) -> None:
    async def test() -> None:
        async with answering(answer, OK) as (server, upstream):
            first = await upstream.send(get(server), before_first_byte=allow)
            second = await upstream.send(get(server), before_first_byte=allow)

            assert (first.status, first.body) == (status, body)
            assert not {b"set-cookie", b"link"} & {name for name, _ in first.headers}
            assert second.body == b"ok"
            assert server.connections == 1

    run(test)


def test_an_answer_in_single_bytes_is_read_as_one() -> None:
    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            for byte in OK:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            response = await upstream.send(get(server), before_first_byte=allow)
            await upstream.close()

            assert response.body == b"ok"

    run(test)


# The pool


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"evil",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_with_bytes_nobody_asked_for_or_without_keep_alive_is_not_used_again(
    answer: bytes,
) -> None:
    async def test() -> None:
        async with answering(answer) as (server, upstream):
            for _ in range(2):
                response = await upstream.send(get(server), before_first_byte=allow)
                assert response.body == b"ok"

            assert server.connections == 2

    run(test)


def test_bytes_that_come_while_nobody_waits_never_answer_the_next_request() -> None:
    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await reader.read()

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            await upstream.send(get(server), before_first_byte=allow)
            await asyncio.sleep(0.1)
            response = await upstream.send(get(server), before_first_byte=allow)
            await upstream.close()

            assert response.body == b"ok"
            assert server.connections == 2

    run(test)


def test_an_idle_connection_closed_by_the_other_side_is_replaced_before_writing() -> None:
    async def test() -> None:
        async with answering(OK, then_close=True) as (server, upstream):
            for _ in range(3):
                response = await upstream.send(get(server), before_first_byte=allow)
                assert response.body == b"ok"
                await asyncio.sleep(0.02)

            assert server.connections == 3

    run(test)


def test_an_idle_connection_is_dropped_after_its_time() -> None:
    async def test() -> None:
        async with answering(OK, OK, limits=UpstreamLimits(idle_s=0.2)) as (server, upstream):
            await upstream.send(get(server), before_first_byte=allow)
            await asyncio.sleep(0.4)
            await upstream.send(get(server), before_first_byte=allow)

            assert server.connections == 2

    run(test)


def test_callers_beyond_the_limit_are_served_in_the_order_they_came() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.head(reader)
                await gate.wait()
                writer.write(OK)

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=UpstreamLimits(connections=2))
            calls = []
            for number in range(20):
                request = get(server, f"/{number}")
                calls.append(asyncio.create_task(upstream.send(request, before_first_byte=allow)))
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            gate.set()
            await asyncio.gather(*calls)
            await upstream.close()

            order = [int(line.split(b"/")[1].split()[0]) for line in server.seen.split(b"GET ")[1:]]
            assert order == sorted(order)
            assert len(order) == 20
            assert server.connections == 2

    run(test)


def test_a_caller_who_waits_too_long_for_a_connection_is_not_sent_and_leaves_the_queue() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.head(reader)
                await gate.wait()
                writer.write(OK)

        async with serving(script) as server:
            limits = UpstreamLimits(connections=1, queue_s=0.1, waiting=2)
            upstream = Upstream([server.origin], limits=limits)
            first = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0.02)
            late = [
                asyncio.create_task(upstream.send(get(server, "/late"), before_first_byte=allow))
                for _ in range(3)
            ]
            for task in late:
                with pytest.raises(NotSent, match="pool_exhausted"):
                    await task
            gate.set()

            assert (await first).body == b"ok"
            assert (await upstream.send(get(server), before_first_byte=allow)).body == b"ok"
            assert b"/late" not in server.seen
            await upstream.close()

    run(test)


def test_a_caller_cancelled_in_the_queue_or_while_connecting_harms_nobody() -> None:
    async def test() -> None:
        async with answering(OK, OK, limits=UpstreamLimits(connections=1)) as (server, upstream):
            connecting = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0)
            queued = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0)
            last = asyncio.create_task(upstream.send(get(server, "/last"), before_first_byte=allow))
            await asyncio.sleep(0)
            connecting.cancel()
            queued.cancel()

            assert (await last).body == b"ok"
            assert server.seen.count(b"GET ") == 1

    run(test)


def test_a_caller_cancelled_after_the_write_takes_its_connection_along() -> None:
    async def test() -> None:
        async with answering(b"", OK) as (server, upstream):
            call = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

            other = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0.05)
            other.cancel()
            assert server.connections == 2

    run(test)


def test_a_closed_client_cuts_what_runs_and_refuses_what_comes() -> None:
    async def test() -> None:
        async with answering(b"") as (server, upstream):
            call = asyncio.create_task(upstream.send(get(server), before_first_byte=allow))
            await asyncio.sleep(0.05)
            await upstream.close()

            with pytest.raises(Ambiguous, match="closed_early"):
                await call
            with pytest.raises(NotSent, match="closed"):
                await upstream.send(get(server), before_first_byte=allow)

    run(test)


# Streamed bodies


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return body


def test_a_streamed_request_is_chunked_and_skips_empty_pieces() -> None:
    async def test() -> None:
        bodies = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.head(reader)
                bodies.append(await read_chunked(reader))
                writer.write(OK)
                assert await reader.readexactly(2) == b"\r\n"

        async def body() -> AsyncIterator[bytes]:
            for piece in (b"one", b"", b"two"):
                yield piece

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            request = UpstreamRequest("POST", server.origin, "/", [], body())
            response = await upstream.send(request, before_first_byte=allow)
            await upstream.close()

            assert response.body == b"ok"
            assert bodies == [b"onetwo"]
            assert b"Transfer-Encoding: chunked" in server.seen
            assert b"Content-Length" not in server.seen

    run(test)


def test_a_body_that_fails_half_way_is_left_without_its_end() -> None:
    async def test() -> None:
        rest = asyncio.get_running_loop().create_future()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.head(reader)
            rest.set_result(await reader.read())

        async def body() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.sleep(0.02)
            raise Revoked

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            request = UpstreamRequest("POST", server.origin, "/", [], body())
            with pytest.raises(Revoked):
                await upstream.send(request, before_first_byte=allow)

            assert await rest == b"3\r\none\r\n"
            await upstream.close()

    run(test)


def test_an_upload_waits_for_a_slow_reader_and_gives_up_on_a_stuck_one() -> None:
    async def test() -> None:
        produced = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.head(reader)
            await asyncio.sleep(5)

        async def body() -> AsyncIterator[bytes]:
            nonlocal produced
            for _ in range(2000):
                produced += 65536
                yield bytes(65536)

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            request = UpstreamRequest("POST", server.origin, "/", [], body())
            with pytest.raises(Ambiguous, match="timeout"):
                await upstream.send(request, before_first_byte=allow)

            assert produced < 20_000_000
            await upstream.close()

    run(test)


def test_an_answer_that_overtakes_the_body_ends_the_sending() -> None:
    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.head(reader)
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            server.seen += await reader.read()

        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            chunks = body()
            request = UpstreamRequest("POST", server.origin, "/", [], chunks)
            response = await upstream.send(request, before_first_byte=allow)
            await asyncio.sleep(0.05)

            assert response.status == 413
            assert not server.seen.endswith(b"0\r\n\r\n")
            await upstream.close()

    run(test)


def big_answer(size: int, sent: list[int]) -> Handler:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, 65536):
            writer.write(bytes(min(65536, size - start)))
            await writer.drain()
            sent[0] = start
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    return script


def test_a_streamed_answer_comes_whole_and_gives_the_connection_back() -> None:
    async def test() -> None:
        size = 3_000_000
        async with serving(big_answer(size, [0])) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            total = 0
            async with await upstream.open(get(server), before_first_byte=allow) as answer:
                assert answer.status == 200
                async for chunk in answer:
                    total += len(chunk)
            second = await upstream.send(get(server), before_first_byte=allow)
            await upstream.close()

            assert total == size
            assert second.body == b"ok"
            assert server.connections == 1

    run(test)


def test_a_slow_reader_of_a_streamed_answer_holds_the_sender_back() -> None:
    async def test() -> None:
        size, sent = 60_000_000, [0]
        async with serving(big_answer(size, sent)) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            answer = await upstream.open(get(server), before_first_byte=allow)
            await asyncio.sleep(0.6)  # longer than answer_s: our own slowness is no failure
            held_back_at = sent[0]
            total = sum([len(chunk) async for chunk in answer])
            await upstream.close()

            assert held_back_at < 20_000_000
            assert total == size

    run(test)


def test_a_streamed_answer_left_early_is_cut() -> None:
    async def test() -> None:
        async with serving(big_answer(60_000_000, [0])) as server:
            upstream = Upstream([server.origin], limits=QUICK)
            async with await upstream.open(get(server), before_first_byte=allow) as answer:
                async for _ in answer:
                    break
            await asyncio.sleep(0.05)
            other = await upstream.open(get(server), before_first_byte=allow)
            other.close()
            await upstream.close()

            assert server.connections == 2

    run(test)


@pytest.mark.parametrize(("tail", "code"), [(b"", "timeout"), (b"x" * 3000, "too_large")])
def test_a_streamed_answer_that_stalls_or_outgrows_its_bound_fails_the_reader(
    tail: bytes, code: str
) -> None:
    async def test() -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 500
        limits = UpstreamLimits(answer_s=0.3, stream_bytes=2000)
        async with answering(answer + tail, limits=limits) as (server, upstream):
            stream = await upstream.open(get(server), before_first_byte=allow)

            with pytest.raises(Ambiguous, match=code) as caught:
                async for _ in stream:
                    pass
            assert caught.value.status == 200

    run(test)


# TLS


def certificate(folder: Path, name: x509.GeneralName) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate: the server's context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


def test_over_tls_the_check_still_comes_before_the_first_byte(tmp_path: Path) -> None:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    server_tls, client_tls = certificate(tmp_path, address)

    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.head(reader)
                writer.write(OK)

        async with serving(script, tls=server_tls) as server:
            upstream = Upstream([server.origin], ssl_context=client_tls, limits=QUICK)

            def object_() -> None:
                raise Revoked

            with pytest.raises(Revoked):
                await upstream.send(get(server), before_first_byte=object_)
            await asyncio.sleep(0.05)
            assert server.seen == b""
            assert server.connections == 1

            for _ in range(2):
                response = await upstream.send(get(server), before_first_byte=allow)
                assert response.body == b"ok"
            assert server.connections == 1
            await upstream.close()

    run(test)


@pytest.mark.parametrize("trusted", [True, False])
def test_b4_8_a_certificate_of_another_name_or_an_unknown_issuer_is_not_sent(
    tmp_path: Path, trusted: bool
) -> None:
    right = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    name = x509.DNSName("graph.facebook.com") if trusted else right
    server_tls, client_tls = certificate(tmp_path, name)

    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.head(reader)

        async with serving(script, tls=server_tls) as server:
            context = client_tls if trusted else None
            upstream = Upstream([server.origin], ssl_context=context, limits=QUICK)

            with pytest.raises(NotSent, match="tls_failed"):
                await upstream.send(get(server), before_first_byte=allow)
            assert server.seen == b""
            await upstream.close()

    run(test)
