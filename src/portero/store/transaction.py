"""The recording transaction: one commit's worth of admissions and notes.

The order of its steps is what makes an admission hold. The workspace's lock is taken, and only a
statement that begins after that reads the policy head; so a policy change, which takes the same
lock exclusively, commits before the head is read or after the admission is durable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from portero.store import contacts, idempotency, registry
from portero.store.admission import Admission, Admitted, Moved, Note, Refused, Repeated, Verdict
from portero.store.appending import insert_batch
from portero.store.counting import Counted, Counts
from portero.store.idempotency import Settled
from portero.store.ids import workspace_lock
from portero.store.limits import Demand, LimitReached
from portero.store.looking import Look, look
from portero.store.records import Record, RecordKind, seal_all

# How long a transaction of ours may lie idle before the server ends it. A process that was frozen
# in one would hold up every change of policy; by then it has lost its lease as well.
FROZEN_S = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """A policy change has the workspace's lock; nothing was looked at. Ask again."""


class RecordingTransaction:
    """Begins a transaction and runs in it; what it says holds once that is committed.

    Attributes:
        id: the transaction's, by which to ask what became of it; empty before it touched anything.
        heads: the policy head of every workspace that an admission was for.
        verdicts: what each admission is told, Held for those that must ask again.
    """

    def __init__(
        self,
        connection: asyncpg.Connection,
        admissions: Sequence[Admission],
        notes: Sequence[Note],
    ) -> None:
        self.id = ""
        self.heads: dict[UUID, int] = {}
        self.verdicts: dict[UUID, Verdict | Held] = {}
        self._connection = connection
        self._admissions = admissions
        self._notes = notes
        self._records: list[Record] = []
        self._now: datetime
        self._counts: Counts | None = None

    async def run(self) -> None:
        admissible = await self._enter()
        # First: who asks again with an idempotency key may be in the batch that holds the end of
        # their first request.
        settled = [note.settled for note in self._notes if note.settled is not None]
        await idempotency.settle(self._connection, settled)
        if admissible:
            await self._admit(admissible)
        self._records.extend(note.record for note in self._notes)
        sealed = seal_all(self._records, self._now)
        learned = [resource for note in self._notes for resource in note.learned]
        await insert_batch(self._connection, sealed, learned, self._counts)
        await self._write_what_else_notes_say()

    async def _enter(self) -> list[Admission]:
        """Begin, list the workspaces and lock those to admit in; returns what may go on.

        Locks are never waited for: a policy change in one workspace stops only its own calls.
        """
        items: tuple[Admission | Note, ...] = (*self._admissions, *self._notes)
        listed = {item.record.workspace for item in items}
        asked = {admission.record.workspace for admission in self._admissions}
        locks = {workspace: workspace_lock(workspace) for workspace in asked}
        keys = sorted(locks.values())
        told = await self._connection.execute(
            _ENTER.format(workspaces=",".join(map(str, listed)), seconds=FROZEN_S, locks=keys)
        )
        admissible = list(self._admissions)
        if told != f"SELECT {len(keys)}":  # that many rows, one for each lock that was free
            admissible = await self._of_locked(locks)
        if not admissible:  # else the look says both
            row = await self._connection.fetchrow(_WHEN)
            assert row is not None  # noqa: S101 - a query without FROM has one row
            self.id, self._now = row["id"], row["now"]
        return admissible

    async def _of_locked(self, locks: Mapping[UUID, int]) -> list[Admission]:
        """The admissions in workspaces whose lock is ours; what it is not for must ask again."""
        got = set(await self._connection.fetchval(_LOCKED, sorted(locks.values())))
        admissible = []
        for admission in self._admissions:
            if locks[admission.record.workspace] in got:
                admissible.append(admission)
            else:
                self._answer(admission, Held())
        return admissible

    async def _admit(self, admissions: Sequence[Admission]) -> None:
        seen = await self._look(admissions)
        self.id, self._now = seen.id, seen.now
        self.heads, self._counts = seen.heads, seen.counts
        fresh = await self._without_repeated(self._without_moved(admissions))
        people = [identity for admission in fresh for identity in admission.recipients]
        known = await contacts.resolve(self._connection, people, seen.known)
        demands = [_demand(admission, known) for admission in fresh]
        reached = await seen.counts.take(self._connection, demands, self._now)
        released = []
        for admission, limit in zip(fresh, reached, strict=True):
            if limit is None:
                self._answer(admission, Admitted(self._now), admission.record)
                continue
            refused = _refused(admission, limit)
            self._answer(admission, Refused(limit, self._now), refused)
            if admission.claim is not None:
                released.append(Settled(admission.claim, "released"))
        await idempotency.settle(self._connection, released)

    async def _look(self, admissions: Sequence[Admission]) -> Look:
        # A statement of its own: its snapshot must be younger than the locks, and so must the time.
        return await look(
            self._connection,
            workspaces={admission.record.workspace for admission in admissions},
            counted=[
                Counted(a.record.workspace, a.zone, take) for a in admissions for take in a.takes
            ],
            identities=[identity for a in admissions for identity in a.recipients],
        )

    def _without_moved(self, admissions: Sequence[Admission]) -> list[Admission]:
        current = []
        for admission in admissions:
            head = self.heads[admission.record.workspace]
            if head == admission.version:
                current.append(admission)
            else:
                self._answer(admission, Moved(head))
        return current

    async def _without_repeated(self, admissions: Sequence[Admission]) -> list[Admission]:
        claims = [a.claim for a in admissions if a.claim is not None]
        in_the_way = await idempotency.claim(self._connection, claims)
        fresh = []
        for admission in admissions:
            claim = admission.claim
            earlier = in_the_way.get(claim.call) if claim is not None else None
            if claim is None or earlier is None:
                fresh.append(admission)
                continue
            verdict = Repeated(earlier, same_request=earlier.digest == claim.digest)
            self._answer(admission, verdict, _repetition(admission.record, verdict))
        return fresh

    def _answer(
        self, admission: Admission, verdict: Verdict | Held, record: Record | None = None
    ) -> None:
        self.verdicts[admission.record.call] = verdict
        if record is not None:
            self._records.append(record)

    async def _write_what_else_notes_say(self) -> None:
        for note in self._notes:
            for kind, meta_id in note.forgotten:
                await registry.forget(self._connection, note.record.workspace, kind, [meta_id])
        await contacts.link(self._connection, [group for n in self._notes for group in n.people])


