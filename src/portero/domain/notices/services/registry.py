"""Which event concerns whom: the one place to add a mail.

    @concerns("access_request.created")
    def _asked(happened: Happened) -> Iterator[Letter]:
        yield Letter(person, "access_requested", {"asked_by": name})

The words of a letter stand in `mail/<name>.txt`, subject first; tests demand one in each language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.domain.access.models import AccessRequest, Principal, Role
from portero.domain.access.queries import who_can_decide
from portero.domain.access.services import GRACE
from portero.domain.access.services.validation import without_addresses
from portero.domain.workspaces.models import Workspace
from portero.domain.workspaces.queries import own_roles

_QUOTED_MAX = 300


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as the outbox has it: ids, and nothing else."""

    workspace: UUID
    event: str
    subjects: tuple[UUID, ...]

    @property
    def workspace_name(self) -> str:
        name: str = Workspace.objects.get(id=self.workspace).name
        return name


Facts = Mapping[str, str | Sequence[str | Sequence[str]]]
"""What a letter names: words, lists of them, and lists of those."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to write: to whom, which one, and what it names. No secret, and nobody's customer."""

    person: UUID
    name: str
    facts: Facts = field(default_factory=dict)
    """A letter of a workspace greets by the name that is the receiver's there (`greets`); one about
    how they sign in greets nobody: what another workspace calls them is none of this one's (T07)."""
    invites_to: UUID | None = None
    """The workspace whose invitation it carries: its link is made when it is sent."""
    undoes: UUID | None = None
    """The change of how they sign in that it lets them take back; likewise."""
    lets_back: bool = False
    """Whether it carries a link to choose a password; likewise."""


Concern = Callable[[Happened], Iterator[Letter]]
_concerns: dict[str, Concern] = {}


def concerns(event: str) -> Callable[[Concern], Concern]:
    """Say whom an event concerns. Asked in the event's workspace, after it is committed."""

    def keep(concern: Concern) -> Concern:
        _concerns[event] = concern
        return concern

    return keep


def has_letters(event: str) -> bool:
    return event in _concerns


def letters(happened: Happened) -> list[Letter]:
    return list(_concerns[happened.event](happened))


@concerns("person.invited")
def _invited(happened: Happened) -> Iterator[Letter]:
    guest, inviter = (Principal.objects.get(id=one) for one in happened.subjects)
    if guest.active and guest.person_id is not None:
        facts: Facts = {
            "greets": guest.name,
            "workspace": happened.workspace_name,
            "inviter": inviter.name,
            "given": [[one.name, quoted(one.where)] for one in own_roles(guest.id)],
        }
        yield Letter(guest.person_id, "invitation", facts, invites_to=happened.workspace)


@concerns("factors.reset")
def _reset(happened: Happened) -> Iterator[Letter]:
    principal, *changes = happened.subjects
    theirs = Principal.objects.get(id=principal)
    if theirs.person_id is not None:
        yield Letter(
            theirs.person_id,
            "factors_reset",
            {"greets": theirs.name, "workspace": happened.workspace_name},
            undoes=next(iter(changes), None),
            lets_back=True,
        )


@concerns("person.removed")
def _left_alone(happened: Happened) -> Iterator[Letter]:
    """The owners hear for what nobody answers any more, and how long it goes on."""
    left = Principal.objects.get(id=happened.subjects[0])
    alone = Principal.objects.filter(
        id__in=happened.subjects[1:], active=True, alone_since__isnull=False
    )
    if accounts := list(alone.order_by("sort_name")):
        facts = {"person": left.name, "days": str(GRACE.days)}
        yield from _to_owners(happened, "left_alone", accounts, facts)


@concerns("principal.disabled")
def _stopped(happened: Happened) -> Iterator[Letter]:
    """The owners hear that what nobody answered for has been stopped."""
    late = datetime.now(UTC) - GRACE
    stopped = Principal.objects.filter(
        id__in=happened.subjects, active=False, alone_since__lte=late
    )
    if accounts := list(stopped.order_by("sort_name")):
        yield from _to_owners(happened, "stopped_alone", accounts, {})


def _to_owners(
    happened: Happened, name: str, accounts: Sequence[Principal], facts: Facts
) -> Iterator[Letter]:
    facts = {
        **facts,
        "workspace": happened.workspace_name,
        "accounts": [one.name for one in accounts],
        "path": f"/people/{accounts[0].id}/",
    }
    for owner in Principal.objects.filter(owner=True, active=True, invited=False):
        if owner.person_id is not None:
            yield Letter(owner.person_id, name, {**facts, "greets": owner.name})


@concerns("access_request.created")
def _access_asked_for(happened: Happened) -> Iterator[Letter]:
    request, asker = happened.subjects
    facts = {**_asked(happened, request), "asker": Principal.objects.get(id=asker).name}
    for principal in who_can_decide(request, at=datetime.now(UTC)):
        decides = Principal.objects.get(id=principal)
        if decides.person_id is not None:
            yield Letter(decides.person_id, "access_asked", {**facts, "greets": decides.name})


@concerns("access_request.approved")
def _access_given(happened: Happened) -> Iterator[Letter]:
    yield from _to_who_asked(happened, "access_given")


def _by_the_clock(end: datetime) -> str:
    """By the workspace's clock; the same in every language."""
    zone = Workspace.objects.get().timezone
    return f"{end.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


@concerns("access_request.refused")
def _access_refused(happened: Happened) -> Iterator[Letter]:
    yield from _to_who_asked(happened, "access_refused")


def _to_who_asked(happened: Happened, name: str) -> Iterator[Letter]:
    asked = AccessRequest.objects.get(id=happened.subjects[0])
    asker = Principal.objects.get(id=asked.principal_id)
    if asker.person_id is not None:
        facts = {**_asked(happened, asked.id), "answer": quoted(asked.answer)}
        if asked.state == "approved" and asked.decided_at is not None:
            facts["until"] = _by_the_clock(asked.decided_at + timedelta(seconds=asked.lasts_s))
        yield Letter(asker.person_id, name, {**facts, "greets": asker.name})


def quoted(said: str) -> str:
    """Somebody's own words for a mail: one line, in which nothing can be clicked (X10).

    Whoever asks would else write lines of a mail that comes from us, and lead its reader elsewhere.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in said)
    line = without_addresses(" ".join(plain.split()))
    return f"{line[:_QUOTED_MAX]}…" if len(line) > _QUOTED_MAX else line


def _asked(happened: Happened, request: UUID) -> dict[str, str]:
    asked = AccessRequest.objects.get(id=request)
    return {
        "workspace": happened.workspace_name,
        "role": Role.objects.get(id=asked.role_id).name,
        "reason": quoted(asked.reason),
        "path": f"/requests/{request}/",
    }
