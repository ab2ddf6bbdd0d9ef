"""Meta's posts on their way into the database: many in one commit, each answered once it is durable."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from portero.store import contacts, registry
from portero.store.contacts import Identity
from portero.store.failures import AWAY
from portero.store.ids import uuid7s
from portero.store.listed import Connection
from portero.store.registry import Resource


@dataclass(frozen=True, slots=True)
class Post:
    """What one workspace keeps of one post.

    Attributes:
        digest: SHA-256 of the whole post; Meta repeats, and a repetition is stored once.
        learned: ids that it tells of.
        people: the identities of each person it names in several ways.
    """

    workspace: UUID
    digest: bytes
    body: bytes = field(repr=False)
    learned: Sequence[Resource] = ()
    people: Sequence[Sequence[Identity]] = ()


async def store_posts(pool: asyncpg.Pool, posts: Sequence[Post]) -> Sequence[Exception | None]:
    """Make posts durable; says of each why it is not, None when it is.

    One that the database does not take keeps out no other. Raises what says that the database is
    away: then none is stored.
    """
    try:
        await _store(pool, posts)
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - the posts beside it are stored all the same
        if len(posts) == 1:
            return [error]
        return [why for post in posts for why in await store_posts(pool, [post])]
    return [None] * len(posts)


async def _store(pool: asyncpg.Pool, posts: Sequence[Post]) -> None:
    people = [person for post in posts for person in post.people]
    async with pool.acquire() as connection:
        if not people:
            await _insert(connection, posts)
            return
        async with connection.transaction(isolation="read_committed"):
            await _insert(connection, posts)
            await contacts.link(connection, people)


async def _insert(connection: Connection, posts: Sequence[Post]) -> None:
    # In the order in which rows are locked: repetitions of the same posts may come side by side.
    rows = sorted(zip(posts, uuid7s(len(posts)), strict=True), key=lambda row: row[0].digest)
    await connection.execute(
        _STORE,
        ",".join({str(post.workspace) for post in posts}),
        registry.rows_of(one for post in posts for one in post.learned),
        [post.workspace for post, _ in rows],
        [event for _, event in rows],
        [post.digest for post, _ in rows],
        [post.body for post, _ in rows],
    )


# One statement, so that a batch is one round trip and commits by itself. Row-level security reads
# the list when it meets the first row, and there is none before the list is made; if that were not
# so, it would read an empty one and let nothing in.
_STORE = f"""
WITH listed AS MATERIALIZED (SELECT set_config('portero.workspaces', $1, true)),
     learned AS ({registry.learning("listed, jsonb_to_recordset($2::jsonb)")})
INSERT INTO webhook_event (workspace_id, id, digest, body)
SELECT w, i, d, b
  FROM listed, unnest($3::uuid[], $4::uuid[], $5::bytea[], $6::bytea[]) AS t(w, i, d, b)
ON CONFLICT (workspace_id, digest) DO NOTHING
"""  # noqa: S608 - of our own words
