"""Buttons and links to doors: open ones lead there, shut ones say why they are shut and whom to ask.

What a door needs stands in its declaration, so a control needs to name nothing but where it leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from portero.console import doors, lens, visits
from portero.console.answers import refusal_in_words
from portero.domain.access import queries as access
from portero.engine import PERMISSIONS

_HELD = "_held_at_doors"


@dataclass(frozen=True, slots=True)
class Control:
    """A control as a template shows it."""

    url: str
    """Where it leads; of a shut one, to why it is shut."""
    is_open: bool


def control(request: HttpRequest, route: str, arguments: tuple[object, ...]) -> Control | None:
    """A control to a route; None where its reader can neither go there nor ask to.

    That is through a lens, which opens doors to look and no others.
    """
    methods = doors.declared()[route]
    door = methods.get("GET") or methods["POST"]
    looks = lens.held(request) is not None
    if looks and not door.opens_through_a_lens():
        return None
    if door.permission is None or door.permission in held(request):
        return Control(reverse(route, args=arguments), is_open=True)
    if looks:
        return None
    asked = urlencode({"permission": door.permission})
    return Control(f"{reverse('console:closed')}?{asked}", is_open=False)


def held(request: HttpRequest) -> frozenset[str]:
    """Which of the permissions that doors ask for the reader of a page has; asked once for a page."""
    actor = visits.actor(request)
    asked_by, found = getattr(request, _HELD, (None, frozenset()))
    if asked_by is not actor:  # a page that is made anew asks anew
        found = access.allowed(actor=actor, permissions=_at_doors())
        setattr(request, _HELD, (actor, found))
    return frozenset(found)


@cache
def _at_doors() -> tuple[str, ...]:
    needed = {door.permission for methods in doors.declared().values() for door in methods.values()}
    return tuple(sorted(one for one in needed if one is not None))


def closed(request: HttpRequest) -> HttpResponse:
    """Why a control is shut, who could give what it takes, and the way to ask for it."""
    permission = request.GET.get("permission", "")
    if permission not in PERMISSIONS:
        raise Http404
    refusal = access.refusal(actor=visits.actor(request), permission=permission)
    if refusal is None:
        return redirect("console:activity")
    context: Mapping[str, object] = refusal_in_words(request, refusal)
    part = request.headers.get("HX-Request") == "true"
    page = "console/_closed.html" if part else "console/closed.html"
    return render(request, page, {**context, "is_part": part})
