"""What a database holds, counted, so that a restored one can be compared with what was saved."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from psycopg import sql

_TABLES = """
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname
"""
# Of each workspace and month: more at once would not fit into one value of PostgreSQL's.
_LEAVES = """
SELECT sha256(string_agg(digest, ''::bytea ORDER BY call_id, kind, attempt, at)),
       count(*) FILTER (WHERE sha256(leaf) <> digest)
  FROM record GROUP BY workspace_id, date_trunc('month', at, 'UTC')
 ORDER BY workspace_id, date_trunc('month', at, 'UTC')
"""


def rows_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows each table has."""
    found = {}
    for (table,) in connection.execute(_TABLES).fetchall():
        counted = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        ).fetchone()
        assert counted is not None  # noqa: S101 - a count has one row
        found[table] = counted[0]
    return found


def log_of(connection: psycopg.Connection[Any]) -> tuple[str, int]:
    """One digest over every record's, and how many records do not fit their own digest."""
    whole, broken = hashlib.sha256(), 0
    for digest, spoilt in connection.execute(_LEAVES):
        whole.update(digest)
        broken += spoilt
    return whole.hexdigest(), broken
