from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_sign_in_change")]

    operations = [migrations.AddField("session", "sits_in", models.UUIDField(null=True))]
