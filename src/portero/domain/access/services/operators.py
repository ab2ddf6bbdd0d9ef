"""What whoever runs the installation does from the server: in the log of the workspace it is done to."""

from __future__ import annotations

from uuid import UUID

from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.audit import services as audit
from portero.domain.audit.models import in_workspace
from portero.engine import Effect, Reason
from portero.store.ids import uuid7
from portero.store.records import Record, RecordKind

OPERATOR = "operator"
"""Who acted, where it was nobody of the workspace."""


def record_command(*, workspace: UUID, operator: str, command: str) -> None:
    """Put a command on record, durably, before it reads or changes anything of a workspace.

    `operator` is who runs it, by the server's own name for them.
    """
    with in_workspace(workspace):
        lock_policy(exclusive=False)
        audit.write_record(
            Record(
                workspace=workspace,
                call=uuid7(),
                kind=RecordKind.EVENT,
                event="command.run",
                operation="record_command",
                effect=Effect.ALLOW,
                reason=Reason.ALLOWED,
                policy_version=current_state().policy.version,
                actor=OPERATOR,
                body={"operator": operator, "command": command},
            )
        )
