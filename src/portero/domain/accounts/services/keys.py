"""Keys of service accounts: shown once, kept as an HMAC, never wider than who made them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Lower

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, gifts_of_key
from portero.domain.access.errors import NameTaken, NotFound
from portero.domain.access.models import Role
from portero.domain.access.services import Change
from portero.domain.access.services.validation import (
    require_conditions,
    require_name,
    require_permissions,
    require_scope,
)
from portero.domain.accounts.errors import InvalidLifetime
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.services import Touched
from portero.engine import Conditions, Credential, Scope
from portero.store import keys
from portero.store.ids import uuid7
from portero.store.keys import KeyKind
from portero.store.rules import read_conditions, read_scope, write_conditions, write_scope
from portero.store.sealing import Secret

USUAL_LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=365)
LONGEST_OVERLAP = timedelta(days=7)
"""How long the key before a new one may go on beside it (B5.3)."""


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
    permissions: Collection[str] | None = None,
    scope: Scope | None = None,
    conditions: Conditions | None = None,
    lifetime: timedelta = USUAL_LIFETIME,
    url_compatible: bool = False,
) -> NewKey:
    """Make a key. What is given narrows what the service account may; None does not.

    What the key could do, its maker must be able to do themselves. Raises AccessDenied
    (BeyondOwnRights), InvalidLifetime, InvalidRule, NameTaken, NotFound.
    """
    narrowed = Narrowed(
        role=role,
        permissions=None if permissions is None else require_permissions(permissions),
        scope=scope or Scope(),
        conditions=conditions or Conditions(),
        url_compatible=url_compatible,
    )
    with access.policy_change(
        actor=actor, operation="create_key", event="api_key.created"
    ) as change:
        change.authorize("api_key:create")
        access.require_service_account(service_account)
        called = _require_free_name(name, actor.at)
        return _make(change, service_account, called, kind, narrowed, lifetime)


def roll_key(
    *,
    actor: Actor,
    key: UUID,
    overlap: timedelta,
    lifetime: timedelta = USUAL_LIFETIME,
) -> NewKey:
    """Make a key that may what another may, which ends after `overlap`, of seven days at most.

    Zero ends the old one as `revoke_key` does. Raises AccessDenied (BeyondOwnRights),
    InvalidLifetime, NotFound, NotConfirmed.
    """
    with access.policy_change(actor=actor, operation="roll_key", event="api_key.rolled") as change:
        change.authorize("api_key:create")
        change.authorize("api_key:revoke")
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise InvalidLifetime(str(overlap))
        old = ApiKey.objects.filter(
            id=key, revoked_at=None, disabled_reason=None, expires_at__gt=actor.at
        ).first()
        if old is None:
            raise NotFound(str(key))
        access.require_service_account(old.principal_id)
        new = _make(change, old.principal_id, old.name, KeyKind(old.kind), _narrowed(old), lifetime)
        ends_at = min(old.expires_at, actor.at + overlap)
        # The new one has the name; the old one goes on under one that tells it apart.
        called = f"{old.name} ({old.public_id[-4:]})"
        ends = {"expires_at": ends_at} if overlap else {"revoked_at": actor.at}
        ApiKey.objects.filter(id=key).update(name=called, **ends)
        change.note(Touched("api_key", old.id), old=old.public_id, old_ends_at=ends_at.isoformat())
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a key leaves of what its account may."""

    role: UUID | None
    permissions: frozenset[str] | None
    scope: Scope
    conditions: Conditions
    url_compatible: bool
    counts_as: UUID | None = None


def _narrowed(key: ApiKey) -> Narrowed:
    return Narrowed(
        role=key.role_id,
        permissions=None if key.permissions is None else frozenset(key.permissions),
        scope=read_scope(orjson.dumps(key.scope)),
        conditions=read_conditions(orjson.dumps(key.conditions)),
        url_compatible=key.url_compatible,
        counts_as=key.counts_as or key.id,
    )


def _make(
    change: Change,
    account: UUID,
    name: str,
    kind: KeyKind,
    narrowed: Narrowed,
    lifetime: timedelta,
) -> NewKey:
    """Make the key, of what the actor holds, and say so on record."""
    _require_role(narrowed.role)
    require_scope(narrowed.scope)
    require_conditions(narrowed.conditions)
    if not timedelta() < lifetime <= LONGEST_LIFETIME:
        raise InvalidLifetime(str(lifetime))
    actor = change.actor
    new = _new_key(kind, actor.at + lifetime)
    credential = Credential(
        id=str(new.id),
        principal=str(account),
        role=str(narrowed.role) if narrowed.role else None,
        scope=narrowed.scope,
        conditions=narrowed.conditions,
        until=new.expires_at.timestamp(),
        permissions=narrowed.permissions,
    )
    gifts = list(gifts_of_key(change.state.policy, credential))
    for gift in gifts:
        change.require_held(gift)
    can_nothing = not any(reach for gift in gifts for reach in gift.cells.values())
    ApiKey.objects.create(
        id=new.id,
        public_id=new.public_id,
        kind=kind,
        principal_id=account,
        name=name,
        digest=keys.digest(settings.PORTERO_PEPPER.current.reveal(), new.text.reveal().decode()),
        pepper_version=settings.PORTERO_PEPPER.version,
        role_id=narrowed.role,
        permissions=None if narrowed.permissions is None else sorted(narrowed.permissions),
        scope=write_scope(narrowed.scope),
        conditions=write_conditions(narrowed.conditions),
        url_compatible=narrowed.url_compatible,
        counts_as=narrowed.counts_as,
        expires_at=new.expires_at,
        author_id=actor.principal,
    )
    change.note(
        Touched("api_key", new.id),
        Touched("principal", account),
        name=name,
        public_id=new.public_id,
        scope=write_scope(narrowed.scope),
        expires_at=new.expires_at.isoformat(),
    )
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
