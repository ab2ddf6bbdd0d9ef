"""What is written about a call or an event, before anything happens and after it did.

A record has two halves. The *leaf* is what the log's proofs cover: canonical bytes with no clear
personal data, only keyed digests and one salted commitment to the readable half. The readable half
(`record_open`) can be erased; the leaf, and every proof over it, stays true.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import orjson

from portero.engine.values import valueclass

SCHEMA_VERSION = 1
SALT_BYTES = 16


class RecordKind(StrEnum):
    INTENT = "intent"
    OUTCOME = "outcome"
    EVENT = "event"


class Outcome(StrEnum):
    """How an attempt ended. `unknown`: bytes left, no answer came; never guessed, never re-sent."""

    DONE = "done"
    FAILED = "failed"
    PARTIAL = "partial"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@valueclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, all but its time, which is the database's.

    Attributes:
        event: noun and past verb, "message.sent"; for a refusal the event that did not happen.
        actor: id of the principal; `credential`: id of the key; `on_behalf`: who asked for it.
        checks: the permissions decided on.
        resources: keyed digests of the things touched (`digest_of`), never the things.
        because: ids of the bindings, guardrails or limits that settled it.
        body: the readable half: whatever a person needs to understand the record. Numbers in it
            are whole, because the database spells others in its own way.
    """

    workspace: UUID
    call: UUID
    kind: RecordKind
    event: str
    operation: str
    effect: str
    reason: str
    policy_version: int
    actor: str
    credential: str | None = None
    on_behalf: str | None = None
    attempt: int = 1
    checks: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    upstream_attempt: int = 0
    outcome: Outcome | None = None
    process: UUID | None = None
    body: Mapping[str, object] = field(default_factory=dict)

    def refused(self, *, reason: str, because: tuple[str, ...], sentence: str) -> "Record":
        """The same attempt, refused by something only the recording transaction could know."""
        body = {**self.body, "sentence": sentence}
        return replace(self, effect="deny", reason=reason, because=because, body=body)

    def ended(self, outcome: Outcome, reason: str) -> "Record":
        """How this intent ended, when that is all there is to say."""
        return replace(self, kind=RecordKind.OUTCOME, outcome=outcome, reason=reason, body={})


@valueclass(frozen=True, slots=True)
class SealedRecord:
    """A record with its time and the canonical bytes of both halves, tied by a commitment."""

    record: Record
    at: datetime
    salt: bytes
    leaf: bytes
    body: bytes

    @property
    def digest(self) -> bytes:
        """What the log is made of: the hash of the leaf."""
        return hashlib.sha256(self.leaf).digest()


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def commitment(salt: bytes, body: Mapping[str, object]) -> str:
    """Hex SHA-256 over salt and body: proves the readable half without revealing it."""
    return _commitment(salt, canonical(body))


def _commitment(salt: bytes, body: bytes) -> str:
    return hashlib.sha256(salt + body).hexdigest()


def digest_of(key: bytes, kind: str, value: str) -> str:
    """A resource as records name it: keyed, so that a number cannot be found by trying them all."""
    return hmac.digest(key, f"{kind}:{value}".encode(), "sha256").hex()[:32]


def seal(record: Record, at: datetime) -> SealedRecord:
    """Give a record its time and its leaf."""
    [sealed] = seal_all([record], at)
    return sealed


def seal_all(records: Sequence[Record], at: datetime) -> list[SealedRecord]:
    """Give records of one moment their time and their leaves."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    salts = secrets.token_bytes(SALT_BYTES * len(records))
    return [
        _sealed(record, at, moment, salts[n * SALT_BYTES : (n + 1) * SALT_BYTES])
        for n, record in enumerate(records)
    ]


def _sealed(record: Record, at: datetime, moment: str, salt: bytes) -> SealedRecord:
    body = canonical(record.body)
    leaf = canonical(
        {
            "v": SCHEMA_VERSION,
            "workspace": str(record.workspace),
            "call": str(record.call),
            "kind": record.kind,
            "attempt": record.attempt,
            "at": moment,
            "event": record.event,
            "operation": record.operation,
            "effect": record.effect,
            "reason": record.reason,
            "policy_version": record.policy_version,
            "actor": record.actor,
            "credential": record.credential,
            "on_behalf": record.on_behalf,
            "checks": record.checks,
            "resources": record.resources,
            "because": record.because,
            "obligations": record.obligations,
            "upstream_attempt": record.upstream_attempt,
            "outcome": record.outcome,
            "body": _commitment(salt, body),
        }
    )
    return SealedRecord(record, at, salt, leaf, body)
