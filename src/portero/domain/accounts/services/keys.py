"""Keys of service accounts: shown once, kept as an HMAC, never wider than who made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Lower

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, gifts_of_key
from portero.domain.access.errors import NameTaken, NotFound
from portero.domain.access.models import Role
from portero.domain.access.services.validation import (
    require_conditions,
    require_name,
    require_scope,
)
from portero.domain.accounts.errors import InvalidLifetime
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.services import Touched
from portero.engine import Conditions, Credential, Scope
from portero.store import keys
from portero.store.ids import uuid7
from portero.store.keys import KeyKind
from portero.store.rules import write_conditions, write_scope
from portero.store.sealing import Secret

USUAL_LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `text` is the whole key, and exists nowhere else."""

    id: UUID
    public_id: str
    text: Secret
    expires_at: datetime
    can_nothing: bool = False
    """Whether no role of its account leaves it a single permission, as things stand."""


def create_key(
    *,
    actor: Actor,
    service_account: UUID,
    name: str,
    kind: KeyKind = KeyKind.SERVICE,
    role: UUID | None = None,
    scope: Scope | None = None,
    conditions: Conditions | None = None,
    lifetime: timedelta = USUAL_LIFETIME,
    url_compatible: bool = False,
) -> NewKey:
    """Make a key. `role`, `scope` and `conditions` narrow what the service account may; None does not.

    What the key could do, its maker must be able to do themselves. Raises AccessDenied
    (BeyondOwnRights), InvalidLifetime, InvalidRule, NameTaken, NotFound.
    """
    scope, conditions = scope or Scope(), conditions or Conditions()
    with access.policy_change(
        actor=actor, operation="create_key", event="api_key.created"
    ) as change:
        change.authorize("api_key:create")
        access.require_service_account(service_account)
        called = _require_free_name(name, actor.at)
        _require_role(role)
        require_scope(scope)
        require_conditions(conditions)
        if not timedelta() < lifetime <= LONGEST_LIFETIME:
            raise InvalidLifetime(str(lifetime))
        new = _new_key(kind, actor.at + lifetime)
        credential = Credential(
            id=str(new.id),
            principal=str(service_account),
            role=str(role) if role else None,
            scope=scope,
            conditions=conditions,
            until=new.expires_at.timestamp(),
        )
        gifts = list(gifts_of_key(change.state.policy, credential))
        for gift in gifts:
            change.require_held(gift)
        key = ApiKey.objects.create(
            id=new.id,
            public_id=new.public_id,
            kind=kind,
            principal_id=service_account,
            name=called,
            digest=keys.digest(
                settings.PORTERO_PEPPER.current.reveal(), new.text.reveal().decode()
            ),
            pepper_version=settings.PORTERO_PEPPER.version,
            role_id=role,
            scope=write_scope(scope),
            conditions=write_conditions(conditions),
            url_compatible=url_compatible,
            expires_at=new.expires_at,
            author_id=actor.principal,
        )
        change.note(
            Touched("api_key", new.id),
            Touched("principal", service_account),
            name=key.name,
            public_id=new.public_id,
            scope=write_scope(scope),
            expires_at=new.expires_at.isoformat(),
        )
    can_nothing = not any(reach for gift in gifts for reach in gift.cells.values())
    return replace(new, can_nothing=can_nothing)


def revoke_key(*, actor: Actor, key: UUID, reason: str = "") -> None:
    """End a key. No call of it reaches Meta once this has returned.

    Raises AccessDenied, NotFound, NotConfirmed.
    """
    with access.policy_change(
        actor=actor, operation="revoke_key", event="api_key.revoked"
    ) as change:
        change.authorize("api_key:revoke")
        if not ApiKey.objects.filter(id=key, revoked_at=None).update(revoked_at=actor.at):
            raise NotFound(str(key))
        change.note(Touched("api_key", key), reason=reason)


def _require_free_name(name: str, at: datetime) -> str:
    """A key is revoked by its name, so no two that live have one. Raises InvalidRule, NameTaken."""
    called = require_name(name)
    living = ApiKey.objects.filter(revoked_at=None, expires_at__gt=at)
    if living.annotate(lower=Lower("name")).filter(lower=Lower(Value(called))).exists():
        raise NameTaken(
            f"there is a key called “{called}” already: revoke it, or choose another name"
        )
    return called


def _require_role(role: UUID | None) -> None:
    if role is not None and not Role.objects.filter(id=role).exists():
        raise NotFound(str(role))


def _new_key(kind: KeyKind, expires_at: datetime) -> NewKey:
    text = keys.generate(kind)
    parsed = keys.read(text)
    assert parsed is not None  # noqa: S101 - we made it
    return NewKey(uuid7(), parsed.public_id, Secret(text.encode()), expires_at)
