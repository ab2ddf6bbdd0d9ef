"""The recording transaction: admit calls and write how they ended, many in one commit.

One writer per process commits whatever gathered while the last commit ran: group commit without a
fixed window. A call may go out only after the commit that holds its intent. If that cannot commit,
every call of the batch is told so, and nothing is sent.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from portero.store import contacts, idempotency, registry
from portero.store.admission import (
    Admission,
    Admitted,
    Moved,
    Note,
    Refused,
    Repeated,
    Unavailable,
    Verdict,
)
from portero.store.idempotency import Settled
from portero.store.ids import workspace_lock
from portero.store.limits import Demand, Limiter
from portero.store.listed import list_workspaces
from portero.store.records import Record, RecordKind, SealedRecord, canonical, seal

BATCH_MAX = 256
PATIENCE_S = 5.0
LOCKED_RETRY_S = 0.002
RECONNECT_S = 0.2
BACKLOG_MAX = 20_000

T = TypeVar("T", Admission, Note)

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting(Generic[T]):
    item: T
    done: "asyncio.Future[Verdict | None]"
    gives_up_at: float
    patient: bool = False  # an outcome: it happened, so it is written when the database is back

    def answer(self, verdict: Verdict | None) -> None:
        # A caller that hung up cancelled its future; the rest of the batch must not suffer.
        if not self.done.done():
            self.done.set_result(verdict)

    def fail(self) -> None:
        if not self.done.done():
            self.done.set_exception(Unavailable())


@dataclass(slots=True)
class _Batch:
    admissions: list[_Waiting[Admission]] = field(default_factory=list)
    notes: list[_Waiting[Note]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.admissions) + len(self.notes)

    def fail(self) -> "list[_Waiting[Note]]":
        """Tell everybody who waits for an answer; the patient ones are given back."""
        for one in self.admissions:
            one.fail()
        for note in self.notes:
            if not note.patient:
                note.fail()
        return [note for note in self.notes if note.patient]

    def singly(self) -> "list[_Batch]":
        return [_Batch([one], []) for one in self.admissions] + [
            _Batch([], [note]) for note in self.notes
        ]


class Recorder:
    """The one writer of records in this process."""

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        on_head: Callable[[UUID, int], None] = lambda _workspace, _version: None,
    ) -> None:
        self._connect = connect
        self._on_head = on_head
        self._limiter = Limiter()
        self._admissions: deque[_Waiting[Admission]] = deque()
        self._notes: deque[_Waiting[Note]] = deque()
        self._wake = asyncio.Event()
        self._in_flight: set[asyncio.Future[Verdict | None]] = set()

    async def admit(self, admission: Admission) -> Verdict:
        """Record the intent and take what it obliges to. Raises Unavailable."""
        verdict = await self._enqueue(self._admissions, admission)
        assert verdict is not None  # noqa: S101 - only notes are answered with None
        return verdict

    async def note(self, note: Note) -> None:
        """Record, and return once it is durable. Raises Unavailable."""
        await self._enqueue(self._notes, note)

    def note_later(self, note: Note) -> None:
        """Record with the next commit. A crash before it leaves the intent open: `unknown`."""
        written = self._enqueue(self._notes, note, patient=True)
        written.add_done_callback(_log_loss)

    async def settled(self) -> None:
        """Wait until everything handed in so far is durable or has failed."""
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))

    async def run(self) -> None:
        """Commit until cancelled; what waits at that moment is told that nothing was recorded."""
        try:
            while True:
                try:
                    await self._run_on_one_connection()
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
                    logger.warning("recorder: the database is away: %s", type(e).__name__)
                    self._fail(self._take_batch())
                    await asyncio.sleep(RECONNECT_S)
        finally:
            while batch := self._take_batch():
                if batch.fail():
                    logger.warning("recorder: stopped with outcomes unwritten; they stay unknown")

    def _enqueue(
        self, queue: "deque[_Waiting[T]]", item: T, *, patient: bool = False
    ) -> "asyncio.Future[Verdict | None]":
        future: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        queue.append(_Waiting(item, future, time.monotonic() + PATIENCE_S, patient))
        self._wake.set()
        return future

    def _take_batch(self) -> _Batch:
        batch = _Batch()
        while self._admissions and len(batch) < BATCH_MAX:
            batch.admissions.append(self._admissions.popleft())
        while self._notes and len(batch) < BATCH_MAX:
            batch.notes.append(self._notes.popleft())
        return batch

    async def _run_on_one_connection(self) -> None:
        connection = await asyncio.wait_for(self._connect(), PATIENCE_S)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while batch := self._take_batch():
                    await self._commit_or_fail(connection, batch)
        finally:
            connection.terminate()

    async def _commit_or_fail(self, connection: asyncpg.Connection, batch: _Batch) -> None:
        try:
            await self._commit(connection, batch)
        except asyncpg.DataError:
            # Something in one item does not fit the database. The others must not pay for it.
            if len(batch) == 1:
                logger.exception("recorder: an item cannot be recorded")
                for note in batch.fail():
                    note.fail()
                return
            for single in batch.singly():
                await self._commit_or_fail(connection, single)
        except BaseException:
            self._fail(batch)
            raise

    def _fail(self, batch: _Batch) -> None:
        patient = batch.fail()
        if len(self._notes) + len(patient) > BACKLOG_MAX:
            logger.error("recorder: %d outcomes given up; their intents stay open", len(patient))
            return
        self._notes.extendleft(reversed(patient))
        self._wake.set()

    async def _commit(self, connection: asyncpg.Connection, batch: _Batch) -> None:
        async with asyncio.timeout(PATIENCE_S):
            transaction = _Transaction(connection, self._limiter, batch)
            async with connection.transaction():
                await transaction.run()
        transaction.keep()
        for workspace, version in transaction.heads.items():
            self._on_head(workspace, version)
        for one, verdict in transaction.verdicts:
            one.answer(verdict)
        for note in batch.notes:
            note.answer(None)
        self._wait_again(transaction.locked)

    def _wait_again(self, locked: Sequence[_Waiting[Admission]]) -> None:
        """A policy change holds these workspaces; try with the next batch, within patience."""
        now = time.monotonic()
        for one in locked:
            if one.gives_up_at < now:
                one.fail()
            else:
                self._admissions.append(one)
        if locked:
            asyncio.get_running_loop().call_later(LOCKED_RETRY_S, self._wake.set)


class _Transaction:
    """One commit's worth of admissions and notes."""

    def __init__(self, connection: asyncpg.Connection, limiter: Limiter, batch: _Batch) -> None:
        self._connection = connection
        self._limiter = limiter
        self._batch = batch
        self._keep: Callable[[], None] = lambda: None
        self._records: list[Record] = []
        self.heads: dict[UUID, int] = {}
        self.verdicts: list[tuple[_Waiting[Admission], Verdict]] = []
        self.locked: list[_Waiting[Admission]] = []

    def keep(self) -> None:
        """The commit stands: what was leased in it is ours."""
        self._keep()

    async def run(self) -> None:
        await self._enter()
        unlocked = await self._lock()
        now = await self._read_heads()
        current = self._sort_out_moved(unlocked)
        fresh = await self._sort_out_repeated(current)
        await self._take_limits(fresh, now)
        for note in self._batch.notes:
            self._records.append(note.item.record)
        await insert_records(self._connection, [seal(record, now) for record in self._records])
        await self._write_notes()

    async def _enter(self) -> None:
        records = [one.item.record for one in self._batch.admissions]
        records += [note.item.record for note in self._batch.notes]
        self._workspaces = sorted({record.workspace for record in records})
        await list_workspaces(self._connection, self._workspaces)

    async def _lock(self) -> list[_Waiting[Admission]]:
        """Shared locks, never waited for: a policy change in one workspace stops only its calls."""
        asked = sorted({one.item.record.workspace for one in self._batch.admissions})
        if not asked:
            return []
        rows = await self._connection.fetch(_LOCK, asked, [workspace_lock(w) for w in asked])
        got = {row["workspace_id"] for row in rows if row["got"]}
        self.locked = [o for o in self._batch.admissions if o.item.record.workspace not in got]
        return [o for o in self._batch.admissions if o.item.record.workspace in got]

    async def _read_heads(self) -> datetime:
        # A statement of its own: its snapshot must be younger than the locks.
        rows = await self._connection.fetch(_HEADS, self._workspaces)
        self.heads = {r["workspace_id"]: r["version"] for r in rows if r["version"] is not None}
        now: datetime = rows[0]["now"]
        return now

    def _sort_out_moved(self, waiting: Sequence[_Waiting[Admission]]) -> list[_Waiting[Admission]]:
        current = []
        for one in waiting:
            head = self.heads.get(one.item.record.workspace, 0)
            if head == one.item.version:
                current.append(one)
            else:
                self.verdicts.append((one, Moved(head)))
        return current

    async def _sort_out_repeated(
        self, waiting: Sequence[_Waiting[Admission]]
    ) -> list[_Waiting[Admission]]:
        claims = [one.item.claim for one in waiting if one.item.claim is not None]
        earlier = await idempotency.claim(self._connection, claims)
        fresh = []
        for one in waiting:
            claim = one.item.claim
            first = earlier.get(idempotency.key_of(claim)) if claim is not None else None
            if claim is None or first is None or first.call == claim.call:
                fresh.append(one)
                continue
            verdict = Repeated(first, same_request=first.digest == claim.digest)
            self.verdicts.append((one, verdict))
            self._records.append(_repetition(one.item.record, verdict))
        return fresh

    async def _take_limits(self, waiting: Sequence[_Waiting[Admission]], now: datetime) -> None:
        known = await contacts.resolve(
            self._connection, [i for one in waiting for i in one.item.recipients]
        )
        demands = [
            Demand(
                one.item.record.workspace,
                one.item.zone,
                one.item.takes,
                one.item.messages,
                frozenset(known[contacts.key_of(i)] for i in one.item.recipients),
            )
            for one in waiting
        ]
        taken = await self._limiter.take(self._connection, demands, now)
        self._keep = taken.keep
        released = []
        for one, reached in zip(waiting, taken.verdicts, strict=True):
            if reached is None:
                self.verdicts.append((one, Admitted(now)))
                self._records.append(one.item.record)
                continue
            self.verdicts.append((one, Refused(reached, now)))
            self._records.append(
                one.item.record.refused(
                    reason=reached.reason,
                    because=(str(reached.take.limit),),
                    sentence=reached.sentence(one.item.zone),
                )
            )
            if one.item.claim is not None:
                released.append(Settled(one.item.claim, "released"))
        await idempotency.settle(self._connection, released)

    async def _write_notes(self) -> None:
        notes = [note.item for note in self._batch.notes]
        await registry.learn(self._connection, [r for note in notes for r in note.learned])
        for note in notes:
            for kind, meta_id in note.forgotten:
                await registry.forget(self._connection, note.record.workspace, kind, [meta_id])
        await contacts.link(self._connection, [group for note in notes for group in note.people])
        settled = [note.settled for note in notes if note.settled is not None]
        await idempotency.settle(self._connection, settled)


