from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="metaapp",
            index=models.Index(fields=["verify_token_digest"], name="meta_app_verify_token"),
        ),
    ]
