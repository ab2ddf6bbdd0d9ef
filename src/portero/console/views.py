"""The one page, and the health check."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from portero.console import assets, lens, visits
from portero.console.activity import activity, answers
from portero.console.guarding import content_security_policy
from portero.console.lacking import SEEN_WITH
from portero.console.words import BY_CODE, ENGLISH, Words
from portero.domain.access import queries as access

REFRESH_S = 5


@require_safe
def show_activity(request: HttpRequest) -> HttpResponse:
    words = BY_CODE.get(get_language() or "", ENGLISH)
    actor = visits.actor(request)
    sees = access.allowed(actor=actor, permissions=tuple(SEEN_WITH.values()))
    shown = activity(actor.workspace, words, sees)
    may_explain = bool(access.allowed(actor=actor, permissions=("access:explain",)))
    return _page(
        request,
        words,
        "console/activity.html",
        activity=shown,
        may_explain=may_explain,
        **_upstream(),
    )


def failed(request: HttpRequest) -> HttpResponse:
    """What went wrong in a page or before it: the database is away, or nobody foresaw it."""
    words = BY_CODE.get(get_language() or "", ENGLISH)
    if isinstance(sys.exception(), OperationalError):
        around = {**_around(words, paused=False), **_way_back(request)}
        return HttpResponse(render_to_string("console/away.html", around), status=503)
    around = {**_around(words), **_way_back(request)}
    return HttpResponse(render_to_string("console/failed.html", around), status=500)


def _way_back(request: HttpRequest) -> dict[str, Any]:
    """For the bar of a lens, where one was on; without the database nobody can tell."""
    try:
        found = lens.shown(request)
    except DatabaseError:
        found = None
    return {"lens": found, "csrf_token": get_token(request)} if found is not None else {}


def absent(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is not there, and what is somebody else's."""
    return render(request, "console/absent.html", status=404)


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A form with fields that it does not have, or an address that means nothing."""
    if isinstance(exception, DisallowedHost):
        # Under a name that is not ours nothing else is answered, so the page brings its own clothes.
        style = assets.text("console.css")
        answer = render(request, "console/other_name.html", {"style": style}, status=400)
        answer["Content-Security-Policy"] = content_security_policy(style)
        return answer
    return render(request, "console/stale.html", status=400)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was not ours, or lay open for too long."""
    return render(request, "console/stale.html", status=403)


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def _page(request: HttpRequest, words: Words, template: str, **context: Any) -> HttpResponse:
    return render(request, template, {**context, **_around(words, paused="pause" in request.GET)})


def _around(words: Words, *, paused: bool = True) -> dict[str, Any]:
    return {
        "words": words,
        "paused": paused,
        "refresh_s": None if paused else REFRESH_S,
        "gateway_url": settings.PORTERO_PUBLIC_URL,
        "assets": assets.current(),
    }


def _upstream() -> dict[str, Any]:
    """Whom the gateway calls: a sandbox on this machine, the only place called without TLS, or Meta."""
    url = settings.PORTERO_GRAPH_URL
    is_sandbox = urlsplit(url).scheme == "http"
    return {
        "is_sandbox": is_sandbox,
        "upstream": url,
        "upstream_answers": is_sandbox and answers(url),
    }
