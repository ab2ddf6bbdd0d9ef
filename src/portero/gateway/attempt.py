"""One call's way: decide, admit, first byte, outcome (the order is the product).

Every door of the gateway, messages, uploads, downloads and the internal listener, goes this way
and no other. What may differ between doors is how a request is read and how its answer is given.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, Self, TypeVar
from uuid import UUID

from portero import engine
from portero.engine.values import valueclass
from portero.gateway.sentences import refusal_sentence, refused_facts
from portero.gateway.workspaces import Workspaces, WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.operation import RiskClass
from portero.graphapi.refusals import refusal_for
from portero.store.admission import Admission, Admitted, Moved, Note, Refused, Repeated, Unavailable
from portero.store.contacts import Identity
from portero.store.idempotency import Claim, Settled
from portero.store.limits import Take, seconds_until
from portero.store.presence import LeaseLapsed, PolicyMoved, Presence
from portero.store.recorder import Recorder
from portero.store.records import Outcome, Record, RecordKind
from portero.store.registry import Resource

T = TypeVar("T")

# A policy that moves faster than a call can be decided is a storm; better to say so than to spin.
ROUNDS_MAX = 16


class Refusal(Exception):
    """A call is refused, and that is on record."""

    def __init__(self, error: GraphError, *, retry_after_s: int | None = None) -> None:
        super().__init__(error.details)
        self.error = error
        self.retry_after_s = retry_after_s


class LeftUnanswered(Exception):
    """An error nobody foresaw came after a call had left: it may have been carried out."""

    def __init__(self, call: UUID) -> None:
        super().__init__(call)
        self.call = call


class Replay(Exception):
    """The answer of the first request with this idempotency key, to be given again."""

    def __init__(self, status: int, sealed: bytes, call: UUID) -> None:
        super().__init__(status)
        self.status = status
        self.sealed = sealed
        self.call = call


@valueclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `credential` is the id of the key; `on_behalf` whom a process of ours speaks for."""

    workspace: UUID
    principal: str
    credential: str | None = None
    on_behalf: str | None = None
    address: str | None = None
    factor_at: float | None = None
    passkey_at: float | None = None


@valueclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is decided on.

    Attributes:
        checks: made from a state, because scopes look at what the state knows of a resource.
        touched: (kind, id) of everything named, for the record's digests.
        shown: the readable half of the record.
    """

    operation: str
    event: str
    risk: RiskClass
    checks: Callable[[WorkspaceState], Sequence[engine.Check]]
    messages: int = 0
    recipients: tuple[Identity, ...] = ()
    touched: tuple[tuple[str, str], ...] = ()
    claim: Claim | None = None
    shown: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doorway:
    """What an attempt needs of the process."""

    process: UUID
    workspaces: Workspaces
    presence: Presence
    recorder: Recorder

    async def record_refusal(
        self, call: UUID, caller: Caller, state: WorkspaceState, error: GraphError
    ) -> None:
        """Record a request that never became a call. Raises Refusal when that cannot be."""
        record = Record(
            workspace=caller.workspace,
            call=call,
            kind=RecordKind.INTENT,
            event="request.refused",
            operation="unknown",
            effect="deny",
            reason=error.reason or "malformed",
            policy_version=state.version,
            actor=caller.principal,
            credential=caller.credential,
            on_behalf=caller.on_behalf,
            process=self.process,
            body={"sentence": _without_reason(error), "address": caller.address},
        )
        await self.note(record)

    async def note(self, record: Record) -> None:
        """Make one record durable. Raises Refusal when that cannot be."""
        try:
            await self.recorder.note(Note(record=record))
        except Unavailable:
            sentence = "Nothing could be recorded, so nothing was done."
            raise Refusal(refusal_for("unavailable", sentence), retry_after_s=1) from None


class Attempt:
    """The way of one call: `pass_through` lets it go, `finish` closes it.

    As a context manager it leaves nothing open: a call that was admitted and then lost to an error
    nobody foresaw, or to a shutdown, ended `unknown` if a byte of it may have left. Such an error
    comes out as LeftUnanswered, unless the call was a read, which does no harm twice.
    """

    def __init__(self, door: Doorway, call: UUID, caller: Caller, subject: Subject) -> None:
        self.call = call
        self.state: WorkspaceState
        self.because: tuple[str, ...] = ()
        self._door = door
        self._caller = caller
        self._subject = subject
        self._round = 0
        self._open = False
        self._sent = False
        self._obligations: tuple[str, ...] = ()
        self._digests: tuple[str, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not self._open:
            return
        self._finish_later(
            Outcome.UNKNOWN if self._sent else Outcome.STOPPED, reason="gateway_failed"
        )
        if self._sent and isinstance(error, Exception) and self._subject.risk is not RiskClass.READ:
            raise LeftUnanswered(self.call) from error

    async def pass_through(self, forward: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """Decide and admit, then let `forward` send; it gets the look before the first byte.

        When the policy moves between the two, the call is decided and admitted again. Raises
        Refusal or Replay when it may not go, and whatever `forward` raises.
        """
        await self._clear()
        while True:
            try:
                return await forward(self._before_first_byte)
            except PolicyMoved:
                await self._clear_again()
            except LeaseLapsed:
                error = refusal_for(
                    "unavailable", "The gateway lost the database; nothing was sent."
                )
                self._finish_later(Outcome.STOPPED, reason="lease_lapsed")
                raise Refusal(error, retry_after_s=1) from None

    async def finish(
        self,
        outcome: Outcome,
        *,
        shown: Mapping[str, object],
        learned: tuple[Resource, ...] = (),
        forgotten: tuple[tuple[str, str], ...] = (),
        people: tuple[tuple[Identity, ...], ...] = (),
        answer: tuple[int, bytes] | None = None,
        durable: bool = False,
    ) -> None:
        """Record how it ended; `durable` waits for the commit, else it joins the next one.

        `answer` is what the caller is told, kept for whoever comes again with its idempotency key.
        """
        self._open = False
        note = Note(
            record=self._record(RecordKind.OUTCOME, reason=outcome, outcome=outcome, shown=shown),
            learned=learned,
            forgotten=forgotten,
            people=people,
            settled=self._settled(outcome, answer),
        )
        if durable:
            try:
                await self._door.recorder.note(note)
            except Unavailable:
                # It happened, and the caller is told so; it is written when the database is back.
                self._door.recorder.note_later(note)
        else:
            self._door.recorder.note_later(note)

    def stopped(self, reason: str) -> None:
        """Nothing was sent after all: the connection failed before the first byte."""
        self._finish_later(Outcome.STOPPED, reason=reason)

    def _before_first_byte(self) -> None:
        self._door.presence.require(self._caller.workspace, self.state.version)
        self._sent = True  # the write follows in this very step

    async def _clear_again(self) -> None:
        try:
            await self._clear(again=True)
        except Refusal as refusal:
            if self._open:  # the first intent stands and will not be followed
                self._finish_later(Outcome.STOPPED, reason=refusal.error.reason or "unavailable")
            raise

    async def _clear(self, *, again: bool = False) -> None:
        while self._round < ROUNDS_MAX:
            self._round += 1
            if await self._clear_once(again=again):
                return
        raise Refusal(
            refusal_for("unavailable", "The policy is changing too fast to decide; try again."),
            retry_after_s=1,
        )

    async def _clear_once(self, *, again: bool) -> bool:
        self.state = await self._door.workspaces.current(self._caller.workspace)
        decision, checks = self._decide()
        self.because = decision.because
        self._obligations = tuple(f"{o.kind}:{o.name}" for o in decision.obligations)
        if not decision.allowed:
            await self._refuse(decision, checks, again=again)
        await self._meet_requirements(decision, checks, again=again)
        intent = self._record(RecordKind.INTENT, reason=decision.reason, checks=checks)
        try:
            verdict = await self._door.recorder.admit(
                Admission(
                    record=intent,
                    version=self.state.version,
                    zone=self.state.zone,
                    takes=() if again else self._takes(decision),
                    messages=self._subject.messages,
                    recipients=self._subject.recipients,
                    claim=None if again else self._subject.claim,
                )
            )
        except Unavailable:
            raise Refusal(
                refusal_for("unavailable", "Nothing could be recorded, so nothing was sent."),
                retry_after_s=1,
            ) from None
        if isinstance(verdict, Admitted):
            self._open = True
            return True
        if isinstance(verdict, Moved):
            self._door.presence.moved(self._caller.workspace, verdict.version)
            return False
        if isinstance(verdict, Refused):
            reached = verdict.reached
            raise Refusal(
                refusal_for(reached.reason, reached.sentence(self.state.zone)),
                retry_after_s=seconds_until(reached.opens_at, verdict.at),
            )
        raise _repeated(verdict)

    def _decide(self) -> tuple[engine.Decision, Sequence[engine.Check]]:
        checks = self._subject.checks(self.state)
        decision = self.state.snapshot.decide(
            self._caller.principal,
            checks,
            context_of(self.state, self._caller),
            self._caller.credential,
        )
        return decision, checks

    async def _refuse(
        self, decision: engine.Decision, checks: Sequence[engine.Check], *, again: bool
    ) -> None:
        explanation = self.state.snapshot.explain(
            self._caller.principal,
            checks,
            context_of(self.state, self._caller),
            self._caller.credential,
        )
        sentence = refusal_sentence(explanation, self.state.names)
        facts = refused_facts(explanation)
        await self._deny(decision.reason, sentence, checks, again=again, facts=facts)

    async def _meet_requirements(
        self, decision: engine.Decision, checks: Sequence[engine.Check], *, again: bool
    ) -> None:
        """What no transaction can show yet is not met: errors deny."""
        for need in decision.obligations:
            if need.kind == engine.ObligationKind.REQUIRE:
                self.because = (need.guardrail,)
                asking = f"The guardrail “{self.state.names.get(need.guardrail, need.guardrail)}”"
                sentence = f"{asking} {_UNMET[need.name]}"
                await self._deny(f"requirement_{need.name}", sentence, checks, again=again)
        if self._subject.risk is RiskClass.HIGH_RISK:
            sentence = f"An operation of this risk {_UNMET['second_person']}"
            await self._deny("requirement_second_person", sentence, checks, again=again)

    async def _deny(
        self,
        reason: str,
        sentence: str,
        checks: Sequence[engine.Check],
        *,
        again: bool,
        facts: Mapping[str, object] | None = None,
    ) -> NoReturn:
        """Record it and raise Refusal. After an intent that is not followed, this is its outcome."""
        record = self._record(
            RecordKind.OUTCOME if again else RecordKind.INTENT,
            reason=reason,
            effect="deny",
            checks=checks,
            outcome=Outcome.STOPPED if again else None,
            shown={"sentence": sentence, **({"refused": facts} if facts else {})},
        )
        await self._door.note(record)
        self._open = False
        raise Refusal(refusal_for(reason, sentence))

    def _takes(self, decision: engine.Decision) -> tuple[Take, ...]:
        return tuple(
            [
                self.state.takes[o.name]
                for o in decision.obligations
                if o.kind == engine.ObligationKind.TAKE
            ]
        )

    def _record(
        self,
        kind: RecordKind,
        *,
        reason: str,
        effect: str = "allow",
        checks: Sequence[engine.Check] = (),
        outcome: Outcome | None = None,
        shown: Mapping[str, object] | None = None,
    ) -> Record:
        if self._digests is None:
            self._digests = tuple([self.state.digest_of(k, v) for k, v in self._subject.touched])
        return Record(
            workspace=self._caller.workspace,
            call=self.call,
            kind=kind,
            attempt=self._round,
            event=self._subject.event,
            operation=self._subject.operation,
            effect=effect,
            reason=reason,
            policy_version=self.state.version,
            actor=self._caller.principal,
            credential=self._caller.credential,
            on_behalf=self._caller.on_behalf,
            checks=tuple(sorted({check.permission for check in checks})),
            resources=self._digests,
            because=self.because,
            obligations=self._obligations,
            upstream_attempt=int(self._sent),
            outcome=outcome,
            process=self._door.process,
            body={**self._subject.shown, "address": self._caller.address, **(shown or {})},
        )

    def _finish_later(self, outcome: Outcome, *, reason: str) -> None:
        self._open = False
        record = self._record(RecordKind.OUTCOME, reason=reason, outcome=outcome)
        self._door.recorder.note_later(Note(record=record, settled=self._settled(outcome, None)))

    def _settled(self, outcome: Outcome, answer: tuple[int, bytes] | None) -> Settled | None:
        claim = self._subject.claim
        if claim is None:
            return None
        if outcome is Outcome.UNKNOWN:
            return Settled(claim, "unknown")
        if answer is None:
            return Settled(claim, "released")
        status, body = answer
        sealed = self.state.secrets.seal("idempotency", "answer", self.call, body)
        return Settled(claim, "done", status, sealed)


def _without_reason(error: GraphError) -> str:
    """The sentence of a refusal; its reason has a column of its own.

    It may quote the caller, and a NUL has no place in PostgreSQL: U+FFFD stands for it.
    """
    sentence = (error.details or error.message).removeprefix(f"{error.reason}: ")
    return sentence.replace("\0", "\ufffd")


def context_of(state: WorkspaceState, caller: Caller) -> engine.Context:
    """The circumstances, measured now: the local hour is the workspace's."""
    now = time.time()
    local = datetime.fromtimestamp(now, state.zone)
    return engine.Context(
        now=now,
        weekday=local.weekday(),
        minute=local.hour * 60 + local.minute,
        address=caller.address,
        factor_at=caller.factor_at,
        passkey_at=caller.passkey_at,
    )


def _repeated(verdict: Repeated) -> Exception:
    earlier = verdict.earlier
    if not verdict.same_request:
        return Refusal(
            refusal_for(
                "idempotency_key_reused",
                "This idempotency key was used for another request; choose a new one.",
            )
        )
    if earlier.state == "done" and earlier.status is not None and earlier.answer is not None:
        return Replay(earlier.status, earlier.answer, earlier.call)
    sentence = (
        "The first request with this idempotency key ended unknown: it may have been sent."
        if earlier.state == "unknown"
        else "The first request with this idempotency key is still under way."
    )
    return Refusal(refusal_for("idempotency_in_progress", sentence), retry_after_s=1)


_UNMET = {
    "window": "asks for an open customer window, and none is known for this contact.",
    "consent": "asks for consent, and none is on record for this contact.",
    "second_person": "asks for the approval of a second person, which a key cannot bring; "
    "an owner can do it in the console.",
}
