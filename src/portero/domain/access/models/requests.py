from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portero.domain.audit.models import WorkspaceModel


class AccessRequest(WorkspaceModel):
    """Somebody asks for a role, at a scope, for a time. `digest` is of exactly what they asked."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    principal_id = models.UUIDField()
    role_id = models.UUIDField()
    scope = models.JSONField(default=dict)
    lasts_s = models.BigIntegerField()
    permission = models.TextField(db_default="")
    """What they were refused, where that is why they ask."""
    reason = models.TextField()
    digest = models.BinaryField()
    asked_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    state = models.TextField(db_default="open")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    answer = models.TextField(db_default="")
    binding_id = models.UUIDField(null=True)

    class Meta:
        db_table = "access_request"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "approved", "refused", "withdrawn"]),
                name="access_request_state",
            )
        ]
        indexes = [
            models.Index(
                fields=["workspace_id", "asked_at"],
                condition=models.Q(state="open"),
                name="access_request_open",
            ),
            models.Index(
                fields=["workspace_id", "principal_id", "asked_at"], name="access_request_mine"
            ),
        ]
