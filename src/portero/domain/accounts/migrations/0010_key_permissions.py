from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_session_sits_in")]

    operations = [
        migrations.AddField("apikey", "permissions", models.JSONField(null=True)),
        migrations.AddField("apikey", "counts_as", models.UUIDField(null=True)),
    ]
