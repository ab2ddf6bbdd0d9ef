from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_signing_in")]

    operations = [
        migrations.AddField("person", "language", models.TextField(db_default="")),
        migrations.AddField("person", "theme", models.TextField(db_default="")),
    ]
