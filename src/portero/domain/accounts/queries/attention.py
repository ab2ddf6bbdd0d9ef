"""What in a workspace asks for attention, each counted so far and the first named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from portero.domain.access.models import Principal
from portero.domain.access.snapshot import policy_now
from portero.domain.accounts.models import ApiKey
from portero.domain.accounts.queries.members import FACTORS
from portero.domain.audit.models import in_workspace
from portero.engine import HolderKind, PrincipalKind

COUNTED_TO = 99
NAMED = 3
SOON = timedelta(days=14)
LONG = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Noticed:
    """How many, up to one more than `COUNTED_TO`, and the first of them."""

    count: int
    named: tuple[tuple[UUID, str], ...]


def people_without_factor(workspace: UUID) -> Noticed:
    """Members who have come in and have nothing to prove with that it is they."""
    factors = Authenticator.objects.filter(user_id=OuterRef("person_id"), type__in=FACTORS)
    with in_workspace(workspace):
        here = Principal.objects.filter(
            kind=PrincipalKind.PERSON, active=True, invited=False, person_id__isnull=False
        )
        return _noticed(here.exclude(Exists(factors)).order_by("sort_name", "id"))


def accounts_left_alone(workspace: UUID) -> Noticed:
    """Service accounts that still work and for which nobody answers."""
    with in_workspace(workspace):
        alone = Principal.objects.filter(active=True, alone_since__isnull=False)
        return _noticed(alone.order_by("alone_since", "id"))


def keys_about_to_end(workspace: UUID, now: datetime) -> Noticed:
    with in_workspace(workspace):
        ending = _living(now).filter(expires_at__lte=now + SOON, last_used_at__isnull=False)
        return _noticed(ending.order_by("expires_at", "id"))


def keys_long_unused(workspace: UUID, now: datetime) -> Noticed:
    """Keys that nobody has used for `LONG`, or ever since they were made that long ago."""
    with in_workspace(workspace):
        living = _living(now).annotate(since=Coalesce(F("last_used_at"), F("created_at")))
        return _noticed(living.filter(since__lte=now - LONG).order_by("since", "id"))


def keys_without_limit(workspace: UUID, now: datetime) -> Noticed:
    """Keys of which nothing says how much at most: neither theirs, their account's nor the workspace's."""
    policy = policy_now(workspace)
    limited = {one.holder for one in policy.limits}
    if any(one.holder_kind is HolderKind.WORKSPACE for one in policy.limits):
        return Noticed(0, ())
    teams = {one.id: one.teams for one in policy.principals}
    free = {
        UUID(one.id)
        for one in policy.credentials
        if limited.isdisjoint(
            {one.id, one.counts_as or one.id, one.principal, *teams.get(one.principal, ())}
        )
    }
    with in_workspace(workspace):
        return _noticed(_living(now).filter(id__in=free).order_by("-id"))


def has_one_owner(workspace: UUID) -> bool:
    """Whether there is nobody to let the only owner back in."""
    with in_workspace(workspace):
        owners = Principal.objects.filter(owner=True, active=True, invited=False)
        return owners[:2].count() == 1


def _living(now: datetime) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(revoked_at=None, disabled_reason=None, expires_at__gt=now)


def _noticed(found: QuerySet[Principal] | QuerySet[ApiKey]) -> Noticed:
    rows: Iterable[tuple[UUID, str]] = found.values_list("id", "name")[: COUNTED_TO + 1]
    some = tuple(rows)
    return Noticed(len(some), some[:NAMED])
