"""What dies comes back, what stops stops everything, and nothing outlives its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portero.project.supervisor import (
    Program,
    ProgramFailed,
    Supervisor,
    supervising,
    until_signalled,
)

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


# Says when it was asked to stop; the argument says whether it then does.
STUBBORN = """
import signal, sys, time
def asked(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    if sys.argv[3] == "stop":
        raise SystemExit
signal.signal(signal.SIGTERM, asked)
open(sys.argv[1] + "." + sys.argv[2], "w").write("up")
while True:
    time.sleep(0.05)
"""


def noting(log: Path, name: str, then: str = "stop", grace_s: float = 15.0) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", STUBBORN, str(log), name, then),
        environment=dict(os.environ),
        answers=Path(f"{log}.{name}").exists,
        grace_s=grace_s,
    )


def test_programs_stop_in_the_reverse_of_their_order(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            for name in ("database", "gateway", "console"):
                await supervisor.start(noting(log, name))

    asyncio.run(go())

    assert log.read_text().split() == ["console", "gateway", "database"]


def test_who_does_not_stop_when_asked_is_ended_after_its_grace(tmp_path: Path) -> None:
    said: list[str] = []

    async def go() -> None:
        async with supervising(lambda name, line: said.append(f"{name}: {line}")) as supervisor:
            await supervisor.start(noting(tmp_path / "log", "deaf", "stay", grace_s=0.3))

    began = time.monotonic()
    asyncio.run(go())

    assert (tmp_path / "log").read_text().split() == ["deaf"]
    assert "deaf: did not stop in 0.3 s: killed" in said
    assert time.monotonic() - began < 5


def test_a_signal_ends_the_block_and_a_second_one_ends_patience(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            await supervisor.start(noting(log, "deaf", "stay", grace_s=60))
            os.kill(os.getpid(), signal.SIGTERM)
            await until_signalled()

    async def impatient() -> None:
        task = asyncio.create_task(go())
        await until(log.exists, 10)  # the first signal was passed on
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    began = time.monotonic()
    asyncio.run(impatient())

    assert time.monotonic() - began < 15


def test_the_first_pause_is_short_and_a_program_that_keeps_dying_waits_longer(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    up = tmp_path / "up"
    dying = Program(
        name="dying",
        command=(sys.executable, "-c", f"open({str(up)!r}, 'w').close()"),
        environment=dict(os.environ),
        answers=up.exists,
    )

    async def go() -> None:
        async with supervising(lambda _name, line: said.append(line)) as supervisor:
            with contextlib.suppress(ProgramFailed):  # it may end before its first answer is seen
                await supervisor.start(dying)
            await until(lambda: len([s for s in said if "starting again" in s]) >= 3)

    asyncio.run(go())

    again = [s for s in said if "starting again" in s]
    assert again[:3] == [
        f"ended with code 0; starting again in {pause} s" for pause in ("0.2", "0.4", "0.8")
    ]


def test_a_program_that_is_killed_comes_back_at_once_however_often(tmp_path: Path) -> None:
    said: list[str] = []
    pid = tmp_path / "pid"
    killed = Program(
        name="killed",
        command=(
            sys.executable,
            "-c",
            f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
        ),
        environment=dict(os.environ),
        answers=lambda: pid.exists() and pid.read_text() != "",
    )

    async def go() -> None:
        async with supervising(lambda _name, line: said.append(line)) as supervisor:
            await supervisor.start(killed)
            for times in range(1, 5):
                victim = int(pid.read_text())
                pid.unlink()
                os.kill(victim, signal.SIGKILL)
                await until(lambda n=times: said.count("answers again") == n)

    asyncio.run(go())

    again = {s for s in said if "starting again" in s}
    assert again == {"was ended by SIGKILL; starting again in 0.2 s"}


def test_what_a_dead_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    parent = (
        "import subprocess, sys, time\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(f'{worker.pid}\\n')\n"
        "time.sleep(60)\n"
    )
    main = Program(
        name="main",
        command=(sys.executable, "-c", parent, str(file)),
        environment=dict(os.environ),
        answers=lambda: file.exists() and file.read_text() != "",
    )

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            await supervisor.start(main)
            [worker] = pids(file)
            group = os.getpgid(worker)
            os.kill(group, signal.SIGKILL)  # the program itself, which leads its group
            await until(lambda: not alive(worker))

    asyncio.run(go())


def test_lines_are_relayed_behind_the_name_and_cut_when_endless() -> None:
    said: list[tuple[str, str]] = []
    talkative = Program(
        name="talkative",
        command=(
            sys.executable,
            "-c",
            "import sys; print('hola', flush=True); sys.stderr.write('x' * 9999)",
        ),
        environment=dict(os.environ),
    )

    async def go() -> None:
        async with supervising(lambda name, line: said.append((name, line))) as supervisor:
            await supervisor.run(talkative)

    asyncio.run(go())

    assert said[0] == ("talkative", "hola")
    assert all(len(line) <= 4096 for _, line in said)
    assert sum(line.count("x") for _, line in said) >= 4096


def test_a_task_that_ends_badly_is_told_with_its_last_lines() -> None:
    task = Program(
        name="task",
        command=(sys.executable, "-c", "raise SystemExit('the disk is full')"),
        environment=dict(os.environ),
    )

    async def go() -> None:
        async with supervising(quiet) as supervisor:
            await supervisor.run(task)

    with pytest.raises(ProgramFailed, match="task ended with code 1:\nthe disk is full"):
        asyncio.run(go())
