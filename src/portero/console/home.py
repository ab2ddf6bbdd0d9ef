"""Where somebody lands who came in: the first place that opens for them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portero.console import controls, visits
from portero.console.shell import PLACES, open_to
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.queries import own_roles

_NOT_FIRST = "console:requests"
"""Open to everybody, and nobody's work."""


def home(request: HttpRequest) -> HttpResponse:
    """On to the first place; who has none yet reads which roles they have, and how to get more."""
    actor = visits.actor(request)
    places = [one.route for one in open_to(actor, PLACES, controls.held(request))]
    first = next((route for route in places if route != _NOT_FIRST), None)
    if first is not None:
        return redirect(first)
    with in_workspace(actor.workspace):
        roles = own_roles(actor.principal) if actor.lens is None else None
    return render(request, "console/home.html", {"roles": roles})
