from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from portero.domain.access.authorize.deciding import Actor
from portero.domain.access.errors import AccessDenied
from portero.domain.access.snapshot import current_state
from portero.domain.audit import services as audit
from portero.domain.audit.services import Touched
from portero.engine import Effect, Reason
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
            body=_readable(actor, {"sentence": refusal.sentence}),
        )
    )


def record_act(
    *,
    actor: Actor,
    operation: str,
    event: str,
    checks: Sequence[str],
    touched: Iterable[Touched] = (),
    **body: object,
) -> None:
    """Put on record what changed no policy; the workspace's lock must be held."""
    things = tuple(touched)
    audit.write_record(
        Record(
            workspace=actor.workspace,
            call=uuid7(),
            kind=RecordKind.EVENT,
            event=event,
            operation=operation,
            effect=Effect.ALLOW,
            reason=Reason.ALLOWED,
            policy_version=current_state().policy.version,
            actor=actor.id,
            on_behalf=actor.lens.id if actor.lens is not None else None,
            checks=tuple(checks),
            resources=audit.digests(things),
            body=_readable(actor, body),
        ),
        touched=things,
    )


def _readable(actor: Actor, body: Mapping[str, object]) -> dict[str, object]:
    """What is known of a body, and who acts in the actor's name if somebody does."""
    whole = {**body, "operator": actor.operator}
    return {name: value for name, value in whole.items() if value is not None}
