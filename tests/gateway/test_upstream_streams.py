"""Bodies that pass through the upstream client in pieces, either way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.scripted import (
    OK,
    QUICK,
    Handler,
    Revoked,
    allow,
    answering,
    get,
    run,
    serving,
)
from portero.gateway.upstream import (
    Ambiguous,
    Upstream,
    UpstreamLimits,
    UpstreamRequest,
)


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
