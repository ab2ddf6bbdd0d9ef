"""What somebody sent to a door that asks for a fresh second factor, kept until they have shown it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from portero.console import visits
from portero.domain.accounts.models import Person

FACTOR_AGE = timedelta(minutes=5)
"""How old a second factor may be where a door asks for a fresh one (B2.4)."""
_KEPT = visits.KEPT
_KEPT_S = 10 * 60
_KEPT_MAX = 64 * 1024  # characters; sessions are rows
_NEVER = {"csrfmiddlewaretoken", "password"}


class Kept(TypedDict):
    path: str
    fields: list[tuple[str, str]]
    at: float


def way_to_a_fresh_factor(request: HttpRequest, person: Person) -> HttpResponseRedirect | None:
    """Where to show the second factor again; None when that was done a moment ago."""
    shown = visits.factor_shown_here(request, person)
    if shown is not None and datetime.now(UTC) - shown < FACTOR_AGE:
        if request.method == "POST":
            request.session.pop(_KEPT, None)
        return None
    if request.method != "POST":
        return redirect(visits.way_to_show_it_again(person, request.get_full_path()))
    _keep(request)
    return redirect(visits.way_to_show_it_again(person, reverse("console:kept")))


def _keep(request: HttpRequest) -> None:
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _NEVER
        for value in values
    ]
    if sum(len(name) + len(value) for name, value in fields) <= _KEPT_MAX:
        kept: Kept = {"path": request.get_full_path(), "fields": fields, "at": time.time()}
        request.session[_KEPT] = kept


def kept(request: HttpRequest) -> HttpResponse:
    """Offer once more what was sent. It goes through its own door again, by a tap."""
    found = cast("Kept | None", request.session.get(_KEPT))
    if found is None or time.time() - found["at"] > _KEPT_S:
        return render(request, "console/stale.html", status=404)
    context: dict[str, Any] = {"path": found["path"], "fields": found["fields"]}
    return render(request, "console/kept.html", context)
