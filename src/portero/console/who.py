"""Who can do something: everybody, counted, and the bindings through which they can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from portero.console import saying, visits
from portero.console.questions import WhoForm, permissions_of
from portero.console.saying import Names
from portero.domain.workspaces import queries
from portero.domain.workspaces.errors import UnknownNumber, UnknownTemplate
from portero.domain.workspaces.queries import Able, Ways


def who(request: HttpRequest) -> HttpResponse:
    """Everybody who can, counted, with the bindings through which."""
    actor = visits.actor(request)
    choices = queries.choices(actor=actor)
    if "what" not in request.GET:
        form = WhoForm(initial=request.GET.dict(), choices=choices)
        return render(request, "console/who.html", {"form": form})
    form = WhoForm(request.GET, choices=choices)
    if not form.is_valid():
        return render(request, "console/who.html", {"form": form})
    try:
        able = Able(form.cleaned_data["able"] or Able.NOW)
    except ValueError:
        raise Http404 from None
    behind = form.cleaned_data["behind"]
    try:
        page = queries.who(
            actor=actor,
            permissions=permissions_of(form.cleaned_data["what"]),
            thing=form.thing(),
            when=form.when(actor.at),
            able=able,
            after=(form.cleaned_data["name"], str(behind)) if behind is not None else None,
        )
    except (UnknownNumber, UnknownTemplate) as unknown:
        form.blame(unknown)
        return render(request, "console/who.html", {"form": form})
    names = Names.of(actor.workspace)
    said: dict[str, Any] = {
        name: value
        for name, value in request.GET.dict().items()
        if value and name not in {"able", "name", "behind"}
    }
    context = {
        "form": form,
        "page": page,
        "able": able,
        "unnamed": page.counts[able],
        "tabs": [(one, page.counts[one], urlencode({**said, "able": one})) for one in Able],
        "shown": [_shown(one, page.teams, page.roles, names, said) for one in page.shown],
        "more": page.following
        and urlencode(
            {**said, "able": able, "name": page.following[0], "behind": page.following[1]}
        ),
    }
    return render(request, "console/who.html", context)


@dataclass(frozen=True, slots=True)
class Through:
    """A binding through which somebody can."""

    role: str
    role_id: str
    team: str
    where: list[str]
    when: list[str]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    ways: Ways
    through: list[Through]
    why: str


def _shown(
    ways: Ways,
    teams: Mapping[str, str],
    roles: Mapping[str, str],
    names: Names,
    said: Mapping[str, str],
) -> Shown:
    through = [
        Through(
            role=roles[one.role],
            role_id=one.role,
            team="" if one.principal == ways.principal.id else teams[one.principal],
            where=saying.where(one.scope, names),
            when=saying.when(one.conditions),
            until=saying.until(one.until),
        )
        for one in ways.bindings
    ]
    return Shown(ways, through, urlencode({**said, "who": ways.principal.id}))
