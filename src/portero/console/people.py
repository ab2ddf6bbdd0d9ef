"""Who is in the workspace."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from portero.console import visits
from portero.domain.accounts import queries as accounts

SEARCH_MAX = 100


def people(request: HttpRequest) -> HttpResponse:
    workspace = visits.actor(request).workspace
    containing = request.GET.get("q", "").replace("\0", "").strip()[:SEARCH_MAX]
    page = accounts.members(workspace, containing=containing, after=_after(request))
    context = {
        "page": page,
        "q": containing,
    }
    return render(request, "console/people.html", context)


def _after(request: HttpRequest) -> tuple[str, UUID] | None:
    name, behind = request.GET.get("name"), request.GET.get("behind")
    if name is None or behind is None:
        return None
    if "\0" in name:
        raise Http404
    try:
        return name, UUID(behind)
    except ValueError:
        raise Http404 from None
