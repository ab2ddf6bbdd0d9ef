from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0003_access_request")]

    operations = [
        migrations.AddField("principal", "invited", models.BooleanField(db_default=False)),
    ]
