import django.db.models.functions.datetime
from django.db import migrations, models

import portero.domain.audit.models.workspace

# References begin with the workspace: row-level security does not look at foreign keys.
REFERENCES = """
ALTER TABLE access_request ADD CONSTRAINT access_request_principal_fk
    FOREIGN KEY (workspace_id, principal_id) REFERENCES principal (workspace_id, id);
ALTER TABLE access_request ADD CONSTRAINT access_request_role_fk
    FOREIGN KEY (workspace_id, role_id) REFERENCES role (workspace_id, id);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_principal_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccessRequest",
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
                ("principal_id", models.UUIDField()),
                ("role_id", models.UUIDField()),
                ("scope", models.JSONField(default=dict)),
                ("lasts_s", models.BigIntegerField()),
                ("permission", models.TextField(db_default="")),
                ("reason", models.TextField()),
                ("digest", models.BinaryField()),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField()),
                ("state", models.TextField(db_default="open")),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", models.UUIDField(null=True)),
                ("answer", models.TextField(db_default="")),
                ("binding_id", models.UUIDField(null=True)),
            ],
            options={
                "db_table": "access_request",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["workspace_id", "asked_at"],
                        name="access_request_open",
                    ),
                    models.Index(
                        fields=["workspace_id", "principal_id", "asked_at"],
                        name="access_request_mine",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["open", "approved", "refused", "withdrawn"])
                        ),
                        name="access_request_state",
                    )
                ],
            },
        ),
        migrations.RunSQL(REFERENCES, migrations.RunSQL.noop),
    ]
