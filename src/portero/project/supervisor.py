"""Keeps child processes running: starts them in order, relays what they say, restarts what dies.

A child runs in a process group of its own, so that Ctrl-C reaches the supervisor alone and the
order of stopping is ours; whatever a dead child leaves in its group is ended with it. Children tie
themselves to us (`tether`), so none outlives a supervisor that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

Say = Callable[[str, str], None]
"""Called with a program's name and one line about it or from it."""

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
STABLE_S = 10.0  # a life at least this long makes the next pause short again
START_PATIENCE_S = 60.0
_POLL_S = 0.05
_LAST_LINES = 8
_LONGEST_LINE = 4096
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ProgramFailed(Exception):
    """A program ended, or stayed silent, before it ever answered. The message holds its last lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to tell that it is of use.

    Attributes:
        answers: asked in a thread, within a second or so; a pid that exists proves nothing.
        descriptors: open files the child inherits under the same numbers.
        grace_s: from SIGTERM to SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    answers: Callable[[], bool] = lambda: True
    descriptors: tuple[int, ...] = ()
    grace_s: float = 15.0


class Supervisor:
    """Made by `supervising`, which also stops everything."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._children: list[_Child] = []

    async def start(self, *programs: Program) -> None:
        """Start programs side by side and return once all of them answer. Raises ProgramFailed."""
        begun = [_Child(program, self._say) for program in programs]
        self._children += begun
        for child in begun:
            child.begin()
        for child in begun:
            await child.until_first_answer()

    async def run(self, program: Program) -> None:
        """Run a program that ends by itself. Raises ProgramFailed unless it ends well."""
        child = _Child(program, self._say)
        self._children.append(child)
        code = await child.live()
        self._children.remove(child)
        if code != 0:
            raise child.failure(_how(code))

    async def stop(self) -> None:
        """Stop in the reverse order of starting, one after another."""
        for child in reversed(self._children):
            await child.end()

    def hurry(self) -> None:
        for child in self._children:
            child.kill()


@asynccontextmanager
async def supervising(say: Say) -> AsyncIterator[Supervisor]:
    """Supervise inside the block. SIGTERM and SIGINT end the block; a second one ends patience."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - a coroutine of asyncio runs in a task
    supervisor = Supervisor(say)
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            supervisor.hurry()
        else:
            asked = True
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield supervisor
    except asyncio.CancelledError:
        if not asked:
            raise
        task.uncancel()
    finally:
        asked = True
        await supervisor.stop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def until_signalled() -> None:
    """Wait inside `supervising` for the signal that ends its block."""
    await asyncio.Event().wait()


class _Child:
    """One program through all its lives."""

    def __init__(self, program: Program, say: Say) -> None:
        self._program = program
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._answered = asyncio.Event()
        self._ended_once = asyncio.Event()
        self._answers_now = False
        self._ending = False

    def begin(self) -> None:
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def until_first_answer(self) -> None:
        waits = [asyncio.ensure_future(e.wait()) for e in (self._answered, self._ended_once)]
        try:
            done, _ = await asyncio.wait(
                waits, timeout=START_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
        if not done:
            raise self.failure(f"did not answer within {START_PATIENCE_S:g} s")
        if not self._answered.is_set():
            raise self.failure("ended before it answered")

    def failure(self, how: str) -> ProgramFailed:
        lines = "\n".join(self._last_lines)
        return ProgramFailed(f"{self._program.name} {how}" + (f":\n{lines}" if lines else ""))

    async def end(self) -> None:
        """Ask, wait, insist. Nothing happens when it is not running."""
        self._ending = True
        if self._process is not None and self._process.returncode is None:
            self._signal_group(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), self._program.grace_s)
            except TimeoutError:
                self._say(
                    self._program.name, f"did not stop in {self._program.grace_s:g} s: killed"
                )
                self.kill()
                await self._process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def kill(self) -> None:
        self._signal_group(signal.SIGKILL)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code = await self.live()
            self._ended_once.set()
            if self._ending:
                return
            if self._was_well(code, lived_s=time.monotonic() - began):
                pause = FIRST_PAUSE_S
            self._say(self._program.name, f"{_how(code)}; starting again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _was_well(self, code: int, *, lived_s: float) -> bool:
        """Whether nothing says that the next life will fail, too: it was stable, or was killed."""
        killed = self._answers_now and code == -signal.SIGKILL
        return killed or lived_s >= STABLE_S

    async def live(self) -> int:
        """One life, from its start to the end of everything it started; returns its exit code."""
        reading, writing = os.pipe()
        try:
            process = await self._spawn(writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._process = process
        loop = asyncio.get_running_loop()
        listening = loop.create_task(self._listen())
        relaying = loop.create_task(self._relay(reading))
        try:
            code = await process.wait()
        finally:
            listening.cancel()
            self._signal_group(signal.SIGKILL)  # workers of its own that it left behind
            await asyncio.wait([listening, relaying], timeout=1)
        return code

    async def _spawn(self, output: int) -> asyncio.subprocess.Process:
        # A pipe of ours: with one of asyncio's, wait() returns only when everybody who inherited
        # its end is gone, and a worker left behind would keep a dead program from coming back.
        return await asyncio.create_subprocess_exec(
            *self._program.command,
            env=dict(self._program.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=self._program.descriptors,
            process_group=0,
        )

    async def _listen(self) -> None:
        self._answers_now = False
        while not await asyncio.to_thread(self._program.answers):
            await asyncio.sleep(_POLL_S)
        if self._answered.is_set():
            self._say(self._program.name, "answers again")
        self._answered.set()
        self._answers_now = True

    async def _relay(self, descriptor: int) -> None:
        reader, pipe = asyncio.StreamReader(), os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            rest = b""
            while chunk := await reader.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._tell(line)
            if rest:
                self._tell(rest)
        finally:
            transport.close()

    def _tell(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode(errors="replace").rstrip()
        self._last_lines.append(text)
        self._say(self._program.name, text)

    def _signal_group(self, number: signal.Signals) -> None:
        # The group's number is the child's pid, which stays taken as long as the group has members.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
