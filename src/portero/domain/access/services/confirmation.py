"""Publishing a version, and waiting until it is known wherever a first byte could leave."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from portero.domain.access.errors import NotConfirmed
from portero.store import heads


def move_head(workspace: UUID) -> str:
    """Publish the next version; returns the transaction that does, as text."""
    return str(_ask(heads.MOVE_HEAD, workspace))


def await_confirmation(*, xid: str) -> None:
    """Return once no live gateway process can still act on what was before transaction `xid`.

    Raises NotConfirmed after three seconds.
    """
    ends = time.monotonic() + heads.PATIENCE_S
    while _somebody_is_behind(xid):
        if time.monotonic() > ends:
            raise NotConfirmed
        time.sleep(heads.POLL_S)


def _somebody_is_behind(xid: str) -> bool:
    return bool(_ask(heads.SOMEBODY_IS_BEHIND, xid))


def _ask(query: str, value: object) -> Any:
    """Run a query that is written for either driver; it answers with one value."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
        [(answer,)] = cursor.execute(query, [value]).fetchall()
    return answer
