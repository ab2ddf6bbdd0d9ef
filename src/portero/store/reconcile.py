"""Closing what a process that died left open: an intent without an outcome ended `unknown`."""

import logging
from uuid import UUID

import asyncpg

from portero.store.appending import insert_records
from portero.store.listed import list_workspaces
from portero.store.records import Outcome, Record, RecordKind, seal

# A process says goodbye, or its lease ends; a little later nobody can mistake a pause for a death.
DEAD_AFTER_S = 3.0
# No call lives longer than this between its intent and its outcome.
CALL_LIFE_S = 180.0
_CHUNK = 500  # workspaces at a time: the list is a setting, and is read by every policy

logger = logging.getLogger(__name__)


async def close_the_dead(connection: asyncpg.Connection) -> int:
    """Write `unknown` for the open calls of dead processes; returns how many there were."""
    closed = 0
    while (dead := await _one_dead(connection)) is not None:
        process, written = dead
        closed += written
        if written:
            logger.warning("process %s died with %d calls open; they are unknown", process, written)
    return closed


async def _one_dead(connection: asyncpg.Connection) -> tuple[UUID, int] | None:
    async with connection.transaction(isolation="read_committed"):
        dead = await connection.fetchrow(_DEAD, DEAD_AFTER_S)
        if dead is None:
            return None
        rows = await connection.fetch("SELECT id FROM workspace ORDER BY id")
        workspaces = [row["id"] for row in rows]
        written = 0
        for start in range(0, len(workspaces), _CHUNK):
            await list_workspaces(connection, workspaces[start : start + _CHUNK])
            written += await _close(connection, dead)
        await connection.execute("DELETE FROM gateway_process WHERE id = $1", dead["id"])
        return dead["id"], written


async def _close(connection: asyncpg.Connection, dead: asyncpg.Record) -> int:
    opened = await connection.fetch(_OPEN, dead["id"], dead["lease_until"], CALL_LIFE_S)
    if not opened:
        return 0
    now = await connection.fetchval("SELECT clock_timestamp()")
    await insert_records(connection, [seal(_unknown(row), now) for row in opened])
    await connection.execute(_SETTLE, [row["call_id"] for row in opened])
    return len(opened)


def _unknown(row: asyncpg.Record) -> Record:
    return Record(
        workspace=row["workspace_id"],
        call=row["call_id"],
        kind=RecordKind.OUTCOME,
        attempt=row["attempt"],
        event=row["event"],
        operation=row["operation"],
        effect=row["effect"],
        reason="process_died",
        policy_version=row["policy_version"],
        actor=row["actor"],
        credential=row["credential"],
        on_behalf=row["on_behalf"],
        checks=tuple(row["checks"]),
        resources=tuple(row["resources"]),
        because=tuple(row["because"]),
        obligations=tuple(row["obligations"]),
        outcome=Outcome.UNKNOWN,
        process=row["process"],
    )


_DEAD = """
SELECT id, lease_until FROM gateway_process
 WHERE lease_until < clock_timestamp() - make_interval(secs => $1)
 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_OPEN = """
SELECT DISTINCT ON (i.workspace_id, i.call_id) i.*
  FROM record i
 WHERE i.process = $1 AND i.kind = 'intent' AND i.effect = 'allow'
   AND i.at > $2::timestamptz - make_interval(secs => $3)
   AND NOT EXISTS (SELECT FROM record o
                    WHERE o.workspace_id = i.workspace_id AND o.call_id = i.call_id
                      AND o.kind = 'outcome')
 ORDER BY i.workspace_id, i.call_id, i.attempt DESC
"""
_SETTLE = "UPDATE idempotency SET state = 'unknown' WHERE call_id = ANY($1) AND state = 'running'"
