"""What somebody signs in with: how it was before each change, and when a factor may go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.core import signing
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person, SignInChange, SignInLink
from portero.domain.accounts.queries import FACTORS
from portero.domain.accounts.sessions import end_sessions
from portero.store.ids import uuid7

UNDO_FOR = timedelta(days=7)
"""How long a change of what somebody signs in with can be taken back (B1.10)."""
SETTLED_AFTER = timedelta(hours=24)
"""How long a factor must have been there before another may go and leave it alone (A15)."""
NEVER = datetime.max.replace(tzinfo=UTC)
_SALT = "portero.undo"


def factors_of(person: UUID) -> list[Authenticator]:
    """Every factor and set of recovery codes, oldest first."""
    return list(Authenticator.objects.filter(user_id=person).order_by("created_at", "id"))


def has_factor(person: UUID) -> bool:
    """Whether they have something to show besides a password."""
    found: bool = Authenticator.objects.filter(user_id=person, type__in=FACTORS).exists()
    return found


def stays_until(*, person: UUID, factor: int) -> datetime | None:
    """Until when a second factor cannot be removed; None when it may go now, NEVER for the only one.

    What stays must have been there for a day: whoever gets in for a moment cannot put a factor of
    their own in the place of the owner's. Of passkeys a passkey must stay that has, else the new one
    were the first (`young_passkeys`). Holds the person's row, so that of two factors removed at
    once one stays; call it in the transaction that removes.
    """
    Person.objects.select_for_update().get(id=person)
    present = [one for one in factors_of(person) if one.type in FACTORS]
    others = [one for one in present if one.pk != factor]
    if not others:
        return NEVER
    [kind] = [one.type for one in present if one.pk == factor]
    passkeys = [one for one in others if one.type == kind == Authenticator.Type.WEBAUTHN]
    settled = (passkeys or others)[0].created_at + SETTLED_AFTER
    return settled if settled > timezone.now() else None


def young_passkeys(person: UUID) -> set[int]:
    """Those that count as passkeys from tomorrow: whoever has a password and a code can make one.

    One that was made where there was no factor counts at once, and so does the first one, unless it is
    the first because another was removed within the day.
    """
    present = [one for one in factors_of(person) if one.type in FACTORS]
    passkeys = [one for one in present if one.type == Authenticator.Type.WEBAUTHN]
    late = timezone.now() - SETTLED_AFTER
    young = {one.pk for one in passkeys if one.created_at > late}
    if not young:
        return young
    if present[0].pk in young or not _lost_a_passkey(person, present, since=late):
        young.discard(passkeys[0].pk)
    return young


def _lost_a_passkey(person: UUID, present: Iterable[Authenticator], *, since: datetime) -> bool:
    """Whether a passkey was removed and another factor stayed: whoever begins again has lost none."""
    there = {one.pk: one.created_at for one in present}
    return any(
        one["type"] == Authenticator.Type.WEBAUTHN and one["id"] not in there
        for change in SignInChange.objects.filter(
            person_id=person, made_at__gt=since, undone_at=None
        )
        if any(at < change.made_at for at in there.values())
        for one in change.factors
    )


def remember(*, person: UUID, but: int | None = None) -> UUID | None:
    """Keep what somebody signs in with before it changes; returns what `undo_token` takes.

    `but` is a factor that was added already. Holds the rows, so that no code is used up between this
    look and a change in the same transaction. None when there was no second factor: to go back to
    that would let a mailbox alone open the door.
    """
    with transaction.atomic():
        password = Person.objects.select_for_update().get(id=person).password
        rows = Authenticator.objects.select_for_update().filter(user_id=person).exclude(pk=but)
        before = list(rows.order_by("created_at", "id"))
        if not any(one.type in FACTORS for one in before):
            return None
        SignInChange.objects.filter(made_at__lt=timezone.now() - UNDO_FOR).delete()
        return SignInChange.objects.create(
            id=uuid7(),
            person_id=person,
            password=password,
            factors=[_kept(one) for one in before],
        ).id


def undo_token(change: UUID) -> str:
    """The secret part of the link that takes a change back. It is in no table."""
    return signing.dumps(str(change), salt=_SALT)


def change_of(token: str) -> SignInChange:
    """The change that a link takes back, if it still does. Raises LinkNotValid."""
    try:
        change = UUID(signing.loads(token, salt=_SALT))
    except (signing.BadSignature, ValueError):
        raise LinkNotValid from None
    found = SignInChange.objects.filter(
        id=change, undone_at=None, made_at__gt=timezone.now() - UNDO_FOR
    ).first()
    if found is None:
        raise LinkNotValid
    return found


def undo(*, token: str) -> Person:
    """Make what somebody signs in with what it was, and end every session of theirs.

    Takes back what came after, too, and voids links that would set a password, whoever asked for
    them. Whoever has this link still needs that factor to come in. Raises LinkNotValid.
    """
    with transaction.atomic():
        person = Person.objects.select_for_update().get(id=change_of(token).person_id)
        change = change_of(token)  # of two at once, the second finds it undone
        since = SignInChange.objects.filter(person_id=person.id, made_at__gte=change.made_at)
        # As each was last seen: a code that was used up after the change stays used up (A06).
        last = {
            one["id"]: one for later in since.order_by("made_at", "id") for one in later.factors
        }
        since.update(undone_at=timezone.now())
        kept = {one["id"] for one in change.factors}
        there = {one.pk for one in factors_of(person.id)}
        Authenticator.objects.filter(user_id=person.id).exclude(id__in=kept).delete()
        for gone in kept - there:
            Authenticator.objects.create(user_id=person.id, **_restored(last[gone]))
        person.password = change.password
        person.save(update_fields=["password"])
        void_password_links(person.id)
        end_sessions(person.id, but=None)
    return person


def is_undone(*, change: UUID) -> bool:
    """Whether a change was taken back, or is too old to be."""
    return not SignInChange.objects.filter(id=change, undone_at=None).exists()


def void_password_links(person: UUID) -> None:
    """Let no link of theirs set a password any more; an invitation gives none to who has one."""
    SignInLink.objects.filter(person_id=person, used_at=None, invites_to=None).update(
        used_at=timezone.now()
    )


def begin_again(*, person: UUID) -> UUID | None:
    """Take everything away that somebody signs in with; returns what `undo_token` takes.

    Links go, too: one that asked for a factor afterwards would ask for none.
    """
    with transaction.atomic():
        Person.objects.select_for_update().get(id=person)
        before = remember(person=person)
        Authenticator.objects.filter(user_id=person).delete()
        void_password_links(person)
        Person.objects.filter(id=person).update(password="")
        end_sessions(person, but=None)
    return before


def _kept(one: Authenticator) -> dict[str, Any]:
    # As allauth keeps it: secrets in it are sealed.
    return {
        "id": one.pk,
        "type": one.type,
        "data": one.data,
        "created_at": DjangoJSONEncoder().default(one.created_at),
    }


def _restored(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],  # by which later changes know it
        "type": one["type"],
        "data": one["data"],
        "created_at": parse_datetime(one["created_at"]),
    }
