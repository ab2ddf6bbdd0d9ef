"""One effect per idempotency key, although Meta itself offers no such key.

A key belongs to (workspace, principal, operation). The first request claims it in the transaction
that admits it; a later one with the same body gets the first one's answer, with another body a
refusal, and while the first is still under way, or ended unknown, a conflict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from portero.store.columns import columns


@dataclass(frozen=True, slots=True)
class Claim:
    """`digest`: SHA-256 of the typed request, so that spelling does not matter."""

    workspace: UUID
    principal: str
    operation: str
    key: str
    digest: bytes
    call: UUID


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of the request that claimed the key first. `answer` is sealed."""

    call: UUID
    digest: bytes
    state: str
    status: int | None
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """How a claim's request ended: `done` with the answer to give again, `unknown`, `released`."""

    claim: Claim
    state: str
    status: int | None = None
    answer: bytes | None = None


ClaimKey = tuple[UUID, str, str, str]


def key_of(claim: Claim) -> ClaimKey:
    return (claim.workspace, claim.principal, claim.operation, claim.key)


async def claim(connection: asyncpg.Connection, claims: Sequence[Claim]) -> dict[UUID, Earlier]:
    """Claim what is free; returns, by call, what stands in the way of the others."""
    in_the_way: dict[UUID, Earlier] = {}
    pending = claims
    while pending:
        mine = await _claim_free(connection, pending)
        pending = [claim for claim in pending if claim.call not in mine]
        if pending:
            earlier = await _look(connection, pending)
            in_the_way |= {c.call: earlier[key_of(c)] for c in pending if key_of(c) in earlier}
            # What was released between the two statements is free after all.
            pending = [claim for claim in pending if key_of(claim) not in earlier]
    return in_the_way


async def _claim_free(connection: asyncpg.Connection, claims: Sequence[Claim]) -> set[UUID]:
    rows = await connection.fetch(
        _CLAIM,
        *columns([key_of(claim) for claim in claims], 4),
        [claim.digest for claim in claims],
        [claim.call for claim in claims],
    )
    return {row["call_id"] for row in rows}


async def _look(connection: asyncpg.Connection, claims: Sequence[Claim]) -> dict[ClaimKey, Earlier]:
    rows = await connection.fetch(_LOOK, *columns([key_of(claim) for claim in claims], 4))
    return {
        (row["workspace_id"], row["principal"], row["operation"], row["key"]): Earlier(
            row["call_id"], row["digest"], row["state"], row["status"], row["answer"]
        )
        for row in rows
    }


async def settle(connection: asyncpg.Connection, settled: Sequence[Settled]) -> None:
    """Write how claimed requests ended; `released` frees the key, for nothing was sent."""
    released = [s.claim.call for s in settled if s.state == "released"]
    if released:
        await connection.execute(_RELEASE, released)
    ended = [s for s in settled if s.state != "released"]
    if ended:
        await connection.executemany(
            _SETTLE, [(*key_of(s.claim), s.claim.call, s.state, s.status, s.answer) for s in ended]
        )


_CLAIM = """
INSERT INTO idempotency (workspace_id, principal, operation, key, digest, call_id, state, at)
SELECT w, p, o, k, d, c, 'running', now()
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::uuid[])
    AS t(w, p, o, k, d, c)
 ORDER BY w, p, o, k
ON CONFLICT DO NOTHING
RETURNING call_id
"""
_LOOK = """
SELECT i.workspace_id, i.principal, i.operation, i.key, i.digest, i.call_id, i.state, i.status,
       i.answer
  FROM idempotency i
  JOIN unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS t(w, p, o, k)
    ON i.workspace_id = t.w AND i.principal = t.p AND i.operation = t.o AND i.key = t.k
"""
_SETTLE = """
UPDATE idempotency SET state = $6, status = $7, answer = $8
 WHERE workspace_id = $1 AND principal = $2 AND operation = $3 AND key = $4 AND call_id = $5
"""
_RELEASE = "DELETE FROM idempotency WHERE call_id = ANY($1) AND state = 'running'"
