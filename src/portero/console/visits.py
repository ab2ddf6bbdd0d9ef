"""Who visits: the person signed in, the workspace they are in, and how well they proved who they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.contrib.auth import logout
from django.http import HttpRequest
from django.middleware.csrf import rotate_token
from django.urls import reverse
from django.utils.http import urlencode

from portero.console import lens
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor, Lens
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.models import Person
from portero.domain.accounts.queries import Membership
from portero.domain.accounts.services.factors import has_factor, young_passkeys
from portero.domain.accounts.sessions import ADDRESS, AGENT, BEGAN, SEEN, WORKSPACE, note_seen
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Workspace
from portero.store.sittings import (
    ABSOLUTE_S,
    IDLE_S,
    PRIVILEGED_ABSOLUTE_S,
    PRIVILEGED_IDLE_S,
    SEEN_STEP_S,
)

KEPT = "kept"
"""What was sent to a door that asked for a fresh factor; of the workspace it was sent in."""
_ENTERED, _SEEN_HERE = "entered", "seen here"


def person_of(request: HttpRequest) -> Person | None:
    """Whoever signed in here and was not away for too long."""
    if not request.user.is_authenticated:
        return None
    now = datetime.now(UTC).timestamp()
    seen, began = (float(request.session.get(name, now)) for name in (SEEN, BEGAN))
    if now - seen > IDLE_S or now - began > ABSOLUTE_S:
        logout(request)
        return None
    attributes(request).is_long = (
        now - seen > PRIVILEGED_IDLE_S or now - began > PRIVILEGED_ABSOLUTE_S
    )
    if SEEN not in request.session or (now - seen > SEEN_STEP_S and _is_a_persons_doing(request)):
        request.session[SEEN] = now
    if BEGAN not in request.session:
        request.session[BEGAN] = now
    if ADDRESS not in request.session:
        request.session[ADDRESS] = request.META["REMOTE_ADDR"]
        request.session[AGENT] = request.headers.get("User-Agent", "")
    return request.user


def note_here(request: HttpRequest, actor: Actor) -> None:
    """Keep, for who looks at people, that somebody does something in this workspace now.

    Whoever looks through a lens does nothing, and what is looked at must not change by it.
    """
    if actor.lens is not None:
        return
    seen, now = request.session.get(_SEEN_HERE), actor.at.timestamp()
    if seen is None or (now - float(seen) > SEEN_STEP_S and _is_a_persons_doing(request)):
        request.session[_SEEN_HERE] = now
        note_seen(workspace=actor.workspace, principal=actor.principal)


def has_sat_too_long(request: HttpRequest, actor: Actor) -> bool:
    """Whether somebody who could do much harm was away, or here, for longer than such people may be.

    Then they are signed out. It is asked only of who would be (B2.2).
    """
    if not getattr(request, "is_long", False) or not access.is_privileged(actor=actor):
        return False
    logout(request)
    return True


def _is_a_persons_doing(request: HttpRequest) -> bool:
    """Not a page that reloads by itself, which would keep a session alive at an empty desk."""
    return (
        request.method != "GET"
        or "Sec-Fetch-Mode" not in request.headers
        or request.headers.get("Sec-Fetch-User") == "?1"
    )


def way_to_a_factor(request: HttpRequest, person: Person) -> str | None:
    """Where to set a second factor up, or to show it; None when it was shown in this session."""
    if factor_at(request, person) is not None:
        return None
    if not has_factor(person.pk):
        return reverse("mfa_index")
    return way_to_show_it_again(person, request.get_full_path())


def way_to_show_it_again(person: Person, back: str) -> str:
    """Where somebody shows a second factor they have, the one they would rather show first."""
    [way, *_others] = get_adapter().get_reauthentication_methods(person)
    return f"{way['url']}?{urlencode({'next': back})}"


@dataclass(frozen=True, slots=True)
class WayToAPasskey:
    url: str
    has_one: bool


def way_to_a_passkey(person: Person, back: str) -> WayToAPasskey:
    """Where somebody shows the passkey they have, or makes one."""
    passkeys = Authenticator.objects.filter(user_id=person.pk, type=Authenticator.Type.WEBAUTHN)
    has_one = passkeys.exists()
    page = "mfa_reauthenticate_webauthn" if has_one else "mfa_add_webauthn"
    return WayToAPasskey(f"{reverse(page)}?{urlencode({'next': back})}", has_one)


def factor_at(request: HttpRequest, person: Person) -> datetime | None:
    """When a second factor, or a passkey, was last shown in this session."""
    return _last_shown(request, person)


def passkey_at(request: HttpRequest, person: Person) -> datetime | None:
    """When a passkey was last shown in this session, in whichever workspace.

    One that was made today beside another, or in the place of one, counts from tomorrow: whoever has
    somebody's password and a code of theirs could make it on the spot.
    """
    kind = Authenticator.Type.WEBAUTHN.value
    if _last_shown(request, person, kind) is None:
        return None
    return _last_shown(request, person, kind, but=young_passkeys(person.pk))


def _last_shown(
    request: HttpRequest, person: Person, kind: str | None = None, *, but: Collection[int] = ()
) -> datetime | None:
    """When one of a kind was last shown, or of any; not those `but` names by id."""
    shown = [
        float(record["at"])
        for record in get_authentication_records(request, person)
        if record["method"] == "mfa"
        and kind in (None, record.get("type"))
        and record.get("id") not in but
    ]
    return datetime.fromtimestamp(max(shown), UTC) if shown else None


def factor_shown_last(request: HttpRequest, person: Person) -> int | None:
    """Which second factor was shown last in this session, by its id."""
    shown = [r for r in get_authentication_records(request, person) if r["method"] == "mfa"]
    found: int | None = shown[-1].get("id") if shown else None
    return found


def moments_shown(request: HttpRequest, person: Person, *, here: bool) -> list[float]:
    """When second factors were shown in this session, epoch seconds.

    `here` = only since they came into the workspace they are in.
    """
    since = float(request.session.get(_ENTERED) or 0) if here else 0
    return [
        at
        for record in get_authentication_records(request, person)
        if record["method"] == "mfa" and (at := float(record["at"])) > since
    ]


def factor_shown_here(request: HttpRequest, person: Person) -> datetime | None:
    """When a second factor was last shown since they came into the workspace they are in.

    What somebody proved to do one thing in one workspace is no proof in another (B2.4).
    """
    shown, entered = factor_at(request, person), request.session.get(_ENTERED)
    if shown is None or entered is None or shown.timestamp() > float(entered):
        return shown
    return None


def enter(request: HttpRequest, workspace: UUID) -> bool:
    """Go over to another workspace that the person is an active member of; False where they are not.

    The session gets a new id (B2.1), and forms that lie open in other windows become void: they were
    filled for the workspace that was left.
    """
    if all(one.workspace != workspace for one in workspaces(request)):
        return False
    request.session[WORKSPACE] = str(workspace)
    request.session[_ENTERED] = datetime.now(UTC).timestamp()
    request.session.pop(KEPT, None)
    request.session.pop(_SEEN_HERE, None)
    request.session.cycle_key()
    rotate_token(request)
    return True


def actor_of(request: HttpRequest, person: Person) -> Actor | None:
    """The person as a member of the workspace they are in; None when they are in none."""
    member = _membership(request, person)
    if member is None:
        return None
    # Only what is new: a page that answers late must not undo what another request wrote meanwhile.
    if request.session.get(WORKSPACE) is None:
        request.session[WORKSPACE] = str(member.workspace)
    made = Actor(
        workspace=member.workspace,
        principal=member.principal,
        at=datetime.now(UTC),
        address=request.META["REMOTE_ADDR"],
        factor_at=factor_shown_here(request, person),
        passkey_at=passkey_at(request, person),
    )
    made = replace(made, lens=_lens_of(request, made))
    attributes(request).actor, attributes(request).membership = made, member
    return made


def is_put_out(request: HttpRequest, actor: Actor) -> bool:
    """Whether the session is of a workspace that the person is no active member of any more."""
    return bool(request.session.get(WORKSPACE) != str(actor.workspace))


def _lens_of(request: HttpRequest, made: Actor) -> Lens | None:
    """With whose eyes they look, where they put a lens on and may look through it still."""
    held = lens.held(request)
    if held is None or held.workspace != made.workspace or held.viewer != made.principal:
        return None
    in_force = services.lens_in_force(actor=made, lens=held.lens) is not None
    return held.lens if in_force else None


def actor(request: HttpRequest) -> Actor:
    """The actor of a request that came in by a door for members."""
    found: Actor = attributes(request).actor
    return found


def zone_of(person: UUID) -> ZoneInfo:
    """By whose clock to tell somebody a time outside a workspace: theirs all have one, or it is UTC."""
    zones = set()
    for one in accounts.memberships(person):
        with in_workspace(one.workspace):
            zones.add(Workspace.objects.get(id=one.workspace).timezone)
    return ZoneInfo(zones.pop() if len(zones) == 1 else "UTC")


def person(request: HttpRequest) -> Person:
    """Whoever came in by a door."""
    found: Person = request.user  # type: ignore[assignment]  # no door opens to who is not signed in
    return found


def membership(request: HttpRequest) -> Membership | None:
    """In which workspace a request is; None for one that did not come in as a member."""
    found: Membership | None = getattr(request, "membership", None)
    return found


def workspaces(request: HttpRequest) -> Sequence[Membership]:
    """Where whoever came in as a member is an active one, this workspace among them."""
    found: Sequence[Membership] = getattr(request, "memberships", ())
    return found


def signed_out_of(request: HttpRequest) -> Sequence[Membership]:
    """Where they are a member, and somebody signed them out since this session began."""
    found: Sequence[Membership] = getattr(request, "signed_out_of", ())
    return found


def _membership(request: HttpRequest, person: Person) -> Membership | None:
    began, everywhere = float(request.session[BEGAN]), accounts.memberships(person.id)
    members = [
        one
        for one in everywhere
        if one.signed_out_at is None or began > one.signed_out_at.timestamp()
    ]
    attributes(request).memberships = members
    attributes(request).signed_out_of = [one for one in everywhere if one not in members]
    chosen = request.session.get(WORKSPACE)
    kept = [one for one in members if chosen is not None and one.workspace == UUID(chosen)]
    return next(iter(kept or members), None)


def attributes(request: HttpRequest) -> Any:
    """Django's requests carry what middleware found out, and their type does not say so."""
    return request
