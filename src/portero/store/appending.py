"""Records as rows: both halves of many, appended by one statement."""

from collections.abc import Sequence

from portero.store.listed import Connection
from portero.store.records import SCHEMA_VERSION, SealedRecord, canonical


async def insert_records(connection: Connection, sealed: Sequence[SealedRecord]) -> None:
    """Append to the current transaction. Raises UniqueViolationError for what is there already."""
    if not sealed:
        return
    rows = [s.record for s in sealed]
    await connection.execute(
        _APPEND,
        [r.workspace for r in rows],
        [r.call for r in rows],
        [r.kind for r in rows],
        [r.attempt for r in rows],
        [s.at for s in sealed],
        [r.event for r in rows],
        [r.actor for r in rows],
        [r.credential for r in rows],
        [r.on_behalf for r in rows],
        [r.operation for r in rows],
        ["\n".join(r.checks) for r in rows],
        ["\n".join(r.resources) for r in rows],
        [r.effect for r in rows],
        [r.reason for r in rows],
        [r.policy_version for r in rows],
        ["\n".join(r.because) for r in rows],
        ["\n".join(r.obligations) for r in rows],
        [r.upstream_attempt for r in rows],
        [r.outcome for r in rows],
        [s.leaf for s in sealed],
        [s.digest for s in sealed],
        [r.process for r in rows],
        [s.salt for s in sealed],
        [canonical(r.body).decode() for r in rows],
        SCHEMA_VERSION,
    )


# Lists travel as text: PostgreSQL has no unnest over rows of ragged arrays. The months of `record`
# have no key that spans them; that of `record_open` keeps a call from ending twice.
_APPEND = """
WITH appended AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
        $15::bigint[], $16::text[], $17::text[], $18::int[], $19::text[], $20::bytea[],
        $21::bytea[], $22::uuid[], $23::bytea[], $24::text[]
    ) AS r (workspace_id, call_id, kind, attempt, at, event, actor, credential, on_behalf,
            operation, checks, resources, effect, reason, policy_version, because, obligations,
            upstream_attempt, outcome, leaf, digest, process, salt, body)
), provable AS (
    INSERT INTO record (workspace_id, call_id, kind, attempt, at, event, schema, actor, credential,
                        on_behalf, operation, checks, resources, effect, reason, policy_version,
                        because, obligations, upstream_attempt, outcome, leaf, digest, process)
    SELECT workspace_id, call_id, kind, attempt, at, event, $25::int, actor, credential,
           on_behalf, operation, string_to_array(checks, E'\\n'),
           string_to_array(resources, E'\\n'), effect, reason, policy_version,
           string_to_array(because, E'\\n'), string_to_array(obligations, E'\\n'),
           upstream_attempt, outcome, leaf, digest, process
      FROM appended
)
INSERT INTO record_open (workspace_id, call_id, kind, attempt, salt, body, at)
SELECT workspace_id, call_id, kind, attempt, salt, body::jsonb, at FROM appended
"""
