"""Waiting until a change of policy is known wherever a first byte could leave."""

from __future__ import annotations

import time

from django.db import connection

from portero.domain.access.errors import NotConfirmed

# Leases last one second: a process that has not seen the change by then has lost its lease, so this
# is reached only when a process renews its lease without reading the heads.
PATIENCE_S = 3.0
_POLL_S = 0.01
# A process counts while its lease runs, by the database's clock, and its snapshot lacks the change.
_BEHIND = """
SELECT count(*) FROM gateway_process
 WHERE lease_until > clock_timestamp() AND NOT pg_visible_in_snapshot(%s::text::xid8, seen)
"""


def await_confirmation(*, xid: str) -> None:
    """Return once no live gateway process can still act on what was before transaction `xid`.

    Raises NotConfirmed after three seconds.
    """
    ends = time.monotonic() + PATIENCE_S
    while _processes_behind(xid):
        if time.monotonic() > ends:
            raise NotConfirmed
        time.sleep(_POLL_S)


def _processes_behind(xid: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [xid])
        (count,) = cursor.fetchone()
    return int(count)
