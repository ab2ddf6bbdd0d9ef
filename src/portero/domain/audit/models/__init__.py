"""Tables of the log, and the workspace that every row of every app belongs to."""

from portero.domain.audit.models.records import Outbox, Record, RecordLeaf, RecordOpen
from portero.domain.audit.models.workspace import (
    WorkspaceChanged,
    WorkspaceMissing,
    WorkspaceModel,
    current_workspace,
    in_workspace,
)

__all__ = [
    "Outbox",
    "Record",
    "RecordLeaf",
    "RecordOpen",
    "WorkspaceChanged",
    "WorkspaceMissing",
    "WorkspaceModel",
    "current_workspace",
    "in_workspace",
]
