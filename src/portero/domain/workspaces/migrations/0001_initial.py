import django.db.models.fields.json
import django.db.models.functions.datetime
from django.db import migrations, models

import portero.domain.audit.models.workspace

# References begin with the workspace: row-level security does not look at foreign keys.
REFERENCES = """
ALTER TABLE number ADD CONSTRAINT number_waba_fk
    FOREIGN KEY (workspace_id, waba_id) REFERENCES waba (workspace_id, id);
ALTER TABLE template_set_member ADD CONSTRAINT template_set_member_set_fk
    FOREIGN KEY (workspace_id, set_id) REFERENCES template_set (workspace_id, id);
ALTER TABLE principal ADD CONSTRAINT principal_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
ALTER TABLE role ADD CONSTRAINT role_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
ALTER TABLE policy_head ADD CONSTRAINT policy_head_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
ALTER TABLE workspace_key ADD CONSTRAINT workspace_key_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
ALTER TABLE waba ADD CONSTRAINT waba_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
ALTER TABLE template_set ADD CONSTRAINT template_set_workspace_fk
    FOREIGN KEY (workspace_id) REFERENCES workspace (id);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="MetaApp",
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
                ("app_id", models.TextField()),
                ("app_secret", models.BinaryField()),
                ("verify_token_digest", models.BinaryField()),
            ],
            options={
                "db_table": "meta_app",
            },
        ),
        migrations.CreateModel(
            name="TemplateSet",
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
                ("name", models.TextField()),
            ],
            options={
                "db_table": "template_set",
            },
        ),
        migrations.CreateModel(
            name="TemplateSetMember",
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
                        "set_id",
                        "template_name",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("set_id", models.UUIDField()),
                ("template_name", models.TextField()),
            ],
            options={
                "db_table": "template_set_member",
            },
        ),
        migrations.CreateModel(
            name="Workspace",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("timezone", models.TextField(db_default="UTC")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("suspended", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "workspace",
            },
        ),
        migrations.CreateModel(
            name="Credential",
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
                ("waba", models.TextField()),
                ("kind", models.TextField()),
                ("sealed", models.BinaryField()),
                ("key_version", models.IntegerField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "credential",
                "indexes": [models.Index(fields=["workspace_id", "waba"], name="credential_waba")],
            },
        ),
        migrations.CreateModel(
            name="Number",
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
                ("meta_id", models.TextField()),
                ("waba_id", models.UUIDField()),
                ("display", models.TextField()),
                ("name", models.TextField()),
                ("country", models.TextField()),
            ],
            options={
                "db_table": "number",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace_id", "meta_id"), name="number_meta_id"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Resource",
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
                        "kind",
                        "meta_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("meta_id", models.TextField()),
                ("kind", models.TextField()),
                ("parent", models.TextField(null=True)),
                ("number", models.TextField(null=True)),
                ("attributes", models.JSONField(db_default={})),
                (
                    "seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "resource",
                "indexes": [
                    models.Index(fields=["workspace_id", "meta_id"], name="resource_meta_id"),
                    models.Index(
                        models.F("workspace_id"),
                        models.F("parent"),
                        django.db.models.fields.json.KeyTextTransform("name", "attributes"),
                        django.db.models.fields.json.KeyTextTransform("language", "attributes"),
                        condition=models.Q(("kind", "template")),
                        name="resource_template",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Waba",
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
                ("meta_id", models.TextField()),
                ("name", models.TextField()),
            ],
            options={
                "db_table": "waba",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace_id", "meta_id"), name="waba_meta_id")
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkspaceKey",
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
                ("purpose", models.TextField()),
                ("version", models.IntegerField()),
                ("wrapped", models.BinaryField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "workspace_key",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("purpose__in", ["contact", "record", "data"])),
                        name="workspace_key_purpose",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace_id", "purpose", "version"), name="workspace_key_version"
                    ),
                ],
            },
        ),
        migrations.RunSQL(REFERENCES),
    ]
