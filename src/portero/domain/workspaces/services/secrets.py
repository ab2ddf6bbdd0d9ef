"""Meta's secrets go in here and never come out: only the gateway's login may read the rows."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.db import connection

from portero.domain.access.authorize import Actor
from portero.domain.access.errors import NotFound
from portero.domain.access.services import policy_change
from portero.domain.audit import queries as audit
from portero.domain.audit.models import current_workspace
from portero.domain.audit.services import Touched
from portero.domain.workspaces.errors import EmptySecret
from portero.domain.workspaces.models import MetaApp, Waba
from portero.store.ids import uuid7
from portero.store.sealing import Secret

SYSTEM_USER_TOKEN = "system_user_token"  # noqa: S105 - the name of a kind, not a token


def store_credential(*, actor: Actor, waba: UUID, token: Secret) -> UUID:
    """Keep the token with which Meta is asked about an account. The newest one is used.

    Raises AccessDenied, EmptySecret, NotFound.
    """
    with policy_change(
        actor=actor, operation="store_credential", event="credential.stored"
    ) as change:
        change.authorize("credential:update")
        account = Waba.objects.filter(id=waba).first()
        if account is None:
            raise NotFound(str(waba))
        keys, row = audit.workspace_keys(), uuid7()
        sealed = keys.seal("credential", "sealed", row, _require_bytes(token))
        _insert_credential(row, account.meta_id, sealed, keys.data.version)
        change.note(Touched("credential", row), Touched("waba", waba))
    return row


def set_meta_app(*, actor: Actor, app_id: str, app_secret: Secret, verify_token: Secret) -> UUID:
    """Connect the Meta app whose webhooks come here. The newest one is used.

    Raises AccessDenied, EmptySecret.
    """
    with policy_change(actor=actor, operation="set_meta_app", event="meta_app.set") as change:
        change.authorize("credential:update")
        keys, row = audit.workspace_keys(), uuid7()
        MetaApp.objects.create(
            id=row,
            app_id=app_id,
            app_secret=keys.seal("meta_app", "app_secret", row, _require_bytes(app_secret)),
            verify_token_digest=hashlib.sha256(_require_bytes(verify_token)).digest(),
        )
        change.note(Touched("meta_app", row), app_id=app_id)
    return row


def _insert_credential(row: UUID, waba: str, sealed: bytes, key_version: int) -> None:
    # Not by the model: it would ask for created_at back, and this login may read no column.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credential (workspace_id, id, waba, kind, sealed, key_version)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [current_workspace(), row, waba, SYSTEM_USER_TOKEN, sealed, key_version],
        )


def _require_bytes(secret: Secret) -> bytes:
    if not secret.reveal():
        raise EmptySecret
    return secret.reveal()
