"""Moving a policy head, and asking who could still act on what was before: for either driver."""

# Leases last one second: a process that has not seen the change by then has lost its lease, so this
# is reached only when a process renews its lease without reading the heads.
PATIENCE_S = 3.0
POLL_S = 0.01

MOVE_HEAD = """
UPDATE policy_head
   SET version = version + 1, xid = pg_current_xact_id(), changed_at = clock_timestamp()
 WHERE workspace_id = $1 RETURNING xid::text
"""
# A process counts while its lease runs, by the database's clock, and its snapshot lacks the change.
SOMEBODY_IS_BEHIND = """
SELECT EXISTS (SELECT FROM gateway_process
                WHERE lease_until > clock_timestamp()
                  AND NOT pg_visible_in_snapshot($1::text::xid8, seen))
"""
