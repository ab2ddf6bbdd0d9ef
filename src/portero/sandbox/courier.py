"""Takes webhooks to the subscriber: signed, escaped as Meta escapes, repeated when not acknowledged."""

import asyncio
import hashlib
import hmac
import http.client
import json
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from portero.sandbox.objects import Callback, Json, Number, Waba
from portero.sandbox.world import World

_log = logging.getLogger(__name__)
_TIMEOUT_S = 5.0
_THREADS = 8
_CHALLENGE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one attempt ended; `status` None when no answer came, `error` then says why."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    url: str | None = None

    def told(self) -> Json:
        """How the control surface tells it."""
        shown: Json = {"delivered": self.delivered, "status": self.status}
        return shown | ({"error": self.error} if self.error else {})


@dataclass(frozen=True, slots=True)
class Manner:
    """How webhooks travel: at once and one by one, unless somebody asks for the worse.

    Attributes:
        gather_s: how long changes are gathered before any of them is sent; 0 sends at once.
        is_together: whether what was gathered for one address goes in one payload.
        is_reversed: whether the last goes first.
        copies: how often every payload is sent.
    """

    gather_s: float = 0.0
    is_together: bool = False
    is_reversed: bool = False
    copies: int = 1


class Courier:
    """Delivers in the background; owns its tasks until `close`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.manner = Manner()
        self._gathered: list[tuple[str, Json]] = []
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox-webhook")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._exchanges: set[asyncio.Future[tuple[int, bytes]]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background, kept alive until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Drop what has not begun and wait for what has: afterwards nothing old arrives."""
        self._gathered.clear()
        for task in self._tasks:
            task.cancel()
        if self._exchanges:
            await asyncio.wait(set(self._exchanges), timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Drop everything and release the threads."""
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def deliver(
        self, field: str, value: Json, *, waba: Waba, number: Number | None = None
    ) -> Delivery:
        """Send one change; the first attempt is awaited, repeats go on in the background.

        While changes are gathered, it waits with the others, and nobody waits for it.
        """
        target = self._target(field, waba, number)
        if target is None:
            return Delivery(delivered=False, error="nobody is subscribed")
        entry: Json = {"id": waba.id, "changes": [{"field": field, "value": value}]}
        if field != "messages":
            entry["time"] = int(self._world.clock())
        if self.manner.gather_s:
            self._gather(target.url, entry)
            return Delivery(delivered=False, error="gathered", url=target.url)
        return await self._post_copies(target.url, [entry])

    def _gather(self, url: str, entry: Json) -> None:
        if not self._gathered:
            self.start(self._release(self.manner.gather_s))
        self._gathered.append((url, entry))

    async def _release(self, after_s: float) -> None:
        """Send what was gathered, as the manner of now has it."""
        await asyncio.sleep(after_s)
        gathered, self._gathered = self._gathered, []
        if self.manner.is_reversed:
            gathered.reverse()
        if not self.manner.is_together:
            for url, entry in gathered:
                await self._post_copies(url, [entry])
            return
        for wanted in dict.fromkeys(url for url, _ in gathered):
            await self._post_copies(wanted, [entry for url, entry in gathered if url == wanted])

    async def _post_copies(self, url: str, entries: list[Json]) -> Delivery:
        """One payload of Meta's, as often as the manner says; how the first one fared."""
        payload = {"object": "whatsapp_business_account", "entry": _merged(entries)}
        first = await self.post(url, payload)
        for _ in range(self.manner.copies - 1):
            await self.post(url, payload)
        return first

    async def post(self, url: str, payload: Any) -> Delivery:
        """Sign and post a payload as it is; the first attempt is awaited."""
        body = _as_meta_writes(payload)
        first = await self._attempt(url, body)
        if not first.delivered:
            self.start(self._repeat(url, body))
        return first

    async def verify(self, callback: Callback) -> bool:
        """The GET handshake: whether the endpoint gives the challenge back."""
        challenge = str(int(self._world.clock() * 1000) % 10**10)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": callback.verify_token,
        }
        try:
            separator = "&" if urlsplit(callback.url).query else "?"
            url = callback.url + separator + urlencode(query)
            status, answer = await self._in_thread(url, None)
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return status == 200 and answer.decode("utf-8", "replace").strip() == challenge

    def _target(self, field: str, waba: Waba, number: Number | None) -> Callback | None:
        """Number before account before app; overrides are for messages only."""
        if not waba.subscribed:
            return None
        if field == "messages":
            override = (number.override if number else None) or waba.override
            if override:
                return override
        callback = self._world.app.callback
        if callback is None or callback.fields is None or field in callback.fields:
            return callback
        return None

    async def _repeat(self, url: str, body: bytes) -> None:
        for delay in self._world.speed.retry_s:
            await asyncio.sleep(delay)
            if (await self._attempt(url, body)).delivered:
                return
        _log.warning("webhook given up after %d repeats", len(self._world.speed.retry_s))

    async def _attempt(self, url: str, body: bytes) -> Delivery:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, _ = await self._in_thread(url, body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return Delivery(delivered=False, error=str(error) or type(error).__name__, url=url)
        return Delivery(delivered=status == 200, status=status, url=url)

    async def _in_thread(self, url: str, body: bytes | None) -> tuple[int, bytes]:
        secret = self._world.app.secret.encode()
        loop = asyncio.get_running_loop()
        exchange = loop.run_in_executor(self._threads, _exchange, url, body, secret)
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._forget)
        return await asyncio.shield(exchange)  # a cancelled task does not stop its thread

    def _forget(self, exchange: asyncio.Future[tuple[int, bytes]]) -> None:
        self._exchanges.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # seen, even where the task that asked was cancelled


def _merged(entries: list[Json]) -> list[Json]:
    """Neighbours of one account and one time as one entry with several changes."""
    merged: list[Json] = []
    for entry in entries:
        last = merged[-1] if merged else {}
        if (last.get("id"), last.get("time")) == (entry["id"], entry.get("time")):
            last["changes"] = last["changes"] + entry["changes"]
        else:
            merged.append(entry)
    return merged


def _as_meta_writes(payload: Any) -> bytes:
    r"""Meta escapes beyond ASCII and writes `/` as `\/`, so only the raw bytes verify."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()


def _exchange(url: str, body: bytes | None, secret: bytes) -> tuple[int, bytes]:
    """One blocking exchange; a body makes it a signed POST."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "facebookexternalua", "Accept": "*/*"}
    if body is not None:
        digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
        headers |= {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
    try:
        connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(_CHALLENGE_BYTES_MAX)
    finally:
        connection.close()
