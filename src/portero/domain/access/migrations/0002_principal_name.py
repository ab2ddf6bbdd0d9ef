from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="principal",
            index=models.Index("workspace_id", Lower("name"), "id", name="principal_name"),
        ),
    ]
