from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Lower

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.models import Principal
from portero.domain.access.services.validation import require_name
from portero.domain.accounts.errors import AlreadyMember, InvalidEmail
from portero.domain.accounts.models import Person
from portero.domain.audit.services import Touched
from portero.engine import PrincipalKind
from portero.store.ids import uuid7


def register_person(*, email: str, name: str, language: str = "en") -> UUID:
    """The person of an e-mail address, made when they are new. Belongs to no workspace yet.

    Gives nobody any right; the address is compared without case. Raises InvalidEmail.
    """
    address = email.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidEmail(address) from None
    known = _person_of(address)
    if known is not None:
        return known
    try:
        with transaction.atomic():
            return Person.objects.create(
                id=uuid7(), email=address, name=require_name(name), spoken=language
            ).id
    except IntegrityError:  # somebody else was faster
        found = _person_of(address)
        assert found is not None  # noqa: S101 - the unique address is what collided
        return found


def add_person(
    *, actor: Actor, email: str, name: str, language: str = "en", invited: bool = False
) -> UUID:
    """Make a person a member of the workspace, with no role yet; returns their principal.

    Who is only `invited` comes in once they have accepted.

    Raises AccessDenied, AlreadyMember, InvalidEmail, InvalidRule.
    """
    with access.policy_change(actor=actor, operation="add_person", event="person.added") as change:
        change.authorize("member:invite")
        person = register_person(email=email, name=name, language=language)
        if Principal.objects.filter(person_id=person).exists():
            raise AlreadyMember(email)
        principal = Principal.objects.create(
            id=uuid7(),
            kind=PrincipalKind.PERSON,
            name=require_name(name),
            person_id=person,
            invited=invited,
        )
        change.note(Touched("principal", principal.id), name=principal.name, email=email)
    return principal.id


def create_service_account(*, actor: Actor, name: str, accountable: UUID) -> UUID:
    """Make a service account that a person answers for; returns its principal.

    Raises AccessDenied, InvalidRule, NameTaken, NotFound.
    """
    with access.policy_change(
        actor=actor, operation="create_service_account", event="service_account.created"
    ) as change:
        change.authorize("service_account:create")
        access.require_person(accountable)
        called = access.require_free_name(kind=PrincipalKind.SERVICE_ACCOUNT, name=name)
        account = Principal.objects.create(
            id=uuid7(),
            kind=PrincipalKind.SERVICE_ACCOUNT,
            name=called,
            accountable_id=accountable,
        )
        change.note(
            Touched("principal", account.id), name=account.name, accountable=str(accountable)
        )
    return account.id


def _person_of(address: str) -> UUID | None:
    people = Person.objects.annotate(lower=Lower("email")).filter(lower=address.lower())
    return people.values_list("id", flat=True).first()
