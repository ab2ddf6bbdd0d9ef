"""What the figures were taken on, and what a commit costs there in this very minute."""

from __future__ import annotations

import os
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg


def machine() -> dict[str, str]:
    """Say the machine in the words a reader needs to repeat the run."""
    return {
        "on": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def lone_commit_ms(dsn: str, *, count: int = 200) -> float:
    """Commit one small row after the other with nobody else; return the median, milliseconds.

    Whatever waits for a commit can be no faster than this, so it is taken in the same minute.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_lone_commit (n int)")
        connection.execute("INSERT INTO bench_lone_commit VALUES (0)", prepare=True)
        taken = []
        for n in range(count):
            began = time.perf_counter()
            connection.execute("INSERT INTO bench_lone_commit VALUES (%s)", [n], prepare=True)
            taken.append(time.perf_counter() - began)
        connection.execute("DROP TABLE bench_lone_commit")
    return statistics.median(taken) * 1000