def _repetition(record: Record, verdict: Repeated) -> Record:
    reason = "repeated" if verdict.same_request else "idempotency_key_reused"
    body = {**record.body, "first_call": str(verdict.earlier.call)}
    return replace(record, kind=RecordKind.EVENT, reason=reason, body=body)


def _log_loss(written: "asyncio.Future[Verdict | None]") -> None:
    if not written.cancelled() and written.exception() is not None:
        logger.error("recorder: an outcome cannot be written; its intent stays open")


async def insert_records(connection: asyncpg.Connection, sealed: Sequence[SealedRecord]) -> None:
    if not sealed:
        return
    rows = [s.record for s in sealed]
    await connection.execute(
        _INSERT,
        [r.workspace for r in rows],
        [r.call for r in rows],
        [r.kind for r in rows],
        [r.attempt for r in rows],
        [s.at for s in sealed],
        [r.event for r in rows],
        [r.actor for r in rows],
        [r.credential for r in rows],
        [r.on_behalf for r in rows],
        [r.operation for r in rows],
        ["\n".join(r.checks) for r in rows],
        ["\n".join(r.resources) for r in rows],
        [r.effect for r in rows],
        [r.reason for r in rows],
        [r.policy_version for r in rows],
        ["\n".join(r.because) for r in rows],
        ["\n".join(r.obligations) for r in rows],
        [r.upstream_attempt for r in rows],
        [r.outcome for r in rows],
        [s.leaf for s in sealed],
        [s.digest for s in sealed],
        [r.process for r in rows],
    )
    await connection.execute(
        _INSERT_OPEN,
        [r.workspace for r in rows],
        [r.call for r in rows],
        [r.kind for r in rows],
        [r.attempt for r in rows],
        [s.salt for s in sealed],
        [canonical(r.body).decode() for r in rows],
        [s.at for s in sealed],
    )


