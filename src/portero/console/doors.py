"""Every route says, for each method, whom it opens for. What says nothing is not served.

One declaration is read by the doorkeeper, who asks the engine, and by the tests, which knock at
every door as everybody. A route without one does not start (B3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path
from django.urls import reverse as url_of
from django.utils import timezone
from django.utils.http import urlencode

from portero.console import keeping, lens, visits
from portero.console.answers import answer_to, looked_only, refused
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.errors import AccessDenied
from portero.engine import ENTER_CONSOLE

View = Callable[..., HttpResponseBase]
_TRIES = 3
"""How often a page is made within one request while the policy moves."""


class Opens(StrEnum):
    """For whom a door without a permission opens."""

    FOR_EVERYBODY = "everybody"
    FOR_WHO_SIGNED_IN = "signed in"
    """Also without a second factor or a workspace: to get them, and to leave."""
    FOR_MEMBERS = "members"
    FOR_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Door:
    """What it takes to come in by one method of one route."""

    opens: Opens
    permission: str | None = None
    event: str | None = None
    """What a refusal is recorded as: the event that did not happen."""
    fresh_for: str | None = None
    """For which kind of act the second factor must have been shown a moment ago (B2.4)."""
    is_outside: bool = False
    """Whether it opens to members who may not come in now: to go elsewhere."""
    is_for_lens: bool = False
    """Whether it opens to who looks through a lens though it needs no permission. Without one a page
    is about whoever is signed in, and that is nobody else's to see."""

    def opens_through_a_lens(self) -> bool:
        return self.is_for_lens or (self.permission is not None and self.fresh_for is None)


EVERYBODY = Door(Opens.FOR_EVERYBODY)
SIGNED_IN = Door(Opens.FOR_WHO_SIGNED_IN)
MEMBERS = Door(Opens.FOR_MEMBERS)
CLOSED = Door(Opens.FOR_NOBODY)


def needs(permission: str, *, event: str, is_fresh: bool = False) -> Door:
    """A door for members who hold a permission in the workspace.

    With `is_fresh` it asks for the second factor again when that was shown more than five minutes
    ago, or for acts of another kind (`keeping.act_of`). What a form brought meanwhile is kept, and
    offered once more on the way back.
    """
    return Door(
        Opens.FOR_MEMBERS, permission, event, keeping.act_of(permission) if is_fresh else None
    )


def also_through_a_lens(door: Door) -> Door:
    """A door that opens to who looks with somebody else's eyes, too."""
    return replace(door, is_for_lens=True)


def also_outside(door: Door) -> Door:
    """A door that opens to members who may not come in now, too."""
    return replace(door, is_outside=True)


_doors: dict[str, Mapping[str, Door]] = {}


def route(pattern: str, view: View, name: str, **doors: Door) -> URLPattern:
    """A route of the console with its doors, by method: `GET=needs("audit:read", …)`."""
    adopt(f"console:{name}", **doors)
    return path(pattern, view, name=name)


def adopt(name: str, **doors: Door) -> None:
    """Declare the doors of a route that somebody else's URLs bring."""
    _doors[name] = doors


def close(*names: str) -> None:
    """Shut routes that somebody else's URLs bring and that nobody here needs."""
    for name in names:
        adopt(name, GET=CLOSED, POST=CLOSED)


def declared() -> Mapping[str, Mapping[str, Door]]:
    """Every route by name, with its doors by method."""
    return _doors


def require_declarations(patterns: Iterable[URLPattern | URLResolver]) -> None:
    """Raise ImproperlyConfigured when a route has no doors, or is declared and not there."""
    found = set(_names(patterns, ()))
    if undeclared := sorted(found - _doors.keys()):
        raise ImproperlyConfigured(f"routes without a declaration: {', '.join(undeclared)}")
    if missing := sorted(_doors.keys() - found):
        raise ImproperlyConfigured(f"declared, but no route: {', '.join(missing)}")


def _names(patterns: Iterable[URLPattern | URLResolver], spaces: tuple[str, ...]) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            inner = (*spaces, one.namespace) if one.namespace else spaces
            yield from _names(one.url_patterns, inner)
        else:
            yield ":".join((*spaces, one.name or str(one.pattern)))


class Doorkeeper:
    """Looks at every request before its view does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            for _ in range(_TRIES):
                visits.attributes(request).asked = None
                answer = self._get_response(request)
                # What a page asked besides its door's permission, only the page knows: whoever lost
                # any of it sees what they may see now because all of it is made, and asked, anew.
                if not _has_moved(request):
                    return answer
            return redirect(request.get_full_path())
        finally:
            timezone.deactivate()

    def process_view(
        self, request: HttpRequest, _view: View, _args: object, _kwargs: object
    ) -> HttpResponseBase | None:
        """None lets the request in."""
        match = request.resolver_match
        doors = _doors.get(match.view_name, {}) if match is not None else {}
        door = doors.get("GET" if request.method == "HEAD" else request.method or "")
        if door is None:
            return HttpResponseNotAllowed(sorted(doors))
        return _answer(request, door)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer for what services raise; views catch only what belongs at a field of theirs."""
        return answer_to(request, exception)


def _answer(request: HttpRequest, door: Door) -> HttpResponseBase | None:
    lens.end_if_over(request)
    if lens.held(request) is not None and not door.opens_through_a_lens():
        return looked_only(request)
    if door.opens is Opens.FOR_EVERYBODY:
        return None
    if door.opens is Opens.FOR_NOBODY:
        return render(request, "console/absent.html", status=404)
    person = visits.person_of(request)
    if person is None:
        return _to_sign_in(request)
    if door.opens is Opens.FOR_WHO_SIGNED_IN:
        return None
    way = visits.way_to_a_factor(request, person)
    if way is not None:
        return redirect(way)
    actor = visits.actor_of(request, person)
    if actor is None:
        return render(request, "console/nowhere.html", status=403)
    if visits.is_put_out(request, actor) and visits.enter(request, actor.workspace):
        # Where they were they are no more. What they sent was meant for there.
        return redirect("console:workspaces")
    if visits.has_sat_too_long(request, actor):
        return _to_sign_in(request)
    if lens.held(request) is not None and actor.lens is None:
        lens.withdraw(request)
        return redirect(request.get_full_path())
    if not door.is_outside:
        # What takes away the way in takes away all that is behind it, so the permission is enough.
        permission, event = door.permission or ENTER_CONSOLE, door.event or "page.opened"
        try:
            passed = access.require(actor=actor, permission=permission, event=event)
        except AccessDenied as refusal:
            return refused(request, refusal)
        visits.note_here(request, actor)
        timezone.activate(passed.zone)
        visits.attributes(request).asked = _Asked(actor.workspace, passed.version)
    if actor.lens is not None and door.permission is not None:
        name = request.resolver_match.view_name if request.resolver_match is not None else ""
        services.record_look(actor=actor, lens=actor.lens, page=name, checks=[door.permission])
    if door.fresh_for is not None:
        return keeping.way_to_a_fresh_factor(request, person, door.fresh_for)
    return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Under which version of the policy a page was opened."""

    workspace: UUID
    version: int


def _has_moved(request: HttpRequest) -> bool:
    """Whether the policy moved while a page was made: then it may tell what was made since (R15)."""
    asked: _Asked | None = getattr(request, "asked", None)
    if asked is None or request.method not in ("GET", "HEAD"):
        return False
    return access.version_now(asked.workspace) != asked.version


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    return redirect(f"{url_of('account_login')}?{urlencode({'next': request.get_full_path()})}")
