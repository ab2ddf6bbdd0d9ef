"""Ends, stops and continues processes by their pid, and finds those that another one started."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROC = Path("/proc")


def kill(*pids: int) -> None:
    """SIGKILL: no goodbye, no flush. One that is gone already is no error."""
    _signal(signal.SIGKILL, pids)


def stop(*pids: int) -> None:
    """SIGSTOP: frozen between two instructions, connections open."""
    _signal(signal.SIGSTOP, pids)


def resume(*pids: int) -> None:
    """SIGCONT: goes on as if nothing had been."""
    _signal(signal.SIGCONT, pids)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Stopped inside the block, and continued however it ends."""
    stop(*pids)
    try:
        yield
    finally:
        resume(*pids)


def children(pid: int) -> list[int]:
    """The processes that one started itself and that still run, oldest first. Linux only."""
    found = []
    for path in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name may hold blanks and brackets; what follows its last one is plain.
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state not in "ZX":
                found.append(int(path.parent.name))
    return sorted(found)


def command(pid: int) -> list[str]:
    """What a process was started with; nothing for one that is gone. Linux only."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_text().split("\0")[:-1]
    return []


def _signal(number: signal.Signals, pids: tuple[int, ...]) -> None:
    for pid in pids:
        if pid <= 1:
            raise ValueError(f"{pid} is no process to be harmed")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
