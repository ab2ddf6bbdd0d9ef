"""What a ticket stands for, spent the moment it is read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portero.store.listed import Connection

_SHAPE = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_SPEND = """
DELETE FROM stream_ticket WHERE workspace_id = $1 AND digest = $2 AND expires_at > clock_timestamp()
RETURNING principal_id, session_key, permission, address, factor_at, passkey_at, version
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may open one stream, for which page, from where."""

    workspace: UUID
    principal: str
    session: str
    """Its digest."""
    permission: str | None
    address: str | None
    factor_at: datetime | None
    passkey_at: datetime | None
    version: int
    """Of the policy under which the page was made."""


def workspace_of(text: str) -> UUID | None:
    """Where a ticket belongs, as it says itself; None for what is no ticket."""
    shape = _SHAPE.fullmatch(text)
    return UUID(shape[1]) if shape else None


async def spend(connection: Connection, text: str) -> Ticket | None:
    """Take a ticket out of the table, inside its workspace. None: it is spent, late, or never was."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    workspace, digest = UUID(shape[1]), hashlib.sha256(shape[2].encode()).digest()
    row = await connection.fetchrow(_SPEND, workspace, digest)
    if row is None:
        return None
    return Ticket(
        workspace,
        str(row["principal_id"]),
        row["session_key"],
        row["permission"],
        row["address"],
        row["factor_at"],
        row["passkey_at"],
        row["version"],
    )
