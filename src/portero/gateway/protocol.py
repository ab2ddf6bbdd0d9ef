"""HTTP/1.1 as the gateway accepts it: uvicorn's protocol with limits.

uvicorn parses by llhttp and leaves to a front proxy what a public door must do itself: time and size
limits of a head, one meaning per request, one request at a time. Whatever a proxy and we could read
differently is refused (request smuggling); docs/decisions/0006-gateway-transport.md has the list.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from typing import Any, ClassVar, Protocol, cast
from urllib.parse import unquote

import httptools
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from portero.gateway.cycle import Cycle, WholeCycle
from portero.gateway.replies import Reply, error_reply
from portero.gateway.request import Head
from portero.graphapi.refusals import malformed

_log = logging.getLogger(__name__)

_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_HOST = re.compile(rb"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one listener. Times are in seconds, sizes in bytes."""

    head_s: float = 10.0  # from a connection or a first byte to the end of the head
    head_bytes: int = 32 * 1024  # also of trailers and chunk lines in a row
    headers: int = 100
    idle_s: float = 60.0  # between two requests
    linger_s: float = 2.0  # for the rest of a body that was answered or refused before its end
    write_stall_s: float = 30.0  # a reader who takes nothing of a full buffer
    connections: int = 10_000


class Whole(Protocol):
    """A bound method that answers a request which is all there when it begins."""

    def __call__(self, head: Head, body: bytes) -> Awaitable[Reply] | None:
        """The answer to come; None for what the application must answer in pieces."""


def hardened(limits: HttpLimits, whole: Whole | None = None) -> type[HttpToolsProtocol]:
    """Return the protocol class to give to uvicorn.

    `whole` answers what came whole with its head, so that the application is asked the rest only.
    """
    return type("Hardened", (HardenedProtocol,), {"limits": limits, "whole": whole})


