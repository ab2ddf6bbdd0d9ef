"""Workspaces, what of Meta's belongs to them, and their secrets."""

from __future__ import annotations

from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Now
from typing_extensions import override

from portero.domain.audit.models import WorkspaceModel, current_workspace


class WorkspaceItself(models.Manager["Workspace"]):
    """Sees the current workspace only."""

    @override
    def get_queryset(self) -> models.QuerySet[Workspace]:
        return super().get_queryset().filter(id=current_workspace())


class Workspace(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    timezone = models.TextField(db_default="UTC")
    created_at = models.DateTimeField(db_default=Now())
    suspended = models.BooleanField(db_default=False)

    objects = WorkspaceItself()

    class Meta:
        db_table = "workspace"

    @override
    def __str__(self) -> str:
        return str(self.id)


class WorkspaceKey(WorkspaceModel):
    """A key of the workspace, wrapped by the installation's key, which is not in the database."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    purpose = models.TextField()
    version = models.IntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "workspace_key"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(purpose__in=["contact", "record", "data"]),
                name="workspace_key_purpose",
            ),
            models.UniqueConstraint(
                fields=["workspace_id", "purpose", "version"], name="workspace_key_version"
            ),
        ]


class MetaApp(WorkspaceModel):
    """The Meta app of a workspace. Write-only for everyone but the gateway; the newest row counts."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    app_id = models.TextField()
    app_secret = models.BinaryField()
    verify_token_digest = models.BinaryField()

    class Meta:
        db_table = "meta_app"
        # Meta's handshake names no workspace: only the token it brings says whose it is.
        indexes = [models.Index(fields=["verify_token_digest"], name="meta_app_verify_token")]


class Credential(WorkspaceModel):
    """A token of Meta's, sealed. Write-only for everyone but the gateway; the newest row counts."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    waba = models.TextField()
    kind = models.TextField()
    sealed = models.BinaryField()
    key_version = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "credential"
        indexes = [models.Index(fields=["workspace_id", "waba"], name="credential_waba")]


class Waba(WorkspaceModel):
    """A WhatsApp Business Account."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    meta_id = models.TextField()
    name = models.TextField()

    class Meta:
        db_table = "waba"
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "meta_id"], name="waba_meta_id")
        ]


class Number(WorkspaceModel):
    """A business phone number."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    meta_id = models.TextField()
    waba_id = models.UUIDField()
    display = models.TextField()
    name = models.TextField()
    country = models.TextField()

    class Meta:
        db_table = "number"
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "meta_id"], name="number_meta_id")
        ]


class TemplateSet(WorkspaceModel):
    """Templates a scope can name together."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    name = models.TextField()

    class Meta:
        db_table = "template_set"


class TemplateSetMember(WorkspaceModel):
    pk = models.CompositePrimaryKey("workspace_id", "set_id", "template_name")
    set_id = models.UUIDField()
    template_name = models.TextField()

    class Meta:
        db_table = "template_set_member"


class Resource(WorkspaceModel):
    """One of Meta's ids that belongs to the workspace. What is not here is not the workspace's."""

    pk = models.CompositePrimaryKey("workspace_id", "kind", "meta_id")
    meta_id = models.TextField()
    kind = models.TextField()
    parent = models.TextField(null=True)
    number = models.TextField(null=True)
    attributes = models.JSONField(db_default={})
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "resource"
        indexes = [
            models.Index(fields=["workspace_id", "meta_id"], name="resource_meta_id"),
            models.Index(
                "workspace_id",
                "parent",
                KeyTextTransform("name", "attributes"),
                KeyTextTransform("language", "attributes"),
                condition=models.Q(kind="template"),
                name="resource_template",
            ),
        ]
