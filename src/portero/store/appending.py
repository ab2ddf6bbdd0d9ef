"""Records as rows: both halves of many, appended by one statement."""

from collections.abc import Sequence

from portero.store.listed import Connection
from portero.store.records import SealedRecord, canonical


async def insert_records(connection: Connection, sealed: Sequence[SealedRecord]) -> None:
    """Append to the current transaction. Raises UniqueViolationError for what is there already."""
    if sealed:
        await connection.execute(
            _APPEND,
            [one.leaf.decode() for one in sealed],
            [one.record.process for one in sealed],
            [one.salt for one in sealed],
            [canonical(one.record.body).decode() for one in sealed],
        )


# The columns are read from the leaf that the proofs cover, so they say what it says; and a batch
# travels as four lists, not as one for each column. The months of `record` have no key that spans
# them; that of `record_open` keeps a call from ending twice.
_APPEND = """
WITH appended AS MATERIALIZED (
    SELECT r.*, convert_to(s.leaf, 'UTF8') AS leaf, s.process, s.salt, s.body::jsonb AS open
      FROM unnest($1::text[], $2::uuid[], $3::bytea[], $4::text[]) AS s (leaf, process, salt, body),
           LATERAL json_to_record(s.leaf::json) AS r (
               workspace uuid, call uuid, kind text, attempt int, at timestamptz, event text,
               v int, actor text, credential text, on_behalf text, operation text, checks text[],
               resources text[], effect text, reason text, policy_version bigint,
               because text[], obligations text[], upstream_attempt int, outcome text)
), provable AS (
    INSERT INTO record (workspace_id, call_id, kind, attempt, at, event, schema, actor, credential,
                        on_behalf, operation, checks, resources, effect, reason, policy_version,
                        because, obligations, upstream_attempt, outcome, leaf, digest, process)
    SELECT workspace, call, kind, attempt, at, event, v, actor, credential, on_behalf, operation,
           checks, resources, effect, reason, policy_version, because, obligations,
           upstream_attempt, outcome, leaf, sha256(leaf), process
      FROM appended
)
INSERT INTO record_open (workspace_id, call_id, kind, attempt, salt, body, at)
SELECT workspace, call, kind, attempt, salt, open, at FROM appended
"""
