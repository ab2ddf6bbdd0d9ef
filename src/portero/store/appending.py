"""Records as rows: both halves of many, what their calls have taken and taught, by one statement."""

from collections.abc import Iterable, Sequence

from portero.store import registry
from portero.store.counting import Counts
from portero.store.listed import Connection
from portero.store.records import SealedRecord
from portero.store.registry import Resource


async def insert_records(connection: Connection, sealed: Sequence[SealedRecord]) -> None:
    """Append to the current transaction. Raises UniqueViolationError for what is there already."""
    if sealed:
        await connection.execute(_APPEND, *_columns(sealed))


async def insert_batch(
    connection: Connection,
    sealed: Sequence[SealedRecord],
    learned: Iterable[Resource],
    counts: Counts | None,
) -> None:
    """Append, register what was learned, write the counts back. Raises as `insert_records`."""
    values: list[object] = [*_columns(sealed), registry.rows_of(learned)]
    if counts is not None:
        await connection.execute(_APPEND_LEARN_AND_COUNT, *values, *counts.changes())
    elif sealed:
        await connection.execute(_APPEND_AND_LEARN, *values)


def _columns(sealed: Sequence[SealedRecord]) -> list[str]:
    """A batch as four texts, one record to a line: canonical JSON has no line's end of its own."""
    return [
        b"\n".join([one.leaf for one in sealed]).decode(),
        "\n".join([str(one.record.process or "") for one in sealed]),
        "\n".join([one.salt.hex() for one in sealed]),
        b"\n".join([one.body for one in sealed]).decode(),
    ]


# The columns are read from the leaf that the proofs cover, so they say what it says; and a batch
# travels as four texts: the driver looks at each item of a list, and is slow at that. The months of
# `record` have no key that spans them; that of `record_open` keeps a call from ending twice.
_RECORDS = r"""
appended AS MATERIALIZED (
    SELECT r.*, convert_to(s.leaf, 'UTF8') AS leaf, nullif(s.process, '')::uuid AS process,
           decode(s.salt, 'hex') AS salt, s.body::jsonb AS open
      FROM unnest(string_to_array($1, E'\n'), string_to_array($2, E'\n'),
                  string_to_array($3, E'\n'), string_to_array($4, E'\n'))
               AS s (leaf, process, salt, body),
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
)"""
_LEARNED = f"learned AS ({registry.learning('jsonb_to_recordset($5::jsonb)')})"
# Lists travel as text: PostgreSQL has no unnest over rows of ragged arrays. People need no
# ON CONFLICT: nobody else adds any while their counter is locked.
_COUNTS = """
windows AS (
    UPDATE limit_slice s
       SET grants = string_to_array(t.g, ' ')::float8[], amounts = string_to_array(t.a, ' ')::int[]
      FROM unnest($6::uuid[], $7::uuid[], $8::text[], $9::text[]) AS t(w, l, g, a)
     WHERE s.workspace_id = t.w AND s.limit_id = t.l
), counters AS (
    UPDATE limit_use u SET used = t.n
      FROM unnest($10::uuid[], $11::uuid[], $12::timestamptz[], $13::bigint[]) AS t(w, l, s, n)
     WHERE u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
), people AS (
    INSERT INTO limit_recipient (workspace_id, limit_id, starts, contact_id)
    SELECT * FROM unnest($14::uuid[], $15::uuid[], $16::timestamptz[], $17::uuid[])
)"""


def _append(*parts: str) -> str:
    readable = """
INSERT INTO record_open (workspace_id, call_id, kind, attempt, salt, body, at)
SELECT workspace, call, kind, attempt, salt, open, at FROM appended
"""
    return "\nWITH " + ", ".join(parts) + readable


_APPEND = _append(_RECORDS)
_APPEND_AND_LEARN = _append(_RECORDS, _LEARNED)
_APPEND_LEARN_AND_COUNT = _append(_RECORDS, _LEARNED, _COUNTS)
