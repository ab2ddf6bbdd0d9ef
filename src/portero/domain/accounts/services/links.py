"""Links with which people choose their password: the only way to get one, the first one too."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils import timezone

from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person, SignInLink
from portero.store.ids import uuid7

LIFE = timedelta(hours=72)
_TOKEN_BYTES = 32


def make_sign_in_link(person: UUID) -> str:
    """Make a link's secret part. It is given this once, and works once within three days."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    SignInLink.objects.create(
        id=uuid7(), digest=_digest(token), person_id=person, expires_at=timezone.now() + LIFE
    )
    return token


def person_of_link(token: str) -> Person:
    """Whose link it is, if it still works. Raises LinkNotValid, which does not say why."""
    link = SignInLink.objects.filter(
        digest=_digest(token), used_at=None, expires_at__gt=timezone.now()
    ).first()
    if link is None:
        raise LinkNotValid
    return Person.objects.get(id=link.person_id)


def choose_password(*, token: str, password: str) -> Person:
    """Set the password and use the link up, and every other link of the person.

    Factors stay as they are. Raises LinkNotValid, and ValidationError for a password too weak.
    """
    with transaction.atomic():
        person = person_of_link(token)
        validate_password(password, person)
        # By one statement: of two that come at once, one finds it unused.
        taken = SignInLink.objects.filter(digest=_digest(token), used_at=None).update(
            used_at=timezone.now()
        )
        if not taken:
            raise LinkNotValid
        SignInLink.objects.filter(person_id=person.id, used_at=None).update(used_at=timezone.now())
        person.set_password(password)
        person.save(update_fields=["password"])
    return person


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
