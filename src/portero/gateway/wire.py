"""One connection to an upstream origin: how a request is written and its answer taken apart.

HTTP is framed by llhttp; what it lets pass and we do not trust (a coding besides `chunked`, a
protocol switch, trailers, bytes nobody asked for) is refused here. Pooling is `upstream.py`'s.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, Protocol, cast

import httptools
from typing_extensions import override

from portero.engine.values import valueclass

Headers = list[tuple[bytes, bytes]]

_METHODS = frozenset(
    {"GET", "POST", "PUT", "PATCH", "DELETE"}
)  # an answer to HEAD frames otherwise
_BODILESS = frozenset({"GET", "DELETE"})
_TARGET = re.compile(r"/[!\"$-~]*")  # visible ASCII without the fragment's '#'
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")  # no CR, LF or NUL: a value cannot end its line
_OURS = frozenset(
    b"host content-length transfer-encoding connection keep-alive te trailer upgrade expect".split()
)
_USUAL = frozenset({b"authorization", b"accept", b"user-agent", b"content-type"})
DEFAULT_PORTS = {"http": 80, "https": 443}

_MAX_HEADERS = 200
FREE = object()
"""Of a connection that is in nobody's share."""
_HELD_HIGH = 256 * 1024  # bytes of a streamed body in memory before reading pauses …
_HELD_LOW = 64 * 1024  # … and the fill at which it goes on


