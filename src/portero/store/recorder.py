"""The one writer of records in a process: admits calls and writes how they ended.

Whatever gathered while the last commit ran goes into the next one: group commit without a fixed
window. A call may go out only after the commit that holds its intent. If that cannot commit, every
call of the batch is told so, and nothing is sent. How calls ended is waited for by nobody: it joins
the next commit, or has one of its own when none came within a few milliseconds.

Two things outlive a lost connection. An outcome happened, so it is written when the database is
back. And a commit that was under way may have succeeded: the next connection asks what became of
it, so that no outcome is written twice and no intent of a call that was told "unavailable" stays
open.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from portero.store.admission import Admission, Admitted, Note, Unavailable, Verdict
from portero.store.failures import AWAY
from portero.store.fairness import in_turn
from portero.store.idempotency import Settled
from portero.store.records import Outcome, RecordKind
from portero.store.transaction import Held, RecordingTransaction

BATCH_MAX = 256
PATIENCE_S = 5.0
LATER_S = 0.005
HELD_RETRY_S = 0.002
RECONNECT_S = 0.2
DOUBT_RETRY_S = 0.05

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """An item and who waits for its commit, if somebody does.

    `patient`: an outcome, kept while the database is away. `done` may be cancelled: who waited has
    gone, and the item is recorded all the same.
    """

    item: Admission | Note
    in_flight: "dict[_Waiting, None]"
    gives_up_at: float
    done: "asyncio.Future[Verdict | None] | None"
    patient: bool = False

    def answer(self, verdict: Verdict | None) -> None:
        self.in_flight.pop(self, None)
        if self.done is not None and not self.done.done():
            self.done.set_result(verdict)

    def fail(self) -> None:
        self.in_flight.pop(self, None)
        if self.done is None:
            logger.error("recorder: an outcome was not written; its intent stays open")
        elif not self.done.done():
            self.done.set_exception(Unavailable())

    @property
    def is_left(self) -> bool:
        """Whether who waited has gone."""
        return self.done is not None and self.done.cancelled()


_Batch = Sequence[_Waiting]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A commit whose connection was lost: it happened, or it did not."""

    transaction: RecordingTransaction
    batch: _Batch


