"""Who people are, where they are members, and who else is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from portero.domain.access.models import Principal, TeamMember
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import ApiKey, Person, Session
from portero.domain.audit.models import in_workspace
from portero.engine import PrincipalKind

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


@dataclass(frozen=True, slots=True)
class Membership:
    """A person in one workspace, out of all there are."""

    workspace: UUID
    workspace_name: str
    principal: UUID
    name: str
    owner: bool
    signed_out_at: datetime | None = None
    """Sessions that were begun before it do not lead there."""


@dataclass(frozen=True, slots=True)
class Accountable:
    """The person who answers for a service account, or did so last."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person, service account or team as the list of them shows it."""

    id: UUID
    name: str
    kind: PrincipalKind
    active: bool
    owner: bool
    email: str | None
    has_factor: bool
    is_awaited: bool
    """Invited, and has not accepted yet."""
    seen_at: datetime | None = None
    """When a person last did something in this workspace."""
    factors: tuple[str, ...] = ()
    """Kinds of second factors they have set up; only of one who is looked at."""
    sessions: int = 0
    """In how many browsers they are signed in and in this workspace; only of one who is looked at."""
    answers_for: tuple[str, ...] = ()
    """Names of the service accounts they answer for; likewise."""
    accountable: Accountable | None = None
    """Of a service account: who answers for it; likewise."""
    alone_since: datetime | None = None
    """Of a service account: when whoever answered for it left."""


@dataclass(frozen=True, slots=True)
class Page:
    members: tuple[Member, ...]
    following: tuple[str, UUID] | None
    """Where the next page begins: name in lower case, and id; None on the last."""


PAGE = 50


def members(
    workspace: UUID, *, containing: str = "", after: tuple[str, UUID] | None = None
) -> Page:
    """A page of everybody and everything that can be given a role, by name."""
    with in_workspace(workspace):
        found = _here().order_by("sort_name", "id")
        if containing:
            found = found.filter(sort_name__contains=containing.lower())
        if after is not None:
            # The first condition says where in the index to begin; the second alone would walk it.
            found = found.filter(sort_name__gte=after[0]).filter(_behind(after))
        rows = list(found[: PAGE + 1])
        people = {p.id: p for p in _people(rows)}
    secured = set(
        Authenticator.objects.filter(user_id__in=people, type__in=FACTORS).values_list(
            "user_id", flat=True
        )
    )
    page = rows[:PAGE]
    last = page[-1] if len(rows) > PAGE else None
    return Page(
        tuple(_member(row, people, secured) for row in page),
        (last.sort_name, last.id) if last is not None else None,
    )


