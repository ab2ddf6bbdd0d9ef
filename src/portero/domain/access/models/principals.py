from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Now

from portero.domain.audit.models import WorkspaceModel


class Principal(WorkspaceModel):
    """A person's membership, a service account or a team of one workspace."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    kind = models.TextField()
    name = models.TextField()
    sort_name = models.GeneratedField(
        expression=Lower("name"), output_field=models.TextField(), db_persist=True
    )
    """The name as lists are ordered and searched by it. A column, because under row-level security an
    index on an expression is walked from its begin: `lower` might tell what it was given."""
    active = models.BooleanField(db_default=True)
    owner = models.BooleanField(db_default=False)
    invited = models.BooleanField(db_default=False)
    """Of a person: has not accepted yet, so nobody comes in as this member."""
    signed_out_at = models.DateTimeField(null=True)
    """Of a person: sessions that were begun before it are none of this workspace any more."""
    person_id = models.UUIDField(null=True)
    accountable_id = models.UUIDField(null=True)
    """Of a service account: the person who answers for it, or did so last."""
    alone_since = models.DateTimeField(null=True)
    """Of a service account: when whoever answered for it left."""
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(null=True)
    """When a person last did something here; what they do in other workspaces is not told (P3)."""

    class Meta:
        db_table = "principal"
        indexes = [
            models.Index(fields=["workspace_id", "sort_name", "id"], name="principal_sort_name"),
            models.Index(
                fields=["workspace_id", "accountable_id"],
                condition=~models.Q(accountable_id=None),
                name="principal_accountable",
            ),
            models.Index(
                fields=["workspace_id", "sort_name"],
                condition=models.Q(kind="team"),
                name="principal_team",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["person", "service_account", "team"]),
                name="principal_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(owner=False) | models.Q(kind="person"),
                name="principal_owner_is_a_person",
            ),
            models.UniqueConstraint(
                fields=["workspace_id", "person_id"], name="principal_once_a_person"
            ),
        ]


class TeamMember(WorkspaceModel):
    pk = models.CompositePrimaryKey("workspace_id", "team_id", "principal_id")
    team_id = models.UUIDField()
    principal_id = models.UUIDField()

    class Meta:
        db_table = "team_member"