class _Malformed(Exception):
    """Raised in a parser callback; becomes the answer, and the connection ends."""

    def __init__(self, sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def _head_too_large() -> _Malformed:
    return _Malformed("The head is too large.", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


class HardenedProtocol(HttpToolsProtocol):
    """One client connection. One request at a time: what is pipelined behind it is not read."""

    limits: ClassVar[HttpLimits] = HttpLimits()
    whole: ClassVar[Whole | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # uvicorn relaxes this to answer before it fails; _refuse keeps that order without it.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._unparsed = 0  # bytes since the last head ended or the last byte of a body came
        self._is_first = True  # no head has come yet
        self._in_head = False
        self._in_body = False
        self._early: list[bytes] | None = None  # the body so far of a request that has not begun
        self._is_deaf = False  # refused: what still comes is thrown away
        self._deadline = inf
        self._timer: asyncio.TimerHandle | None = None

    # What the transport reports

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._expect_within(self.limits.head_s)
        if len(self.connections) > self.limits.connections:
            transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._unparsed += len(data)
        was_in_head = self._in_head
        try:
            self._feed(data)
            if self._unparsed > self.limits.head_bytes:
                raise _head_too_large()
        except _Malformed as error:
            self._refuse(error)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(_reason(error))
        else:
            if self._in_head and not was_in_head and not self._is_first:
                self._expect_within(self.limits.head_s)  # the first is timed from the connection on

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        finally:
            if self._early is not None:
                self._begin_with(self._early)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_within(self.limits.write_stall_s)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_answering:
            self._deadline = inf
        else:
            self._expect_next()

    # What the parser finds

    @override
    def on_message_begin(self) -> None:
        if self._is_answering:
            raise _Malformed("Requests are answered one at a time.")
        self._in_head = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # uvicorn would add it to the headers the application already has
            raise _Malformed("Trailer fields are not accepted.")
        self.headers.append((name.lower(), value))

    @override
    def on_headers_complete(self) -> None:
        self._check_head()
        self._is_first = False
        self._in_head = False
        self._in_body = True
        self._unparsed = 0
        self._deadline = inf
        if self.whole is None or self.expect_100_continue or self.parser.get_method() == b"HEAD":
            self._begin_cycle()
        else:
            self._early = []  # most bodies come with their head: see what else is there

    def _begin_with(self, early: list[bytes]) -> None:
        """Begin with a part of the body in hand; the application waits for the rest."""
        self._early = None
        self._begin_cycle()
        for piece in early:
            super().on_body(piece)

    def _begin_whole(self, early: list[bytes], whole: Whole) -> bool:
        """Answer a request that is all there without passing messages, unless it needs them."""
        path, _, query = self.url.partition(b"?")
        method = self.parser.get_method().decode("ascii")
        head = Head(method, path, query, self.headers, self.client)
        coming = whole(head, b"".join(early))
        if coming is None:
            return False
        self._early = None
        cycle = WholeCycle(
            self.transport,
            self.flow,
            keep_alive=self._keeps_alive,
            on_response=self.on_response_complete,
        )
        self.cycle = cycle  # type: ignore[assignment]  # it has all that uvicorn asks of one
        task = self.loop.create_task(cycle.answer(coming, self.server_state.default_headers))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        return True

    def _begin_cycle(self) -> None:
        """As uvicorn does where nothing is mounted, nothing queued and no protocol switched to."""
        path, _, query = self.url.partition(b"?")
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": self.parser.get_http_version(),
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": self.parser.get_method().decode("ascii"),
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self._keeps_alive,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    @property
    def _keeps_alive(self) -> bool:
        return self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()

    @override
    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        if self._early is None:
            super().on_body(body)
        else:
            self._early.append(body)

    @override
    def on_message_complete(self) -> None:
        self._in_body = False
        if self._early is not None and self.whole is not None:
            if self._begin_whole(self._early, self.whole):
                return
            self._begin_with(self._early)
        super().on_message_complete()
        if self.cycle.response_complete:
            self._expect_next()

    @override
    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():  # once the answer is flushed, which the client may prevent
            self._expect_within(self.limits.write_stall_s)
            return
        self.flow.resume_reading()
        self._expect_next()

    # One meaning per request

    def _check_head(self) -> None:
        limits = self.limits
        if len(self.headers) > limits.headers or (
            self._unparsed > limits.head_bytes and self._head_size() > limits.head_bytes
        ):
            raise _head_too_large()
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise _Malformed("The protocol version is not understood.")
        if self.parser.should_upgrade() or self.parser.get_method() not in _METHODS:
            raise _Malformed("The method is not known, or another protocol was asked for.")
        if not self.url.startswith(b"/") or b"#" in self.url or not self.url.isascii():
            raise _Malformed("The request's target is not a path.")
        self._check_fields(version)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _check_fields(self, version: str) -> None:
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
                if _HOST.fullmatch(value.strip()) is None:
                    raise _Malformed("Host is not a host.")
            elif name == b"transfer-encoding":
                # llhttp has refused it beside Content-Length, and a second `chunked`.
                if version == "1.0" or value.strip().lower() != b"chunked":
                    raise _Malformed("The transfer coding is not plain chunked.")
            elif name == b"expect":
                if value.strip().lower() != b"100-continue":
                    raise _Malformed("The expectation is unknown.", HTTPStatus.EXPECTATION_FAILED)
                self.expect_100_continue = True
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise _Malformed("Host is missing or there are several.")

    # Refusing

    @property
    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _refuse(self, error: _Malformed) -> None:
        """End the connection: behind the answer under way, or with an answer of its own."""
        self._is_deaf = True
        if not self._is_answering:
            self._answer_and_linger(error)
        elif not self._in_body:
            self.cycle.keep_alive = False  # it was the next request: this one is answered first
        else:
            self._break_off(error)

    def _break_off(self, error: _Malformed) -> None:
        """The body of the request under way is malformed: the application sees a disconnect."""
        cycle = self.cycle
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.abort()
        else:
            self._answer_and_linger(error)

    def _answer_and_linger(self, error: _Malformed) -> None:
        # Closing with bytes unread would reset the connection and could destroy the answer on its
        # way, so our half is closed and theirs is drained for a moment.
        self.transport.write(_refusal(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._expect_within(self.limits.linger_s)
        else:  # TLS has no half-close
            self.transport.close()

    # Time: one timer for a connection's whole life, moved by its deadline

    def _expect_within(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._start_timer()

    def _expect_next(self) -> None:
        """The answer is done: wait for the rest of its request, or for the next one."""
        if not self.flow.write_paused:  # else the time to take it is running already
            self._expect_within(self.limits.linger_s if self._in_body else self.limits.idle_s)

    def _start_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.loop.time() < self._deadline:
            if self._deadline != inf:
                self._start_timer()
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


def _reason(error: Exception) -> _Malformed:
    cause = error.__context__
    if isinstance(cause, _Malformed):
        return cause
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        _log.error("A request's head could not be taken in.", exc_info=cause)
    return _Malformed("This is not a well-formed HTTP request.")


def _refusal(error: _Malformed) -> bytes:
    """The answer in Graph's shape; the trace id finds the line in our log."""
    trace = secrets.token_urlsafe(16)
    _log.info("Refused a malformed request (%s): %s", trace, error.sentence)
    reply = error_reply(malformed(error.sentence), trace)
    lines = [
        f"HTTP/1.1 {error.status.value} {error.status.phrase}".encode(),
        *(name + b": " + value for name, value in reply.all_headers()),
        b"connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + reply.body
