"""G18: a request has one meaning, or it is refused. Over raw sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from gateway.front_door import (
    CHUNKED,
    GET,
    POST,
    WHOLE,
    Application,
    Receive,
    Scope,
    Send,
    run,
    serving,
    speak,
    statuses,
    talk,
)
from gateway.odd_requests import HIDDEN, ONE, REFUSED
from portero.gateway.protocol import HttpLimits


@pytest.fixture(autouse=True, params=["in messages", "whole"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every promise holds both ways: with an application that is sent messages, and without."""
    token = WHOLE.set(request.param == "whole")
    yield
    WHOLE.reset(token)


def bytewise(data: bytes) -> list[bytes]:
    """Single bytes at first; long padding would only take time."""
    return [data[i : i + 1] for i in range(min(len(data), 400))] + [data[400:]]


@pytest.mark.parametrize("split", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
def test_g18_what_could_be_read_two_ways_is_refused_before_the_application(
    split: Callable[[bytes], list[bytes]],
) -> None:
    async def test() -> None:
        application = Application()
        async with serving(application, HttpLimits()) as address:
            talks = await asyncio.gather(
                *(talk(address, *split(data), wait_s=1) for data in REFUSED.values())
            )

        for case, said in zip(REFUSED, talks, strict=True):
            assert len(statuses(said.answer)) == 1, case
            assert statuses(said.answer)[0] in {400, 417, 431}, case
            head, _, body = said.answer.partition(b"\r\n\r\n")
            error = json.loads(body)["error"]
            assert b"\r\nconnection: close" in head, case
            assert (error["code"], error["type"]) == (100, "OAuthException"), case
            assert error["fbtrace_id"], case
            assert error["error_data"]["details"].startswith("malformed: "), case
        assert application.seen == []

    run(test)


@pytest.mark.parametrize("split", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
def test_g18_what_has_one_meaning_is_exactly_one_request(
    split: Callable[[bytes], list[bytes]],
) -> None:
    async def test() -> None:
        application = Application()
        application.hold.clear()  # so that what is behind a request meets it unanswered
        async with serving(application, HttpLimits()) as address:
            talking = asyncio.gather(
                *(talk(address, *split(data), wait_s=1) for data, _ in ONE.values())
            )
            await asyncio.sleep(0.5)
            application.hold.set()
            talks = await talking

        for (case, (_, wanted)), said in zip(ONE.items(), talks, strict=True):
            assert application.seen_of[said.port] == [wanted], case
            assert [status for status in statuses(said.answer) if status != 100] == [200], case
            assert said.was_closed == (" behind" in case or case == "HTTP/1.0"), case

    run(test)


def test_g18_the_refusal_of_a_next_request_never_answers_the_one_before() -> None:
    async def test() -> None:
        application = Application()
        application.hold.clear()
        async with serving(application) as address:
            speaking = asyncio.create_task(
                speak(address, GET + b"\r\n", b"GET / \0\r\n", wait_s=0.4)
            )
            await asyncio.sleep(0.1)
            application.hold.set()

            assert statuses(await speaking) == [200]

    run(test)


def test_g18_a_body_that_turns_malformed_reaches_the_application_as_a_disconnect() -> None:
    async def test() -> None:
        application = Application()
        async with serving(application) as address:
            answer = await speak(address, CHUNKED + b"4\r\nabcd\r\n", b"zz\r\n" + HIDDEN)

            assert application.seen == []
            assert application.errors == ["disconnected"]
            assert statuses(answer) == [400]

    run(test)


def test_requests_that_follow_an_answer_share_the_connection() -> None:
    async def test() -> None:
        application = Application()
        async with serving(application) as address:
            reader, writer = await asyncio.open_connection(*address)
            for body in (b"one", b"two", b"three"):
                writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                head = await reader.readuntil(b"\r\n\r\n")
                assert b" 200 " in head
                assert await reader.readexactly(len(body)) == body
            writer.close()

            assert [body for _, _, body in application.seen] == [b"one", b"two", b"three"]

    run(test)


def test_a_whole_answer_comes_in_one_piece() -> None:
    async def test() -> None:
        application = Application()
        application.answer = b"x" * 900
        async with serving(application, HttpLimits()) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            for _ in range(20):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                # The first read of a waiting reader holds what one write of the server brought.
                piece = await asyncio.wait_for(reader.read(4096), 5)
                assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
                assert piece.endswith(b"\r\n\r\n" + application.answer)
            writer.close()

    run(test)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-length", b"2")], b"longer than it says"),
        ([(b"x-name", b"a value\r\nx-more: smuggled"), (b"content-length", b"2")], b"ok"),
    ],
    ids=["length", "line"],
)
def test_g18_an_answer_that_could_be_read_two_ways_never_leaves(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def test() -> None:
        async with serving(application, HttpLimits()) as address:
            said = await talk(address, GET, wait_s=1)
        assert b"smuggled" not in said.answer
        assert body not in said.answer

    run(test)
