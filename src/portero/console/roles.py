"""Roles: what each gives, and who has it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portero.console import visits
from portero.domain.access import queries as access
from portero.domain.access.queries import RoleInUse
from portero.engine import PERMISSIONS, PermissionSpec, Reach

PAGE = 100
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Cell:
    spec: PermissionSpec
    reach: Reach

    @property
    def step(self) -> str:
        return self.reach.name.lower()


def roles(request: HttpRequest) -> HttpResponse:
    found = access.roles(actor=visits.actor(request))
    shown = [(role, sum(reach > Reach.NONE for reach in role.cells.values())) for role in found]
    start = _start(request)
    context = {
        "roles": shown[start : start + PAGE],
        "following": start + PAGE if len(shown) > start + PAGE else None,
        "all": len(PERMISSIONS),
    }
    return render(request, "console/roles.html", context)


def _start(request: HttpRequest) -> int:
    """Where the page begins: roles are few enough to count."""
    asked = request.GET.get("from", "0")
    if not asked.isascii() or not asked.isdigit() or len(asked) > _DIGITS:
        raise Http404
    return int(asked)


def role(request: HttpRequest, role: UUID) -> HttpResponse:
    actor = visits.actor(request)
    known = {one.id: one for one in access.roles(actor=actor)}
    if role not in known:
        raise Http404
    beside = request.GET.get("beside", "")
    other = next((one for one in known.values() if str(one.id) == beside), None)
    context = {
        "role": known[role],
        "other": other,
        "beside": str(other.id) if other is not None else "",
        "others": [
            (str(one.id), _(one.name) if one.builtin else one.name)
            for one in known.values()
            if one.id != role
        ],
        "groups": _groups(known[role], other),
        "role_id": str(role),
        "holders": access.holders_of(actor=actor, role=role),
    }
    return render(request, "console/role.html", context)


def _groups(
    one: RoleInUse, other: RoleInUse | None
) -> list[tuple[str, list[tuple[Cell, Cell | None]]]]:
    rows = [
        (_cell(one, spec), _cell(other, spec) if other is not None else None)
        for spec in PERMISSIONS.values()
    ]
    return [(name, list(part)) for name, part in groupby(rows, key=lambda row: row[0].spec.group)]


def _cell(role: RoleInUse, spec: PermissionSpec) -> Cell:
    return Cell(spec, role.cells.get(spec.key, Reach.NONE))
