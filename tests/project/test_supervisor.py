"""What dies comes back, what stops stops everything, and nothing outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portero.project.supervisor import Program, ProgramFailed, Supervisor, supervising

# A child that says its pid and waits; tethered to its parent as ours are.
CHILD = """
import os, sys, time
from portero.project.tether import die_with
die_with(int(sys.argv[1]))
open(sys.argv[2], "a").write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def program(file: Path, name: str = "child") -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", CHILD, str(os.getpid()), str(file)),
        environment=dict(os.environ),
        answers=lambda: file.exists() and file.read_text() != "",
    )


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition, seconds: float = 5.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def quiet(_name: str, _line: str) -> None:
    pass


def test_a_child_that_is_killed_is_back_within_five_seconds(tmp_path: Path) -> None:
    file = tmp_path / "pids"

    async def go() -> tuple[float, list[int]]:
        async with supervising(quiet) as supervisor:
            await supervisor.start(program(file))
            os.kill(pids(file)[0], signal.SIGKILL)
            took = await until(lambda: len(pids(file)) > 1)
        return took, pids(file)

    took, seen = asyncio.run(go())

    assert took < 5
    assert not any(alive(pid) for pid in seen)


def test_leaving_ends_every_child_and_nothing_else(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            await supervisor.start(*(program(file, file.name) for file in files))

    try:
        asyncio.run(go())

        assert not any(alive(pid) for file in files for pid in pids(file))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_no_child_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, os, time\n"
            "subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid()), sys.argv[2]])\n"
            "time.sleep(60)",
            CHILD,
            str(file),
        ]
    )
    asyncio.run(until(lambda: len(pids(file)) == 1, 10))

    parent.kill()
    parent.wait()

    asyncio.run(until(lambda: not alive(pids(file)[0]), 5))


def test_a_program_that_never_answers_says_its_last_words() -> None:
    broken = Program(
        name="broken",
        command=(sys.executable, "-c", "print('the port is taken'); raise SystemExit(5)"),
        environment=dict(os.environ),
        answers=lambda: False,
    )

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            assert isinstance(supervisor, Supervisor)
            await supervisor.start(broken)

    with pytest.raises(ProgramFailed, match="the port is taken"):
        asyncio.run(go())
