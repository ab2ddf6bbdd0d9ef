"""What every page of the console has around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from portero.console import assets, lens, visits
from portero.domain.access import queries as access


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation."""

    title: str
    url: str
    is_here: bool


def shell(request: HttpRequest) -> dict[str, Any]:
    return {
        "assets": assets.current(),
        "lens": lens.shown(request),
        "membership": visits.membership(request),
        "places": lambda: _places(request),
    }


def _places(request: HttpRequest) -> list[Place]:
    """Where this person may go: what is not theirs to open is not shown."""
    if visits.membership(request) is None:
        return []
    known = (
        (_("Activity"), "console:activity", "audit:read"),
        (_("People"), "console:people", "member:read"),
        (_("Roles"), "console:roles", "role:read"),
        (_("Why?"), "console:why", "access:explain"),
    )
    needed = tuple(permission for _title, _name, permission in known)
    open_to_them = access.allowed(actor=visits.actor(request), permissions=needed)
    return [
        Place(title, url, _is_here(request, url))
        for title, name, permission in known
        if permission in open_to_them
        for url in [reverse(name)]
    ]


def _is_here(request: HttpRequest, url: str) -> bool:
    return request.path == url or (url != "/" and request.path.startswith(url))
