"""Inviting people: each becomes a member with a role, and gets a link to come in by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, record_act
from portero.domain.access.errors import NotFound
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import lock_policy
from portero.domain.accounts.errors import AlreadyIn, InvitedTooOften, LinkNotValid
from portero.domain.accounts.models import Person
from portero.domain.accounts.services.links import (
    bearer_of,
    make_sign_in_link,
    use_up,
    void_links,
)
from portero.domain.accounts.services.people import add_person
from portero.domain.audit.models import Outbox, in_workspace
from portero.domain.audit.services import Touched
from portero.engine import Scope

MOST_MAILS = 5
"""How many invitations go to one guest within an hour."""
_SPAN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody to invite, and what they are to have."""

    email: str
    name: str
    role: UUID
    scope: Scope = field(default_factory=Scope)


def invite(*, actor: Actor, guests: Sequence[Guest], language: str = "en") -> list[UUID]:
    """Make all of them members with their roles, or none; returns their principals.

    Whoever is told of `person.invited` sends them the way in. Nothing in the answer says whether
    somebody was known to another workspace. Raises what `add_person` and `create_binding` raise.
    """
    made = []
    with access.changes_together(actor=actor, operation="invite", event="person.invited"):
        for guest in guests:
            principal = add_person(
                actor=actor, email=guest.email, name=guest.name, language=language, invited=True
            )
            access.create_binding(
                actor=actor, principal=principal, role=guest.role, scope=guest.scope
            )
            _record(actor, principal)
            made.append(principal)
    return made


def accept(*, token: str, person: UUID) -> None:
    """Come in by an invitation, signed in as whom it is for; it is used up.

    Raises LinkNotValid, also for anybody else.
    """
    bearer = bearer_of(token)
    if bearer.workspace is None or bearer.person.id != person:
        raise LinkNotValid
    use_up(token)
    arrive(person=person, workspace=bearer.workspace)


def arrive(*, person: UUID, workspace: UUID) -> None:
    """Let a person be the member that they were invited to be."""
    with in_workspace(workspace):
        lock_policy(exclusive=False)
        member = Principal.objects.filter(person_id=person, active=True, invited=True).first()
        if member is None:
            return
        Principal.objects.filter(id=member.id).update(invited=False)
        record_act(
            actor=Actor(workspace, member.id, timezone.now()),
            operation="accept",
            event="invitation.accepted",
            checks=(),
            touched=(Touched("principal", member.id),),
        )


def invite_again(*, actor: Actor, principal: UUID) -> None:
    """Send a new way in to who has not come in yet; earlier ones stop working.

    Raises AccessDenied, AlreadyIn, InvitedTooOften, NotFound.
    """
    with access.changes_together(actor=actor, operation="invite_again", event="person.invited"):
        person = _who_waits(actor, principal)
        _require_patience(actor, principal)
        void_links(person=person.id, workspace=actor.workspace)
        _record(actor, principal)


def invitation_link(*, actor: Actor, principal: UUID) -> str:
    """A way in for the inviter to hand over, where no mail is sent. Raises as `invite_again`."""
    with access.changes_together(actor=actor, operation="hand_over_link", event="person.invited"):
        person = _who_waits(actor, principal)
        # Whoever has the link comes in as the guest.
        access.require_all_held_now(actor=actor, principal=principal)
        void_links(person=person.id, workspace=actor.workspace)
        record_act(
            actor=actor,
            operation="hand_over_link",
            event="invitation.handed_over",
            checks=("member:invite",),
            touched=(Touched("principal", principal),),
        )
        return make_sign_in_link(
            person=person.id, workspace=actor.workspace, handed_over_by=actor.principal
        )


def _who_waits(actor: Actor, principal: UUID) -> Person:
    access.require_now(actor=actor, permission="member:invite")
    with in_workspace(actor.workspace):
        row = Principal.objects.filter(id=principal, active=True).first()
    if row is None or row.person_id is None:
        raise NotFound(str(principal))
    if not row.invited:
        raise AlreadyIn(row.name)
    return Person.objects.get(id=row.person_id)


def _require_patience(actor: Actor, principal: UUID) -> None:
    """The mails went to somebody's address whether they wanted them or not."""
    mails = Outbox.objects.filter(
        event="person.invited", subjects__contains=[principal], at__gt=actor.at - _SPAN
    )
    if mails.count() >= MOST_MAILS:
        raise InvitedTooOften(str(principal))


def _record(actor: Actor, principal: UUID) -> None:
    record_act(
        actor=actor,
        operation="invite",
        event="person.invited",
        checks=("member:invite",),
        touched=(Touched("principal", principal), Touched("principal", actor.principal)),
    )
