import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import portero.domain.audit.models.workspace

# References begin with the workspace: row-level security does not look at foreign keys.
REFERENCES = """
ALTER TABLE api_key ADD CONSTRAINT api_key_principal_fk
    FOREIGN KEY (workspace_id, principal_id) REFERENCES principal (workspace_id, id);
ALTER TABLE api_key ADD CONSTRAINT api_key_role_fk
    FOREIGN KEY (workspace_id, role_id) REFERENCES role (workspace_id, id);
ALTER TABLE principal ADD CONSTRAINT principal_person_fk
    FOREIGN KEY (person_id) REFERENCES person (id);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
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
                ("public_id", models.TextField()),
                ("kind", models.TextField()),
                ("principal_id", models.UUIDField()),
                ("name", models.TextField()),
                ("digest", models.BinaryField()),
                ("pepper_version", models.IntegerField()),
                ("role_id", models.UUIDField(null=True)),
                ("scope", models.JSONField(default=dict)),
                ("conditions", models.JSONField(default=dict)),
                ("url_compatible", models.BooleanField(db_default=False)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("disabled_reason", models.TextField(null=True)),
                ("author_id", models.UUIDField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("last_used_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "api_key",
                "constraints": [
                    models.UniqueConstraint(fields=("public_id",), name="api_key_public_id")
                ],
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("email", models.TextField()),
                ("name", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "person",
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="person_email"
                    )
                ],
            },
        ),
        migrations.RunSQL(REFERENCES),
    ]
