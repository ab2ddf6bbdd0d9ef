from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from databases import Database, insert
from django_ready import django_on
from two_workspaces import A, B, furnish


@pytest.fixture(scope="module")
def two(shared_database: Database) -> Database:
    """A database with a row of every kind in two workspaces, full of canaries."""
    with psycopg.connect(shared_database.dsn(), autocommit=True) as connection:
        for workspace in (A, B):
            for table, row in furnish(workspace):
                insert(connection, table, row)
    return shared_database


@pytest.fixture
def superuser(two: Database) -> Iterator[psycopg.Connection]:
    """Everything it does is undone."""
    with psycopg.connect(two.dsn()) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def django(two: Database) -> Iterator[None]:
    """Django's default connection, to ask how it spells a column's type."""
    with django_on(two.dsn("app")):
        yield


@pytest.fixture
def workspace_tables(superuser: psycopg.Connection) -> list[str]:
    """Every table with a workspace in it, partitions included, whoever made it."""
    found = superuser.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        "   AND a.attname = 'workspace_id' AND NOT a.attisdropped ORDER BY 1"
    ).fetchall()
    return [name for (name,) in found]
