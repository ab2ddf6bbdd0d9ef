"""The upstream client's connections: which are used again, and who waits for one."""

from __future__ import annotations

import asyncio

import pytest

from gateway.scripted import (
    OK,
    QUICK,
    allow,
    answering,
    get,
    run,
    serving,
)
from portero.gateway.upstream import (
    Ambiguous,
    NotSent,
    Upstream,
    UpstreamLimits,
)


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
