"""What storms share: a gateway one can kill, and a load that goes on whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.house import LUCIA, VENTAS, House, Key, text
from portero.gateway.upstream import NotSent, Upstream, UpstreamError, UpstreamRequest, split_url

SERVE = Path(__file__).with_name("serve.py")


QUIET_START_S = 3.0


def allowed_s(bar: float, *, start_took_s: float) -> float:
    """How long it may take to be back, seconds, where a start took so long in the same minute.

    What is started anew is not back sooner than a start takes. On a machine with nothing else to do
    that is a second or two, and the bar stands; where it is more, what is more is added.
    """
    return bar + 2 * max(0.0, start_took_s - QUIET_START_S)


class Killable:
    """A gateway in a process of its own, on a fixed port."""

    def __init__(
        self,
        house: House,
        folder: Path,
        *,
        sabotage: tuple[str, ...] = (),
        graph_url: str | None = None,  # another Meta than the house's
    ) -> None:
        settings = house.settings_with()
        self.port = settings.port
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = folder / f"settings-{self.port}.json"
        self._settings.write_text(
            json.dumps(
                {
                    "database": settings.database,
                    "graph_url": graph_url or settings.graph_url,
                    "media_urls": [],
                    "public_url": self.url,
                    "kek": house.kek.text(),
                    "peppers": house.pepper.text(),
                    "port": self.port,
                    "sabotage": list(sabotage),
                }
            )
        )
        self._log = (folder / f"gateway-{self.port}.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self.start_took_s = 0.0

    def start(self) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, str(SERVE), str(self._settings)],
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def wait_ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith(b"ready"), self._settings.parent
        self.start_took_s = time.monotonic() - self._began

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        return Path(self._log.name)

    def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(15)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._log.close()


@dataclass
class Seen:
    """What the clients of a load saw, by the text of each message."""

    sent: set[str] = field(default_factory=set)
    statuses: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, int]] = field(default_factory=list)

    def ok(self) -> list[str]:
        """The names of those answered 200; a copy, because the load goes on in its own thread."""
        return [name for name, status in self.statuses.copy().items() if status == 200]

    def until_ok(self, more: int, *, patience_s: float = 60) -> None:
        """Wait for so many more answers of 200: a count, because a time says nothing of traffic."""
        ends, wanted = time.monotonic() + patience_s, len(self.ok()) + more
        while len(self.ok()) < wanted:
            assert time.monotonic() < ends, Counter(self.statuses.copy().values())
            time.sleep(0.02)

    def longest_silence(self, since: float) -> float:
        """The longest time without an answer of 200 from a moment until now, seconds."""
        good = sorted(at for at, status in list(self.times) if status == 200 and at > since)
        moments = [since, *good, time.monotonic()]
        return max(later - one for one, later in itertools.pairwise(moments))

    def back_after(self, moment: float) -> float:
        """Seconds from a moment to the first 200 after it."""
        return min(at for at, status in self.times if status == 200 and at > moment) - moment


async def load(
    url: str,
    key: Key,
    *,
    rate: float,
    until: threading.Event,
    seen: Seen,
    prefix: str = "m",
    clients: int = 1,
) -> None:
    """`rate` messages a second, each with a text of its own, whatever becomes of the ones before.

    Each client has connections of its own, so that several reach several processes.
    """
    origin, _ = split_url(url)
    pools = [Upstream([origin]) for _ in range(clients)]
    tasks: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for n in itertools.count():
        if until.is_set():
            break
        await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
        work = _one(pools[n % clients], origin, key, f"{prefix}-{n}", seen)
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=30)
    for pool in pools:
        await pool.close()


async def burst(
    url: str, key: Key, count: int, *, seen: Seen, prefix: str, clients: int = 32
) -> None:
    """`count` messages as fast as so many clients, one after the other each, get answers."""
    origin, _ = split_url(url)
    numbers = iter(range(count))

    async def one_client() -> None:
        pool = Upstream([origin])
        for n in numbers:
            await _one(pool, origin, key, f"{prefix}-{n}", seen)
        await pool.close()

    await asyncio.gather(*(one_client() for _ in range(clients)))


async def _one(client: Upstream, origin: Any, key: Key, name: str, seen: Seen) -> None:
    request = UpstreamRequest(
        method="POST",
        origin=origin,
        target=f"/v23.0/{VENTAS}/messages",
        headers=[
            (b"authorization", f"Bearer {key.text}".encode()),
            (b"content-type", b"application/json"),
        ],
        body=json.dumps(text(LUCIA, name)).encode(),
    )
    seen.sent.add(name)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            answer = await client.send(request, before_first_byte=lambda: None)
        except NotSent as error:
            seen.errors[f"not sent: {error.code}"] += 1
        except UpstreamError as error:
            seen.errors[f"ambiguous: {error.code}"] += 1
        else:
            seen.statuses[name] = answer.status
            seen.times.append((time.monotonic(), answer.status))


@contextlib.contextmanager
def under_load(
    house: House, url: str, key: Key, *, rate: float, clients: int = 1
) -> Iterator[Seen]:
    """A steady load beside the block, which ends a little after it."""
    seen, until = Seen(), threading.Event()
    work = load(url, key, rate=rate, until=until, seen=seen, clients=clients)
    running = threading.Thread(target=lambda: house.loop.run(work, timeout=3600))
    running.start()
    try:
        yield seen
        time.sleep(1.0)
    finally:
        until.set()
        running.join()