class Recorder:
    """Give it work by `admit`, `note` and `note_later`; `run` does it."""

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        on_head: Callable[[UUID, int], None] = lambda _workspace, _version: None,
    ) -> None:
        self._connect = connect
        self._on_head = on_head
        self._queue: deque[_Waiting] = deque()
        self._held: list[_Waiting] = []
        self._doubt: _Doubt | None = None
        self._wake = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._in_flight: dict[_Waiting, None] = {}
        self._passed = asyncio.Event()  # set, and replaced, whenever something left those in flight

    async def admit(self, admission: Admission) -> Verdict:
        """Record the intent and take what it obliges to. Raises Unavailable."""
        done: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._enqueue(admission, done)
        self._wake.set()
        try:
            verdict = await done
        except asyncio.CancelledError:
            # Who asked is gone and will send nothing. If the intent is written, so is its end:
            # now, or by `_answer` once it is.
            if not done.cancelled() and done.exception() is None:
                self._close_if_admitted(admission, done.result())
            raise
        assert verdict is not None  # noqa: S101 - only notes are answered with None
        return verdict

    async def note(self, note: Note) -> None:
        """Record, and return once it is durable. Raises Unavailable."""
        done: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._enqueue(note, done)
        self._wake.set()
        await done

    def note_later(self, note: Note) -> None:
        """Record with the next commit, or when the database is back.

        If the process dies before that, the intent is found open and ended `unknown`.
        """
        self._enqueue(note, None, patient=True)
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER_S, self._it_is_later)

    async def settled(self, workspace: UUID | None = None) -> None:
        """Wait until what was handed in so far is durable or has failed, of one workspace or of all.

        Never longer than a call would wait: an outcome may wait much longer.
        """
        waiting = {one for one in self._in_flight if workspace in (None, one.item.record.workspace)}
        if not waiting:
            return
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not waiting.isdisjoint(self._in_flight):
                    await self._passed.wait()

    async def run(self) -> None:
        """Commit until cancelled; what waits at that moment is told that nothing was recorded."""
        try:
            while True:
                try:
                    await self._run_on_one_connection()
                except Exception as error:  # noqa: BLE001 - the one writer outlives whatever comes
                    logger.warning("recorder: the database is away: %s", type(error).__name__)
                    self._tell_that_nothing_is_recorded()
                    await asyncio.sleep(RECONNECT_S)
        finally:
            self._give_up()

    def _enqueue(
        self,
        item: Admission | Note,
        done: "asyncio.Future[Verdict | None] | None",
        *,
        patient: bool = False,
    ) -> None:
        gives_up_at = time.monotonic() + PATIENCE_S
        waiting = _Waiting(item, self._in_flight, gives_up_at, done, patient)
        self._in_flight[waiting] = None
        self._queue.append(waiting)

    def _tell_who_waits_for_all(self) -> None:
        self._passed.set()
        self._passed = asyncio.Event()

    def _it_is_later(self) -> None:
        self._later = None
        self._wake.set()

    async def _run_on_one_connection(self) -> None:
        connection = await asyncio.wait_for(self._connect(), PATIENCE_S)
        try:
            await self._settle_doubt(connection)
            self._wake.set()  # for what the last connection left
            while True:
                await self._wake.wait()
                batch = self._next_batch()
                if not self._queue:  # what one batch could not hold waits for nobody's call
                    self._wake.clear()
                await self._commit(connection, batch)
        finally:
            connection.terminate()

    def _next_batch(self) -> _Batch:
        """What came; of more than a batch holds, everybody's first: a crowd of one waits behind itself."""
        batch, self._queue = list(self._queue), deque()
        if len(batch) > BATCH_MAX:
            batch, rest = in_turn(batch, BATCH_MAX, lambda one: one.item.record.workspace)
            self._queue.extend(rest)
        return batch

    async def _commit(self, connection: asyncpg.Connection, batch: _Batch) -> None:
        """Commit; around an item that cannot be recorded, in parts that can."""
        parts = [batch] if batch else []
        try:
            while parts:
                parts += await self._commit_or_part(connection, parts.pop())
        except BaseException:
            self._queue.extendleft(one for part in parts for one in reversed(part))
            raise
        self._tell_who_waits_for_all()

    async def _commit_or_part(
        self, connection: asyncpg.Connection, batch: _Batch
    ) -> Sequence[_Batch]:
        """Commit and answer; returns what to try in its stead, in reverse."""
        transaction = RecordingTransaction(
            connection,
            [one.item for one in batch if isinstance(one.item, Admission)],
            [one.item for one in batch if isinstance(one.item, Note)],
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                error = await _run(connection, transaction)
        except BaseException:
            self._doubt = _Doubt(transaction, batch)
            raise
        if error is not None:
            return _without_the_culprit(batch, error)
        self._answer(transaction, batch)
        return []

    def _answer(self, transaction: RecordingTransaction, batch: _Batch) -> None:
        for workspace, version in transaction.heads.items():
            self._on_head(workspace, version)
        held = []
        for one in batch:
            if isinstance(one.item, Note):
                one.answer(None)
                continue
            verdict = transaction.verdicts[one.item.record.call]
            if isinstance(verdict, Held):
                held.append(one)
                continue
            one.answer(verdict)
            if one.is_left:
                self._close_if_admitted(one.item, verdict)
        if held:
            self._hold(held)

    # Calls that a policy change holds up

    def _hold(self, waiting: _Batch) -> None:
        self._held.extend(waiting)
        asyncio.get_running_loop().call_later(HELD_RETRY_S, self._try_held_again)

    def _try_held_again(self) -> None:
        now = time.monotonic()
        for one in self._held:
            if one.gives_up_at < now:
                one.fail()
            else:
                self._queue.append(one)
        self._held.clear()
        self._wake.set()
        self._tell_who_waits_for_all()

    # A database that is away

    def _tell_that_nothing_is_recorded(self) -> None:
        for one in (*self._queue, *self._held, *(self._doubt.batch if self._doubt else ())):
            if not one.patient:
                one.fail()
        self._queue = deque(one for one in self._queue if one.patient)
        self._held.clear()
        self._tell_who_waits_for_all()

    async def _settle_doubt(self, connection: asyncpg.Connection) -> None:
        """Ask what became of the commit that the last connection was lost in."""
        if self._doubt is None:
            return
        async with asyncio.timeout(PATIENCE_S):
            happened = await _has_committed(connection, self._doubt.transaction.id)
        transaction, batch = self._doubt.transaction, self._doubt.batch
        self._doubt = None
        for one in batch:
            if isinstance(one.item, Admission):
                if happened and isinstance(transaction.verdicts[one.item.record.call], Admitted):
                    self._close(one.item, "unconfirmed")
            elif happened:
                one.answer(None)
        if not happened:
            self._queue.extendleft(one for one in reversed(batch) if one.patient)
        self._tell_who_waits_for_all()

    def _close_if_admitted(self, admission: Admission, verdict: Verdict | None) -> None:
        if isinstance(verdict, Admitted):
            self._close(admission, "caller_gone")

    def _close(self, admission: Admission, reason: str) -> None:
        settled = None if admission.claim is None else Settled(admission.claim, "released")
        record = admission.record.ended(Outcome.STOPPED, reason)
        self.note_later(Note(record=record, settled=settled))

    def _give_up(self) -> None:
        self._tell_that_nothing_is_recorded()
        unwritten = [*self._queue, *(self._doubt.batch if self._doubt else ())]
        for one in unwritten:
            one.fail()
        if unwritten:
            logger.warning("recorder: stopped with outcomes unwritten; they end unknown")


async def _run(
    connection: asyncpg.Connection, transaction: RecordingTransaction
) -> Exception | None:
    """Commit; returns why an item of it cannot be recorded. Raises when the database is away."""
    # Not `connection.transaction()`: on a dead connection its ROLLBACK would wait for ever.
    try:
        await transaction.run()
        await connection.execute("COMMIT")
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - the one writer outlives whatever it is given
        await connection.execute("ROLLBACK")
        return error
    return None


def _without_the_culprit(batch: _Batch, error: Exception) -> Sequence[_Batch]:
    """What to commit, last first, when something in one item does not fit."""
    if isinstance(error, asyncpg.TransactionRollbackError):  # a deadlock: no item is to blame
        return [batch]
    if len(batch) > 1:
        middle = len(batch) // 2
        return [batch[middle:], batch[:middle]]
    [one] = batch
    second_best = _second_best(one.item, error)
    if second_best is None:
        logger.error("recorder: an item cannot be recorded", exc_info=error)
        one.fail()
        return []
    logger.warning("recorder: an outcome is recorded in short: %s", type(error).__name__)
    one.item = second_best
    return [batch]


def _second_best(item: Admission | Note, error: Exception) -> Note | None:
    """What can be said of an outcome that cannot be recorded as it is; None when nothing more can.

    A call that others had to end `unknown` leaves what came after all as an event. One with a value
    that the database refuses leaves the bare fact that, and how, it ended.
    """
    if isinstance(item, Admission) or item.record.kind is not RecordKind.OUTCOME:
        return None
    if isinstance(error, asyncpg.UniqueViolationError):
        return replace(item, record=replace(item.record, kind=RecordKind.EVENT))
    if not item.record.body:
        return None
    return Note(record=replace(item.record, body={}), settled=item.settled)


async def _has_committed(connection: asyncpg.Connection, transaction: str) -> bool:
    if not transaction:
        return False  # it was lost before it began
    try:
        while (fate := await connection.fetchval(_FATE, transaction)) == "in progress":
            await asyncio.sleep(DOUBT_RETRY_S)
    except asyncpg.InvalidParameterValueError:
        return False  # a standby took over that never heard of it
    return bool(fate == "committed")


_FATE = "SELECT pg_xact_status($1::text::xid8)"
