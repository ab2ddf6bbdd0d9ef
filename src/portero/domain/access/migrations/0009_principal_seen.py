from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0008_signed_out")]

    operations = [migrations.AddField("principal", "seen_at", models.DateTimeField(null=True))]
