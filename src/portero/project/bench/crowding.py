"""A process of its own that loads a crowd: what it takes, and what it keeps.

Started as `python -m portero.project.bench.crowding {engine|gateway} DSN WORKSPACE`, the key that seals
the workspace's keys on standard input; prints figures.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import cast
from uuid import UUID

import asyncpg

from portero.engine import Bindings, Check, Context, Policy, Resource, Snapshot, compile_policy
from portero.gateway.workspaces import Workspaces
from portero.project.bench.crowd import NOW, NUMBERS
from portero.store.listed import in_workspace
from portero.store.policy import policy_from_rows, policy_rows
from portero.store.presence import Presence
from portero.store.sealing import KeyRing

_CONTEXT = Context(now=NOW, weekday=0, minute=600)
_CHECK = Check("send:text", Resource("conversation", number=NUMBERS[3]))
_ACTIVE = 2000
"""People who ask in a busy hour."""


def resident_mib() -> float:
    """The memory of this process that is not in files or swapped out."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's memory")


async def engine(pool: asyncpg.Pool, workspace: UUID, _kek: KeyRing) -> dict[str, float]:
    """Load and compile by hand, so that the parts can be told apart."""
    before = _trimmed_mib()
    began = time.perf_counter()
    async with in_workspace(pool, workspace, readonly=True) as connection:
        rows = await policy_rows(connection, workspace)
    building, cpu = time.perf_counter(), time.process_time()
    loaded = policy_from_rows(workspace, rows)
    snapshot = compile_policy(loaded.policy)
    figures = {
        "s from the database": time.perf_counter() - began,
        "s of it to build": time.perf_counter() - building,
        "CPU s to build": time.process_time() - cpu,
    }
    del rows, loaded
    figures["MiB of the snapshot"] = _trimmed_mib() - before
    return figures | _asked(snapshot)


async def gateway(pool: asyncpg.Pool, workspace: UUID, kek: KeyRing) -> dict[str, float]:
    """Load as the gateway does, and leave the memory as it leaves it."""
    before = resident_mib()
    workspaces = Workspaces(pool=pool, presence=cast(Presence, _Still()), kek=kek)
    began = time.perf_counter()
    state = await workspaces.current(workspace)
    taken = time.perf_counter() - began
    return {
        "s until the gateway can decide": taken,
        "MiB the process keeps of it": resident_mib() - before,
        "MiB of the whole process": resident_mib(),
        "bindings": float(len(state.snapshot.policy.bindings)),
    }


class _Still:
    """The presence of a process in a database where nothing moves."""

    def when_moved(self, hearer: Callable[[UUID], None]) -> None: ...

    def head(self, _workspace: UUID) -> int:
        return 0

    def moved(self, _workspace: UUID, _version: int) -> None:
        """There is nobody to tell."""


def _trimmed_mib() -> float:
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return resident_mib()


def _asked(snapshot: Snapshot) -> dict[str, float]:
    policy = snapshot.policy
    askers = [p.id for p in islice(policy.principals, _ACTIVE)]
    first = _seconds(lambda: [snapshot.decide(who, (_CHECK,), _CONTEXT) for who in askers])
    again = _seconds(lambda: [snapshot.decide(who, (_CHECK,), _CONTEXT) for who in askers])
    named = _seconds(lambda: snapshot.grantors(_CHECK, _CONTEXT))
    return {
        "µs a first decision": first / len(askers) * 1e6,
        "µs a decision": again / len(askers) * 1e6,
        "ms a changed role": median(_changes(snapshot, _roles(policy))) * 1e3,
        "ms a changed binding": median(_changes(snapshot, _bindings(policy))) * 1e3,
        "s the first grantors": named,
        "ms grantors": median(
            _seconds(lambda: snapshot.grantors(_CHECK, _CONTEXT)) for _ in range(9)
        )
        * 1e3,
        "grantors": float(len(snapshot.grantors(_CHECK, _CONTEXT))),
    }


Change = Callable[[Policy], tuple[Policy, str]]
"""Makes the next version, and says whom it touches."""


def _changes(snapshot: Snapshot, changes: Iterator[Change]) -> Iterator[float]:
    """From the changed rules in hand to a decision under them."""
    for change in changes:
        began = time.process_time()
        policy, touched = change(snapshot.policy)
        snapshot = snapshot.followed_by(policy)
        snapshot.decide(touched, (_CHECK,), _CONTEXT)
        yield time.process_time() - began


def _roles(policy: Policy) -> Iterator[Change]:
    anybody = policy.principals[0].id
    for _ in range(20):

        def change(before: Policy) -> tuple[Policy, str]:
            first, *others = before.roles
            less = replace(first, cells=dict(list(first.cells.items())[:-1]))
            return replace(before, version=before.version + 1, roles=(*others, less)), anybody

        yield change


def _bindings(policy: Policy) -> Iterator[Change]:
    for person in islice(policy.principals, 20):

        def change(before: Policy, who: str = person.id) -> tuple[Policy, str]:
            bindings = cast(Bindings, before.bindings)
            mine = bindings.of(who)[:1]
            begun = [replace(one, until=NOW - 1) for one in mine]
            changed = bindings.changed(ended=mine, begun=begun)
            return replace(before, version=before.version + 1, bindings=changed), who

        yield change


def _seconds(do: Callable[[], object]) -> float:
    """Seconds of this process's own time: others on the machine are not what is measured."""
    began = time.process_time()
    do()
    return time.process_time() - began


async def main(what: str, dsn: str, workspace: UUID) -> Mapping[str, float]:
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1)
    try:
        return await {"engine": engine, "gateway": gateway}[what](
            pool, workspace, KeyRing.parse(sys.stdin.read())
        )
    finally:
        await pool.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], UUID(sys.argv[3])))))
