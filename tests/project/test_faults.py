"""The faults do what they say: what passes, what does not, and that a seed gives them again."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from portero.project.faults import processes
from portero.project.faults.clock import Clock
from portero.project.faults.disk import NotAllowed, small_disk
from portero.project.faults.proxy import Endpoint, FaultProxy, Way, proxying
from portero.project.faults.schedule import Kind, draw, play


class Line:
    """A client's end of a connection through the proxy, and what the server has heard."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray
    ) -> None:
        self.heard = heard
        self._reader, self._writer = reader, writer

    async def say(self, data: bytes) -> bytes:
        """Send, and return what comes back at once; b"" at the end."""
        self._writer.write(data)
        async with asyncio.timeout(5):
            return await self._reader.read(65536)

    def end(self) -> None:
        self._writer.write_eof()

    async def read(self) -> bytes:
        async with asyncio.timeout(5):
            return await self._reader.read(65536)

    def close(self) -> None:
        self._writer.close()


Work = Callable[[FaultProxy, Callable[[], Awaitable[Line]]], Awaitable[Any]]


@asynccontextmanager
async def an_echo(where: str, folder: Path) -> AsyncIterator[tuple[Endpoint, bytearray]]:
    heard = bytearray()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                heard.extend(data)
                writer.write(data)
            writer.write(b"bye")
        writer.close()

    if where == "unix":
        server = await asyncio.start_unix_server(echo, folder / "server")
        yield folder / "server", heard
    else:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[:2], heard
    server.close()
    await asyncio.sleep(0.02)  # its last connections see their end


def through(where: str, folder: Path, work: Work) -> Any:
    """Run it with a proxy before a server that says everything back."""

    async def go() -> Any:
        listen: Endpoint = folder / "proxy" if where == "unix" else ("127.0.0.1", 0)
        async with (
            an_echo(where, folder) as (target, heard),
            proxying(listen, target, marks=(b"LISTEN",)) as (proxy, bound),
        ):
            lines = []

            async def line() -> Line:
                ends = await (
                    asyncio.open_unix_connection(bound)
                    if isinstance(bound, Path)
                    else asyncio.open_connection(*bound)
                )
                lines.append(Line(*ends, heard))
                return lines[-1]

            try:
                return await work(proxy, line)
            finally:
                for one in lines:
                    one.close()

    return asyncio.run(go())


WHERE = pytest.mark.parametrize("where", ["tcp", "unix"])


@WHERE
def test_what_is_said_passes_both_ways_and_so_does_the_end(where: str, tmp_path: Path) -> None:
    async def work(_proxy: FaultProxy, line: Callable[[], Awaitable[Line]]) -> list[bytes]:
        one = await line()
        said = [await one.say(b"a" * 1000)]
        one.end()
        return [*said, await one.read(), await one.read()]

    assert through(where, tmp_path, work) == [b"a" * 1000, b"bye", b""]


@WHERE
def test_a_delay_delays_and_mending_ends_it(where: str, tmp_path: Path) -> None:
    async def work(
        proxy: FaultProxy, line: Callable[[], Awaitable[Line]]
    ) -> tuple[float, set[float]]:
        one = await line()
        proxy.delay(0.2)
        began = time.monotonic()
        await one.say(b"hola")
        took = time.monotonic() - began
        proxy.mend()
        return took, {proxy._delay_s}

    took, after = through(where, tmp_path, work)

    assert took >= 0.4  # each way
    assert after == {0.0}


@WHERE
def test_what_is_swallowed_passes_once_mended(where: str, tmp_path: Path) -> None:
    async def work(
        proxy: FaultProxy, line: Callable[[], Awaitable[Line]]
    ) -> tuple[bytes, bytes, bytes]:
        one = await line()
        proxy.swallow()
        asked = asyncio.ensure_future(one.say(b"hola"))
        await asyncio.sleep(0.1)
        before = bytes(one.heard)
        proxy.mend()
        return before, await asked, bytes(one.heard)

    assert through(where, tmp_path, work) == (b"", b"hola", b"hola")


def test_held_are_marked_connections_alone(tmp_path: Path) -> None:
    async def work(proxy: FaultProxy, line: Callable[[], Awaitable[Line]]) -> tuple[bytes, bytes]:
        marked, other = await line(), await line()
        await marked.say(b"LISTEN policy")
        proxy.hold_marked()
        asked = asyncio.ensure_future(marked.say(b"beat"))
        free = await other.say(b"free")
        held = bytes(marked.heard)
        proxy.mend()
        await asked
        return free, held

    free, held = through("unix", tmp_path, work)

    assert free == b"free"
    assert b"beat" not in held


def broken(said: bytes | BaseException) -> bool:
    return isinstance(said, ConnectionError) or said == b""


@WHERE
@pytest.mark.parametrize(
    ("way", "count", "heard", "answered"),
    [
        (Way.TO_SERVER, 0, b"", b""),
        (Way.TO_SERVER, 3, b"hol", b""),
        (Way.TO_CLIENT, 0, b"hola", b""),
        (Way.TO_CLIENT, 3, b"hola", b"hol"),
    ],
    ids=["before it arrives", "amid the request", "after it arrived", "amid the answer"],
)
def test_a_connection_is_reset_after_so_many_bytes(
    where: str, tmp_path: Path, way: Way, count: int, heard: bytes, answered: bytes
) -> None:
    async def work(
        proxy: FaultProxy, line: Callable[[], Awaitable[Line]]
    ) -> tuple[bytes, bytes, bool]:
        one = await line()
        await asyncio.sleep(0.05)
        proxy.reset_after(way, count)
        got = b""
        try:
            while data := await one.say(b"" if got else b"hola"):
                got += data
            is_broken = True
        except ConnectionError:
            is_broken = True
        await asyncio.sleep(0.05)
        return bytes(one.heard), got, is_broken

    found = through(where, tmp_path, work)

    assert found[0] == heard
    assert answered.startswith(found[1])  # a reset may overtake what was passed before it
    assert found[2]