def _demand(admission: Admission, known: contacts.Known) -> Demand:
    return Demand(
        admission.record.workspace,
        admission.zone,
        admission.takes,
        admission.messages,
        frozenset(known[contacts.key_of(identity)] for identity in admission.recipients),
    )


def _refused(admission: Admission, limit: LimitReached) -> Record:
    return admission.record.refused(
        reason=limit.reason,
        because=(str(limit.take.limit),),
        sentence=limit.sentence(admission.zone),
    )


def _repetition(record: Record, verdict: Repeated) -> Record:
    body = {**record.body, "first_call": str(verdict.earlier.call)}
    if verdict.replayed:
        return replace(record, kind=RecordKind.EVENT, reason="repeated", body=body)
    reason = "idempotency_in_progress" if verdict.same_request else "idempotency_key_reused"
    return replace(record, kind=RecordKind.EVENT, effect="deny", reason=reason, body=body)


# Several statements in one message, because each costs a round trip while every call of the process
# waits. They are of our own words, of UUIDs and whole numbers: such a message takes no parameters.
# The heads must be read by a snapshot younger than the locks, whatever the server's default. Plans
# are made once: a batch looks up keys, whatever they are, and planning cost more than that.
_ENTER = """
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('portero.workspaces', '{workspaces}', true),
       set_config('idle_in_transaction_session_timeout', '{seconds}s', true),
       set_config('plan_cache_mode', 'force_generic_plan', true);
SELECT FROM unnest(ARRAY{locks}::bigint[]) AS t(k) WHERE pg_try_advisory_xact_lock_shared(k)
"""
# Asks once more for those that were not free, and is given again those that are held.
_LOCKED = """
SELECT ARRAY(SELECT k FROM unnest($1::bigint[]) AS t(k) WHERE pg_try_advisory_xact_lock_shared(k))
"""
_WHEN = "SELECT pg_current_xact_id()::text AS id, clock_timestamp() AS now"
