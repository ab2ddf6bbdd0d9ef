"""Ending a key because somebody who holds it says so, and waiting until no process can use it."""

import asyncio
import time
from uuid import UUID

import asyncpg

from portero.store import heads
from portero.store.appending import insert_records
from portero.store.ids import workspace_lock
from portero.store.listed import in_workspace
from portero.store.records import Record, seal


class NotConfirmed(Exception):
    """The key is revoked, but some process has neither seen it nor lost its lease."""


async def revoke(pool: asyncpg.Pool, workspace: UUID, key: UUID, record: Record) -> None:
    """End a key as one recorded change of policy; returns once it is confirmed everywhere.

    Revoking what is revoked changes nothing, but it may be so only just: it is confirmed all the
    same. Raises NotConfirmed.
    """
    async with in_workspace(pool, workspace) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", workspace_lock(workspace))
        if await connection.fetchval(_REVOKE, workspace, key) is None:
            xid = await connection.fetchval(_HEAD, workspace)
        else:
            xid = await connection.fetchval(heads.MOVE_HEAD, workspace)
            now = await connection.fetchval("SELECT clock_timestamp()")
            await insert_records(connection, [seal(record, now)])
    await _confirmed(pool, xid)


async def _confirmed(pool: asyncpg.Pool, xid: str) -> None:
    ends = time.monotonic() + heads.PATIENCE_S
    while await pool.fetchval(heads.SOMEBODY_IS_BEHIND, xid):
        if time.monotonic() > ends:
            raise NotConfirmed
        await asyncio.sleep(heads.POLL_S)


_REVOKE = """
UPDATE api_key SET revoked_at = clock_timestamp()
 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""
# No older than the change that revoked the key: who has seen the one has seen the other.
_HEAD = "SELECT xid::text FROM policy_head WHERE workspace_id = $1"
