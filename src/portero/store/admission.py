"""What the recording transaction is asked, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from portero.engine.values import valueclass
from portero.store.contacts import Identity
from portero.store.idempotency import Claim, Earlier, Settled
from portero.store.limits import LimitReached, Take
from portero.store.records import Record
from portero.store.registry import Resource


class Unavailable(Exception):
    """Nothing could be recorded, so nothing may happen."""


@valueclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A decided call asks to be recorded and let through.

    `version` is the policy it was decided under, `takes` the limits the decision obliges to. A
    call admitted before, under an older policy, comes again without takes: nothing counts twice.
    """

    record: Record
    version: int
    zone: ZoneInfo
    takes: tuple[Take, ...] = ()
    messages: int = 0
    recipients: tuple[Identity, ...] = ()
    claim: Claim | None = None


@valueclass(frozen=True, slots=True)
class Admitted:
    """The intent is durable. `at` is the database's time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """The policy changed since the decision: decide again."""

    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Recorded as refused: a limit is used up."""

    reached: LimitReached
    at: datetime


@dataclass(frozen=True, slots=True)
class Repeated:
    """The idempotency key was claimed before; nothing new happens."""

    earlier: Earlier
    same_request: bool

    @property
    def replayed(self) -> bool:
        """Whether the first one's answer is given again; if not, this call is refused."""
        return self.same_request and self.earlier.answer is not None


Verdict = Admitted | Moved | Refused | Repeated


@valueclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to record that asks for nothing: an outcome, a refusal, an event.

    Attributes:
        learned: what the answer showed to be the workspace's.
        forgotten: (kind, Meta id) of what it said is deleted.
        people: groups of identities that name one person each.
        settled: how the request of an idempotency key ended.
    """

    record: Record
    learned: tuple[Resource, ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()
    people: tuple[tuple[Identity, ...], ...] = ()
    settled: Settled | None = None
