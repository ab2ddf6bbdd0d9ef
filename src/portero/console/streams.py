"""Where a page gets the ticket for its stream."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.http import urlencode

from portero.console import doors, visits
from portero.domain.accounts import services
from portero.domain.accounts.sessions import digest_of

STREAM = "/live/events"


def ticket(request: HttpRequest) -> HttpResponse:
    """The address of a stream for the page whose path is posted, good once and for a minute."""
    door = _door_of(request.POST.get("page", ""))
    if door is None or door.opens is not doors.Opens.FOR_MEMBERS:
        raise Http404
    made = services.open_stream_ticket(
        actor=visits.actor(request),
        session=digest_of(request.session.session_key),
        permission=door.permission,
    )
    return JsonResponse(
        {"url": f"{settings.PORTERO_LIVE_ORIGIN}{STREAM}?{urlencode({'ticket': made})}"}
    )


def _door_of(path: str) -> doors.Door | None:
    try:
        name = resolve(path).view_name
    except Resolver404:
        return None
    return doors.declared()[name].get("GET")
