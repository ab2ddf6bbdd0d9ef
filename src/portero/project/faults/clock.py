"""A wall clock that can be set while a process runs, for that process alone.

Python's own `time.time` and `time.time_ns` are led to it, which is what our processes ask. Clocks
that only count, by which leases and patience are measured, are left alone, as a wrong wall clock
leaves them alone.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_SHIFT = struct.Struct("=q")  # nanoseconds


class Clock:
    """Sets the clocks of the processes that `follow` its file."""

    def __init__(self, file: Path) -> None:
        """Make the file; the clock is right to begin with."""
        file.write_bytes(_SHIFT.pack(0))
        self.file = file

    def shift(self, seconds: float) -> None:
        """Be so far from the machine's clock from now on, backwards when negative."""
        with self.file.open("r+b") as opened:
            opened.write(_SHIFT.pack(round(seconds * 1e9)))


def follow(file: Path) -> None:
    """Lead this process's wall clock to a Clock's file, for good."""
    with file.open("r+b") as opened:
        shared = mmap.mmap(opened.fileno(), _SHIFT.size)
    now_ns = time.time_ns

    def time_ns() -> int:
        return now_ns() + int(_SHIFT.unpack(shared[:])[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
