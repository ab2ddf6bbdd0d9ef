"""What somebody may do, by which roles, and what may be done about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portero.console import controls, membership, saying, visits
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access.queries import Access, Given
from portero.domain.access.services import GRACE
from portero.domain.accounts import queries as accounts
from portero.engine import PERMISSIONS, PermissionSpec, Reach

_GIVEN, _WAYS = 50, 3
"""So many bindings make a page, and so many ways are told of each permission among all others."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which somebody has a permission."""

    reach: Reach
    role: str
    role_id: str
    team: str | None
    where: list[str]
    when: list[str]
    until: datetime | None
    binding: str = ""

    @property
    def step(self) -> str:
        return self.reach.name.lower()


@dataclass(frozen=True, slots=True)
class Held:
    spec: PermissionSpec
    ways: list[Way]
    others: int
    """How many ways more there are; somebody may have a thousand bindings."""
    following: str | None
    """The binding behind which the next page of ways begins, where the permission is told alone."""


def person(request: HttpRequest, principal: UUID) -> HttpResponse:
    actor = visits.actor(request)
    member = accounts.member(actor.workspace, principal)
    if member is None:
        raise Http404
    found = access.access_of(actor=actor, principal=principal)
    roles = {str(role.id): role.name for role in access.role_names(actor=actor)}
    names = Names.of(actor.workspace)
    what, after = request.GET.get("what", ""), request.GET.get("after", "")
    held = list(_held(found, roles, names, what=what, after=after))
    works = {one.spec.key for one in held}
    given, following = _page(
        [one for one in found.given if one.team is None], "" if what else after, _GIVEN
    )
    groups = [(name, list(part)) for name, part in groupby(held, key=lambda one: one.spec.group)]
    may = controls.held(request)
    context = {
        "member": member,
        "access": found,
        "groups": groups,
        "count": len(held),
        "idle": [
            spec
            for spec in PERMISSIONS.values()
            if spec.key not in works
            and what in ("", spec.key)
            and any(_gives(one, spec) for one in found.given)
        ],
        "acts": membership.acts_for(member, actor),
        "may_give": "role:assign" in may and member.active,
        "bindings": [_way(one, Reach.ALL, roles, names) for one in given],
        "following": following,
        "what": what,
        "may_invite_again": "member:invite" in may and member.is_awaited and member.active,
        "may_limit": "limit:update" in may,
        "may_explain": "access:explain" in may,
        "is_me": actor.principal == principal,
        "member_id": str(member.id),
        "stops_at": member.alone_since + GRACE if member.alone_since is not None else None,
    }
    return render(request, "console/person.html", context)


def _held(
    found: Access, roles: dict[str, str], names: Names, *, what: str, after: str
) -> Iterator[Held]:
    """Every permission with its first ways, in the catalogue's order; or `what` alone with a page of them."""
    for spec in PERMISSIONS.values():
        if what not in ("", spec.key):
            continue
        giving = [one for one in found.given if _gives(one, spec) and spec.can_be_in(one.scope)]
        shown, following = _page(giving, after, _GIVEN) if what else _page(giving, "", _WAYS)
        ways = [_way(one, one.cells[spec.key], roles, names) for one in shown]
        if found.principal.owner:
            ways.insert(0, Way(Reach.ALL, _("Owner"), "", None, [], [], None))
        if ways:
            others = 0 if what else len(giving) - len(shown)
            yield Held(spec, ways, others, following if what else None)


def _gives(given: Given, spec: PermissionSpec) -> bool:
    return given.cells.get(spec.key, Reach.NONE) > Reach.NONE


def _page(some: Sequence[Given], after: str, size: int) -> tuple[Sequence[Given], str | None]:
    """Those behind a binding, and the one behind which the next page begins; None on the last."""
    first = next((place for place, one in enumerate(some, 1) if one.binding == after), 0)
    shown = some[first : first + size]
    return shown, shown[-1].binding if first + size < len(some) else None


def _way(given: Given, reach: Reach, roles: dict[str, str], names: Names) -> Way:
    return Way(
        reach=reach,
        role=roles.get(given.role, given.role),
        role_id=given.role,
        team=given.team,
        where=saying.where(given.scope, names),
        when=saying.when(given.conditions),
        until=saying.until(given.until),
        binding=given.binding,
    )
