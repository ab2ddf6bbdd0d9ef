"""Search over everything that has a page here, and the palette, which is the same from any page.

Each finder opens only to whom the pages behind its results open: what somebody may not see is
neither found nor counted, and a search for it answers as one for what does not exist.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.vary import vary_on_headers

from portero.console import controls, shell, visits
from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import queries as accounts
from portero.domain.workspaces import queries as workspaces
from portero.engine import PERMISSIONS, PrincipalKind

QUESTION_MIN = 2
"""Letters from which on permissions are looked through: one letter is in nearly all of them."""


@dataclass(frozen=True, slots=True)
class Found:
    title: str
    url: str
    icon: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Results of one sort."""

    title: str
    found: tuple[Found, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Finder:
    """One sort of things. It is asked only for those who hold its permission in the workspace."""

    title: Promise
    permission: str | None
    find: Callable[[Actor, str, frozenset[str]], Iterator[Found]]
    """From the actor, what was typed, and which finders' permissions they hold."""
    at_most: int = 7
    """So many are shown; whoever wants the others types more."""


@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """The page, or only what was found, for the palette."""
    typed = request.GET.get("q", "").replace("\0", "").strip()[:100]
    shelves = list(_shelves(visits.actor(request), typed, controls.held(request)))
    is_part = request.headers.get("HX-Request") == "true"
    context = {
        "q": typed,
        "shelves": shelves,
        "shown": sum(len(shelf.found) for shelf in shelves),
        "is_part": is_part,
    }
    return render(request, "console/_found.html" if is_part else "console/search.html", context)


def _shelves(actor: Actor, typed: str, held: frozenset[str]) -> Iterator[Shelf]:
    for finder in FINDERS:
        if finder.permission is not None and finder.permission not in held:
            continue
        some = tuple(islice(finder.find(actor, typed, held), finder.at_most + 1))
        if some:
            yield Shelf(
                str(finder.title), some[: finder.at_most], has_more=len(some) > finder.at_most
            )


def _places(actor: Actor, typed: str, held: frozenset[str]) -> Iterator[Found]:
    named = [one for one in (*shell.PLACES, *ACTIONS) if _has(str(one.title), typed)]
    for one in shell.open_to(actor, named, held):
        yield Found(str(one.title), reverse(one.route), one.icon)


def _people(actor: Actor, typed: str, _held: frozenset[str]) -> Iterator[Found]:
    if not typed:
        return
    for one in accounts.members(actor.workspace, containing=typed).members:
        yield Found(
            one.name,
            reverse("console:person", args=[one.id]),
            _ICONS[one.kind],
            one.email or _kind(one.kind),
        )


def _kind(kind: PrincipalKind) -> str:
    return _("Team") if kind is PrincipalKind.TEAM else _("Service account")


def _roles(actor: Actor, typed: str, _held: frozenset[str]) -> Iterator[Found]:
    if not typed:
        return
    for role in access.role_names(actor=actor):
        name = _(role.name) if role.builtin else role.name
        if _has(name, typed):
            yield Found(name, reverse("console:role", args=[role.id]), "roles", _("Role"))


def _numbers(actor: Actor, typed: str, held: frozenset[str]) -> Iterator[Found]:
    """A number leads to who may write from it, or, for who may not ask that, to oneself."""
    if not typed:
        return
    route = "console:who" if "access:explain" in held else "console:own_why"
    for one in workspaces.numbers_called(typed, actor=actor):
        asked = urlencode({"what": "send:text", "number": one.meta_id})
        yield Found(one.name, f"{reverse(route)}?{asked}", "phone", one.display)


def _questions(_actor: Actor, typed: str, _held: frozenset[str]) -> Iterator[Found]:
    if len(typed) < QUESTION_MIN:
        return
    for spec in PERMISSIONS.values():
        sentence = _(spec.sentence)
        if _has(sentence, typed) or typed.lower() in spec.key:
            asked = urlencode({"what": spec.key})
            yield Found(sentence, f"{reverse('console:who')}?{asked}", "why", spec.key)


def _has(text: str, typed: str) -> bool:
    """Whether every word that was typed is in the text, whatever its case and accents."""
    plain = _plain(text)
    return all(word in plain for word in _plain(typed).split())


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))


_ICONS = {
    PrincipalKind.PERSON: "people",
    PrincipalKind.TEAM: "team",
    PrincipalKind.SERVICE_ACCOUNT: "key",
}


def _action(title: Promise, route: str, icon: str) -> shell.Place:
    return shell.Place(title, route, shell.Group.FIRST, icon)


ACTIONS: Sequence[shell.Place] = (
    _action(gettext_lazy("Invite people"), "console:invite", "people"),
    _action(gettext_lazy("New team"), "console:team_new", "team"),
    _action(gettext_lazy("New role"), "console:role_new", "roles"),
    _action(gettext_lazy("New guardrail"), "console:guardrail_new", "shield"),
    _action(gettext_lazy("New limit"), "console:limit_new", "gauge"),
    _action(gettext_lazy("Who can?"), "console:who", "why"),
    _action(gettext_lazy("Why may I not?"), "console:own_why", "why"),
    _action(gettext_lazy("Ask for access"), "console:ask", "hand"),
    _action(gettext_lazy("See the console with other eyes"), "console:see_as", "eye"),
    _action(gettext_lazy("Your workspaces"), "console:workspaces", "home"),
    _action(gettext_lazy("Where you are signed in"), "console:sessions", "clock"),
    _action(gettext_lazy("Language and appearance"), "console:preferences", "settings"),
    _action(gettext_lazy("Second factor"), "mfa_index", "key"),
)
FINDERS: Sequence[Finder] = (
    Finder(gettext_lazy("Go to"), None, _places, at_most=40),
    Finder(gettext_lazy("People"), "member:read", _people),
    Finder(gettext_lazy("Roles"), "role:read", _roles),
    Finder(gettext_lazy("Numbers"), None, _numbers),  # of each number it is asked apart
    Finder(gettext_lazy("Who can do this?"), "access:explain", _questions),
)
