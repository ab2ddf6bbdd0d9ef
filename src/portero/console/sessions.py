"""Where somebody is signed in, and how they end it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portero.console import visits
from portero.console.answers import done
from portero.console.forms import Form
from portero.domain.accounts import sessions
from portero.domain.accounts.sessions import OpenSession

# The first that fits: a browser says that it is all its ancestors, too.
_BROWSERS = (
    ("Edge", r"Edg[A-Z]*/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("Android", r"Android"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux"),
)


@dataclass(frozen=True, slots=True)
class Listed:
    session: OpenSession
    device: str


class Ending(Form):
    session = forms.CharField(max_length=64)


def own(request: HttpRequest) -> HttpResponse:
    """One's own sessions; posted, one of them, or all but this one, ends."""
    person = visits.person_of(request)
    assert person is not None  # noqa: S101 - the door is for members
    key = request.session.session_key
    if request.method == "POST":
        form = Ending(request.POST)
        if form.is_valid():
            chosen = form.cleaned_data["session"]
            if chosen == "others":
                sessions.end_sessions(person.pk, but=key)
                return done(
                    request, _("You are signed in here, and nowhere else."), "console:sessions"
                )
            if sessions.end_session(person.pk, chosen):
                return done(request, _("That session has ended."), "console:sessions")
    found = [Listed(one, device(one.agent)) for one in sessions.sessions_of(person.pk, this=key)]
    return render(request, "console/sessions.html", {"sessions": found})


def device(agent: str) -> str:
    """A browser and a system in plain words, as far as the browser tells the truth."""
    browser, system = _first(_BROWSERS, agent), _first(_SYSTEMS, agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("An unknown browser")


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, sign in names if re.search(sign, agent)), "")
