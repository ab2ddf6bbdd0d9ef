from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("access", "0005_following")]

    operations = [
        migrations.AddField(
            "principal",
            "sort_name",
            models.GeneratedField(
                expression=Lower("name"), output_field=models.TextField(), db_persist=True
            ),
        ),
        # A name is never absent, and so is what it is sorted by; Django does not say so of its own.
        migrations.RunSQL(
            "ALTER TABLE principal ALTER COLUMN sort_name SET NOT NULL", migrations.RunSQL.noop
        ),
        migrations.AddIndex(
            "principal",
            models.Index(fields=["workspace_id", "sort_name", "id"], name="principal_sort_name"),
        ),
        migrations.AddIndex(
            "principal",
            models.Index(
                condition=models.Q(("accountable_id", None), _negated=True),
                fields=["workspace_id", "accountable_id"],
                name="principal_accountable",
            ),
        ),
        migrations.AddIndex(
            "principal",
            models.Index(
                condition=models.Q(("kind", "team")),
                fields=["workspace_id", "sort_name"],
                name="principal_team",
            ),
        ),
        migrations.RemoveIndex("principal", "principal_name"),
    ]
