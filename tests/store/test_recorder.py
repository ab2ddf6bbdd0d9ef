"""The one writer: group commit, and what it owes to each of those who share a commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from portero.store import recorder as module
from portero.store import transaction
from portero.store.admission import Admission, Admitted, Moved, Note, Unavailable, Verdict
from portero.store.idempotency import Settled
from portero.store.ids import uuid7, workspace_lock
from portero.store.recorder import Recorder
from portero.store.records import Outcome, Record, RecordKind
from portero.store.registry import Resource
from portero.store.transaction import RecordingTransaction
from store.shop import Shop, connector, limit_of, recording, running, tally


@asynccontextmanager
async def lock_held(shop: Shop) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A change of policy under way: the workspace's lock is held until the block ends."""
    async with await psycopg.AsyncConnection.connect(shop.database.dsn()) as db:
        await db.execute("SELECT pg_advisory_xact_lock(%s)", [workspace_lock(shop.id)])
        yield db


def ended(admission: Admission, **changes: Any) -> Note:
    made = {"kind": RecordKind.OUTCOME, "outcome": Outcome.DONE, "reason": "done"}
    record = admission.record
    fields = {name: getattr(record, name) for name in ("workspace", "call", "event", "operation")}
    rest = {"effect": "allow", "policy_version": 1, "actor": record.actor, **made}
    return Note(record=Record(**{**fields, **rest, **changes}))


def run(shop: Shop, work: Any, **options: Any) -> Any:
    async def go() -> Any:
        async with recording(connector(shop.database), **options) as recorder:
            return await work(recorder)

    return asyncio.run(go())


# Group commit


def test_calls_that_come_while_a_commit_runs_share_the_next_one(shop: Shop) -> None:
    async def work(recorder: Recorder) -> None:
        await asyncio.gather(*(recorder.admit(shop.admission()) for _ in range(100)))

    run(shop, work)

    [commits] = shop.rows(
        "SELECT count(DISTINCT xmin::text) AS n FROM record WHERE workspace_id = %s"
    )
    assert shop.count("record") == 100
    assert commits["n"] <= 3


def test_an_admission_is_durable_when_it_is_answered(shop: Shop) -> None:
    async def work(recorder: Recorder) -> int:
        await recorder.admit(shop.admission())
        return shop.count("record")  # by another connection, before anything else happens

    assert run(shop, work) == 1


def test_a_note_writes_all_it_says_with_its_record(shop: Shop) -> None:
    admission = shop.admission()
    claimed = shop.admission(record=admission.record, claim=shop.claim(admission.record.call))
    assert claimed.claim is not None
    template = Resource(shop.id, "template", "7", "1", None, {"name": "hello"})
    gone = Resource(shop.id, "template", "8", "1")
    note = ended(claimed)
    note = Note(
        record=note.record,
        learned=(template,),
        forgotten=(("template", "8"),),
        people=((shop.identity("34600111222"), shop.identity("MX.7", "bsuid")),),
        settled=Settled(claimed.claim, "done", 200, b"sealed"),
    )

    async def work(recorder: Recorder) -> None:
        await recorder.note(Note(record=shop.intent(kind=RecordKind.EVENT), learned=(gone,)))
        await recorder.admit(claimed)
        await recorder.note(note)

    run(shop, work)

    assert [r["outcome"] for r in shop.records(RecordKind.OUTCOME)] == ["done"]
    assert [r["meta_id"] for r in shop.rows("SELECT * FROM resource WHERE workspace_id = %s")] == [
        "7"
    ]
    assert (shop.count("contact"), shop.count("contact_identity")) == (1, 2)
    [kept] = shop.rows("SELECT * FROM idempotency WHERE workspace_id = %s")
    assert (kept["state"], kept["status"], bytes(kept["answer"])) == ("done", 200, b"sealed")


