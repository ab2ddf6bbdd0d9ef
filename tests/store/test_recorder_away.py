"""The one writer when the database goes away: nobody waits for ever, nothing is told wrongly."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from databases import Database
from portero.project.migrate import migrate
from portero.project.postgres import Cluster
from portero.store import recorder as module
from portero.store.admission import Admission, Admitted, Note, Unavailable, Verdict
from portero.store.idempotency import Settled
from portero.store.recorder import Recorder
from portero.store.records import Outcome, RecordKind
from store.shop import Shop, connector, recording, tally
from store.wire import Wire, wire_to

pytestmark = pytest.mark.usefixtures("_hurried")


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.4)
    monkeypatch.setattr(module, "RECONNECT_S", 0.05)


def outcome_of(admission: Admission) -> Note:
    claim = admission.claim
    return Note(
        record=admission.record.ended(Outcome.DONE, "done"),
        settled=None if claim is None else Settled(claim, "done", 200, b"sealed"),
    )


def claimed(shop: Shop) -> Admission:
    record = shop.intent()
    return shop.admission(record=record, claim=shop.claim(record.call, str(record.call)))


async def recovered(recorder: Recorder, shop: Shop) -> None:
    """Return when a call is admitted again."""
    async with asyncio.timeout(3):
        while True:
            try:
                await recorder.admit(shop.admission())
            except Unavailable:
                await asyncio.sleep(0.02)
            else:
                return


def open_calls(shop: Shop) -> int:
    """Admitted calls of which nobody will ever know how they ended."""
    ended = {record["call_id"] for record in shop.records(RecordKind.OUTCOME)}
    return sum(record["call_id"] not in ended for record in shop.records())


def with_wire(shop: Shop, work: Any) -> Any:
    async def go() -> Any:
        async with wire_to(shop.database) as wire, recording(wire.connect) as recorder:
            await recorder.admit(claimed(shop))
            return await work(wire, recorder)

    return asyncio.run(go())


def away(wire: Wire, how: str) -> None:
    if how == "refused":
        wire.cut()
    else:
        wire.pause()


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_call_is_told_within_patience_that_the_database_is_away(shop: Shop, how: str) -> None:
    async def work(wire: Wire, recorder: Recorder) -> tuple[list[Any], float]:
        away(wire, how)
        waits = []
        told: list[Any] = []
        for _ in range(3):
            began = time.monotonic()
            asked = [recorder.admit(shop.admission()) for _ in range(300)]
            told += await asyncio.gather(*asked, return_exceptions=True)
            waits.append(time.monotonic() - began)
        return told, max(waits)

    told, longest = with_wire(shop, work)

    assert tally(told) == {"Unavailable": 900}
    assert longest < 2 * module.PATIENCE_S + 0.2


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_it_recovers_alone_and_loses_no_outcome(shop: Shop, how: str) -> None:
    async def work(wire: Wire, recorder: Recorder) -> list[Admission]:
        admitted = [claimed(shop) for _ in range(20)]
        await asyncio.gather(*map(recorder.admit, admitted))
        away(wire, how)
        for one in admitted:
            recorder.note_later(outcome_of(one))
        await asyncio.sleep(2.2 * module.PATIENCE_S if how == "silent" else 0.2)
        wire.resume()
        wire.mend()
        await recovered(recorder, shop)
        await recorder.settled()
        return admitted

    admitted = with_wire(shop, work)

    outcomes = shop.records(RecordKind.OUTCOME)
    assert {a.record.call for a in admitted} <= {record["call_id"] for record in outcomes}
    assert len(outcomes) == len({record["call_id"] for record in outcomes})
    assert shop.records(RecordKind.EVENT) == []


def test_an_outcome_waits_for_the_database_longer_than_any_call(shop: Shop) -> None:
    async def work(wire: Wire, recorder: Recorder) -> bool:
        admission = shop.admission()
        await recorder.admit(admission)
        wire.cut()
        recorder.note_later(outcome_of(admission))
        await asyncio.sleep(2 * module.PATIENCE_S)
        with pytest.raises(Unavailable):
            await recorder.note(Note(record=shop.intent(kind=RecordKind.EVENT)))
        wire.mend()
        await asyncio.wait_for(recorder.settled(), 2)
        return True

    assert with_wire(shop, work)
    assert len(shop.records(RecordKind.OUTCOME)) == 1


def test_ended_backends_cost_only_the_calls_they_were_serving(shop: Shop) -> None:
    async def go() -> list[Verdict]:
        told: list[Verdict] = []
        async with recording(connector(shop.database)) as recorder:
            for _ in range(5):
                await recovered(recorder, shop)
                with psycopg.connect(shop.database.dsn(), autocommit=True) as db:
                    db.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE usename = 'portero_gateway' AND datname = current_database()"
                    )
                await recovered(recorder, shop)
                told += await asyncio.gather(*(recorder.admit(shop.admission()) for _ in range(20)))
        return told

    assert tally(asyncio.run(go())) == {"Admitted": 100}
    assert open_calls(shop) >= 100  # admitted and, in this test, never ended


@pytest.fixture
def shop_apart() -> Iterator[Shop]:
    """A shop on a server of its own: the other one serves the whole run."""
    state = Path(tempfile.mkdtemp(prefix="portero-away-"))
    state.chmod(0o755)  # the server's own account passes through
    cluster = Cluster(state)
    try:
        cluster.start()
        cluster.create_database("apart")
        migrate(cluster.dsn("migrate", "apart"))
        yield Shop.open(Database(cluster, "apart"))
    finally:
        cluster.stop()
        shutil.rmtree(state)


def test_a_server_that_restarts_is_found_again(shop_apart: Shop) -> None:
    shop = shop_apart

    async def go() -> Verdict:
        async with recording(connector(shop.database)) as recorder:
            admission = claimed(shop)
            await recorder.admit(admission)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, shop.database.cluster.stop)
            recorder.note_later(outcome_of(admission))
            with pytest.raises(Unavailable):
                await recorder.admit(shop.admission())
            await loop.run_in_executor(None, shop.database.cluster.start)
            await recovered(recorder, shop)
            return await recorder.admit(shop.admission())

    assert isinstance(asyncio.run(go()), Admitted)
    assert len(shop.records(RecordKind.OUTCOME)) == 1


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError("wrong for now"),
        asyncpg.InvalidCatalogNameError("not restored yet"),
        asyncpg.InternalClientError("confused"),
        ValueError("a server that speaks otherwise"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_on_the_way_to_the_database_is_tried_again(
    shop: Shop, error: Exception
) -> None:
    failures = [error] * 3

    async def connect() -> asyncpg.Connection:
        if failures:
            raise failures.pop()
        return await connector(shop.database)()

    async def go() -> Verdict:
        async with recording(connect) as recorder:
            with pytest.raises(Unavailable):
                await recorder.admit(shop.admission())
            await recovered(recorder, shop)
            return await recorder.admit(shop.admission())

    assert isinstance(asyncio.run(go()), Admitted)


# A commit whose answer is lost: it happened, or it did not


async def lose_a_commit(wire: Wire, recorder: Recorder, shop: Shop, *, happened: bool) -> list[Any]:
    """Lose the connection at the commit of five intents and five outcomes."""
    earlier = [claimed(shop) for _ in range(5)]
    await asyncio.gather(*map(recorder.admit, earlier))
    if happened:
        wire.cut_after(b"COMMIT\0")
    else:
        wire.cut_before(b"COMMIT\0")
    asked = [asyncio.ensure_future(recorder.admit(claimed(shop))) for _ in range(5)]
    for one in earlier:
        recorder.note_later(outcome_of(one))
    told = await asyncio.gather(*asked, return_exceptions=True)
    await recovered(recorder, shop)
    await recorder.settled()
    await recorder.settled()  # what was found out on the way is written, too
    return told


def test_a_commit_that_happened_unheard_leaves_no_call_open_and_no_outcome_twice(
    shop: Shop,
) -> None:
    async def work(wire: Wire, recorder: Recorder) -> list[Any]:
        return await lose_a_commit(wire, recorder, shop, happened=True)

    told = with_wire(shop, work)

    assert tally(told) == {"Unavailable": 5}
    outcomes = shop.records(RecordKind.OUTCOME)
    assert [r["outcome"] for r in outcomes].count("done") == 5
    assert [r["reason"] for r in outcomes].count("unconfirmed") == 5
    assert shop.records(RecordKind.EVENT) == []
    states = shop.rows(
        "SELECT state, count(*) AS n FROM idempotency WHERE workspace_id = %s GROUP BY 1"
    )
    # Nothing was sent for the five that were told so: their keys are free. One is the wire's test.
    assert {row["state"]: row["n"] for row in states} == {"done": 5, "running": 1}


def test_a_commit_that_did_not_happen_is_made_good_for_outcomes_only(shop: Shop) -> None:
    async def work(wire: Wire, recorder: Recorder) -> list[Any]:
        return await lose_a_commit(wire, recorder, shop, happened=False)

    told = with_wire(shop, work)

    assert tally(told) == {"Unavailable": 5}
    assert [r["outcome"] for r in shop.records(RecordKind.OUTCOME)] == ["done"] * 5
    assert len(shop.records()) == 1 + 5 + 1  # the wire's test, the earlier five, the recovery


def test_who_does_not_ask_what_became_of_a_commit_leaves_calls_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def never_asks(*_arguments: Any) -> bool:
        return False

    monkeypatch.setattr(module, "_has_committed", never_asks)

    async def work(wire: Wire, recorder: Recorder) -> list[Any]:
        return await lose_a_commit(wire, recorder, shop, happened=True)

    with caplog.at_level(logging.CRITICAL):
        with_wire(shop, work)

    assert open_calls(shop) > 2  # one of the wire's test, one of the recovery
    assert len(shop.records(RecordKind.EVENT)) == 5  # outcomes that were there already


@pytest.mark.parametrize(("end", "happened"), [("COMMIT", True), ("ROLLBACK", False)])
def test_a_transaction_still_under_way_is_waited_for(shop: Shop, end: str, happened: bool) -> None:
    async def go() -> tuple[bool, bool]:
        connect = connector(shop.database)
        one, two = await connect(), await connect()
        try:
            await one.execute("BEGIN")
            asked = asyncio.ensure_future(
                module._has_committed(two, await one.fetchval("SELECT pg_current_xact_id()::text"))
            )
            await asyncio.sleep(0.1)
            early = asked.done()
            await one.execute(end)
            return early, await asked
        finally:
            await one.close()
            await two.close()

    assert asyncio.run(go()) == (False, happened)


def test_a_transaction_the_server_never_heard_of_did_not_happen(shop: Shop) -> None:
    async def go() -> bool:
        connection = await connector(shop.database)()
        try:
            return await module._has_committed(connection, str(2**40))
        finally:
            await connection.close()

    assert not asyncio.run(go())
