"""Tickets for streams: a page asks for one, and its browser spends it a moment later."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now

from portero.domain.access.authorize import Actor
from portero.domain.access.models import PolicyHead
from portero.domain.accounts.models import StreamTicket
from portero.domain.audit.models import in_workspace

LASTS = timedelta(seconds=60)
_BYTES = 32


def open_stream_ticket(*, actor: Actor, session: str, permission: str | None) -> str:
    """Make a ticket that opens one stream within a minute, for a session by its digest.

    Whether the permission is held is decided when the ticket is spent, and again with every event.
    """
    ticket = secrets.token_urlsafe(_BYTES)
    with in_workspace(actor.workspace):
        StreamTicket.objects.filter(expires_at__lt=Now()).delete()
        StreamTicket.objects.create(
            digest=hashlib.sha256(ticket.encode()).digest(),
            principal_id=actor.principal,
            session_key=session,
            permission=permission,
            address=actor.address,
            factor_at=actor.factor_at,
            passkey_at=actor.passkey_at,
            version=PolicyHead.objects.values_list("version", flat=True).get(),
            expires_at=datetime.now(UTC) + LASTS,
        )
    return f"{actor.workspace.hex}.{ticket}"
