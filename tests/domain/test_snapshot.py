"""What is kept in memory of compiled policies, by many threads at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

import django_ready  # noqa: F401 - before any model
from portero.domain.access import snapshot
from portero.domain.access.snapshot import State
from portero.engine import Policy, compile_policy
from portero.store.ids import uuid7

HEAD = (1, "7")
STATE = State(compile_policy(Policy(workspace="w", version=1)), ZoneInfo("UTC"))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The memory, with room for nobody else; the workspaces that are in it."""
    kept = [uuid7() for _ in range(snapshot._COMPILED_MAX)]
    monkeypatch.setattr(snapshot, "_compiled", dict.fromkeys(kept, (HEAD, STATE)))
    return kept


@pytest.fixture
def _hasty() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_hasty")
def test_many_threads_make_room_at_once(full: list[UUID]) -> None:
    def remember(_: int) -> None:
        for _ in range(2000):
            snapshot._remember(uuid7(), HEAD, STATE)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(remember, range(8)))

    assert len(snapshot._compiled) == len(full)


def test_a_new_version_takes_nobody_elses_place(full: list[UUID]) -> None:
    snapshot._remember(full[-1], (2, "8"), STATE)

    assert list(snapshot._compiled) == full
    assert snapshot._compiled[full[-1]] == ((2, "8"), STATE)


def test_a_newcomer_takes_the_oldest_place(full: list[UUID]) -> None:
    newcomer = uuid7()

    snapshot._remember(newcomer, HEAD, STATE)

    assert list(snapshot._compiled) == [*full[1:], newcomer]
