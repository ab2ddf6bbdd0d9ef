"""What Meta told us, as it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portero.domain.audit.models import WorkspaceModel


class WebhookEvent(WorkspaceModel):
    """A delivery of Meta's, stored before it is answered. Meta repeats: the digest is unique."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    received_at = models.DateTimeField(db_default=Now())
    digest = models.BinaryField()
    body = models.BinaryField()
    processed_at = models.DateTimeField(null=True)
    tries = models.IntegerField(db_default=0)

    class Meta:
        db_table = "webhook_event"
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "digest"], name="webhook_event_digest")
        ]
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=models.Q(processed_at=None),
                name="webhook_event_waiting",
            )
        ]
