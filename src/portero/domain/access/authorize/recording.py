from __future__ import annotations

from portero.domain.access.authorize.deciding import Actor
from portero.domain.access.errors import AccessDenied
from portero.domain.audit import services as audit
from portero.engine import Effect
from portero.store.ids import uuid7
from portero.store.records import Record, RecordKind


def record_refusal(
    refusal: AccessDenied, *, actor: Actor, version: int, operation: str, event: str
) -> None:
    """Put on record what did not happen, in the workspace's current transaction."""
    audit.write_record(
        Record(
            workspace=actor.workspace,
            call=uuid7(),
            kind=RecordKind.EVENT,
            event=event,
            operation=operation,
            effect=Effect.DENY,
            reason=refusal.reason,
            policy_version=version,
            actor=actor.id,
            on_behalf=actor.lens.id if actor.lens is not None else None,
            checks=refusal.checks,
            because=refusal.because,
            body={"sentence": refusal.sentence},
        )
    )
