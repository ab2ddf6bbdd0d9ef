"""G19: clients that send a byte a second hold nobody up, and do not stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from gateway.house import VENTAS, House, Key
from portero.gateway import graph, process, upload_door
from portero.gateway.body import BodyLimits
from portero.gateway.protocol import HttpLimits
from portero.gateway.server import Listener
from portero.gateway.upstream import Upstream, UpstreamRequest, split_url
from storm.storms import Killable

_ESTABLISHED = "01"


class Slow:
    """A crowd of slow clients. `seen` tells what became of them, once they have stopped."""

    def __init__(self, port: int, count: int, key: Key) -> None:
        program = Path(__file__).with_name("slow.py")
        told = [str(port), str(count), key.text, VENTAS, "1"]
        self._process = subprocess.Popen(
            [sys.executable, str(program), *told], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def stop(self) -> dict[str, Any]:
        told, _ = self._process.communicate(timeout=30)
        seen: dict[str, Any] = json.loads(told)
        return seen


@contextlib.contextmanager
def slow_clients(port: int, count: int, key: Key, seen: dict[str, Any]) -> Iterator[None]:
    """`count` of them, all connected, around the block."""
    crowd = Slow(port, count, key)
    try:
        wait_until(lambda: connections(port) >= count)
        yield
    finally:
        seen.update(crowd.stop())
    wait_until(lambda: connections(port) < count / 2)


def wait_until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def connections(port: int) -> int:
    """Established connections that a server on this port holds, as the kernel counts them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ours = (line.split() for line in lines)
    return sum(f[1].endswith(f":{port:04X}") and f[3] == _ESTABLISHED for f in ours)


async def times_ms(url: str, key: Key, *, rate: float, seconds: float) -> list[float]:
    """How long reads took that were sent at a fixed rate, whatever became of those before."""
    origin, _ = split_url(url)
    client = Upstream([origin])
    taken: list[float] = []

    async def read_one() -> None:
        began = time.perf_counter()
        request = UpstreamRequest(
            method="GET",
            origin=origin,
            target=f"/v23.0/{VENTAS}",
            headers=[(b"authorization", f"Bearer {key.text}".encode())],
        )
        answer = await client.send(request, before_first_byte=lambda: None)
        while answer.status == 503:  # a lease of a second lapses on a machine with too much to do
            await asyncio.sleep(0.05)
            answer = await client.send(request, before_first_byte=lambda: None)
        assert answer.status == 200, answer.body
        taken.append((time.perf_counter() - began) * 1000)

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
            tasks.create_task(read_one())
    await client.close()
    return sorted(taken)


def p99(taken: list[float]) -> float:
    return taken[len(taken) * 99 // 100]


@pytest.fixture
def reader(house: House) -> Key:
    return house.workspace.key({"number:read": "all", "send:text": "all"}, name="reader")


def test_g19_slow_clients_are_cut_off_in_time_while_others_are_served(
    house: House, reader: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of production are ten seconds; two show the same sooner."""
    quick = partial(BodyLimits, silence_s=2.0, grace_s=2.0)
    monkeypatch.setattr(graph, "_LIMITS", quick(max_bytes=graph.BODY_MAX))
    monkeypatch.setattr(upload_door, "BodyLimits", quick)
    monkeypatch.setattr(process, "Listener", partial(Listener, limits=HttpLimits(head_s=2.0)))
    gateway, seen = house.another_gateway(), dict[str, Any]()

    with slow_clients(gateway.port, 40, reader, seen):
        served = house.loop.run(times_ms(gateway.url, reader, rate=20, seconds=3.5))

    assert len(served) == 70
    assert seen["sent"] > 40
    assert len(seen["lasted"]) >= 40  # everyone was cut off, and came again
    assert min(seen["lasted"]) > 1.5
    assert max(seen["lasted"]) < 6


@pytest.mark.long
def test_g19_two_hundred_slow_clients_do_not_double_anybodys_p99(
    house: House, reader: Key, killable: Killable
) -> None:
    killable.start()
    killable.wait_ready()
    asked = partial(times_ms, killable.url, reader, rate=50, seconds=4)
    house.loop.run(asked())
    without, among = [], []

    for _ in range(15):
        seen: dict[str, Any] = {}
        without.append(p99(house.loop.run(asked())))
        with slow_clients(killable.port, 200, reader, seen):
            among.append(p99(house.loop.run(asked())))
            assert connections(killable.port) >= 200
        assert seen["opened"] >= 200
        assert seen["sent"] > 200 * 3

    # Neighbours in time: what else the machine does troubles both alike.
    ratios = [a / b for a, b in zip(among, without, strict=True)]
    assert median(ratios) <= 2, (ratios, without, among)
