"""T10: one workspace at ten times another's load, where both wait for the same connections to Meta.

Meta answers after a quarter of a second and a gateway has sixteen connections to it, so that it can
make sixty-four calls a second. One workspace asks for eighty, the other for eight. What the eight take
is compared with what they take while the eighty go through a gateway beside it: the machine, the
database and Meta have the same to do, and only the queue for connections is not shared.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import median

import pytest

from gateway.house import House, Key, Workspace
from gateway.scripted import serving
from portero.gateway.upstream import Upstream, UpstreamError, UpstreamRequest, split_url
from storm.storms import Killable
from storm.test_slow_clients import p99, times_ms

META_S = 0.25
RATE, TIMES = 8, 10
SECONDS, ROUNDS = 8, 3
GATHERS_S = 4.0
"""After which a queue is long where there is one."""
THEIRS = "100000000000951"

Gateways = Callable[[str], tuple[Killable, Killable]]


@pytest.fixture
def noisy(house: House) -> Key:
    neighbour = Workspace(house.database, house.kek, house.pepper).create(
        name="Vecina", waba="100000000000950", numbers=(THEIRS,), templates=()
    )
    return neighbour.key({"number:read": "all"}, name="noisy")


@pytest.fixture
def quiet(house: House) -> Key:
    return house.workspace.key({"number:read": "all"}, name="quiet")


@pytest.fixture
def slow_meta(house: House) -> Iterator[str]:
    """Answers whatever is asked about a number, after a while."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            number = head.split(b" ")[1].partition(b"?")[0].rpartition(b"/")[2].decode()
            await asyncio.sleep(META_S)
            body = json.dumps({"id": number, "verified_name": "Ventas"}).encode()
            kind = b"Content-Type: application/json\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (kind, len(body)))
            writer.write(body)

    stack = AsyncExitStack()
    server = house.loop.run(stack.enter_async_context(serving(script)))
    scheme, host, port = server.origin
    yield f"{scheme}://{host}:{port}"
    house.loop.run(stack.aclose())


@pytest.fixture
def gateways(house: House, tmp_path: Path, slow_meta: str) -> Iterator[Gateways]:
    """Two that are alike, with something done otherwise in both."""
    made: list[Killable] = []

    def start(otherwise: str) -> tuple[Killable, Killable]:
        for _ in range(2):
            made.append(Killable(house, tmp_path, sabotage=(otherwise,), graph_url=slow_meta))
            made[-1].start()
        for one in made:
            one.wait_ready()
        first, second = made
        return first, second

    yield start
    for one in made:
        one.close()


@asynccontextmanager
async def noise(url: str, key: Key) -> AsyncIterator[None]:
    """Around the block ask at ten times the rate, whatever becomes of it."""
    making = asyncio.create_task(make_noise(url, key))
    await asyncio.sleep(GATHERS_S)
    try:
        yield
        assert not making.done()
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


async def make_noise(url: str, key: Key) -> None:
    origin, _ = split_url(url)
    client, headers = Upstream([origin]), [(b"authorization", f"Bearer {key.text}".encode())]
    request = UpstreamRequest("GET", origin, f"/v23.0/{THEIRS}", headers)

    async def ask() -> None:
        with suppress(UpstreamError):
            await client.send(request, before_first_byte=lambda: None)

    began, asked, under_way = time.monotonic(), 0, set[asyncio.Task[None]]()
    try:
        while True:
            await asyncio.sleep(max(0.0, began + asked / (RATE * TIMES) - time.monotonic()))
            task = asyncio.create_task(ask())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            asked += 1
    finally:
        await client.close()
        await asyncio.gather(*under_way)


async def quiet_among(gateway: Killable, noisy_at: Killable, quiet: Key, noisy: Key) -> float:
    """The p99 of the quiet at one gateway, milliseconds, with the noise at that one or another."""
    async with noise(noisy_at.url, noisy):
        taken = await times_ms(gateway.url, quiet, rate=RATE, seconds=SECONDS)
    await asyncio.sleep(META_S * 2)  # what is on its way to Meta comes back
    return p99(taken)


def ratios(house: House, here: Killable, beside: Killable, quiet: Key, noisy: Key) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        apart = house.loop.run(quiet_among(here, beside, quiet, noisy))
        among = house.loop.run(quiet_among(here, here, quiet, noisy))
        assert apart >= META_S * 1000
        found.append(among / apart)
    return found


@pytest.mark.long
def test_t10_ten_times_the_load_of_one_does_not_double_the_p99_of_another(
    house: House, quiet: Key, noisy: Key, gateways: Gateways
) -> None:
    here, beside = gateways("hold_few_connections")

    found = ratios(house, here, beside, quiet, noisy)

    assert median(found) <= 2, found


@pytest.mark.long
def test_t10_control_where_the_first_comes_first_the_p99_of_another_is_a_multiple(
    house: House, quiet: Key, noisy: Key, gateways: Gateways
) -> None:
    here, beside = gateways("let_the_first_come_first")

    found = ratios(house, here, beside, quiet, noisy)

    assert median(found) > 2, found
