from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0007_alone_since")]

    operations = [
        migrations.AddField("principal", "signed_out_at", models.DateTimeField(null=True)),
    ]
