"""Customers, and what the gateway counts and remembers about calls to them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portero.domain.audit.models import WorkspaceModel


class Contact(WorkspaceModel):
    """A customer: an internal id over numbers, business-scoped ids and usernames."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "contact"


class ContactIdentity(WorkspaceModel):
    """One way to name a contact: found by a digest under the workspace's key, kept encrypted."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    contact_id = models.UUIDField()
    kind = models.TextField()
    digest = models.BinaryField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "contact_identity"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=["phone", "bsuid", "parent_bsuid", "username", "group"]
                ),
                name="contact_identity_kind",
            ),
            models.UniqueConstraint(
                fields=["workspace_id", "kind", "digest"], name="contact_identity_digest"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace_id", "contact_id"], name="contact_identity_contact")
        ]


class Idempotency(WorkspaceModel):
    """The first request under a caller's key, and how it ended."""

    pk = models.CompositePrimaryKey("workspace_id", "principal", "operation", "key")
    principal = models.TextField()
    operation = models.TextField()
    key = models.TextField()
    digest = models.BinaryField()
    call_id = models.UUIDField()
    state = models.TextField()
    status = models.IntegerField(null=True)
    answer = models.BinaryField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotency"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["running", "done", "unknown"]),
                name="idempotency_state",
            )
        ]
        indexes = [models.Index(fields=["call_id"], name="idempotency_call")]


class LimitUse(WorkspaceModel):
    """How much of an hour's or a day's limit is used."""

    pk = models.CompositePrimaryKey("workspace_id", "limit_id", "starts")
    limit_id = models.UUIDField()
    starts = models.DateTimeField()
    used = models.BigIntegerField()

    class Meta:
        db_table = "limit_use"


class LimitRecipient(WorkspaceModel):
    """Whom a limit on distinct recipients has counted already."""

    pk = models.CompositePrimaryKey("workspace_id", "limit_id", "starts", "contact_id")
    limit_id = models.UUIDField()
    starts = models.DateTimeField()
    contact_id = models.UUIDField()

    class Meta:
        db_table = "limit_recipient"


class LimitSlice(WorkspaceModel):
    """The last second of a limit per second: when how many were granted."""

    pk = models.CompositePrimaryKey("workspace_id", "limit_id")
    limit_id = models.UUIDField()
    grants = ArrayField(models.FloatField())
    amounts = ArrayField(models.IntegerField())

    class Meta:
        db_table = "limit_slice"
