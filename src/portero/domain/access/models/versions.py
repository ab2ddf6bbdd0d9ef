"""Which policy holds, and which gateway processes know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from typing_extensions import override

from portero.domain.audit.models import WorkspaceModel, current_workspace

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField  # generic in the stubs only


class Xid8Field(TextField):
    """The number of a transaction, as PostgreSQL's xid8 spells it."""

    @override
    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"


class PgSnapshotField(TextField):
    """Which transactions were over, as PostgreSQL's pg_snapshot spells it."""

    @override
    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "pg_snapshot"


class CurrentTransaction(models.Func):
    function = "pg_current_xact_id"
    arity = 0
    output_field = Xid8Field()


class PolicyHead(WorkspaceModel):
    """The version in force. Whoever moves it holds the workspace's lock exclusively."""

    workspace_id = models.UUIDField(primary_key=True, default=current_workspace)
    version = models.BigIntegerField()
    xid = Xid8Field(db_default=CurrentTransaction())
    changed_at = models.DateTimeField(db_default=Now())
    people = models.BigIntegerField(db_default=0)
    """Moved by triggers whenever a principal or a team's members change."""

    class Meta:
        db_table = "policy_head"
        indexes = [models.Index(fields=["xid"], name="policy_head_xid")]


class GatewayProcess(models.Model):
    """A running gateway: until when it may forward, and what it has seen of the policy heads."""

    id = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    seen = PgSnapshotField()

    class Meta:
        db_table = "gateway_process"

    @override
    def __str__(self) -> str:
        return str(self.id)
