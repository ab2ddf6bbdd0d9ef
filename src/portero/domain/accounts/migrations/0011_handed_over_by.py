from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_key_permissions")]

    operations = [
        migrations.AddField("signinlink", "handed_over_by", models.UUIDField(null=True)),
    ]
