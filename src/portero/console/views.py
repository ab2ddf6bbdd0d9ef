"""The one page, its assets and the health check."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from portero.console.activity import activity, answers
from portero.console.words import BY_CODE, ENGLISH, Words

REFRESH_S = 5
_ASSETS = {"console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}


@require_safe
def show_activity(request: HttpRequest) -> HttpResponse:
    words = BY_CODE.get(get_language() or "", ENGLISH)
    workspace = settings.PORTERO_CONSOLE_WORKSPACE
    if workspace is None:
        return _page(request, words, "console/nobody.html", status=404)
    try:
        shown = activity(workspace, words)
    except ObjectDoesNotExist:
        return _page(request, words, "console/nobody.html", status=404)
    except OperationalError:
        return _page(request, words, "console/away.html", status=503)
    return _page(request, words, "console/activity.html", activity=shown, **_upstream())


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def asset(_request: HttpRequest, digest: str, name: str) -> HttpResponse:
    if digest != _digest() or name not in _ASSETS:
        raise Http404
    answer = HttpResponse(_assets()[name], content_type=_ASSETS[name])
    # The address changes with the content, so a browser may keep it for good.
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


def _page(
    request: HttpRequest, words: Words, template: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    paused = "pause" in request.GET
    context |= {
        "words": words,
        "paused": paused,
        "refresh_s": None if paused else REFRESH_S,
        "assets": _digest(),
        "gateway_url": settings.PORTERO_PUBLIC_URL,
    }
    return render(request, template, context, status=status)


def _upstream() -> dict[str, Any]:
    """Whom the gateway calls: a sandbox on this machine, the only place called without TLS, or Meta."""
    url = settings.PORTERO_GRAPH_URL
    is_sandbox = urlsplit(url).scheme == "http"
    return {
        "is_sandbox": is_sandbox,
        "upstream": url,
        "upstream_answers": is_sandbox and answers(url),
    }


@cache
def _assets() -> dict[str, bytes]:
    folder = files("portero.console").joinpath("static")
    return {name: folder.joinpath(name).read_bytes() for name in _ASSETS}


@cache
def _digest() -> str:
    return sha256(b"".join(_assets().values())).hexdigest()[:16]
