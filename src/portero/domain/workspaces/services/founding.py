"""The first act of a workspace: the one change that nobody can be authorised for.

It is for installation (`portero demo`, set-up, an operator's shell) and for nothing a request can
reach. From the second act on, somebody in the workspace is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from portero.domain.access.models import PolicyHead, Principal
from portero.domain.access.services import create_builtin_roles
from portero.domain.access.services.validation import require_name
from portero.domain.audit import services as audit
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched
from portero.domain.workspaces.errors import InvalidTimezone
from portero.domain.workspaces.models import Workspace, WorkspaceKey
from portero.engine import OWNERSHIP, Effect, PrincipalKind, Reason
from portero.store.ids import uuid7
from portero.store.records import Record, RecordKind
from portero.store.workspace_keys import PURPOSES, wrap_new_keys

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace with its keys, its built-in roles and its first owner."""

    id: UUID
    owner: UUID
    """The owner's principal in this workspace."""


def found_workspace(*, name: str, timezone: str, owner: UUID, owner_name: str) -> NewWorkspace:
    """Make a workspace whose first owner is the person `owner` (accounts.register_person).

    Raises InvalidRule, InvalidTimezone.
    """
    _require_timezone(timezone)
    new = NewWorkspace(id=uuid7(), owner=uuid7())
    with in_workspace(new.id):
        called = require_name(name)
        Workspace.objects.create(id=new.id, name=called, timezone=timezone)
        _create_keys(new.id)
        PolicyHead.objects.create(version=FIRST_VERSION)
        Principal.objects.create(
            id=new.owner,
            kind=PrincipalKind.PERSON,
            name=require_name(owner_name),
            owner=True,
            person_id=owner,
        )
        create_builtin_roles()
        _record(new, called)
    return new


def require_foundable(*, name: str, timezone: str) -> None:
    """Look at what a workspace would be called before anything is made.

    Raises InvalidRule, InvalidTimezone.
    """
    require_name(name)
    _require_timezone(timezone)


def _require_timezone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (ValueError, ZoneInfoNotFoundError, OSError):  # OSError: a folder of the database
        raise InvalidTimezone(timezone) from None


def _create_keys(workspace: UUID) -> None:
    ids = [uuid7() for _ in PURPOSES]
    for row, purpose, wrapped in wrap_new_keys(settings.PORTERO_KEK, workspace, ids):
        WorkspaceKey.objects.create(id=row, purpose=purpose, version=1, wrapped=wrapped)


def _record(new: NewWorkspace, name: str) -> None:
    touched = [Touched("workspace", new.id), Touched("principal", new.owner)]
    audit.write_record(
        Record(
            workspace=new.id,
            call=uuid7(),
            kind=RecordKind.EVENT,
            event="workspace.founded",
            operation="found_workspace",
            effect=Effect.ALLOW,
            reason=Reason.ALLOWED,
            policy_version=FIRST_VERSION,
            actor=str(new.owner),
            because=(OWNERSHIP,),
            resources=audit.digests(touched),
            body={"name": name},
        ),
        touched=touched,
    )
