"""See as: the console with the eyes of a role or a person, for looking and for nothing else.

A session that looks through a lens opens pages and does nothing. What would do something is refused
before the form's token is compared, before a door is asked and before a view runs, whichever route
it is; and a statement that would write is refused where statements are sent, should the first wall
have a hole. Only the log grows. Personal data is masked in what is shown, whatever a page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import doors, visits
from portero.console import lens as lenses
from portero.console.answers import looked_only
from portero.console.forms import Form
from portero.domain.access import queries, services
from portero.domain.access.authorize import Actor, Lens
from portero.domain.access.errors import NotFound, NotOneself
from portero.domain.accounts import queries as accounts
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Workspace
from portero.engine import PrincipalKind

SAFE = frozenset({"GET", "HEAD"})
ENDS_IT = frozenset({"console:stop_seeing_as", "account_logout"})
"""What may be sent all the same: back to one's own eyes, and out."""
FILES = frozenset({"console:asset", "console:health"})
"""What is nobody's, and looks the same to all."""


class ThroughALens:
    """Lets a session that looks through a lens look, and do nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        held = lenses.held(request)
        name = _name_of(request)
        if held is None or name in FILES:
            return self._get_response(request)
        if request.method == "POST" and name in ENDS_IT:
            return self._ended(request, held)
        if held.is_over and request.method in SAFE:
            return self._get_response(request)  # as oneself: the doorkeeper takes it off
        with connection.execute_wrapper(lenses.only_reads):
            answer = self._get_response(request)
        return lenses.masked(answer)

    def process_view(
        self, request: HttpRequest, _view: object, _args: object, _kwargs: object
    ) -> HttpResponse | None:
        """Stand before every other middleware that looks at views: the form's token, the doors."""
        match = request.resolver_match
        if match is None or not would_act(request, match.view_name):
            return None
        door = doors.declared().get(match.view_name, {}).get(request.method or "")
        return looked_only(
            request,
            event=(door.event if door is not None else None) or "page.opened",
            checks=[door.permission] if door is not None and door.permission else [],
        )

    def _ended(self, request: HttpRequest, held: lenses.Held) -> HttpResponse:
        answer = self._get_response(request)
        if not request.user.is_authenticated:
            services.close_lens(actor=held.actor(), lens=held.lens, why="signed_out")
        return answer


def would_act(request: HttpRequest, name: str) -> bool:
    """Whether a request could do something that somebody who only looks must not do."""
    if lenses.held(request) is None or request.method in SAFE:
        return False
    return request.method != "POST" or name not in ENDS_IT


def _name_of(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""


class SeeAsForm(Form):
    person = forms.CharField(
        label=gettext_lazy("A person"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("A name or an address."),
    )
    role = forms.ChoiceField(label=gettext_lazy("Or a role"), required=False)

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("role", [("", "—"), *roles])

    @override
    def clean(self) -> dict[str, Any]:
        if bool(self.cleaned_data.get("person")) == bool(self.cleaned_data.get("role")):
            raise forms.ValidationError(_("Choose one: a person or a role."))
        return self.cleaned_data


def see_as(request: HttpRequest) -> HttpResponse:
    """Choose with whose eyes, then look."""
    actor = visits.actor(request)
    may = queries.allowed(actor=actor, permissions=("member:read", "role:read"))
    roles = _roles(actor) if "role:read" in may else []
    if request.method != "POST":
        form = SeeAsForm(initial=request.GET.dict(), roles=roles)
        return _page(request, form, _name_of_choice(request, actor, roles, may))
    form = SeeAsForm(request.POST, roles=roles)
    lens = _chosen(form, actor, may_search="member:read" in may) if form.is_valid() else None
    if lens is None:
        return _page(request, form)
    try:
        name = services.open_lens(actor=actor, lens=lens)
    except (NotFound, NotOneself) as error:
        form.add_error(lens.kind, _wrong(error))
        return _page(request, form)
    with in_workspace(actor.workspace):
        zone = Workspace.objects.get().timezone
    lenses.begin(request, actor, lens, name=name, zone=zone)
    return redirect("console:home")


def _wrong(error: NotFound | NotOneself) -> str:
    if isinstance(error, NotOneself):
        return _("This is you: you see the console with your own eyes already.")
    return _("This is nobody who could open the console.")


def _roles(actor: Actor) -> list[tuple[str, str]]:
    return [
        (str(one.id), _(one.name) if one.builtin else one.name)
        for one in queries.roles(actor=actor)
    ]


def _chosen(form: SeeAsForm, actor: Actor, *, may_search: bool) -> Lens | None:
    if form.cleaned_data["role"]:
        return Lens("role", UUID(form.cleaned_data["role"]))
    found = accounts.askers(actor.workspace, form.cleaned_data["person"]) if may_search else ()
    people = [one for one in found if one.kind is PrincipalKind.PERSON]
    if len(people) == 1:
        return Lens("person", people[0].principal)
    if people:
        names = ", ".join(f"{one.name} ({one.detail})" for one in people)
        form.add_error(
            "person",
            _("Several people are called that; give the address: %(names)s.") % {"names": names},
        )
    else:
        form.add_error("person", _("Nobody here is called that."))
    return None


def _name_of_choice(
    request: HttpRequest, actor: Actor, roles: list[tuple[str, str]], may: frozenset[str]
) -> str | None:
    """Whom a link to the page chose, where that may be seen."""
    person = request.GET.get("person")
    if person and "member:read" in may:
        found = accounts.askers(actor.workspace, person)
        return found[0].name if len(found) == 1 else None
    return dict(roles).get(request.GET.get("role", ""))


def _page(request: HttpRequest, form: SeeAsForm, name: str | None = None) -> HttpResponse:
    context = {"form": form, "name": name, "minutes": lenses.LENS_S // 60}
    return render(request, "console/see_as.html", context)


def stop_seeing_as(request: HttpRequest) -> HttpResponse:
    """Back to one's own eyes."""
    lenses.end(request, "asked")
    messages.success(request, _("You see the console with your own eyes again."))
    return redirect("console:home")
