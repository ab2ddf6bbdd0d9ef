from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_handed_over_by")]

    operations = [
        migrations.AddField("session", "factors_taken", models.JSONField(db_default=[])),
    ]