def test_outcomes_are_not_starved_by_admissions(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_MAX", 4)

    async def work(recorder: Recorder) -> int:
        first = [shop.admission() for _ in range(4)]
        await asyncio.gather(*(recorder.admit(a) for a in first))
        flood = [asyncio.ensure_future(recorder.admit(shop.admission())) for _ in range(4)]
        outcomes = [asyncio.ensure_future(recorder.note(ended(a))) for a in first]
        flood += [asyncio.ensure_future(recorder.admit(shop.admission())) for _ in range(40)]
        await asyncio.gather(*outcomes)
        waiting = sum(not one.done() for one in flood)
        await asyncio.gather(*flood)
        return waiting

    assert run(shop, work) > 20


def test_what_a_batch_cannot_hold_goes_into_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for somebody else to come: the last of a crowd would be stranded."""
    monkeypatch.setattr(module, "BATCH_MAX", 4)

    async def work(recorder: Recorder) -> list[Any]:
        crowd = [recorder.admit(shop.admission()) for _ in range(10)]
        return await asyncio.wait_for(asyncio.gather(*crowd), 2)

    assert tally(run(shop, work)) == {"Admitted": 10}


def test_how_calls_ended_shares_a_commit_or_has_its_own_soon(shop: Shop) -> None:
    commits = 0
    original = RecordingTransaction.run

    async def counted(self: RecordingTransaction) -> None:
        nonlocal commits
        commits += 1
        await original(self)

    async def work(recorder: Recorder) -> tuple[int, int]:
        first = [shop.admission() for _ in range(3)]
        await asyncio.gather(*(recorder.admit(one) for one in first))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RecordingTransaction, "run", counted)
            for one in first:
                recorder.note_later(ended(one))
            await recorder.admit(shop.admission())
            together = commits
            recorder.note_later(ended(shop.admission()))
            await asyncio.sleep(20 * module.LATER_S)
            return together, commits

    assert run(shop, work) == (1, 2)
    assert shop.count("record") == 8


# Items that cannot be recorded


IMPOSSIBLE = {
    "a NUL, which the database refuses": {"body": {"text": "a\0b"}},
    "half a character, which is no UTF-8": {"body": {"text": "\ud83d"}},
    "a number too large for its column": {"policy_version": 2**70},
    "a thing that is no JSON": {"body": {"text": object()}},
    "an effect that is none": {"effect": "perhaps"},
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_an_item_that_cannot_be_recorded_hurts_no_other(shop: Shop, fault: str) -> None:
    good = [shop.admission() for _ in range(20)]
    bad = shop.admission(record=shop.intent(**IMPOSSIBLE[fault]))

    async def work(recorder: Recorder) -> list[Any]:
        batch = [*good[:10], bad, *good[10:]]
        return await asyncio.gather(*map(recorder.admit, batch), return_exceptions=True)

    told = run(shop, work)

    assert tally(told) == {"Admitted": 20, "Unavailable": 1}
    assert isinstance(told[10], Unavailable)
    assert {r["call_id"] for r in shop.records()} == {a.record.call for a in good}


def test_a_note_about_another_workspace_hurts_no_other(shop: Shop) -> None:
    stranger = Shop.open(shop.database)
    trespass = Note(
        record=shop.intent(kind=RecordKind.EVENT), learned=(Resource(stranger.id, "number", "1"),)
    )
    honest = Note(record=shop.intent(kind=RecordKind.EVENT))

    async def work(recorder: Recorder) -> list[Any]:
        notes = (trespass, honest)
        return await asyncio.gather(*map(recorder.note, notes), return_exceptions=True)

    assert tally(run(shop, work)) == {"NoneType": 1, "Unavailable": 1}
    assert stranger.count("resource") == 0


def test_an_outcome_with_an_impossible_value_still_ends_its_call(shop: Shop) -> None:
    admission = shop.admission()
    admission = shop.admission(record=admission.record, claim=shop.claim(admission.record.call))
    assert admission.claim is not None
    settled = Settled(admission.claim, "unknown")
    outcome = Note(record=ended(admission, body={"answer": "\0"}).record, settled=settled)

    async def work(recorder: Recorder) -> None:
        await recorder.admit(admission)
        recorder.note_later(outcome)

    run(shop, work)

    [record] = shop.records(RecordKind.OUTCOME)
    assert (record["outcome"], record["body"]) == ("done", {})
    assert shop.rows("SELECT state FROM idempotency WHERE workspace_id = %s") == [
        {"state": "unknown"}
    ]


def test_what_came_after_the_call_was_ended_unknown_is_an_event(shop: Shop) -> None:
    """A process that slept past its lease finds that others have ended its calls."""
    admission = shop.admission()

    async def work(recorder: Recorder) -> None:
        await recorder.admit(admission)
        unknown = ended(admission, outcome=Outcome.UNKNOWN, reason="process_died")
        await recorder.note(unknown)
        recorder.note_later(ended(admission, body={"message": "wamid.1"}))
        recorder.note_later(ended(shop.admission()))

    run(shop, work)

    [unknown] = [
        r for r in shop.records(RecordKind.OUTCOME) if r["call_id"] == admission.record.call
    ]
    [late] = shop.records(RecordKind.EVENT)
    assert unknown["outcome"] == "unknown"
    assert (late["call_id"], late["outcome"]) == (admission.record.call, "done")
    assert late["body"] == {"message": "wamid.1"}
    assert len(shop.records(RecordKind.OUTCOME)) == 2


def test_nobody_is_to_blame_for_a_deadlock(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else locks the rows in another order; the same is tried once more."""
    admission = shop.admission()
    rows = (Resource(shop.id, "template", "1"), Resource(shop.id, "template", "2"))
    outcome = Note(record=ended(admission, body={"message": "wamid.1"}).record, learned=rows)
    add = "INSERT INTO resource (workspace_id, kind, meta_id) VALUES (%s, 'template', %s)"

    async def work(recorder: Recorder) -> None:
        await recorder.admit(admission)
        async with await psycopg.AsyncConnection.connect(shop.database.dsn()) as db:
            await db.execute("SET deadlock_timeout = '1min'")  # so that the recorder is cut off
            await db.execute(add, [shop.id, "2"])
            told = asyncio.ensure_future(recorder.note(outcome))
            await until_somebody_waits(shop)
            await db.execute(add, [shop.id, "1"])
            await db.rollback()
        await told

    with caplog.at_level("WARNING"):
        run(shop, work)

    assert caplog.records == []
    [record] = shop.records(RecordKind.OUTCOME)
    assert record["body"] == {"message": "wamid.1"}
    assert {row["meta_id"] for row in shop.rows(_REGISTERED)} == {"1", "2"}


_REGISTERED = "SELECT meta_id FROM resource WHERE workspace_id = %s"
_WAITS = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


async def until_somebody_waits(shop: Shop) -> None:
    async with (
        asyncio.timeout(5),
        await psycopg.AsyncConnection.connect(shop.database.dsn(), autocommit=True) as db,
    ):
        while await (await db.execute(_WAITS)).fetchone() is None:
            await asyncio.sleep(0.01)


# Callers who go away


def test_a_caller_that_went_away_does_not_stall_the_batch(shop: Shop) -> None:
    async def work(recorder: Recorder) -> list[Verdict]:
        gone = [asyncio.ensure_future(recorder.admit(shop.admission())) for _ in range(10)]
        stay = [asyncio.ensure_future(recorder.admit(shop.admission())) for _ in range(10)]
        await asyncio.sleep(0)
        for one in gone:
            one.cancel()
        return await asyncio.wait_for(asyncio.gather(*stay), 5)

    assert tally(run(shop, work)) == {"Admitted": 10}


def _soon(act: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(act)


@pytest.mark.parametrize("moment", ["while it waits", "when it was just answered"])
def test_the_intent_of_a_caller_that_went_away_is_ended(shop: Shop, moment: str) -> None:
    call = uuid7()
    admission = shop.admission(record=shop.intent(call=call), claim=shop.claim(call))

    async def work(recorder: Recorder) -> None:
        asked = asyncio.ensure_future(recorder.admit(admission))
        await asyncio.sleep(0)
        if moment == "when it was just answered":
            # Heads are told right before answers: the answer is there when it is cancelled.
            recorder._on_head = lambda _workspace, _version: _soon(asked.cancel)
        else:
            asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await recorder.settled()
        await asyncio.sleep(0)

    run(shop, work)

    [record] = shop.records(RecordKind.OUTCOME)
    assert (record["call_id"], record["outcome"]) == (call, "stopped")
    assert record["reason"] == "caller_gone"
    assert shop.count("idempotency") == 0


# A change of policy


def test_a_call_decided_under_an_older_policy_is_told_the_head(shop: Shop) -> None:
    heads: list[tuple[UUID, int]] = []
    with shop.change():
        pass
    limit = limit_of(1)

    async def work(recorder: Recorder) -> Verdict:
        return await recorder.admit(shop.admission(version=1, takes=(limit,)))

    told = run(shop, work, on_head=lambda workspace, version: heads.append((workspace, version)))

    assert told == Moved(2)
    assert heads == [(shop.id, 2)]
    assert (shop.count("record"), shop.count("idempotency")) == (0, 0)


def test_a_change_of_policy_delays_only_its_own_workspace(shop: Shop) -> None:
    quiet = Shop.open(shop.database)

    async def work(recorder: Recorder) -> tuple[list[float], bool, Verdict]:
        async with lock_held(shop):
            held = asyncio.ensure_future(recorder.admit(shop.admission()))
            waits = []
            for _ in range(10):
                asked = time.monotonic()
                await recorder.admit(quiet.admission())
                waits.append(time.monotonic() - asked)
            went_through = held.done()
        return waits, went_through, await held

    waits, went_through, verdict = run(shop, work)

    assert sorted(waits)[5] < 0.1
    assert not went_through
    assert isinstance(verdict, Admitted)


def test_who_waits_for_one_workspace_does_not_wait_for_another(shop: Shop) -> None:
    quiet = Shop.open(shop.database)

    async def work(recorder: Recorder) -> tuple[int, bool]:
        async with lock_held(shop):
            held = asyncio.ensure_future(recorder.admit(shop.admission()))
            recorder.note_later(Note(record=quiet.intent(kind=RecordKind.EVENT)))
            await recorder.settled(quiet.id)
            return quiet.count("record"), held.done()

    assert run(shop, work) == (1, False)


def test_a_held_call_costs_little_and_gives_up_in_the_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    transactions = 0
    original = RecordingTransaction.run

    async def counted(self: RecordingTransaction) -> None:
        nonlocal transactions
        transactions += 1
        await original(self)

    monkeypatch.setattr(RecordingTransaction, "run", counted)

    async def work(recorder: Recorder) -> list[Any]:
        async with lock_held(shop):
            held = [recorder.admit(shop.admission()) for _ in range(5)]
            return await asyncio.gather(*held, return_exceptions=True)

    assert tally(run(shop, work)) == {"Unavailable": 5}
    assert shop.count("record") == 0
    assert transactions <= 0.4 / module.HELD_RETRY_S


def frozen(shop: Shop) -> Coroutine[Any, Any, float]:
    """A process stops dead in its transaction; how long does a change of policy wait for the lock?"""

    async def go() -> float:
        connection = await connector(shop.database)()
        try:
            await RecordingTransaction(connection, [shop.admission()], [])._enter()
            began = time.monotonic()
            async with asyncio.timeout(1):
                async with lock_held(shop):
                    return time.monotonic() - began
        finally:
            connection.terminate()
            await asyncio.sleep(0)

    return go()


def test_a_process_frozen_in_its_transaction_does_not_hold_up_a_change_of_policy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "FROZEN_S", 0.2)

    assert asyncio.run(frozen(shop)) < 0.6


def test_without_a_time_limit_a_frozen_process_holds_it_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "FROZEN_S", 0)

    with pytest.raises(TimeoutError):
        asyncio.run(frozen(shop))


# The end


def test_what_waits_when_the_process_stops_is_told_that_nothing_was_recorded(shop: Shop) -> None:
    async def go() -> list[Any]:
        recorder = Recorder(connect=connector(shop.database))
        async with lock_held(shop), running(recorder.run()):
            held = [asyncio.ensure_future(recorder.admit(shop.admission())) for _ in range(3)]
            await asyncio.sleep(0.05)
            recorder.note_later(ended(shop.admission()))
        return await asyncio.gather(*held, return_exceptions=True)

    assert tally(asyncio.run(go())) == {"Unavailable": 3}
    assert shop.records() == []
