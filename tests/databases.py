"""A database of a test, and rows put into it without asking anybody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from portero.project.logins import Login
from portero.project.postgres import Cluster


@dataclass(frozen=True)
class Database:
    """A clone of the migrated template."""

    cluster: Cluster
    name: str

    def dsn(self, login: Login = "superuser") -> str:
        return self.cluster.dsn(login, self.name)


def insert(connection: psycopg.Connection[Any], table: str, row: Mapping[str, Any]) -> None:
    """Insert a row as it is; objects and lists become jsonb."""
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        {name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in row.items()},
    )


def count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    ).fetchone()
    assert row is not None
    return int(row[0])
