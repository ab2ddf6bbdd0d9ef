"""A workspace's conversations by the million, for lists to be measured on.

The product has no table of conversations yet, so this one is the benchmark's own. It carries what a
real one must: row-level security forced and worded as `store/sql/policies.sql` words it, every
dimension that a conversation can have, and for each that drives lists an index that ends in the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg

from portero.engine import Dimension
from portero.store.filters import Column, Exists, Given, Listing, OrderKey

WORKSPACE = UUID(int=1)
"""Fifty others hold one row in twenty together."""

PEOPLE = range(1, 1000)
"""Who has conversations assigned: the first very many, the last few."""
RARE_PEOPLE = range(1000, 1100)
"""Who has two in a million."""
NUMBERS = range(19)
RARE_NUMBERS = range(19, 24)
"""One conversation in a thousand each."""
TEAMS = range(12)
LABELS = range(40)

_TABLES = """
DROP TABLE IF EXISTS conversation, conversation_label, conversation_participant;
CREATE UNLOGGED TABLE conversation (
    workspace_id uuid NOT NULL, id uuid NOT NULL, waba text NOT NULL, number text NOT NULL,
    team_id uuid NOT NULL, owner_id uuid, country text NOT NULL, integration_id uuid, bot_id uuid,
    labels uuid[] NOT NULL, last_at timestamptz NOT NULL, preview text NOT NULL
);
CREATE UNLOGGED TABLE conversation_label (
    workspace_id uuid NOT NULL, conversation_id uuid NOT NULL, label_id uuid NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE UNLOGGED TABLE conversation_participant (
    workspace_id uuid NOT NULL, conversation_id uuid NOT NULL, principal_id uuid NOT NULL,
    number text NOT NULL, last_at timestamptz NOT NULL
);
"""
# Neighbours on disk are apart in time, which is the hard case: a page of fifty touches fifty blocks.
_ROWS = """
CREATE OR REPLACE FUNCTION pg_temp.make(kind int, n int) RETURNS uuid IMMUTABLE LANGUAGE sql AS
    $$ SELECT (lpad(to_hex(kind), 8, '0') || lpad(to_hex(n), 24, '0'))::uuid $$;
SELECT setseed(0.42);
INSERT INTO conversation
SELECT pg_temp.make(0, CASE WHEN ours < .95 THEN 1 ELSE 2 + (ours * 1e6)::int % 50 END),
       pg_temp.make(1, i), 'waba-' || number % 3, 'number-' || number,
       pg_temp.make(2, floor(team * 12)::int),
       CASE WHEN owned < .3 THEN NULL
            WHEN owned < .3002 THEN pg_temp.make(3, 1000 + floor(busy * 100)::int)
            ELSE pg_temp.make(3, 1 + floor(busy * busy * 999)::int) END,
       (ARRAY['MX', 'ES', 'CO', 'AR', 'PE', 'CL'])[1 + floor(busy * 6)::int],
       CASE WHEN team < .2 THEN pg_temp.make(4, number) END,
       CASE WHEN team > .7 THEN pg_temp.make(5, number) END,
       array_remove(ARRAY[CASE WHEN labelled < .3 THEN pg_temp.make(6, label) END,
                          CASE WHEN barred < .05 THEN pg_temp.make(6, 39) END], NULL),
       timestamptz '2024-01-01' + last * interval '700 days',
       'Thank you! When will it arrive? ' || i
FROM (SELECT i, random() ours, random() owned, random() busy, random() team, random() last,
             random() labelled, random() barred, floor(power(random(), 3) * 39)::int AS label,
             CASE WHEN random() < .005 THEN 19 + floor(random() * 5)::int
                  ELSE floor(random() * 19)::int END AS number
      FROM generate_series(1, {rows}) AS i) AS dice;
INSERT INTO conversation_participant
SELECT workspace_id, id,
       pg_temp.make(3, CASE WHEN random() < .002 THEN 1000 + floor(random() * 100)::int
                            ELSE 1 + floor(random() * 999)::int END), number, last_at
FROM conversation WHERE random() < .1;
INSERT INTO conversation_label
SELECT workspace_id, id, unnest(labels), last_at FROM conversation;
"""
# One for the list as it is, one for each dimension that drives a branch, and two for two at once: of
# somebody's conversations, assigned or taken part in, those on one number.
_INDEXES = """
ALTER TABLE conversation ADD PRIMARY KEY (workspace_id, id);
CREATE INDEX ON conversation (workspace_id, last_at, id);
CREATE INDEX ON conversation (workspace_id, owner_id, last_at, id);
CREATE INDEX ON conversation (workspace_id, owner_id, number, last_at, id);
CREATE INDEX ON conversation (workspace_id, number, last_at, id);
CREATE INDEX ON conversation (workspace_id, team_id, last_at, id);
ALTER TABLE conversation_participant ADD PRIMARY KEY (workspace_id, conversation_id, principal_id);
CREATE INDEX ON conversation_participant (workspace_id, principal_id, last_at, conversation_id);
CREATE INDEX ON conversation_participant
    (workspace_id, principal_id, number, last_at, conversation_id);
ALTER TABLE conversation_label ADD PRIMARY KEY (workspace_id, conversation_id, label_id);
CREATE INDEX ON conversation_label (workspace_id, label_id, last_at, conversation_id);
"""
_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
GRANT SELECT ON {table} TO portero_app;
CREATE POLICY app ON {table} TO portero_app
    USING (workspace_id = nullif(current_setting('portero.workspace', true), '')::uuid);
"""
TABLES = ("conversation", "conversation_participant", "conversation_label")


def _side(table: str, value: str) -> Exists:
    return Exists(
        table,
        f"{table}.workspace_id = conversation.workspace_id"
        f" AND {table}.conversation_id = conversation.id",
        f"{table}.{value}",
        order=(f"{table}.last_at", f"{table}.conversation_id"),
    )


LISTING = Listing(
    table="conversation",
    order=(OrderKey("last_at", "timestamptz"), OrderKey("id", "uuid")),
    select="conversation.number, conversation.preview",
    dimensions={
        Dimension.OWNER: Column("conversation.owner_id"),
        Dimension.PARTICIPANT: replace(
            _side("conversation_participant", "principal_id"),
            copies={Dimension.NUMBER: Column("conversation_participant.number", "text")},
        ),
        Dimension.LABEL: replace(
            _side("conversation_label", "label_id"), array="conversation.labels"
        ),
        Dimension.NUMBER: Column("conversation.number", "text"),
        Dimension.TEAM: Column("conversation.team_id"),
        Dimension.BOT: Column("conversation.bot_id"),
        Dimension.INTEGRATION: Column("conversation.integration_id"),
        Dimension.WABA: Column("conversation.waba", "text"),
        Dimension.COUNTRY: Column("conversation.country", "text"),
    },
)
OURS = Given("conversation.workspace_id = {}", (WORKSPACE,))


def team(n: int) -> str:
    return str(UUID(int=2 << 96 | n))


def person(n: int) -> str:
    return str(UUID(int=3 << 96 | n))


def label(n: int) -> str:
    return str(UUID(int=6 << 96 | n))


def number(n: int) -> str:
    return f"number-{n}"


def load(dsn: str, rows: int) -> None:
    """Make the tables anew with so many conversations, by a superuser's login."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute(_TABLES)
        connection.execute(_ROWS.replace("{rows}", f"{rows:d}"))
        connection.execute(_INDEXES)
        for table in TABLES:
            connection.execute(_WALLS.replace("{table}", table))
            connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")


@contextmanager
def within(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the app's login that sees the measured workspace alone."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT set_config('portero.workspace', %s, false)", [str(WORKSPACE)])
        yield connection
