"""Admissions against changes of policy: what is admitted under a version is admitted before its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from portero.store import transaction
from portero.store.admission import Admission, Admitted, Moved
from portero.store.ids import workspace_lock
from portero.store.looking import Look
from portero.store.recorder import Recorder
from portero.store.transaction import RecordingTransaction
from store.shop import Shop, connector, isolated_by_default, recording

ROUNDS = 300
PATIENCE_S = 120.0


async def change(connection: asyncpg.Connection, shop: Shop) -> tuple[int, int]:
    """Move the head under the lock; returns the version that ended and how often it was used."""
    async with connection.transaction(isolation="read_committed"):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", workspace_lock(shop.id))
        used = await connection.fetchrow(
            "SELECT h.version, (SELECT count(*) FROM record r WHERE r.workspace_id = h.workspace_id"
            " AND r.policy_version = h.version) AS n FROM policy_head h WHERE h.workspace_id = $1",
            shop.id,
        )
        assert used is not None
        await connection.execute(
            "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
            " WHERE workspace_id = $1",
            shop.id,
        )
    return used["version"], used["n"]


async def keep_asking(
    recorder: Recorder, shop: Shop, stop: asyncio.Event, admitted: list[int]
) -> None:
    """Send call after call, each decided under the newest version this caller was told."""
    version = 1
    while not stop.is_set():
        admission = shop.admission(record=shop.intent(policy_version=version), version=version)
        verdict = await recorder.admit(admission)
        if isinstance(verdict, Moved):
            version = verdict.version
        elif isinstance(verdict, Admitted):
            admitted.append(version)


async def admitted_too_late(shop: Shop, rounds: int) -> tuple[int, int]:
    """Change the policy again and again under traffic; returns (admissions under a version that
    were committed after its end, all admissions).

    So many rounds, and more until half as many calls were admitted between them: a machine under
    load changes a policy faster than callers hear of it, and then nothing would be looked at.
    """
    stop, heard = asyncio.Event(), list[int]()
    connect = connector(shop.database)
    connection = await asyncpg.connect(shop.database.dsn())
    try:
        async with recording(connect) as one, recording(connect) as two:
            asking = [keep_asking(r, shop, stop, heard) for r in (one, two) * 2]
            callers = [asyncio.ensure_future(one) for one in asking]
            at_the_end = []
            async with asyncio.timeout(PATIENCE_S):
                while len(at_the_end) < rounds or len(heard) <= rounds / 2:
                    at_the_end.append(await change(connection, shop))
                    await asyncio.sleep(0.001)
            stop.set()
            await asyncio.gather(*callers)
    finally:
        await connection.close()
    final = {
        row["policy_version"]: row["n"]
        for row in shop.rows(
            "SELECT policy_version, count(*) AS n FROM record WHERE workspace_id = %s GROUP BY 1"
        )
    }
    late = sum(final.get(version, 0) - used for version, used in at_the_end)
    return late, sum(final.values())


def test_k05_after_a_change_no_admission_under_the_old_version_commits(shop: Shop) -> None:
    late, admitted = asyncio.run(admitted_too_late(shop, ROUNDS))

    assert late == 0
    assert admitted > ROUNDS / 2


def test_k05_without_the_lock_some_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked = transaction._ENTER.replace("pg_try_advisory_xact_lock_shared(k)", "k IS NOT NULL")
    monkeypatch.setattr(transaction, "_ENTER", unlocked)

    late, _ = asyncio.run(admitted_too_late(shop, ROUNDS // 3))

    assert late > 0


def test_k05_with_a_head_read_before_the_lock_some_do(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RecordingTransaction._enter

    async def reads_first(self: RecordingTransaction) -> list[Any]:
        head = await self._connection.fetchval(
            "SELECT version FROM policy_head WHERE workspace_id = $1", shop.id
        )
        found = await original(self)
        look = self._look

        async def with_the_old_head(admissions: Sequence[Admission]) -> Look:
            return replace(await look(admissions), heads={shop.id: head})

        monkeypatch.setattr(self, "_look", with_the_old_head)
        return found

    monkeypatch.setattr(RecordingTransaction, "_enter", reads_first)

    late, _ = asyncio.run(admitted_too_late(shop, ROUNDS // 3))

    assert late > 0


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_k05_whatever_the_servers_default_no_admission_under_the_old_version_commits(
    shop: Shop, level: str
) -> None:
    """The head must be read by a snapshot younger than the lock, not by the transaction's first."""
    with isolated_by_default(shop, level):
        late, admitted = asyncio.run(admitted_too_late(shop, ROUNDS // 3))

    assert late == 0
    assert admitted > 0
