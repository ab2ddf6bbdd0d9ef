"""Accounts, numbers and templates of Meta's: named here, they may be named in requests."""

from __future__ import annotations

from uuid import UUID

from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, NotFound
from portero.domain.access.services import policy_change
from portero.domain.access.services.validation import require_name
from portero.domain.audit.services import Touched
from portero.domain.workspaces.errors import AlreadyRegistered, InvalidMetaId
from portero.domain.workspaces.models import Number, Resource, Waba
from portero.graphapi.kinds import Kind, has_shape
from portero.store.ids import uuid7


def add_waba(*, actor: Actor, meta_id: str, name: str) -> UUID:
    """Make a WhatsApp Business Account part of the workspace.

    Raises AccessDenied, AlreadyRegistered, InvalidMetaId, InvalidRule.
    """
    with policy_change(actor=actor, operation="add_waba", event="waba.added") as change:
        change.authorize("number:add")
        _require_new(Kind.WABA, meta_id)
        waba = Waba.objects.create(id=uuid7(), meta_id=meta_id, name=require_name(name))
        Resource.objects.create(kind=Kind.WABA, meta_id=meta_id)
        change.note(Touched("waba", waba.id), meta_id=meta_id, name=waba.name)
    return waba.id


def add_number(
    *, actor: Actor, waba: UUID, meta_id: str, display: str, name: str, country: str
) -> UUID:
    """Make a business phone number of an account part of the workspace.

    `display` is how Meta shows it, `country` ISO 3166 alpha-2. Raises AccessDenied,
    AlreadyRegistered, InvalidMetaId, InvalidRule, NotFound.
    """
    with policy_change(actor=actor, operation="add_number", event="number.added") as change:
        change.authorize("number:add")
        account = Waba.objects.filter(id=waba).first()
        if account is None:
            raise NotFound(str(waba))
        _require_new(Kind.NUMBER, meta_id)
        if not (len(country) == 2 and country.isascii() and country.isupper()):
            raise InvalidRule(f"{country!r} is no country code of two letters")
        number = Number.objects.create(
            id=uuid7(),
            meta_id=meta_id,
            waba_id=waba,
            display=require_name(display),
            name=require_name(name),
            country=country,
        )
        Resource.objects.create(
            kind=Kind.NUMBER, meta_id=meta_id, parent=account.meta_id, number=meta_id
        )
        change.note(Touched("number", number.id), meta_id=meta_id, name=number.name)
    return number.id


def register_template(
    *,
    actor: Actor,
    waba: UUID,
    meta_id: str,
    name: str,
    language: str,
    category: str,
    status: str,
) -> None:
    """Make a template of an account known, as Meta's own list would.

    Raises AccessDenied, AlreadyRegistered, InvalidMetaId, NotFound.
    """
    with policy_change(
        actor=actor, operation="register_template", event="template.registered"
    ) as change:
        change.authorize("template:create")
        account = Waba.objects.filter(id=waba).first()
        if account is None:
            raise NotFound(str(waba))
        _require_new(Kind.TEMPLATE, meta_id)
        attributes = {
            "name": name,
            "language": language,
            "category": category.upper(),
            "status": status.upper(),
        }
        Resource.objects.create(
            kind=Kind.TEMPLATE, meta_id=meta_id, parent=account.meta_id, attributes=attributes
        )
        change.note(Touched("waba", waba), meta_id=meta_id, **attributes)


def _require_new(kind: Kind, meta_id: str) -> None:
    if not has_shape(kind, meta_id):
        raise InvalidMetaId(meta_id)
    if Resource.objects.filter(kind=kind, meta_id=meta_id).exists():
        raise AlreadyRegistered(meta_id)
