from django.db import migrations, models

# A statement that changes people says so at the head, in its own transaction: whoever follows the policy
# reads a hundred thousand people again only then. By the rows themselves, whoever changed them.
FUNCTION = """
CREATE FUNCTION people_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE policy_head SET people = people + 1
     WHERE workspace_id IN (SELECT workspace_id FROM changed);
    RETURN NULL;
END
$$
"""
DROP = "DROP FUNCTION people_changed() CASCADE"


def triggers() -> str:
    """One for each kind of statement: a trigger that names its rows can stand for one kind only."""
    return ";\n".join(
        f"CREATE TRIGGER {table}_{event.lower()}ed AFTER {event} ON {table}"
        f" REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION people_changed()"
        for table in ("principal", "team_member")
        for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    )


class Migration(migrations.Migration):
    dependencies = [("access", "0004_invited")]

    operations = [
        migrations.AddField("policyhead", "people", models.BigIntegerField(db_default=0)),
        migrations.RunSQL(FUNCTION, DROP),
        migrations.RunSQL(triggers(), migrations.RunSQL.noop),
        migrations.AddIndex(
            "binding",
            models.Index(
                condition=models.Q(("valid_to", None)),
                fields=["workspace_id", "valid_from"],
                name="binding_begun",
            ),
        ),
        migrations.AddIndex(
            "binding",
            models.Index(
                condition=models.Q(("valid_to", None), _negated=True),
                fields=["workspace_id", "valid_to"],
                name="binding_ended",
            ),
        ),
    ]
