"""Putting people out, letting them back, and ending the sessions in which they are here."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, record_act
from portero.domain.access.errors import NotFound, OwnAccess, OwnerNeeded
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import lock_policy
from portero.domain.accounts import sessions
from portero.domain.accounts.errors import AtHomeElsewhere
from portero.domain.accounts.queries import memberships, workspaces_joined
from portero.domain.accounts.services.factors import begin_again
from portero.domain.accounts.services.links import void_links
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched


def suspend(*, actor: Actor, principal: UUID, reason: str = "") -> None:
    """Let a person do nothing here until they are let back; their next request finds no place.

    Raises what `access.disable_principal` raises.
    """
    person, is_elsewhere = _whose(actor, principal)
    with access.changes_together(actor=actor, operation="suspend", event="principal.disabled"):
        access.disable_principal(actor=actor, principal=principal, reason=reason)
        _close_what_is_open(person, actor.workspace, is_elsewhere=is_elsewhere)


def remove(*, actor: Actor, principal: UUID, reason: str = "") -> None:
    """End a membership and all that came of it (B3.6). Raises what `access.remove_person` raises."""
    person, is_elsewhere = _whose(actor, principal)
    with access.changes_together(actor=actor, operation="remove", event="person.removed"):
        access.remove_person(actor=actor, principal=principal, reason=reason)
        _close_what_is_open(person, actor.workspace, is_elsewhere=is_elsewhere)


def end_sessions_of(*, actor: Actor, principal: UUID) -> int:
    """Sign a member out of this workspace, wherever they are signed in; returns of how many browsers.

    Where they are a member elsewhere, too, their sessions go on there, and lead back here only after
    they have signed in again. Raises AccessDenied, NotFound, OwnerNeeded.
    """
    _, is_elsewhere = _whose(actor, principal)
    with access.changes_together(actor=actor, operation="end_sessions", event="sessions.ended"):
        access.require_now(actor=actor, permission="member:suspend")
        found = Principal.objects.filter(id=principal, invited=False).first()
        if found is None or found.person_id is None:
            raise NotFound(str(principal))
        if found.owner and not Principal.objects.filter(id=actor.principal, owner=True).exists():
            raise OwnerNeeded
        now = timezone.now()
        if is_elsewhere:
            ended = sessions.begun_between(found.person_id, found.signed_out_at, now)
        else:
            ended = sessions.end_sessions(found.person_id, but=None)
        # In both cases: who accepts an invitation elsewhere meanwhile is signed out here all the same.
        Principal.objects.filter(id=principal).update(signed_out_at=now)
        record_act(
            actor=actor,
            operation="end_sessions",
            event="sessions.ended",
            checks=("member:suspend",),
            touched=(Touched("principal", principal),),
            ended=ended,
        )
    return ended


def record_sign_in_link(*, actor: Actor, person: UUID, new_factors: bool) -> None:
    """Put on record that the installation hands out a link to a password, before it does.

    Asks for no right: whoever runs the command has the server. Raises NotFound.
    """
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        found = Principal.objects.filter(person_id=person).first()
        if found is None:
            raise NotFound(str(person))
        record_act(
            actor=actor,
            operation="record_sign_in_link",
            event="sign_in_link.made",
            checks=(),
            touched=(Touched("principal", found.id),),
            name=found.name,
            new_factors=new_factors,
        )


def reset_factors(*, actor: Actor, principal: UUID, reason: str = "") -> None:
    """Let a member who lost theirs begin again: no factor, no password, no session, and a mail.

    Only the mail brings them back in, so that whoever resets cannot come in as them. Nobody does it
    to who may do more, nor to themselves. Raises AccessDenied (BeyondOwnRights, OwnAccess,
    OwnerNeeded), AtHomeElsewhere, NotFound.
    """
    person = _person(actor, principal)
    joined = workspaces_joined(person) if person is not None else set()
    with access.policy_change(
        actor=actor, operation="reset_factors", event="factors.reset"
    ) as change:
        change.authorize("member:reset_factor")
        found = Principal.objects.filter(id=principal, active=True, invited=False).first()
        if found is None or person is None:
            raise NotFound(str(principal))
        if principal == actor.principal:
            raise OwnAccess
        access.require_all_held(change=change, principal=str(principal))
        if joined - {actor.workspace}:
            raise AtHomeElsewhere(str(principal))
        before = begin_again(person=person)
        change.note(
            Touched("principal", principal),
            *([Touched("sign_in_change", before)] if before is not None else []),
            name=found.name,
            reason=reason,
        )


def _whose(actor: Actor, principal: UUID) -> tuple[UUID | None, bool]:
    """The person of a membership, and whether they are a member of another workspace."""
    person = _person(actor, principal)
    places = memberships(person) if person is not None else []
    return person, any(one.workspace != actor.workspace for one in places)


def _person(actor: Actor, principal: UUID) -> UUID | None:
    with in_workspace(actor.workspace):
        return Principal.objects.filter(id=principal).values_list("person_id", flat=True).first()


def _close_what_is_open(person: UUID | None, workspace: UUID, *, is_elsewhere: bool) -> None:
    """What a membership opened beside itself: invitations, and sessions of who is nowhere else.

    Those of who is elsewhere, too, lead here no more, also should they be let back.
    """
    if person is None:
        return
    void_links(person=person, workspace=workspace)
    Principal.objects.filter(person_id=person).update(signed_out_at=timezone.now())
    if not is_elsewhere:
        sessions.end_sessions(person, but=None)
