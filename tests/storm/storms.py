"""What storms share: a gateway one can kill, a steady load, and the ledgers to compare after."""

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.house import LUCIA, VENTAS, House, Key, text
from portero.gateway.upstream import NotSent, Upstream, UpstreamError, UpstreamRequest, split_url

SERVE = Path(__file__).with_name("serve.py")


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

    def start(self) -> None:
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

    statuses: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, int]] = field(default_factory=list)

    def ok(self) -> list[str]:
        return [name for name, status in self.statuses.items() if status == 200]

    def back_after(self, moment: float) -> float:
        """Seconds from a moment to the first 200 after it."""
        return min(at for at, status in self.times if status == 200 and at > moment) - moment


async def load(
    url: str, key: Key, *, rate: float, until: threading.Event, seen: Seen, prefix: str = "m"
) -> None:
    """`rate` messages a second, each with a text of its own, whatever becomes of the ones before."""
    origin, _ = split_url(url)
    client = Upstream([origin])
    tasks: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for n in itertools.count():
        if until.is_set():
            break
        await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
        name = f"{prefix}-{n}"
        task = asyncio.get_running_loop().create_task(_one(client, origin, key, name, seen))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=30)
    await client.close()


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
def under_load(house: House, url: str, key: Key, *, rate: float) -> Iterator[Seen]:
    """A steady load beside the block, which ends a little after it."""
    seen, until = Seen(), threading.Event()
    work = load(url, key, rate=rate, until=until, seen=seen)
    running = threading.Thread(target=lambda: house.loop.run(work, timeout=600))
    running.start()
    try:
        yield seen
        time.sleep(1.0)
    finally:
        until.set()
        running.join()


@dataclass
class Comparison:
    """The sandbox's ledger against the records, after a storm."""

    sent: int
    without_intent: int
    sent_twice: int
    ok_without_outcome: int
    open_intents: int

    @property
    def violations(self) -> int:
        return self.without_intent + self.sent_twice + self.ok_without_outcome


def compare(house: House, seen: Seen) -> Comparison:
    """Sent = recorded, nothing twice, and what a client was told has its end on record."""
    arrived = [json.loads(r["body"]) for r in house.sandbox.ledger() if r["method"] == "POST"]
    records = house.workspace.records()
    intents = {
        str(r["call_id"]) for r in records if r["kind"] == "intent" and r["effect"] == "allow"
    }
    outcomes = {str(r["call_id"]) for r in records if r["kind"] == "outcome"}
    call_of = {body["text"]["body"]: body["biz_opaque_callback_data"] for body in arrived}
    texts = Counter(body["text"]["body"] for body in arrived)
    return Comparison(
        sent=len(arrived),
        without_intent=sum(1 for call in call_of.values() if call not in intents),
        sent_twice=sum(count - 1 for count in texts.values()),
        ok_without_outcome=sum(1 for name in seen.ok() if call_of.get(name) not in outcomes),
        open_intents=len(intents - outcomes),
    )


def wait_until_closed(house: House, *, within_s: float = 15) -> None:
    """Until every admitted call has an outcome, `unknown` included."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        records = house.workspace.records()
        intents = {
            r["call_id"] for r in records if r["kind"] == "intent" and r["effect"] == "allow"
        }
        if intents <= {r["call_id"] for r in records if r["kind"] == "outcome"}:
            return
        time.sleep(0.2)
    raise AssertionError("calls are still open")


def outcomes(house: House) -> Mapping[str, int]:
    return Counter(r["outcome"] for r in house.workspace.records() if r["kind"] == "outcome")
