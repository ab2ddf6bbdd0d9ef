from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_stream_tickets")]

    operations = [
        migrations.CreateModel(
            "SignInBudget",
            [
                ("key", models.BinaryField(primary_key=True, serialize=False)),
                ("failures", models.IntegerField(db_default=0)),
                ("last_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "sign_in_budget"},
        ),
    ]
