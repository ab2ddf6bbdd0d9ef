"""Links by which people come in: with one they choose their password, the only way to get one."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils import timezone

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import lock_policy
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person, SignInLink
from portero.domain.accounts.queries import first_to_invite, places_of, workspaces_joined
from portero.domain.accounts.services.factors import remember, void_password_links
from portero.domain.accounts.sessions import end_sessions
from portero.domain.audit.models import in_workspace
from portero.store.ids import uuid7

LIFE = timedelta(hours=72)
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose link it is, and where it invites them to, if it does."""

    person: Person
    workspace: UUID | None
    is_at_home: bool = False
    """Whether they have come in to some workspace already, also if they are suspended there."""
    is_anybodys: bool = False
    """Whether it was handed over while another workspace had invited the address before."""

    @property
    def chooses(self) -> bool:
        """Whether the link gives a password: an invitation gives none to who has one.

        One that was handed over proves no address, so it gives none before that of an earlier one.
        """
        if self.workspace is None:
            return True
        return not (self.person.password or self.is_at_home or self.is_anybodys)


def make_sign_in_link(
    *, person: UUID, workspace: UUID | None = None, handed_over_by: UUID | None = None
) -> str:
    """Make a link's secret part. It is given this once, and works once within three days.

    One that a principal of the workspace hands over works for as long as they hold what it opens.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    SignInLink.objects.create(
        id=uuid7(),
        digest=_digest(token),
        person_id=person,
        invites_to=workspace,
        handed_over_by=handed_over_by,
        expires_at=timezone.now() + LIFE,
    )
    return token


def bearer_of(token: str) -> Bearer:
    """Whose link it is, if it still works. Raises LinkNotValid, which does not say why."""
    link = SignInLink.objects.filter(
        digest=_digest(token), used_at=None, expires_at__gt=timezone.now()
    ).first()
    if link is None or not _still_invited(link):
        raise LinkNotValid
    person = Person.objects.get(id=link.person_id)
    is_second = link.invites_to is not None and link.invites_to != first_to_invite(person.id)
    return Bearer(
        person,
        link.invites_to,
        is_at_home=bool(workspaces_joined(person.id)),
        is_anybodys=link.handed_over_by is not None and is_second,
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """A password that was set: whose, and what `undo_token` takes."""

    person: Person
    change: UUID | None


def choose_password(*, token: str, password: str) -> Chosen:
    """Set the password, use the link up and every other that would set it, and end every session.

    Factors stay as they are. Raises LinkNotValid, and ValidationError for a password too weak.
    """
    bearer = bearer_of(token)
    if not bearer.chooses:
        raise LinkNotValid
    person = bearer.person
    validate_password(password, person)
    with transaction.atomic():
        use_up(token)
        change = remember(person=person.id)
        void_password_links(person.id)
        person.set_password(password)
        person.save(update_fields=["password"])
        end_sessions(person.id, but=None)
    return Chosen(person, change)


def use_up(token: str) -> None:
    """Of many who use a link at once, one does; the others, LinkNotValid."""
    # By one statement: of two that come at once, one finds it unused.
    taken = SignInLink.objects.filter(digest=_digest(token), used_at=None).update(
        used_at=timezone.now()
    )
    if not taken:
        raise LinkNotValid


def void_links(*, person: UUID, workspace: UUID) -> None:
    """Let no invitation of a person to a workspace work any more."""
    SignInLink.objects.filter(person_id=person, invites_to=workspace, used_at=None).update(
        used_at=timezone.now()
    )


def _still_invited(link: SignInLink) -> bool:
    if link.invites_to is None:
        return True
    if link.invites_to not in places_of(link.person_id):
        return False
    if link.handed_over_by is None:
        return True
    with in_workspace(link.invites_to):
        lock_policy(exclusive=False)
        return _is_held(link, link.invites_to, link.handed_over_by)


def _is_held(link: SignInLink, workspace: UUID, maker: UUID) -> bool:
    """Whether who was shown a link holds what it opens by now: they could come in by it (A16)."""
    guest = Principal.objects.filter(person_id=link.person_id, active=True).first()
    if guest is None:
        return False
    actor = Actor(workspace, maker, timezone.now())
    try:
        access.require_all_held_now(actor=actor, principal=guest.id)
    except AccessDenied:
        return False
    return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
