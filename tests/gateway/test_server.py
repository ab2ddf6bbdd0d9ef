"""Listeners: where they listen, what they tell the application, how they stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.front_door import (
    GET,
    WHOLE,
    Application,
    Receive,
    Scope,
    Send,
    run,
    serving,
    speak,
    statuses,
)
from portero.gateway.replies import Reply
from portero.gateway.request import Head
from portero.gateway.server import Address, Listener, serve


def test_listeners_share_a_loop_and_a_path_is_for_its_owner_alone(tmp_path: Path) -> None:
    async def test() -> None:
        public, internal = Application(), Application()
        bound: list[Address] = []
        listening, stop = asyncio.Event(), asyncio.Event()
        path = tmp_path / "internal.sock"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()

        def ready(addresses: Any) -> None:
            bound.extend(addresses)
            listening.set()

        server = asyncio.create_task(
            serve(
                [Listener(public), Listener(internal, uds=path)],
                graceful_timeout_s=1,
                ready=ready,
                stop=stop,
            )
        )
        await listening.wait()
        mode = stat.S_IMODE(path.stat().st_mode)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(GET + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        with pytest.raises(OSError, match="in use"):
            await serve([Listener(internal, uds=path)], graceful_timeout_s=1, ready=ready)
        stop.set()
        await server

        assert mode == 0o600
        assert bound[1] == path
        assert head.startswith(b"HTTP/1.1 200")
        assert b"server:" not in head
        assert (len(public.seen), len(internal.seen)) == (0, 1)
        assert internal.scopes[0]["client"] is None
        assert not path.exists()

    run(test)


def test_an_inherited_socket_is_served_and_stays_its_owners() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as owned:
            listening, stop = asyncio.Event(), asyncio.Event()
            server = asyncio.create_task(
                serve(
                    [Listener(Application(), fd=owned.fileno())],
                    graceful_timeout_s=1,
                    ready=lambda _: listening.set(),
                    stop=stop,
                )
            )
            await listening.wait()
            assert statuses(await speak(owned.getsockname(), GET + b"\r\n")) == [200]
            stop.set()
            await server

            assert owned.fileno() > 0

    run(test)


@pytest.mark.parametrize("whole", [False, True])
def test_sigterm_lets_the_request_under_way_end_and_accepts_no_other(whole: bool) -> None:
    async def test() -> None:
        WHOLE.set(whole)
        application = Application()
        application.hold.clear()
        async with serving(application, graceful_timeout_s=5) as address:
            slow = asyncio.create_task(speak(address, GET + b"\r\n", wait_s=3))
            await asyncio.sleep(0.1)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.3)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(*address)
            application.hold.set()
            answer = await slow

            assert statuses(answer) == [200]
            assert b"connection: close" in answer

    run(test)


def test_a_whole_reply_that_could_end_its_head_early_is_not_given() -> None:
    class Careless(Application):
        async def _whole(self, head: Head, body: bytes) -> Reply:
            return Reply(200, b"", ((b"x-told", b"a\r\nset-cookie: b"),))

    async def test() -> None:
        WHOLE.set(True)
        async with serving(Careless()) as address:
            answer = await speak(address, GET + b"\r\n")

            assert statuses(answer) == [500]
            assert b"set-cookie" not in answer
            assert b"connection: close" in answer

    run(test)


def test_a_request_that_outlasts_the_grace_is_cancelled_and_may_still_record() -> None:
    async def test() -> None:
        recorded = asyncio.Event()

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.2)
                recorded.set()

        async with serving(application, graceful_timeout_s=0.2) as address:
            speaking = asyncio.create_task(speak(address, GET + b"\r\n", wait_s=5))
            await asyncio.sleep(0.1)
            started = time.monotonic()

        await speaking
        assert recorded.is_set()
        assert time.monotonic() - started < 3

    run(test)


def test_proxy_headers_do_not_change_what_the_application_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    async def test() -> None:
        application = Application()
        async with serving(application) as address:
            forged = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n"
            await speak(address, GET + forged)

            assert application.scopes[0]["client"][0] == "127.0.0.1"
            assert application.scopes[0]["scheme"] == "http"

    run(test)