def test_a_reset_over_tcp_is_an_error_and_not_an_end(tmp_path: Path) -> None:
    async def work(proxy: FaultProxy, line: Callable[[], Awaitable[Line]]) -> None:
        one = await line()
        await one.say(b"hola")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await one.read()

    through("tcp", tmp_path, work)


@WHERE
def test_one_way_ends_and_the_other_still_passes(where: str, tmp_path: Path) -> None:
    async def work(proxy: FaultProxy, line: Callable[[], Awaitable[Line]]) -> bytes:
        one = await line()
        await one.say(b"hola")
        proxy.half_close(Way.TO_SERVER)  # the server sees an end, and says goodbye
        return await one.read()

    assert through(where, tmp_path, work) == b"bye"


@WHERE
def test_who_is_away_refuses_and_is_back_when_mended(where: str, tmp_path: Path) -> None:
    async def work(
        proxy: FaultProxy, line: Callable[[], Awaitable[Line]]
    ) -> tuple[bool, bytes, int]:
        proxy.refuse()
        refused = await line()
        said: bytes | BaseException
        try:
            said = await refused.say(b"hola")
        except ConnectionError as error:
            said = error
        proxy.mend()
        return broken(said), await (await line()).say(b"hola"), proxy.connections

    assert through(where, tmp_path, work) == (True, b"hola", 2)


def test_a_target_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    async def work(proxy: FaultProxy, line: Callable[[], Awaitable[Line]]) -> bool:
        proxy.target = tmp_path / "nobody"
        try:
            return broken(await (await line()).say(b"hola"))
        except ConnectionError:
            return True

    assert through("unix", tmp_path, work)


# Schedules

KINDS = (Kind("rain", 3, 0.1, 0.2), Kind("hail", 1, 0.5, 0.9))


def test_a_seed_gives_the_same_faults_again_and_another_seed_others() -> None:
    first, again, other = (draw(seed, 200, KINDS, calm_s=0.1) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    drawn = Counter(step.kind for step in first)
    assert drawn["rain"] > 2 * drawn["hail"] > 0
    assert all(step.calm_s <= 1.0 for step in first)
    assert all(0.5 <= step.lasts_s <= 0.9 for step in first if step.kind == "hail")


def test_a_schedule_is_played_in_order_each_fault_ended_before_the_next() -> None:
    done: list[str] = []

    def deed(name: str) -> Any:
        @contextmanager
        def fault(dice: random.Random) -> Any:
            done.append(f"{name} {dice.random():.6f}")
            yield
            done.append("over")

        return fault

    steps = draw(3, 10, KINDS, calm_s=0.1)
    slept: list[float] = []
    played = list(play(steps, {k.name: deed(k.name) for k in KINDS}, sleep=slept.append))

    assert played == steps
    assert done[1::2] == ["over"] * 10
    assert done[0::2] == [f"{s.kind} {random.Random(s.dice).random():.6f}" for s in steps]
    assert slept == [t for s in steps for t in (s.calm_s, s.lasts_s)]


# Processes, clocks, disks


def test_a_process_is_stopped_continued_and_killed() -> None:
    counting = "import time\nfor n in range(10**6): print(n, flush=True); time.sleep(0.01)"
    with subprocess.Popen([sys.executable, "-c", counting], stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        assert one.pid in processes.children(os.getpid())
        assert processes.command(one.pid)[-1] == counting
        with processes.stopped(one.pid):
            time.sleep(0.05)
            state = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()[0]
            assert state == "T"
        one.stdout.readline()
        processes.kill(one.pid)
        assert one.wait(5) == -9
        processes.kill(one.pid)  # gone already: no error
        assert one.pid not in processes.children(os.getpid())


@pytest.mark.parametrize("pid", [1, 0, -1])
def test_what_is_no_single_process_of_ours_is_not_harmed(pid: int) -> None:
    with pytest.raises(ValueError, match="no process to be harmed"):
        processes.kill(pid)


def test_a_clock_is_set_while_a_process_runs_and_others_keep_theirs(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    code = (
        "import sys, time; from pathlib import Path; from portero.project.faults import clock\n"
        "clock.follow(Path(sys.argv[1]))\n"
        "for _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    )
    command = [sys.executable, "-c", code, str(clock.file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None

        def look() -> list[float]:
            one.stdin.write("\n")
            one.stdin.flush()
            return [float(part) for part in one.stdout.readline().split()]

        before = look()
        clock.shift(-86_400)
        after = look()
        one.stdin.close()

    assert before[0] == pytest.approx(time.time(), abs=60)
    assert after[0] - before[0] == pytest.approx(-86_400, abs=60)
    assert 0 <= after[1] - before[1] < 60


def test_a_small_disk_is_soon_full_or_says_why_there_is_none() -> None:
    try:
        with small_disk("1m") as disk, pytest.raises(OSError, match="No space left"):
            (disk / "filling").write_bytes(b"\0" * 2_000_000)
    except NotAllowed as why:
        pytest.skip(str(why))
