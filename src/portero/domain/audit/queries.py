"""Reads of the log's own needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from portero.domain.audit.models import current_workspace
from portero.store.workspace_keys import WorkspaceKeys


def workspace_keys() -> WorkspaceKeys:
    """Unwrap the keys of the current workspace. Raises CannotOpen, or KeyError when one is missing."""
    workspace = current_workspace()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, purpose, version, wrapped FROM workspace_key"
            " WHERE workspace_id = %s AND retired_at IS NULL",
            [workspace],
        )
        columns = ("id", "purpose", "version", "wrapped")
        rows: list[dict[str, Any]] = [dict(zip(columns, r, strict=True)) for r in cursor.fetchall()]
    return WorkspaceKeys.unwrap(settings.PORTERO_KEK, workspace, rows)


def database_time() -> datetime:
    """The time that records carry: one clock for all processes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert isinstance(now, datetime)  # noqa: S101 - the column's type
    return now
