"""The gateway's HTTP/1.1 client: a keep-alive pool whose first byte waits for a last check.

Why our own: a message has no idempotency at Meta, so the client must say exactly whether a request
may have left, must never send one twice, and must run a check (was the right revoked?) in the very
step in which the first byte leaves. No client library offers that moment. See
docs/decisions/0006-gateway-transport.md.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from types import TracebackType
from typing import Self

from portero.engine.values import valueclass
from portero.gateway.wire import (
    DEFAULT_PORTS,
    FREE,
    Ambiguous,
    Connection,
    Exchange,
    Headers,
    NotSent,
    Origin,
    UpstreamError,
    UpstreamLimits,
    UpstreamRequest,
    encode_head,
)

__all__ = [
    "Ambiguous",
    "NotSent",
    "Origin",
    "StreamedResponse",
    "Upstream",
    "UpstreamError",
    "UpstreamLimits",
    "UpstreamRequest",
    "UpstreamResponse",
    "split_url",
]

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?P<target>/[!\"$-~]*)?"
)


@valueclass(frozen=True, slots=True)
class UpstreamResponse:
    status: int
    headers: Headers  # names in lower case, in the order they came
    body: bytes


def split_url(url: str) -> tuple[Origin, str]:
    """Split an absolute URL into origin and target. Raises NotSent on user info, fragments, oddities."""
    match = _URL.fullmatch(url)
    if match is None:
        raise NotSent("bad_url")
    port = int(match["port"]) if match["port"] else DEFAULT_PORTS[match["scheme"]]
    return Origin(match["scheme"], match["host"].lower(), port), match["target"] or "/"


class Upstream:
    """Keep-alive connections to an exact list of origins; nothing else can be reached through it.

    Redirects are answers like any other, proxy variables of the environment are not read, and no
    request is sent twice. Belongs to the event loop that uses it.
    """

    def __init__(
        self,
        origins: Iterable[Origin],
        *,
        ssl_context: ssl.SSLContext | None = None,
        limits: UpstreamLimits | None = None,
    ) -> None:
        self._limits = limits or UpstreamLimits()
        context = ssl_context or ssl.create_default_context()
        self._pools = {origin: _Pool(origin, context, self._limits) for origin in origins}

    async def send(
        self, request: UpstreamRequest, *, before_first_byte: Callable[[], None]
    ) -> UpstreamResponse:
        """Send and read the whole answer. Raises NotSent, Ambiguous.

        `before_first_byte` runs on an open connection in the same event-loop step as the write. What
        it raises comes out unchanged, with nothing written. What the body's iterator raises comes out
        unchanged too, after the connection was cut with the body unfinished.
        """
        exchange, _ = await self._perform(request, before_first_byte, streamed_answer=False)
        return UpstreamResponse(exchange.status, exchange.headers, b"".join(exchange.chunks))

    async def open(
        self, request: UpstreamRequest, *, before_first_byte: Callable[[], None]
    ) -> StreamedResponse:
        """Send and return as soon as status and headers are there. Otherwise like `send`."""
        exchange, connection = await self._perform(request, before_first_byte, streamed_answer=True)
        return StreamedResponse(connection, exchange)

    async def close(self) -> None:
        """Close idle connections, cut the others, refuse what comes later."""
        for pool in self._pools.values():
            pool.close()
        while any(pool.has_connections for pool in self._pools.values()):
            await asyncio.sleep(0.001)  # an aborted transport reports its loss a round or two later

    async def _perform(
        self,
        request: UpstreamRequest,
        before_first_byte: Callable[[], None],
        *,
        streamed_answer: bool,
    ) -> tuple[Exchange, Connection]:
        pool = self._pools.get(request.origin)
        if pool is None:
            raise NotSent("host_not_allowed")
        head, body = encode_head(request), request.body
        streamed_body = not isinstance(body, bytes)
        exchange = Exchange(
            self._limits, streamed_body=streamed_body, streamed_answer=streamed_answer
        )
        connection = pool.take(request.whose) or await pool.acquire(request.whose)
        _check(before_first_byte, connection, pool)
        # No await between the check and the write: a revocation cannot come between them.
        connection.write_first(head + body if isinstance(body, bytes) else head, exchange)
        try:
            if not isinstance(body, bytes):
                await connection.write_body(body, exchange)
            await exchange.answered()
        except BaseException:
            connection.abandon(exchange)
            raise
        return exchange, connection


def _check(before_first_byte: Callable[[], None], connection: Connection, pool: _Pool) -> None:
    try:
        before_first_byte()
    except BaseException:
        pool.release(connection)
        raise


class StreamedResponse:
    """An answer whose body is read as it comes. Leaving before its end cuts the connection."""

    def __init__(self, connection: Connection, exchange: Exchange) -> None:
        self._connection = connection
        self._exchange = exchange
        self.status = exchange.status
        self.headers = exchange.headers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        while not exchange.chunks:
            if exchange.failure is not None:
                raise exchange.failure
            if exchange.complete:
                raise StopAsyncIteration
            await exchange.progress()
        chunk = exchange.chunks.popleft()
        self._connection.taken(len(chunk), exchange)
        return chunk

    def close(self) -> None:
        self._connection.abandon(self._exchange)


class _Pool:
    """The connections to one origin, and the callers waiting for one.

    Workspaces take turns, the callers of each come in order, and no workspace has more than its share:
    what the slow calls of one hold is not all there is.
    """

    def __init__(self, origin: Origin, context: ssl.SSLContext, limits: UpstreamLimits) -> None:
        self.limits = limits
        self._origin = origin
        self._context = context if origin.scheme == "https" else None
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []  # the freshest last and used first, so that others age
        self._opening = 0
        self._held: Counter[Hashable] = Counter()  # connections in use, by workspace
        # By workspace, the next in turn first.
        self._waiting: OrderedDict[Hashable, deque[asyncio.Event]] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, whose: Hashable) -> Connection | None:
        """Return an idle connection, unless others are waiting for one."""
        if self._waiting or self._held[whose] >= self.limits.share:
            return None
        connection = self._pop_idle()
        if connection is not None:
            self._lend(connection, whose)
        return connection

    async def acquire(self, whose: Hashable) -> Connection:
        """Return an open connection, waiting and connecting for it. Raises NotSent."""
        if self._waiting or not self._has_room(whose):
            await self._wait_turn(whose)
        if self._is_closed:
            raise NotSent("closed")
        connection = self._pop_idle()
        if connection is not None:
            self._lend(connection, whose)
            return connection
        self._held[whose] += 1  # one that is being opened counts
        try:
            connection = await self._connect()
        except BaseException:
            self._give_up_share(whose)
            self._wake_first()
            raise
        connection.whose = whose
        return connection

    def _lend(self, connection: Connection, whose: Hashable) -> None:
        connection.whose = whose
        self._held[whose] += 1

    def _give_up_share(self, whose: Hashable) -> None:
        if self._held[whose] > 1:
            self._held[whose] -= 1
        else:
            del self._held[whose]

    def _take_back(self, connection: Connection) -> None:
        if connection.whose is not FREE:
            self._give_up_share(connection.whose)
            connection.whose = FREE

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    def _has_room(self, whose: Hashable) -> bool:
        if self._is_closed:
            return True
        used = len(self._connections) + self._opening
        is_free = bool(self._idle) or used < self.limits.connections
        return is_free and self._held[whose] < self.limits.share

    async def _wait_turn(self, whose: Hashable) -> None:
        if len(self._waiting.get(whose, ())) >= self.limits.waiting:
            raise NotSent("pool_exhausted")
        mine = self._waiting.setdefault(whose, deque())
        turn = asyncio.Event()
        mine.append(turn)
        try:
            async with asyncio.timeout(self.limits.queue_s):
                while self._next() is not turn:
                    turn.clear()
                    await turn.wait()
            self._waiting.move_to_end(whose)
        except TimeoutError:
            raise NotSent("pool_exhausted") from None
        finally:
            mine.remove(turn)
            if not mine:
                del self._waiting[whose]
            self._wake_first()  # it runs after this caller has taken what was free

    def _next(self) -> asyncio.Event | None:
        """Whose turn it is, if there is room for them."""
        return next((turns[0] for one, turns in self._waiting.items() if self._has_room(one)), None)

    def _wake_first(self) -> None:
        turn = self._next() if self._waiting else None
        if turn is not None:
            turn.set()

    async def _connect(self) -> Connection:
        _scheme, host, port = self._origin
        self._opening += 1
        try:
            async with asyncio.timeout(self.limits.connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), host, port, ssl=self._context
                )
        except TimeoutError:
            raise NotSent("connect_timeout") from None
        except ssl.SSLError as error:
            raise NotSent("tls_failed") from error
        except OSError as error:
            raise NotSent("connect_failed") from error
        finally:
            self._opening -= 1
            self._wake_first()
        if self._is_closed or not connection.is_usable:
            connection.transport.abort()
            raise NotSent("closed" if self._is_closed else "connect_failed")
        self._admit(connection)
        return connection

    def _admit(self, connection: Connection) -> None:
        # Not in connection_made: uvloop forgets connection_lost when a caller is cancelled right
        # after it, and the place in the pool would be lost for good.
        self._connections.add(connection)
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._sweep_interval_s, self._sweep)

    # What connections report

    def release(self, connection: Connection) -> None:
        connection.idle_since = asyncio.get_running_loop().time()
        self._take_back(connection)
        self._idle.append(connection)
        self._wake_first()

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._take_back(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._wake_first()

    # Time limits: one timer for all connections, instead of one per request

    @property
    def _sweep_interval_s(self) -> float:
        limits = self.limits
        return min(0.5, min(limits.answer_s, limits.total_s, limits.idle_s) / 8)

    def _sweep(self) -> None:
        self._sweeper = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._connections):
            exchange = connection.exchange
            if exchange is None:
                if now - connection.idle_since > self.limits.idle_s:
                    connection.transport.close()
            elif now > exchange.deadline:
                connection.fail("timeout")
        if self._connections:
            self._sweeper = loop.call_later(self._sweep_interval_s, self._sweep)

    @property
    def has_connections(self) -> bool:
        return bool(self._connections)

    def close(self) -> None:
        self._is_closed = True
        for connection in tuple(self._connections):
            connection.fail("closed_early")
        for turns in self._waiting.values():
            for turn in turns:
                turn.set()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