def member(workspace: UUID, principal: UUID) -> Member | None:
    with in_workspace(workspace):
        row = _here().filter(id=principal).first()
        if row is None:
            return None
        people = {p.id: p for p in _people([row])}
        accounts = Principal.objects.filter(accountable_id=principal, active=True)
        names = tuple(accounts.order_by("name").values_list("name", flat=True))
        answering = None
        if row.accountable_id is not None:
            answering = Principal.objects.get(id=row.accountable_id)
    found = Authenticator.objects.filter(user_id__in=people, type__in=FACTORS)
    kinds = found.order_by("-type").values_list("user_id", "type")
    factors = [(user, str(kind)) for user, kind in kinds]
    here = [] if row.invited else list(people)
    signed_in = Session.objects.filter(
        person_id__in=here, sits_in=workspace, expire_date__gt=timezone.now()
    )
    if row.signed_out_at is not None:
        signed_in = signed_in.filter(created_at__gt=row.signed_out_at)
    return replace(
        _member(row, people, {user for user, _ in factors}),
        factors=() if row.invited else tuple(dict.fromkeys(kind for _, kind in factors)),
        sessions=signed_in.count(),
        answers_for=names,
        accountable=Accountable(answering.id, answering.name) if answering is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Inside:
    """Who is in a team: how many, and the first of them by name."""

    count: int
    members: tuple[Member, ...]


def members_of(workspace: UUID, team: UUID, *, containing: str = "") -> Inside:
    """The members of a team, those whose name has the text in it."""
    with in_workspace(workspace):
        inside = TeamMember.objects.filter(team_id=team).values_list("principal_id")
        count = len(inside)
        rows = list(
            _here()
            .filter(id__in=inside, sort_name__contains=containing.lower())
            .order_by("sort_name", "id")[:PAGE]
        )
        people = {p.id: p for p in _people(rows)}
    return Inside(count, tuple(_member(row, people, set()) for row in rows))


def ids_of_members(workspace: UUID, team: UUID) -> set[UUID]:
    with in_workspace(workspace):
        found = TeamMember.objects.filter(team_id=team)
        return set(found.values_list("principal_id", flat=True))


def _here() -> QuerySet[Principal]:
    """Everybody and everything but people who were removed."""
    return Principal.objects.exclude(kind=PrincipalKind.PERSON, person_id=None)


def _people(rows: Iterable[Principal]) -> Iterable[Person]:
    """Whoever stands behind principals."""
    return Person.objects.filter(id__in=[r.person_id for r in rows if r.person_id is not None])


def _behind(after: tuple[str, UUID]) -> Q:
    name, principal = after
    return Q(sort_name__gt=name) | Q(sort_name=name, id__gt=principal)


def _member(
    row: Principal,
    people: Mapping[UUID, Person],
    secured: set[UUID],
) -> Member:
    person = people.get(row.person_id) if row.person_id is not None else None
    return Member(
        id=row.id,
        name=row.name,
        kind=PrincipalKind(row.kind),
        active=row.active,
        owner=row.owner,
        email=person.email if person is not None else None,
        # What they have elsewhere concerns nobody here before they have come.
        has_factor=person is not None and not row.invited and person.id in secured,
        is_awaited=row.invited,
        alone_since=row.alone_since,
        seen_at=row.seen_at,
    )


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody is invited to, as they may know before they come in."""

    workspace_name: str
    name: str
    """What they are called there."""
    principal: UUID


def invitation(workspace: UUID, person: UUID) -> Invitation:
    """Raises LinkNotValid where there is none any more."""
    places = (one for one, _ in _all_memberships(person) if one.workspace == workspace)
    place = next(places, None)
    if place is None:
        raise LinkNotValid
    return Invitation(place.workspace_name, place.name, place.principal)


def memberships(person: UUID) -> list[Membership]:
    """The workspaces a person is an active member of, by name.

    Suspended ones are left out, and those that they have not accepted to be in.
    """
    return [one for one, is_invited in _all_memberships(person) if not is_invited]


def living_keys(workspace: UUID, *, of: Collection[str] | None, at: datetime) -> int:
    """How many keys can be used: of these service accounts and members of teams; None = of all."""
    with in_workspace(workspace):
        accounts = Principal.objects.filter(kind=PrincipalKind.SERVICE_ACCOUNT, active=True)
        if of is not None:
            inside = TeamMember.objects.filter(team_id__in=of).values("principal_id")
            accounts = accounts.filter(Q(id__in=of) | Q(id__in=inside))
        keys = ApiKey.objects.filter(
            principal_id__in=accounts.values("id"),
            revoked_at=None,
            disabled_reason=None,
            expires_at__gt=at,
        )
        return keys.count()


def places_of(person: UUID) -> list[UUID]:
    """The workspaces a person is an active member of, or is invited to."""
    return [one.workspace for one, _ in _all_memberships(person)]


def first_to_invite(person: UUID) -> UUID | None:
    """The workspace that has waited longest for a person to come in, if any does."""
    awaited = [one for one, is_invited in _all_memberships(person) if is_invited]
    first = min(awaited, key=lambda one: one.principal, default=None)  # ids are in order of time
    return first.workspace if first is not None else None


def workspaces_joined(person: UUID) -> set[UUID]:
    """Where a person has come in and is a member still, be it suspended, or the workspace."""
    return {row[0] for row in _of_person(person, _JOINED)}


def _all_memberships(person: UUID) -> list[tuple[Membership, bool]]:
    return [(Membership(*row), is_invited) for *row, is_invited in _of_person(person, _MEMBERSHIPS)]


def _of_person(person: UUID, query: str) -> list[tuple[Any, ...]]:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # Before a workspace is chosen none is set; this lets somebody see where they are a member.
        cursor.execute("SELECT set_config('portero.person', %s, true)", [str(person)])
        cursor.execute(query, [person])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


_JOINED = "SELECT workspace_id FROM principal WHERE person_id = %s AND NOT invited"
_MEMBERSHIPS = """
SELECT w.id, w.name, p.id, p.name, p.owner, p.signed_out_at, p.invited
  FROM principal p JOIN workspace w ON w.id = p.workspace_id
 WHERE p.person_id = %s AND p.active AND NOT w.suspended
 ORDER BY w.name, w.id
"""


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody, or a key, that a question can be about."""

    principal: UUID
    key: UUID | None
    name: str
    kind: PrincipalKind
    detail: str
    """The address of a person, the account of a key."""


_ASKERS_MAX = 20


def askers(workspace: UUID, text: str, *, partly: bool = True) -> tuple[Asker, ...]:
    """Those whose id, name or address this is; where there are none, those whose name has it in it.

    Without `partly` only the former: for who may not leaf through the people who are here.
    """
    text = text.replace("\0", "")
    with in_workspace(workspace):
        everybody, every_key = Principal.objects.all(), ApiKey.objects.all()
        ways = (_named(text), _called(text, "iexact"), _called(text, "icontains"))
        for fits in ways if partly else ways[:2]:
            people, keys = fits
            rows = list(everybody.filter(people).order_by("sort_name", "id")[:_ASKERS_MAX])
            used = list(every_key.filter(keys).order_by(Lower("name"), "id")[:_ASKERS_MAX])
            if rows or used:
                return tuple([*_principals(rows), *_keys(used)][:_ASKERS_MAX])
    return ()


def _named(text: str) -> tuple[Q, Q]:
    """Exactly one: by an id, or by an address, which is one person's."""
    try:
        return Q(id=UUID(text)), Q(id=UUID(text))
    except ValueError:
        person = Person.objects.filter(email__iexact=text).values("id")
        return Q(person_id__in=person), Q(public_id=text)


def _called(text: str, how: str) -> tuple[Q, Q]:
    fits = Q(**{f"name__{how}": text})
    return fits, fits


def _principals(rows: list[Principal]) -> list[Asker]:
    people = {p.id: p.email for p in _people(rows)}
    return [
        Asker(
            row.id,
            None,
            row.name,
            PrincipalKind(row.kind),
            people.get(row.person_id, "") if row.person_id is not None else "",
        )
        for row in rows
    ]


def _keys(rows: list[ApiKey]) -> list[Asker]:
    accounts = dict(
        Principal.objects.filter(id__in=[r.principal_id for r in rows]).values_list("id", "name")
    )
    return [
        Asker(r.principal_id, r.id, r.name, PrincipalKind.SERVICE_ACCOUNT, accounts[r.principal_id])
        for r in rows
    ]


def some_members_of(workspace: UUID, team: UUID) -> tuple[Asker, ...]:
    """The first of a team's members, by name."""
    with in_workspace(workspace):
        members = TeamMember.objects.filter(team_id=team).values("principal_id")
        found = Principal.objects.filter(id__in=members).order_by("sort_name", "id")
        return tuple(_principals(list(found[:_ASKERS_MAX])))
