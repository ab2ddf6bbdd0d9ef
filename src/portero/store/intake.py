"""Meta's posts on their way into the database: many in one commit, each answered once it is durable."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from portero.store import contacts, registry
from portero.store.contacts import Identity
from portero.store.failures import AWAY
from portero.store.ids import uuid7
from portero.store.listed import Connection, list_workspaces
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
    learned: tuple[Resource, ...] = ()
    people: tuple[tuple[Identity, ...], ...] = ()


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
    async with pool.acquire() as connection, connection.transaction(isolation="read_committed"):
        await list_workspaces(connection, {post.workspace for post in posts})
        await _insert(connection, posts)
        await registry.learn(connection, [one for post in posts for one in post.learned])
        await contacts.link(connection, [person for post in posts for person in post.people])


async def _insert(connection: Connection, posts: Sequence[Post]) -> None:
    await connection.execute(
        _STORE,
        [post.workspace for post in posts],
        [uuid7() for _ in posts],
        [post.digest for post in posts],
        [post.body for post in posts],
    )


_STORE = """
INSERT INTO webhook_event (workspace_id, id, digest, body)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[])
ON CONFLICT (workspace_id, digest) DO NOTHING
"""
