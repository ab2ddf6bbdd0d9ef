import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models

import portero.domain.audit.models.workspace

# References begin with the workspace: row-level security does not look at foreign keys.
REFERENCES = """
ALTER TABLE contact_identity ADD CONSTRAINT contact_identity_contact_fk
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact (workspace_id, id);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("workspaces", "0001_initial"), ("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "contact",
            },
        ),
        migrations.CreateModel(
            name="LimitRecipient",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "limit_id",
                        "starts",
                        "contact_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("limit_id", models.UUIDField()),
                ("starts", models.DateTimeField()),
                ("contact_id", models.UUIDField()),
            ],
            options={
                "db_table": "limit_recipient",
            },
        ),
        migrations.CreateModel(
            name="LimitSlice",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "limit_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("limit_id", models.UUIDField()),
                (
                    "grants",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), size=None
                    ),
                ),
                (
                    "amounts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), size=None
                    ),
                ),
            ],
            options={
                "db_table": "limit_slice",
            },
        ),
        migrations.CreateModel(
            name="LimitUse",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "limit_id",
                        "starts",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("limit_id", models.UUIDField()),
                ("starts", models.DateTimeField()),
                ("used", models.BigIntegerField()),
            ],
            options={
                "db_table": "limit_use",
            },
        ),
        migrations.CreateModel(
            name="ContactIdentity",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("contact_id", models.UUIDField()),
                ("kind", models.TextField()),
                ("digest", models.BinaryField()),
                ("sealed", models.BinaryField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "contact_identity",
                "indexes": [
                    models.Index(
                        fields=["workspace_id", "contact_id"], name="contact_identity_contact"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["phone", "bsuid", "parent_bsuid", "username", "group"])
                        ),
                        name="contact_identity_kind",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace_id", "kind", "digest"), name="contact_identity_digest"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Idempotency",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "principal",
                        "operation",
                        "key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("principal", models.TextField()),
                ("operation", models.TextField()),
                ("key", models.TextField()),
                ("digest", models.BinaryField()),
                ("call_id", models.UUIDField()),
                ("state", models.TextField()),
                ("status", models.IntegerField(null=True)),
                ("answer", models.BinaryField(null=True)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "idempotency",
                "indexes": [models.Index(fields=["call_id"], name="idempotency_call")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["running", "done", "unknown"])),
                        name="idempotency_state",
                    )
                ],
            },
        ),
        migrations.RunSQL(REFERENCES),
    ]
