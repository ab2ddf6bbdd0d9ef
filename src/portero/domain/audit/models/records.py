"""The log: rows that are added, read and never changed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portero.domain.audit.models.workspace import WorkspaceModel


def _texts() -> ArrayField[list[str], list[str]]:
    return ArrayField(models.TextField(), default=list)


class Record(WorkspaceModel):
    """What the log's proofs cover. Holds ids and digests, no clear personal data.

    Partitioned by month; plain ids instead of foreign keys, because records outlive their subjects.
    """

    pk = models.CompositePrimaryKey("workspace_id", "call_id", "kind", "attempt", "at")
    call_id = models.UUIDField()
    kind = models.TextField()
    attempt = models.IntegerField(default=1)
    at = models.DateTimeField()
    event = models.TextField()
    schema = models.IntegerField()
    actor = models.TextField()
    credential = models.TextField(null=True)
    on_behalf = models.TextField(null=True)
    operation = models.TextField()
    checks = _texts()
    resources = _texts()
    effect = models.TextField()
    reason = models.TextField()
    policy_version = models.BigIntegerField()
    because = _texts()
    obligations = _texts()
    upstream_attempt = models.IntegerField(default=0)
    outcome = models.TextField(null=True)
    leaf = models.BinaryField()
    digest = models.BinaryField()
    process = models.UUIDField(null=True)
    """The gateway process that wrote it, so that what a dead one left open can be closed."""

    class Meta:
        db_table = "record"


class RecordOpen(WorkspaceModel):
    """The readable half of a record. It may be erased; the record's proof stays valid."""

    pk = models.CompositePrimaryKey("workspace_id", "call_id", "kind", "attempt")
    call_id = models.UUIDField()
    kind = models.TextField()
    attempt = models.IntegerField(default=1)
    salt = models.BinaryField()
    body = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        db_table = "record_open"


class RecordLeaf(WorkspaceModel):
    """The place of a record in its workspace's tree, given by the sequencer after the commit."""

    pk = models.CompositePrimaryKey("workspace_id", "index")
    index = models.BigIntegerField()
    call_id = models.UUIDField()
    kind = models.TextField()
    attempt = models.IntegerField()

    class Meta:
        db_table = "record_leaf"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "call_id", "kind", "attempt"], name="record_leaf_once"
            )
        ]


class Outbox(WorkspaceModel):
    """That something happened, without what: whoever delivers it reads, masks and decides then."""

    pk = models.CompositePrimaryKey("workspace_id", "sequence")
    sequence = models.BigIntegerField()  # an identity column: the database counts
    event = models.TextField()
    record_id = models.UUIDField()
    subjects = ArrayField(models.UUIDField(), default=list)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "outbox"
