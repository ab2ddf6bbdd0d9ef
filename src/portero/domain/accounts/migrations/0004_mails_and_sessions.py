from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_preferences")]

    operations = [
        migrations.AddField("person", "spoken", models.TextField(db_default="en")),
        migrations.AddField("session", "seen_at", models.DateTimeField(null=True)),
        migrations.AddField("session", "address", models.TextField(db_default="")),
        migrations.AddField("session", "agent", models.TextField(db_default="")),
        migrations.AddField("signinlink", "invites_to", models.UUIDField(null=True)),
    ]