class UpstreamError(Exception):
    """A call without an answer. `code` is stable; `status` is the status line's, if one had come."""

    def __init__(self, code: str, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class NotSent(UpstreamError):
    """Not one byte of the request was written."""


class Ambiguous(UpstreamError):
    """Bytes were written and no whole answer came back: nobody here knows whether it took effect."""


class Origin(NamedTuple):
    scheme: str  # "http" or "https"
    host: str  # lower case
    port: int


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of one client. Times are in seconds, sizes in bytes."""

    connect_s: float = 5.0  # name, TCP and TLS together
    queue_s: float = 5.0  # waiting for a free connection
    answer_s: float = (
        30.0  # from the last byte written to the whole answer; streamed: between reads
    )
    total_s: float = 60.0  # from the first byte written to the end
    stream_total_s: float = 900.0  # the same, where a body of either side is streamed
    idle_s: float = 20.0  # an idle connection older than this is dropped, never written to
    connections: int = 256  # per origin
    share: int = 192  # of them, for any one workspace
    waiting: int = 4096  # callers in the queue, per origin and workspace
    head_bytes: int = 64 * 1024
    body_bytes: int = 8 * 1024 * 1024
    stream_bytes: int = 105 * 1024 * 1024


@valueclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request to write exactly as given; `Host` and the framing headers are added here.

    It holds the real token and its proof, so it shows only where it goes: an error may speak of it.
    """

    method: str
    origin: Origin
    target: str = field(repr=False)  # path and query, already percent-encoded
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    # An iterator is sent chunked, with back-pressure.
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    whose: Hashable = None
    """The workspace it is for, whose share of the connections it takes."""


def encode_head(request: UpstreamRequest) -> bytes:
    """Write the request up to its blank line. Raises NotSent for what could end a line early."""
    if request.method not in _METHODS or _TARGET.fullmatch(request.target) is None:
        raise NotSent("bad_request")
    scheme, host, port = request.origin
    authority = host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
    if not _VALUE.fullmatch(b"".join([value for _, value in request.headers])):
        raise NotSent("bad_request")
    parts = [f"{request.method} {request.target} HTTP/1.1\r\nHost: {authority}\r\n".encode()]
    for name, value in request.headers:
        if name not in _USUAL and (not _NAME.fullmatch(name) or name.lower() in _OURS):
            raise NotSent("bad_request")
        parts += (name, b": ", value, b"\r\n")
    parts.append(_framing(request))
    return b"".join(parts)


def _framing(request: UpstreamRequest) -> bytes:
    if not isinstance(request.body, bytes):
        return b"Transfer-Encoding: chunked\r\n\r\n"
    if not request.body and request.method in _BODILESS:
        return b"\r\n"
    return b"Content-Length: %d\r\n\r\n" % len(request.body)


class Exchange:
    """One request on the wire and what has come back of it. It outlives its connection."""

    __slots__ = (
        "answer_s",
        "body_limit",
        "chunks",
        "complete",
        "deadline",
        "failure",
        "final",
        "headers",
        "held",
        "loop",
        "received",
        "status",
        "streamed_answer",
        "waiter",
        "written",
    )

    def __init__(
        self, limits: UpstreamLimits, *, streamed_body: bool, streamed_answer: bool
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer_s = limits.answer_s
        self.body_limit = limits.stream_bytes if streamed_answer else limits.body_bytes
        # A span until the first byte is written, a moment of the loop's clock from then on.
        self.final = limits.stream_total_s if streamed_body or streamed_answer else limits.total_s
        self.deadline = inf
        self.streamed_answer = streamed_answer
        self.written = not streamed_body  # the whole request is on its way
        self.status = 0  # 0 until the final status line has come
        self.headers: Headers = []
        self.chunks: deque[bytes] = deque()
        self.held = 0  # bytes in `chunks` of a streamed answer
        self.received = 0
        self.complete = False
        self.failure: Ambiguous | None = None
        self.waiter: asyncio.Future[None] | None = None

    def start_clock(self) -> None:
        self.final += self.loop.time()
        self.deadline = self.final
        if self.written:
            self.expect_progress()

    def expect_progress(self) -> None:
        """From now on the other side has `answer_s` to do something."""
        self.deadline = min(self.loop.time() + self.answer_s, self.final)

    async def progress(self) -> None:
        """Wait until something about this exchange has changed."""
        self.waiter = self.loop.create_future()
        await self.waiter

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    @property
    def is_over(self) -> bool:
        return self.complete or self.failure is not None

    async def answered(self) -> None:
        """Wait for the whole answer, or for its head where the body is streamed."""
        while not (self.complete or (self.streamed_answer and self.status)):
            if self.failure is not None:
                raise self.failure
            await self.progress()

    def fail(self, code: str) -> None:
        self.failure = Ambiguous(code, status=self.status or None)
        self.wake()


class Keeper(Protocol):
    """What a connection needs of its pool."""

    limits: UpstreamLimits

    def release(self, connection: Connection) -> None: ...
    def forget(self, connection: Connection) -> None: ...


class _Refused(Exception):
    """Raised in a parser callback to stop the parser; `code` becomes that of the Ambiguous error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = (
        "_headers",
        "_interim",
        "_keep_alive",
        "_keeper",
        "_parser",
        "_reading_paused",
        "_unparsed",
        "_writing_paused",
        "exchange",
        "idle_since",
        "transport",
        "whose",
    )
    transport: asyncio.Transport

    def __init__(self, keeper: Keeper) -> None:
        self.exchange: Exchange | None = None
        self.idle_since = 0.0  # the loop's clock, kept by the pool
        self.whose: Hashable = FREE  # in whose share it is, kept by the pool
        self._keeper = keeper
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._interim = False  # the head being read belongs to a 1xx answer
        self._keep_alive = False
        self._unparsed = 0  # bytes since the last one of a body: heads, chunk lines, trailers
        self._reading_paused = False
        self._writing_paused = False

    @property
    def is_usable(self) -> bool:
        return not self.transport.is_closing()

    # What the client does with it

    def write_first(self, data: bytes, exchange: Exchange) -> None:
        """Write the head, with the body if that is bytes; the kernel has it when this returns."""
        self.exchange = exchange
        self._unparsed = 0
        exchange.start_clock()
        self.transport.write(data)

    async def write_body(self, body: AsyncIterator[bytes], exchange: Exchange) -> None:
        """Write the body chunked, until its end or until an answer or a failure overtakes it."""
        async for chunk in body:
            if exchange.is_over:
                return
            if chunk:  # an empty chunk would end the body
                self.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if self._writing_paused:
                await self._drained(exchange)
        if not exchange.is_over:
            self.transport.write(b"0\r\n\r\n")
            exchange.written = True
            exchange.expect_progress()

    async def _drained(self, exchange: Exchange) -> None:
        exchange.expect_progress()
        while self._writing_paused and not exchange.is_over:
            await exchange.progress()
        exchange.deadline = exchange.final

    def taken(self, size: int, exchange: Exchange) -> None:
        """The reader of a streamed answer has taken `size` bytes."""
        exchange.held -= size
        if self._reading_paused and self.exchange is exchange and exchange.held <= _HELD_LOW:
            exchange.expect_progress()
            self._resume_reading()

    def abandon(self, exchange: Exchange) -> None:
        """Cut the connection if it is still in this exchange: its framing is lost to us."""
        if self.exchange is exchange:
            self.exchange = None
            self.transport.abort()

    def fail(self, code: str) -> None:
        exchange = self.exchange
        self.exchange = None
        self.transport.abort()
        if exchange is not None:
            exchange.fail(code)

    # What the transport reports

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by name

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._keeper.forget(self)
        if self.exchange is not None:
            self.exchange.fail("closed_early" if exc is None else "reset")
            self.exchange = None

    @override
    def pause_writing(self) -> None:
        self._writing_paused = True

    @override
    def resume_writing(self) -> None:
        self._writing_paused = False
        if self.exchange is not None:
            self.exchange.wake()

    @override
    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked; it must never become somebody's answer
            self.transport.abort()
            return
        self._unparsed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keep_alive = False
            if not exchange.complete:  # behind a whole answer it spoils only the connection
                self.fail(_code_of(error))
                return
        if exchange.complete:
            self._finish(exchange)
        elif self._unparsed > self._keeper.limits.head_bytes:
            self.fail("too_large")

    def _finish(self, exchange: Exchange) -> None:
        self.exchange = None
        if self._reading_paused:
            self._resume_reading()
        if self._keep_alive and exchange.written and self.is_usable:
            self._keeper.release(self)
        else:
            self.transport.close()
        exchange.wake()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        self.transport.resume_reading()

    # What the parser finds

    def on_message_begin(self) -> None:
        if self.exchange is None or self.exchange.complete:
            raise _Refused("malformed")
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        exchange = self._current()
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim:
            if status == 101:  # we never offer to switch
                raise _Refused("malformed")
            return
        self._unparsed = 0
        self._keep_alive = self._parser.should_keep_alive()
        exchange.headers = _checked(self._headers)
        self._headers = []  # for trailers, which are no part of the answer
        exchange.status = status
        if exchange.streamed_answer:
            exchange.wake()

    def on_body(self, data: bytes) -> None:
        exchange = self._current()
        self._unparsed = 0
        exchange.received += len(data)
        if exchange.received > exchange.body_limit:
            raise _Refused("too_large")
        exchange.chunks.append(data)
        if exchange.streamed_answer:
            self._offer(len(data), exchange)

    def _offer(self, size: int, exchange: Exchange) -> None:
        exchange.held += size
        exchange.expect_progress()
        exchange.wake()
        if exchange.held > _HELD_HIGH and not self._reading_paused:
            self._reading_paused = True
            exchange.deadline = exchange.final  # it is our reader that is slow now
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if not self._interim:
            self._current().complete = True

    def _current(self) -> Exchange:
        if self.exchange is None:  # on_message_begin has refused that; this keeps it so
            raise _Refused("malformed")
        return self.exchange


def _checked(headers: Headers) -> Headers:
    if len(headers) > _MAX_HEADERS:
        raise _Refused("too_large")
    for name, value in headers:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise _Refused("malformed")
    return headers


def _code_of(error: BaseException) -> str:
    cause = error.__context__
    return cause.code if isinstance(cause, _Refused) else "malformed"
