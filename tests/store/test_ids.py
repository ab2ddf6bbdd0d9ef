"""Ids sort by the time they were made, and a workspace has one lock."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest

from portero.store import ids


def test_an_id_is_a_uuid_of_version_7_that_carries_the_time() -> None:
    before = time.time_ns() // 1_000_000

    made = ids.uuid7()

    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= before + 1000


def test_ids_of_one_process_increase_and_never_repeat() -> None:
    made = [ids.uuid7() for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_many_at_once_are_ids_like_those_made_one_by_one() -> None:
    before, made, after = ids.uuid7(), ids.uuid7s(500), ids.uuid7()

    assert [before, *made, after] == sorted({before, *made, after})
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert len({one.int & 0xFFFF_FFFF for one in made}) > 490  # their last bits are random
    assert ids.uuid7s(0) == []


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(4) as threads:
        batches = threads.map(lambda _: [ids.uuid7() for _ in range(2_000)], range(4))

    made = [one for batch in batches for one in batch]
    assert len(set(made)) == len(made)


def test_a_clock_that_goes_back_does_not_make_ids_go_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ids.uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)

    assert ids.uuid7() > first


def test_a_full_counter_moves_to_the_next_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    future = (time.time_ns() // 1_000_000) + 60_000
    monkeypatch.setattr(ids, "_last_ms", future)
    monkeypatch.setattr(ids, "_counter", 2**42 - 2)

    last, overflowed = ids.uuid7(), ids.uuid7()

    assert last.int >> 80 == future
    assert overflowed.int >> 80 == future + 1
    assert overflowed > last


def test_the_lock_of_a_workspace_is_a_stable_signed_64_bit_number() -> None:
    workspace = UUID("0197a3a0-0000-7000-8000-000000000001")

    assert ids.workspace_lock(workspace) == ids.workspace_lock(UUID(str(workspace)))
    assert (
        ids.workspace_lock(workspace) == -85106178262806238
    )  # pinned: processes of two releases must meet on it
    assert all(-(2**63) <= ids.workspace_lock(ids.uuid7()) < 2**63 for _ in range(100))