_LOCK = """
SELECT t.w AS workspace_id, pg_try_advisory_xact_lock_shared(t.k) AS got
  FROM unnest($1::uuid[], $2::bigint[]) AS t(w, k)
"""
_HEADS = """
SELECT t.w AS workspace_id, h.version, clock_timestamp() AS now
  FROM unnest($1::uuid[]) AS t(w) LEFT JOIN policy_head h ON h.workspace_id = t.w
"""
# Lists travel as text: PostgreSQL has no unnest over rows of ragged arrays.
_INSERT = """
INSERT INTO record (workspace_id, call_id, kind, attempt, at, event, schema, actor, credential,
                    on_behalf, operation, checks, resources, effect, reason, policy_version,
                    because, obligations, upstream_attempt, outcome, leaf, digest, process)
SELECT w, c, k, a, t, e, 1, ac, cr, ob, op,
       string_to_array(ch, E'\\n'), string_to_array(re, E'\\n'),
       ef, rs, pv, string_to_array(be, E'\\n'),
       string_to_array(og, E'\\n'), ua, oc, le, di, pr
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
              $13::text[], $14::text[], $15::bigint[], $16::text[], $17::text[], $18::int[],
              $19::text[], $20::bytea[], $21::bytea[], $22::uuid[])
    AS r(w, c, k, a, t, e, ac, cr, ob, op, ch, re, ef, rs, pv, be, og, ua, oc, le, di, pr)
"""
_INSERT_OPEN = """
INSERT INTO record_open (workspace_id, call_id, kind, attempt, salt, body, at)
SELECT w, c, k, a, s, b::jsonb, t
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bytea[], $6::text[],
              $7::timestamptz[]) AS r(w, c, k, a, s, b, t)
"""
