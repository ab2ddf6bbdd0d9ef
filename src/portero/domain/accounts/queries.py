"""Who people are, where they are members, and who else is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from portero.domain.access.models import Principal
from portero.domain.accounts.models import Person
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


@dataclass(frozen=True, slots=True)
class Member:
    """A person, service account or team as the list of them shows it."""

    id: UUID
    name: str
    kind: PrincipalKind
    active: bool
    owner: bool
    email: str | None
    last_login: datetime | None
    has_factor: bool


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
        found = Principal.objects.annotate(lower=Lower("name")).order_by("lower", "id")
        if containing:
            found = found.filter(name__icontains=containing)
        if after is not None:
            found = found.filter(_behind(after))
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
        (last.lower, last.id) if last is not None else None,
    )


def member(workspace: UUID, principal: UUID) -> Member | None:
    with in_workspace(workspace):
        row = Principal.objects.filter(id=principal).first()
        if row is None:
            return None
        people = {p.id: p for p in _people([row])}
    found = Authenticator.objects.filter(user_id__in=people, type__in=FACTORS)
    return _member(row, people, set(found.values_list("user_id", flat=True)))


def _people(rows: Iterable[Principal]) -> QuerySet[Person]:
    return Person.objects.filter(id__in=[r.person_id for r in rows if r.person_id is not None])


def _behind(after: tuple[str, UUID]) -> Q:
    name, principal = after
    return Q(lower__gt=name) | Q(lower=name, id__gt=principal)


def _member(row: Principal, people: Mapping[UUID, Person], secured: set[UUID]) -> Member:
    person = people.get(row.person_id) if row.person_id is not None else None
    return Member(
        id=row.id,
        name=row.name,
        kind=PrincipalKind(row.kind),
        active=row.active,
        owner=row.owner,
        email=person.email if person is not None else None,
        last_login=person.last_login if person is not None else None,
        has_factor=person is not None and person.id in secured,
    )


def memberships(person: UUID) -> list[Membership]:
    """The workspaces a person is an active member of, by name; suspended ones are left out."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # Before a workspace is chosen none is set; this lets somebody see where they are a member.
        cursor.execute("SELECT set_config('portero.person', %s, true)", [str(person)])
        cursor.execute(_MEMBERSHIPS, [person])
        return [Membership(*row) for row in cursor.fetchall()]


_MEMBERSHIPS = """
SELECT w.id, w.name, p.id, p.name, p.owner
  FROM principal p JOIN workspace w ON w.id = p.workspace_id
 WHERE p.person_id = %s AND p.active AND NOT w.suspended
 ORDER BY w.name, w.id
"""
