"""The body of a request, read within bounds: of its size, and of how long it may take to come."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from portero.gateway.replies import Receive


class BodyError(Exception):
    """A body that will not be read to its end. `code` is stable; `sentence` says what is wrong."""

    code: ClassVar[str]
    sentence: ClassVar[str]


class TooLarge(BodyError):
    code = "too_large"
    sentence = "it is larger than is read here"


class TooSlow(BodyError):
    code = "too_slow"
    sentence = "it came too slowly"


class Disconnected(BodyError):
    code = "disconnected"
    sentence = "it did not arrive whole"


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds of one body. Times are in seconds, sizes in bytes."""

    max_bytes: int
    silence_s: float = 10.0  # before the first byte, and between any two pieces
    min_rate: float = 1024.0  # bytes a second on average, asked for once `grace_s` has passed
    grace_s: float = 10.0
    total_s: float = 30.0


class BodyReader:
    """The body of one request, read once: whole by `read`, or piece by piece by iteration.

    Raises TooLarge, TooSlow, Disconnected. A declared length over the limit is refused before
    anything is read.
    """

    def __init__(
        self, receive: Receive, limits: BodyLimits, *, content_length: int | None = None
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._declared = content_length or 0
        self._received = 0
        self._is_over = False

    async def read(self) -> bytes:
        pieces = []
        while (piece := await self._next()) is not None:
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._next()) is not None:
            if piece:
                yield piece

    async def _next(self) -> bytes | None:
        if self._is_over:
            return None
        if self._declared > self._limits.max_bytes:
            raise TooLarge
        message = await self._message()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece: bytes = message.get("body", b"")
        self._is_over = not message.get("more_body", False)
        self._received += len(piece)
        if self._received > self._limits.max_bytes:
            raise TooLarge
        return piece

    async def _message(self) -> Mapping[str, Any]:
        steps = self._receive().__await__()
        try:
            awaited = next(steps)
        except StopIteration as here_already:
            # Nearly every call: no timer for it, which would cost more than reading the body does.
            message: Mapping[str, Any] = here_already.value
            return message
        try:
            async with asyncio.timeout_at(self._deadline()):
                return await _rest(steps, awaited)
        except TimeoutError:
            raise TooSlow from None

    def _deadline(self) -> float:
        limits, now = self._limits, self._loop.time()
        graced = now - self._started - limits.grace_s
        if self._received < limits.min_rate * graced:
            return now
        return min(now + limits.silence_s, self._started + limits.total_s)


@types.coroutine
def _rest(
    steps: Generator[Any, Any, Mapping[str, Any]], awaited: object
) -> Generator[Any, Any, Mapping[str, Any]]:
    """Await what is left of an awaitable whose first step waits for `awaited`."""
    try:
        yield awaited
    except BaseException as error:
        steps.throw(error)
        raise
    return (yield from steps)
