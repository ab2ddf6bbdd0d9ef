"""Roles as they were, and what somebody may put into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portero.domain.access.authorize import Actor, Holding
from portero.domain.access.models import Principal, RoleVersion
from portero.domain.access.snapshot import policy_now
from portero.domain.audit.models import in_workspace
from portero.engine import PERMISSIONS, Reach

_LATEST = 100


@dataclass(frozen=True, slots=True)
class RoleEdition:
    """The cells of a role from one version of the policy until another."""

    version: int
    """Of the policy, since when it stands or stood."""
    at: datetime
    author: str | None
    """Their name; None for what came with the workspace or a release."""
    reason: str
    cells: Mapping[str, Reach]


def role_editions(*, actor: Actor, role: UUID) -> list[RoleEdition]:
    """The latest editions of a role, the one in force first."""
    with in_workspace(actor.workspace):
        rows = list(RoleVersion.objects.filter(role_id=role).order_by("-valid_from")[:_LATEST])
        authors = dict(
            Principal.objects.filter(id__in=[row.author_id for row in rows]).values_list(
                "id", "name"
            )
        )
    return [
        RoleEdition(
            row.valid_from,
            row.created_at,
            authors.get(row.author_id) if row.author_id is not None else None,
            row.reason,
            {key: Reach[reach.upper()] for key, reach in row.cells.items() if key in PERMISSIONS},
        )
        for row in rows
    ]


def may_put_into_roles(*, actor: Actor) -> Mapping[str, Reach]:
    """How far the actor may put each permission into a role: as far as they have it themselves."""
    policy = policy_now(actor.workspace)
    return Holding.of(policy, actor.id, actor.at.timestamp()).farthest()
