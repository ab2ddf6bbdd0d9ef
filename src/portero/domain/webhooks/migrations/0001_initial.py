import django.db.models.functions.datetime
from django.db import migrations, models

import portero.domain.audit.models.workspace


class Migration(migrations.Migration):
    initial = True

    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="WebhookEvent",
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
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("digest", models.BinaryField()),
                ("body", models.BinaryField()),
                ("processed_at", models.DateTimeField(null=True)),
                ("tries", models.IntegerField(db_default=0)),
            ],
            options={
                "db_table": "webhook_event",
                "indexes": [
                    models.Index(
                        condition=models.Q(("processed_at", None)),
                        fields=["received_at"],
                        name="webhook_event_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace_id", "digest"), name="webhook_event_digest"
                    )
                ],
            },
        ),
    ]
