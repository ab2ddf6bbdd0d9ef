"""Immutable rows, each valid from one policy version until another.

A change never rewrites a row: it ends the old one (`valid_to`) and adds a new one, so that any
version of the policy can be read back.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Now

from portero.domain.audit.models import WorkspaceModel


class VersionedModel(WorkspaceModel):
    """In force while `valid_from` <= head < `valid_to`; `valid_to` None means until further notice."""

    reason = models.TextField(db_default="")
    author_id = models.UUIDField(null=True)
    managed_by = models.TextField(db_default="portero")
    valid_from = models.BigIntegerField()
    valid_to = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True


class Role(WorkspaceModel):
    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    name = models.TextField()
    builtin = models.BooleanField(db_default=False)

    class Meta:
        db_table = "role"
        constraints = [models.UniqueConstraint("workspace_id", Lower("name"), name="role_name")]


class RoleVersion(VersionedModel):
    """The cells of a role, permission to reach, e.g. `{"send:text": "queue"}`."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    role_id = models.UUIDField()
    cells = models.JSONField()

    class Meta:
        db_table = "role_version"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "role_id"],
                condition=models.Q(valid_to=None),
                name="role_version_one_in_force",
            )
        ]


class Binding(VersionedModel):
    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    principal_id = models.UUIDField()
    role_id = models.UUIDField()
    scope = models.JSONField()
    conditions = models.JSONField()
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "binding"
        indexes = [
            models.Index(
                fields=["workspace_id", "principal_id"],
                condition=models.Q(valid_to=None),
                name="binding_in_force",
            ),
            # What has changed since a version, for whoever follows.
            models.Index(
                fields=["workspace_id", "valid_from"],
                condition=models.Q(valid_to=None),
                name="binding_begun",
            ),
            models.Index(
                fields=["workspace_id", "valid_to"],
                condition=~models.Q(valid_to=None),
                name="binding_ended",
            ),
        ]


class Guardrail(VersionedModel):
    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    name = models.TextField()
    kind = models.TextField()
    body = models.JSONField()

    class Meta:
        db_table = "guardrail"
        indexes = [
            models.Index(
                fields=["workspace_id"],
                condition=models.Q(valid_to=None),
                name="guardrail_in_force",
            )
        ]


class UsageLimit(VersionedModel):
    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    holder_kind = models.TextField()
    holder_id = models.UUIDField(null=True)
    metric = models.TextField()
    per = models.TextField()
    amount = models.BigIntegerField()
    permissions = models.JSONField(null=True)

    class Meta:
        db_table = "usage_limit"
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="usage_limit_amount")
        ]
        indexes = [
            models.Index(
                fields=["workspace_id"],
                condition=models.Q(valid_to=None),
                name="usage_limit_in_force",
            )
        ]
