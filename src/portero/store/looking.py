"""What a batch of admissions is judged by, locked and read in one look.

One statement, because each costs a round trip while every call of the process waits: the policy
heads, the counts that the batch may add to, and the contacts it reaches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from portero.store import contacts, counting
from portero.store.columns import columns
from portero.store.contacts import Identity, Known
from portero.store.counting import Counted, Counts


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen. `now` is the database's time, read after every count was locked.

    `id` is the transaction's, by which to ask what became of it.
    """

    id: str
    now: datetime
    heads: dict[UUID, int]
    counts: Counts
    known: Known


async def look(
    connection: asyncpg.Connection,
    *,
    workspaces: Iterable[UUID] = (),
    counted: Iterable[Counted] = (),
    identities: Iterable[Identity] = (),
) -> Look:
    """Lock the counts, then read the time; see the heads and the contacts as they are by now.

    The statement's snapshot must be younger than the workspaces' locks, so whoever admits takes
    those by a statement before this one.
    """
    asked = list(workspaces)
    people = list(dict.fromkeys(map(contacts.key_of, identities)))
    # Hours and days are the database's, which has not been asked yet; where its clock and ours
    # are not in the same one, `Counts.take` locks the right one.
    counts = Counts.of(counted, around=datetime.now(UTC))
    while True:
        row = await _row(connection, asked, counts, people)
        if counts.fill(row["grants"], row["amounts"], row["used"]):
            break
        await counting.ensure(connection, counts)
    return Look(
        id=row["id"],
        now=row["now"],
        heads={workspace: head or 0 for workspace, head in zip(asked, row["heads"], strict=True)},
        counts=counts,
        known={
            key: contact
            for key, contact in zip(people, row["contacts"], strict=True)
            if contact is not None
        },
    )


async def _row(
    connection: asyncpg.Connection,
    workspaces: Sequence[UUID],
    counts: Counts,
    people: Sequence[contacts.IdentityKey],
) -> asyncpg.Record:
    row = await connection.fetchrow(
        _LOOK,
        workspaces,
        *columns(counts.window_keys, 2),
        *columns(counts.counter_keys, 3),
        *columns(people, 3),
    )
    assert row is not None  # noqa: S101 - a query without FROM has one row
    return row


# Rows are locked in one order, so that two processes that share some do not wait for each other.
# The time depends on both locks, so that it is read after them: of two processes that grant from
# one window, the later holder has the later time. Ragged lists travel as text.
_LOOK = """
WITH windows AS MATERIALIZED (
    SELECT t.n, array_to_string(s.grants, ' ') AS grants, array_to_string(s.amounts, ' ') AS amounts
      FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS t(w, l, n)
      JOIN limit_slice s ON s.workspace_id = t.w AND s.limit_id = t.l
     ORDER BY s.workspace_id, s.limit_id
       FOR UPDATE OF s
), counters AS MATERIALIZED (
    SELECT t.n, u.used
      FROM unnest($4::uuid[], $5::uuid[], $6::timestamptz[]) WITH ORDINALITY AS t(w, l, s, n)
      JOIN limit_use u ON u.workspace_id = t.w AND u.limit_id = t.l AND u.starts = t.s
     ORDER BY u.workspace_id, u.limit_id, u.starts
       FOR UPDATE OF u
)
SELECT ARRAY(SELECT grants FROM windows ORDER BY n) AS grants,
       ARRAY(SELECT amounts FROM windows ORDER BY n) AS amounts,
       ARRAY(SELECT used FROM counters ORDER BY n) AS used,
       CASE WHEN (SELECT count(*) FROM windows) + (SELECT count(*) FROM counters) >= 0
            THEN clock_timestamp() END AS now,
       pg_current_xact_id()::text AS id,
       ARRAY(SELECT h.version
               FROM unnest($1::uuid[]) WITH ORDINALITY AS t(w, n)
               LEFT JOIN policy_head h ON h.workspace_id = t.w
              ORDER BY t.n) AS heads,
       ARRAY(SELECT i.contact_id
               FROM unnest($7::uuid[], $8::text[], $9::bytea[]) WITH ORDINALITY AS t(w, k, d, n)
               LEFT JOIN contact_identity i
                 ON i.workspace_id = t.w AND i.kind = t.k AND i.digest = t.d
              ORDER BY t.n) AS contacts
"""
