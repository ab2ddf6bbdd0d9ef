from django.db import migrations, models

import portero.domain.audit.models.workspace


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_mails_and_sessions")]

    operations = [
        migrations.CreateModel(
            "StreamTicket",
            [
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
                        "digest",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("digest", models.BinaryField()),
                ("principal_id", models.UUIDField()),
                ("session_key", models.TextField()),
                ("permission", models.TextField(null=True)),
                ("address", models.TextField(null=True)),
                ("factor_at", models.DateTimeField(null=True)),
                ("version", models.BigIntegerField()),
                ("expires_at", models.DateTimeField()),
            ],
            options={"db_table": "stream_ticket"},
        ),
    ]
