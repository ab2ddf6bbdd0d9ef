"""What every page of the console has around it: where one is, and where else one may go.

`PLACES` is the navigation, in the order it is shown. A new area of the console adds one line there:

    Place(gettext_lazy("Roles"), "console:roles", Group.ACCESS, "roles")

title, route, group and icon (a symbol `i-…` of `console/_icons.html`). Who sees it is not said
again: a place is shown to whom the route's own GET door opens, as `console/urls.py` declares it.
`beside` names routes whose addresses begin otherwise and that still belong to the place. A
`counter` is asked for the actor when the page is made, and a number above zero stands beside the
title; it must be one cheap query, and count only what the actor may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portero.console import assets, controls, doors, lens, preferences, visits
from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor


class Group(StrEnum):
    """Places that belong together; the first group has no heading."""

    FIRST = "first"
    ACCESS = "access"


def _heading(group: Group) -> str:
    return {Group.FIRST: "", Group.ACCESS: _("Access")}[group]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the navigation, as it is declared."""

    title: Promise
    route: str
    group: Group
    icon: str
    beside: tuple[str, ...] = ()
    counter: Callable[[Actor], int] | None = None


PLACES: tuple[Place, ...] = (
    Place(gettext_lazy("Activity"), "console:activity", Group.FIRST, "pulse"),
    Place(gettext_lazy("Overview"), "console:overview", Group.FIRST, "review"),
    Place(gettext_lazy("People"), "console:people", Group.ACCESS, "people"),
    Place(gettext_lazy("Roles"), "console:roles", Group.ACCESS, "roles"),
    Place(gettext_lazy("Guardrails"), "console:guardrails", Group.ACCESS, "shield"),
    Place(gettext_lazy("Coming in"), "console:coming_in", Group.ACCESS, "door"),
    Place(gettext_lazy("Limits"), "console:limits", Group.ACCESS, "gauge"),
    Place(gettext_lazy("Keys"), "console:keys", Group.ACCESS, "key"),
    Place(
        gettext_lazy("Requests"),
        "console:requests",
        Group.ACCESS,
        "hand",
        counter=access.count_to_decide,
    ),
    Place(gettext_lazy("Why?"), "console:why", Group.ACCESS, "why", beside=("console:who",)),
)

COUNTED_TO = 99


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the navigation, as somebody sees it."""

    title: str
    url: str
    icon: str
    here: str
    """What `aria-current` says: "page" on the page itself, "true" on one within, or nothing."""
    count: str


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    heading: str
    lines: tuple[Line, ...]


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context of every template."""
    return {
        "assets": assets.current(),
        "lens": lens.shown(request),
        "membership": visits.membership(request),
        "theme": preferences.theme(request),
        "workspaces": visits.workspaces(request),
        # A name that no view gives to anything of its own: what it gives stands before this.
        "menu": SimpleLazyObject(lambda: sections(request)),
    }


def sections(request: HttpRequest) -> tuple[Section, ...]:
    """Where this person may go: what is not theirs to open is not shown."""
    if visits.membership(request) is None:
        return ()
    actor = visits.actor(request)
    shown = list(open_to(actor, PLACES, controls.held(request)))
    here = _place_of(request.path, shown)
    return tuple(
        Section(group, _heading(group), tuple(_line(one, here, request, actor) for one in part))
        for group, part in groupby(shown, key=lambda place: place.group)
    )


def open_to(actor: Actor, places: Iterable[Place], held: frozenset[str]) -> Iterator[Place]:
    """Those of the places whose doors open for the actor, by what they hold and whose eyes they look with."""
    needed = {
        place: door.permission
        for place in places
        for door in [doors.declared()[place.route]["GET"]]
        if actor.lens is None or door.opens_through_a_lens()
    }
    return (
        place for place, permission in needed.items() if permission is None or permission in held
    )


def _place_of(path: str, places: Iterable[Place]) -> Place | None:
    """The place with the longest address that the path begins with."""
    begun = [
        (len(url), place)
        for place in places
        for url in map(reverse, (place.route, *place.beside))
        if path == url or (url != "/" and path.startswith(url))
    ]
    return max(begun, key=lambda one: one[0])[1] if begun else None


def _line(place: Place, here: Place | None, request: HttpRequest, actor: Actor) -> Line:
    url = reverse(place.route)
    count = place.counter(actor) if place.counter is not None else 0
    return Line(
        title=str(place.title),
        url=url,
        icon=place.icon,
        here="" if place is not here else "page" if request.path == url else "true",
        count=f"{COUNTED_TO}+" if count > COUNTED_TO else str(count or ""),
    )
