from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0006_sort_name")]

    operations = [
        migrations.AddField("principal", "alone_since", models.DateTimeField(null=True)),
    ]
