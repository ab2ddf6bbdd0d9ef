from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_sign_in_budget")]

    operations = [
        migrations.AddField("StreamTicket", "passkey_at", models.DateTimeField(null=True)),
    ]
