import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import portero.domain.access.models.versions
import portero.domain.audit.models.workspace

# References begin with the workspace: row-level security does not look at foreign keys.
REFERENCES = """
ALTER TABLE principal ADD CONSTRAINT principal_accountable_fk
    FOREIGN KEY (workspace_id, accountable_id) REFERENCES principal (workspace_id, id);
ALTER TABLE team_member ADD CONSTRAINT team_member_team_fk
    FOREIGN KEY (workspace_id, team_id) REFERENCES principal (workspace_id, id);
ALTER TABLE team_member ADD CONSTRAINT team_member_principal_fk
    FOREIGN KEY (workspace_id, principal_id) REFERENCES principal (workspace_id, id);
ALTER TABLE role_version ADD CONSTRAINT role_version_role_fk
    FOREIGN KEY (workspace_id, role_id) REFERENCES role (workspace_id, id);
ALTER TABLE binding ADD CONSTRAINT binding_principal_fk
    FOREIGN KEY (workspace_id, principal_id) REFERENCES principal (workspace_id, id);
ALTER TABLE binding ADD CONSTRAINT binding_role_fk
    FOREIGN KEY (workspace_id, role_id) REFERENCES role (workspace_id, id);
"""

# Inside the transaction that moves the head, so that no crash can lie between the two.
NOTIFY = """
CREATE FUNCTION notify_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('portero_policy', NEW.workspace_id || ':' || NEW.version);
    RETURN NULL;
END
$$;
CREATE TRIGGER policy_head_moved AFTER INSERT OR UPDATE ON policy_head
    FOR EACH ROW EXECUTE FUNCTION notify_policy();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="GatewayProcess",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
                ("seen", portero.domain.access.models.versions.PgSnapshotField()),
            ],
            options={
                "db_table": "gateway_process",
            },
        ),
        migrations.CreateModel(
            name="TeamMember",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "team_id",
                        "principal_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("team_id", models.UUIDField()),
                ("principal_id", models.UUIDField()),
            ],
            options={
                "db_table": "team_member",
            },
        ),
        migrations.CreateModel(
            name="Binding",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                ("reason", models.TextField(db_default="")),
                ("author_id", models.UUIDField(null=True)),
                ("managed_by", models.TextField(db_default="portero")),
                ("valid_from", models.BigIntegerField()),
                ("valid_to", models.BigIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("principal_id", models.UUIDField()),
                ("role_id", models.UUIDField()),
                ("scope", models.JSONField()),
                ("conditions", models.JSONField()),
                ("since", models.DateTimeField(null=True)),
                ("until", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "binding",
                "indexes": [
                    models.Index(
                        condition=models.Q(("valid_to", None)),
                        fields=["workspace_id", "principal_id"],
                        name="binding_in_force",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Guardrail",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                ("reason", models.TextField(db_default="")),
                ("author_id", models.UUIDField(null=True)),
                ("managed_by", models.TextField(db_default="portero")),
                ("valid_from", models.BigIntegerField()),
                ("valid_to", models.BigIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("name", models.TextField()),
                ("kind", models.TextField()),
                ("body", models.JSONField()),
            ],
            options={
                "db_table": "guardrail",
                "indexes": [
                    models.Index(
                        condition=models.Q(("valid_to", None)),
                        fields=["workspace_id"],
                        name="guardrail_in_force",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyHead",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("version", models.BigIntegerField()),
                (
                    "xid",
                    portero.domain.access.models.versions.Xid8Field(
                        db_default=portero.domain.access.models.versions.CurrentTransaction()
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "policy_head",
                "indexes": [models.Index(fields=["xid"], name="policy_head_xid")],
            },
        ),
        migrations.CreateModel(
            name="Principal",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("kind", models.TextField()),
                ("name", models.TextField()),
                ("active", models.BooleanField(db_default=True)),
                ("owner", models.BooleanField(db_default=False)),
                ("person_id", models.UUIDField(null=True)),
                ("accountable_id", models.UUIDField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "principal",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["person", "service_account", "team"])),
                        name="principal_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("owner", False), ("kind", "person"), _connector="OR"),
                        name="principal_owner_is_a_person",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace_id", "person_id"), name="principal_once_a_person"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Role",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("name", models.TextField()),
                ("builtin", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "role",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("workspace_id"),
                        django.db.models.functions.text.Lower("name"),
                        name="role_name",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RoleVersion",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                ("reason", models.TextField(db_default="")),
                ("author_id", models.UUIDField(null=True)),
                ("managed_by", models.TextField(db_default="portero")),
                ("valid_from", models.BigIntegerField()),
                ("valid_to", models.BigIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("role_id", models.UUIDField()),
                ("cells", models.JSONField()),
            ],
            options={
                "db_table": "role_version",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("valid_to", None)),
                        fields=("workspace_id", "role_id"),
                        name="role_version_one_in_force",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageLimit",
            fields=[
                (
                    "workspace_id",
                    models.UUIDField(
                        default=portero.domain.audit.models.workspace.current_workspace
                    ),
                ),
                ("reason", models.TextField(db_default="")),
                ("author_id", models.UUIDField(null=True)),
                ("managed_by", models.TextField(db_default="portero")),
                ("valid_from", models.BigIntegerField()),
                ("valid_to", models.BigIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("holder_kind", models.TextField()),
                ("holder_id", models.UUIDField(null=True)),
                ("metric", models.TextField()),
                ("per", models.TextField()),
                ("amount", models.BigIntegerField()),
                ("permissions", models.JSONField(null=True)),
            ],
            options={
                "db_table": "usage_limit",
                "indexes": [
                    models.Index(
                        condition=models.Q(("valid_to", None)),
                        fields=["workspace_id"],
                        name="usage_limit_in_force",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="usage_limit_amount"
                    )
                ],
            },
        ),
        migrations.RunSQL(REFERENCES),
        migrations.RunSQL(NOTIFY),
    ]
