"""Writing the log: in the transaction of the effect, so that neither is without the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.dispatch import Signal

from portero.domain.audit import models
from portero.domain.audit.queries import database_time, workspace_keys
from portero.store.records import SCHEMA_VERSION, Record, SealedRecord, digest_of, seal

recorded = Signal()
"""Sent in the transaction of every event, with `record` and `touched`: what hears it adds to it."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A thing an event is about. Its id is digested in the record and clear in the outbox."""

    kind: str
    id: UUID


def write_record(record: Record, *, touched: Iterable[Touched] = ()) -> None:
    """Append a record, its readable half and its outbox row to the current transaction."""
    touched = tuple(touched)
    for row in rows_of(seal(record, database_time())):
        row.save(force_insert=True)
    _write_outbox(record, touched)
    recorded.send(Record, record=record, touched=touched)


def rows_of(sealed: SealedRecord) -> tuple[models.Record, models.RecordOpen]:
    """The two rows of a record, not yet written."""
    record = sealed.record
    whole = models.Record(
        call_id=record.call,
        kind=record.kind,
        attempt=record.attempt,
        at=sealed.at,
        event=record.event,
        schema=SCHEMA_VERSION,
        actor=record.actor,
        credential=record.credential,
        on_behalf=record.on_behalf,
        operation=record.operation,
        checks=list(record.checks),
        resources=list(record.resources),
        effect=record.effect,
        reason=record.reason,
        policy_version=record.policy_version,
        because=list(record.because),
        obligations=list(record.obligations),
        upstream_attempt=record.upstream_attempt,
        outcome=record.outcome,
        leaf=sealed.leaf,
        digest=sealed.digest,
        process=record.process,
    )
    readable = models.RecordOpen(
        call_id=record.call,
        kind=record.kind,
        attempt=record.attempt,
        salt=sealed.salt,
        body=dict(record.body),
        at=sealed.at,
    )
    return whole, readable


def digests(touched: Iterable[Touched]) -> tuple[str, ...]:
    """Name things as records of the current workspace name them."""
    key = workspace_keys().digest_key()
    return tuple(digest_of(key, thing.kind, str(thing.id)) for thing in touched)


def _write_outbox(record: Record, touched: Iterable[Touched]) -> None:
    # Not by the model: the sequence is an identity column, which only the database fills.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (workspace_id, event, record_id, subjects) VALUES (%s, %s, %s, %s)",
            [record.workspace, record.event, record.call, [thing.id for thing in touched]],
        )
