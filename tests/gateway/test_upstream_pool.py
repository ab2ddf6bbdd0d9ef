"""The upstream client's connections: which are used again, and who waits for one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

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


NARROW = replace(QUICK, connections=4, share=3, queue_s=5.0, answer_s=10.0)


async def slowly_and_at_once(limits: UpstreamLimits, *, idle: int = 0) -> tuple[list[str], int]:
    """Who is answered in which order, and how many of the noisy were on their way at most.

    Eight calls of one workspace that Meta answers slowly, then two of another that it answers at once.
    So many connections are open and `idle` when they begin.
    """
    order: list[str] = []
    under_way = most = 0
    over = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"/slow" in head:
                under_way += 1
                most = max(most, under_way)
                await over.wait()
                under_way -= 1
            writer.write(OK)

    async with serving(script) as server:
        upstream = Upstream([server.origin], limits=limits)

        async def call(whose: str, target: str) -> None:
            request = replace(get(server, target), whose=whose)
            await upstream.send(request, before_first_byte=allow)
            order.append(whose)

        await asyncio.gather(*(call(f"before {n}", "/fast") for n in range(idle)))
        assert server.connections == idle
        order.clear()
        crowd = [asyncio.create_task(call("noisy", "/slow")) for _ in range(8)]
        await asyncio.sleep(0.1)
        try:
            async with asyncio.timeout(1):
                await asyncio.gather(call("quiet", "/fast"), call("quiet", "/fast"))
        finally:
            over.set()
            await asyncio.gather(*crowd)
            await upstream.close()
    return order, most


@pytest.mark.parametrize("idle", [0, NARROW.connections])
def test_t10_slow_calls_of_one_workspace_leave_connections_to_the_others(idle: int) -> None:
    async def test() -> None:
        order, most = await slowly_and_at_once(NARROW, idle=idle)

        assert order == ["quiet"] * 2 + ["noisy"] * 8
        assert most == NARROW.share

    run(test)


def test_t10_control_without_a_share_the_others_are_not_served() -> None:
    async def test() -> None:
        with pytest.raises(TimeoutError):
            await slowly_and_at_once(replace(NARROW, share=4))

    run(test)


def test_t10_who_wait_for_a_connection_take_turns() -> None:
    order: list[str] = []

    async def test() -> None:
        async with answering(OK, OK, OK, OK, OK, OK, OK, OK) as (server, _):
            upstream = Upstream([server.origin], limits=replace(NARROW, connections=1, share=1))

            async def call(whose: str) -> None:
                request = replace(get(server), whose=whose)
                await upstream.send(request, before_first_byte=allow)
                order.append(whose)

            await asyncio.gather(*(call(one) for one in "aaaaaabb"))
            await upstream.close()

    run(test)
    assert max(place for place, one in enumerate(order) if one == "b") <= 4
    assert len(order) == 8


def test_a_share_comes_back_from_calls_that_fail() -> None:
    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        async with serving(script) as server:
            upstream = Upstream([server.origin], limits=replace(NARROW, connections=2, share=1))
            for _ in range(4):
                with pytest.raises(Ambiguous):
                    await upstream.send(get(server), before_first_byte=allow)
        for _ in range(4):  # nobody listens there any more
            with pytest.raises(NotSent, match="connect_failed"):
                await upstream.send(get(server), before_first_byte=allow)
        await upstream.close()

    run(test)
