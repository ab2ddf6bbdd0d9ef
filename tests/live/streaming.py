"""Streams on a real port, and browsers that listen to them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from databases import Database
from portero.gateway.server import Listener, serve
from portero.live.process import Settings, application

ORIGIN = "http://localhost:8000"


@contextmanager
def streams(database: Database) -> Iterator[str]:
    """The address of a process that serves streams; in a thread with a loop of its own."""
    ready, found = threading.Event(), []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        settings = Settings(database=database.dsn("app"), origins=[ORIGIN])
        async with application(settings) as app:

            def tell(addresses: object) -> None:
                found.append(addresses)
                ready.set()

            await serve([Listener(app=app)], graceful_timeout_s=0.2, ready=tell, stop=stop)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    [[(host, port)]] = found
    yield f"http://{host}:{port}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@dataclass
class Screen:
    """A browser that listens: what it was told, and when."""

    url: str
    ticket: str
    status: int | None = None
    told: list[tuple[float, str]] = field(default_factory=list)
    ended_at: float | None = None
    _opened: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._opened.wait(10)

    def _listen(self) -> None:
        try:
            with (
                httpx.Client(timeout=30) as client,
                client.stream(
                    "GET",
                    f"{self.url}/live/events",
                    params={"ticket": self.ticket},
                    headers={"Origin": ORIGIN},
                ) as answer,
            ):
                self.status = answer.status_code
                for line in answer.iter_lines():
                    if line.startswith(":"):
                        self._opened.set()
                    elif line.startswith("event: "):
                        self.told.append((time.monotonic(), line.removeprefix("event: ")))
        except httpx.HTTPError:
            pass
        finally:
            self.ended_at = time.monotonic()
            self._opened.set()

    def hears(self, event: str, *, within_s: float = 5) -> float:
        """When it was told so, in seconds of the monotonic clock."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for at, told in list(self.told):
                if told == event:
                    return at
            time.sleep(0.01)
        raise AssertionError(f"not told {event}: {self.told}")

    def has_ended(self, *, within_s: float = 5) -> float:
        deadline = time.monotonic() + within_s
        while self.ended_at is None:
            assert time.monotonic() < deadline, f"still open: {self.told}"
            time.sleep(0.01)
        return self.ended_at
