"""The upstream client: what leaves, when the last check runs, and what a failure may claim."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.scripted import (
    OK,
    QUICK,
    Revoked,
    allow,
    answering,
    get,
    run,
    serving,
)
from portero.gateway.upstream import (
    Ambiguous,
    NotSent,
    Origin,
    Upstream,
    UpstreamLimits,
    UpstreamRequest,
    split_url,
)

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
