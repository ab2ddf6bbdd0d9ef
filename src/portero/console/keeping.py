"""Doors that ask for a fresh second factor: for what it was shown, and what was sent meanwhile."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from portero.console import visits
from portero.domain.accounts.models import Person
from portero.domain.accounts.sessions import factors_taken

FACTORS = "factors"
"""Acts on what somebody signs in with, oneself or another."""
_OF_PERMISSIONS = {"member:reset_factor": FACTORS, "member:view_as": "eyes"}
_OF_RESOURCES = {
    "access_request": "access",
    "guardrail": "rules",
    "limit": "rules",
    "member": "access",
    "role": "access",
    "team": "access",
}
FACTOR_AGE = timedelta(minutes=5)
"""How old a second factor may be where a door asks for a fresh one (B2.4)."""
_KEPT = visits.KEPT
_FOR, _FOR_MAX = "for", 40
_KEPT_S = 10 * 60
_KEPT_MAX = 64 * 1024  # characters; sessions are rows
_NEVER = {"csrfmiddlewaretoken", "password"}


class Kept(TypedDict):
    path: str
    fields: list[tuple[str, str]]
    at: float


def act_of(permission: str) -> str:
    """For which kind of act a factor is shown at a door: for one it is good, for no other (B2.4, R22).

    Who is here and what they may do is one kind, what is taken from whoever asks another; anything
    else is of its own resource's.
    """
    resource = permission.partition(":")[0]
    return _OF_PERMISSIONS.get(permission) or _OF_RESOURCES.get(resource, resource)


def way_to_a_fresh_factor(
    request: HttpRequest, person: Person, act: str
) -> HttpResponseRedirect | None:
    """Where to show the second factor again; None when that was done for such an act a moment ago."""
    if is_shown_for(request, person, act):
        if request.method == "POST":
            request.session.pop(_KEPT, None)
        return None
    if request.method != "POST":
        return redirect(visits.way_to_show_it_again(person, request.get_full_path()))
    _keep(request)
    return redirect(visits.way_to_show_it_again(person, f"{reverse('console:kept')}?{_FOR}={act}"))


def is_shown_for(
    request: HttpRequest, person: Person, act: str, *, here: bool = True, takes: bool = True
) -> bool:
    """Whether a second factor was shown for such an act within five minutes.

    One that was shown for nothing in particular, to sign in, is for the first act that asks. `here` =
    in the workspace they are in; what one signs in with oneself is of none. Who only looks, without
    `takes`, leaves it for an act.
    """
    oldest = time.time() - FACTOR_AGE.total_seconds()
    fresh = [at for at in visits.moments_shown(request, person, here=here) if at > oldest]
    with factors_taken(request.session.session_key) as taken:
        if any(taken.get(at) == act for at in fresh):
            return True
        free = [at for at in fresh if at not in taken]
        if free and takes:
            _take(taken, max(free), act)
        return bool(free)


def take_what_was_shown(request: HttpRequest, person: Person) -> None:
    """Let the factor that was shown this moment be for the act that the page asked it for.

    By the address of that page and nothing in the session: another window says nothing about it.
    """
    wanted = QueryDict(urlsplit(request.POST.get("next", "")).query).get(_FOR, "")
    if wanted:
        shown = max(visits.moments_shown(request, person, here=False))
        with factors_taken(request.session.session_key) as taken:
            _take(taken, shown, wanted[:_FOR_MAX])


def _take(taken: dict[float, str], at: float, act: str) -> None:
    oldest = time.time() - FACTOR_AGE.total_seconds()
    for old in [when for when in taken if when <= oldest]:
        del taken[old]
    taken[at] = act


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
