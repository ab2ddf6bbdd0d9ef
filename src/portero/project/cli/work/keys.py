"""What `portero key` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey
from portero.engine import Scope
from portero.project.cli.problems import Problem
from portero.project.cli.work.directory import Directory, directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A key as somebody describes it: names, not ids. Empty = not narrowed."""

    name: str
    account: str | None
    new_account: str | None
    role: str | None
    numbers: tuple[str, ...]
    template_sets: tuple[str, ...]
    countries: tuple[str, ...]
    lifetime: timedelta
    url_compatible: bool


def create(workspace: UUID, wanted: Wanted, *, acting: str | None) -> dict[str, Any]:
    """Make the key, and before it the service account when that is wanted."""
    known = directory(workspace)
    actor = known.actor(acting)
    scope = _scope(known, wanted)
    role = known.role(wanted.role) if wanted.role is not None else None
    with access.changes_together(actor=actor, operation="create_key", event="api_key.created"):
        if wanted.new_account is not None:
            assert role is not None  # noqa: S101 - the command asks for it
            account = _create_account(actor, wanted.new_account, role, scope)
        else:
            assert wanted.account is not None  # noqa: S101 - as above
            account = known.account(wanted.account)
        made = accounts.create_key(
            actor=actor,
            service_account=account,
            name=wanted.name,
            role=role,
            scope=scope,
            lifetime=wanted.lifetime,
            url_compatible=wanted.url_compatible,
        )
    return {
        "id": str(made.id),
        "public_id": made.public_id,
        "name": wanted.name,
        "account": wanted.new_account or known.name(str(account)),
        "account_id": str(account),
        "key": made.text.reveal().decode(),
        "expires_at": made.expires_at.isoformat(timespec="seconds"),
        "can_nothing": made.can_nothing,
    }


def listing(workspace: UUID) -> list[dict[str, Any]]:
    known = directory(workspace)
    now = datetime.now(UTC)
    return [
        {
            "id": str(key.id),
            "public_id": key.public_id,
            "name": key.name,
            "account": known.name(str(key.principal_id)),
            "account_id": str(key.principal_id),
            "state": _state(key, now),
            "scope": key.scope,
            "url_compatible": key.url_compatible,
            "created_at": _text(key.created_at),
            "expires_at": _text(key.expires_at),
            "last_used_at": _text(key.last_used_at),
        }
        for key in known.keys
    ]


def revoke(workspace: UUID, text: str, *, reason: str, acting: str | None) -> dict[str, Any]:
    known = directory(workspace)
    key = known.key(text)
    if key.revoked_at is not None:
        raise Problem(f"“{key.name}” is revoked already, since {_text(key.revoked_at)}")
    accounts.revoke_key(actor=known.actor(acting), key=key.id, reason=reason)
    return {"id": str(key.id), "public_id": key.public_id, "name": key.name, "revoked": True}


def _create_account(actor: Actor, name: str, role: UUID, scope: Scope) -> UUID:
    account = accounts.create_service_account(actor=actor, name=name, accountable=actor.principal)
    access.create_binding(actor=actor, principal=account, role=role, scope=scope)
    return account


def _scope(known: Directory, wanted: Wanted) -> Scope:
    def chosen(values: tuple[str, ...]) -> frozenset[str] | None:
        return frozenset(values) or None

    return Scope(
        numbers=chosen(tuple(known.number(text) for text in wanted.numbers)),
        template_sets=chosen(tuple(known.template_set(text) for text in wanted.template_sets)),
        countries=chosen(tuple(country.upper() for country in wanted.countries)),
    )


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.disabled_reason is not None:
        return "disabled"
    return "expired" if key.expires_at <= now else "active"


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
