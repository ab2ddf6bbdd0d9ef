import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models

import portero.domain.audit.models.workspace

# Django cannot express PARTITION BY. The columns are compared with the model by a test.
CREATE_RECORD = """
CREATE TABLE record (
    workspace_id     uuid        NOT NULL,
    call_id          uuid        NOT NULL,
    kind             text        NOT NULL CHECK (kind IN ('intent', 'outcome', 'event')),
    attempt          integer     NOT NULL,
    at               timestamptz NOT NULL,
    event            text        NOT NULL,
    schema           integer     NOT NULL,
    actor            text        NOT NULL,
    credential       text,
    on_behalf        text,
    operation        text        NOT NULL,
    checks           text[]      NOT NULL,
    resources        text[]      NOT NULL,
    effect           text        NOT NULL CHECK (effect IN ('allow', 'deny')),
    reason           text        NOT NULL,
    policy_version   bigint      NOT NULL,
    because          text[]      NOT NULL,
    obligations      text[]      NOT NULL,
    upstream_attempt integer     NOT NULL,
    outcome          text,
    leaf             bytea       NOT NULL,
    digest           bytea       NOT NULL,
    process          uuid,
    PRIMARY KEY (workspace_id, call_id, kind, attempt, at)
) PARTITION BY RANGE (at);
CREATE INDEX record_newest ON record (workspace_id, at DESC);
CREATE INDEX record_process ON record (process, at) WHERE process IS NOT NULL;
CREATE TABLE record_default PARTITION OF record DEFAULT;
"""

# Attached, not created in place: CREATE TABLE … PARTITION OF would lock out every writer. Runs as
# the owner, because whoever keeps months ready must not own the table.
CREATE_PARTITIONS = """
CREATE FUNCTION create_record_partitions(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first constant timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    starts timestamp;
    name text;
    created integer := 0;
BEGIN
    FOR ahead IN 0 .. months - 1 LOOP
        starts := first + make_interval(months => ahead);
        name := 'record_' || to_char(starts, 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE record INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'ALTER TABLE record ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, starts AT TIME ZONE 'UTC', (starts + interval '1 month') AT TIME ZONE 'UTC'
        );
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Outbox",
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
                        "sequence",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("sequence", models.BigIntegerField()),
                ("event", models.TextField()),
                ("record_id", models.UUIDField()),
                (
                    "subjects",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), default=list, size=None
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "outbox",
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_RECORD + CREATE_PARTITIONS)],
            state_operations=[
                migrations.CreateModel(
                    name="Record",
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
                                "call_id",
                                "kind",
                                "attempt",
                                "at",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("call_id", models.UUIDField()),
                        ("kind", models.TextField()),
                        ("attempt", models.IntegerField(default=1)),
                        ("at", models.DateTimeField()),
                        ("event", models.TextField()),
                        ("schema", models.IntegerField()),
                        ("actor", models.TextField()),
                        ("credential", models.TextField(null=True)),
                        ("on_behalf", models.TextField(null=True)),
                        ("operation", models.TextField()),
                        (
                            "checks",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        (
                            "resources",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("effect", models.TextField()),
                        ("reason", models.TextField()),
                        ("policy_version", models.BigIntegerField()),
                        (
                            "because",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        (
                            "obligations",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("upstream_attempt", models.IntegerField(default=0)),
                        ("outcome", models.TextField(null=True)),
                        ("leaf", models.BinaryField()),
                        ("digest", models.BinaryField()),
                        ("process", models.UUIDField(null=True)),
                    ],
                    options={
                        "db_table": "record",
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecordOpen",
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
                        "call_id",
                        "kind",
                        "attempt",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("call_id", models.UUIDField()),
                ("kind", models.TextField()),
                ("attempt", models.IntegerField(default=1)),
                ("salt", models.BinaryField()),
                ("body", models.JSONField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "record_open",
            },
        ),
        migrations.CreateModel(
            name="RecordLeaf",
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
                        "index",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("index", models.BigIntegerField()),
                ("call_id", models.UUIDField()),
                ("kind", models.TextField()),
                ("attempt", models.IntegerField()),
            ],
            options={
                "db_table": "record_leaf",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace_id", "call_id", "kind", "attempt"),
                        name="record_leaf_once",
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE outbox ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY"
        ),
    ]
