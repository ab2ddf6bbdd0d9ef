import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_ticket_passkey")]

    operations = [
        migrations.CreateModel(
            name="SignInChange",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("person_id", models.UUIDField()),
                ("password", models.TextField()),
                ("factors", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("undone_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "sign_in_change",
                "indexes": [
                    models.Index(fields=["person_id", "made_at"], name="sign_in_change_person")
                ],
            },
        ),
    ]
