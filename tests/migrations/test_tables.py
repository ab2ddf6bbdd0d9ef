"""Models, migrations, tables and the SQL of `store` are four spellings of one thing."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from collections.abc import Iterator
from io import StringIO

import asyncpg
import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connections, models

import django_ready  # noqa: F401 - before any model
import portero.store
from databases import Database
from portero.project.migrate import migrate


def test_the_migrations_make_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def columns_of(connection: psycopg.Connection, table: str) -> dict[str, tuple[str, bool]]:
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (table,),
    ).fetchall()
    return {name: (kind, nullable) for name, kind, nullable in rows}


def expected_columns(model: type[models.Model]) -> dict[str, tuple[str, bool]]:
    connection = connections["default"]
    expected = {}
    for field in model._meta.concrete_fields:
        if isinstance(field, models.CompositePrimaryKey):
            continue
        kind = field.db_type(connection)
        assert kind is not None
        expected[field.column] = (kind, field.null)
    return expected


@pytest.mark.parametrize(
    "model",
    [m for m in apps.get_models() if m.__module__.startswith("portero.")],
    ids=lambda m: m._meta.db_table,
)
def test_a_table_has_the_columns_of_its_model(
    superuser: psycopg.Connection, django: None, model: type[models.Model]
) -> None:
    assert columns_of(superuser, model._meta.db_table) == expected_columns(model)


def statements() -> Iterator[tuple[str, str]]:
    """Every statement in a module constant of `store`, by name."""
    for found in pkgutil.iter_modules(portero.store.__path__):
        module = importlib.import_module(f"portero.store.{found.name}")
        for name, value in vars(module).items():
            texts = value if isinstance(value, dict) else {"": value}
            for part, text in texts.items():
                if isinstance(text, str) and re.match(
                    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text
                ):
                    yield f"{found.name}.{name}{part}", text


STATEMENTS = dict(statements())


def test_the_store_has_statements_to_compare() -> None:
    assert len(STATEMENTS) >= 20
    assert "policy.POLICY_QUERIESbindings" in STATEMENTS


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_statement_of_the_store_fits_the_tables(two: Database, name: str) -> None:
    async def prepare() -> None:
        connection = await asyncpg.connect(two.dsn("gateway"))
        try:
            await connection.prepare(STATEMENTS[name])
        finally:
            await connection.close()

    asyncio.run(prepare())


def test_migrating_again_changes_nothing(two: Database) -> None:
    def catalogue() -> list[tuple[object, ...]]:
        with psycopg.connect(two.dsn()) as connection:
            return connection.execute(
                "SELECT c.oid, c.relname, c.relacl::text, p.polname, p.oid FROM pg_class c"
                " LEFT JOIN pg_policy p ON p.polrelid = c.oid"
                " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2, 4"
            ).fetchall()

    before = catalogue()

    migrate(two.dsn("migrate"))

    assert catalogue() == before


def test_migrating_waits_briefly_for_a_lock_and_then_gives_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that waits for a lock keeps everybody behind it waiting too."""
    monkeypatch.setattr("portero.project.migrate._LOCK_TIMEOUT", "100ms")
    with psycopg.connect(database.dsn("migrate")) as mark:
        mark.execute("SET ROLE portero_owner")
        mark.execute("COMMENT ON SCHEMA public IS 'as if the policies had changed'")
        mark.commit()
    with psycopg.connect(database.dsn()) as busy:
        busy.execute("SELECT * FROM principal")

        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(database.dsn("migrate"))
