"""Asking for access, and deciding what others ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portero.console import saying, visits
from portero.console.answers import done
from portero.console.forms import Form
from portero.console.narrowing import idle_in
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.errors import (
    AskedTooOften,
    NotFound,
    RequestChanged,
    RequestClosed,
    TooManyRequests,
)
from portero.domain.access.queries import Asked, RoleInUse
from portero.engine import PERMISSIONS, Reach

_HOUR = 3600
_SPANS = [
    (str(_HOUR), gettext_lazy("An hour")),
    (str(24 * _HOUR), gettext_lazy("A day")),
    (str(7 * 24 * _HOUR), gettext_lazy("A week")),
    (str(30 * 24 * _HOUR), gettext_lazy("30 days")),
]


class Asking(Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"))
    lasts = forms.ChoiceField(
        label=gettext_lazy("For how long"), choices=_SPANS, initial=_SPANS[1][0]
    )
    reason = forms.CharField(
        label=gettext_lazy("What for"),
        help_text=gettext_lazy("Whoever decides reads this."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    permission = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("role", roles)


class Answer(Form):
    digest = forms.RegexField(r"^[0-9a-f]{64}$", required=False, widget=forms.HiddenInput)
    answer = forms.CharField(
        label=gettext_lazy("A word to who asked"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


def requests(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    context = {
        "to_decide": access.requests_to_decide(actor=actor),
        "mine": access.requests_of(actor=actor),
    }
    return render(request, "console/requests.html", context)


def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a role; coming from a refusal, for one that has what was missing."""
    actor = visits.actor(request)
    wanted = request.POST.get("permission") or request.GET.get("permission", "")
    spec = PERMISSIONS.get(wanted)
    fitting = _fitting(access.roles(actor=actor), wanted if spec is not None else "")
    sees_roles = _may_see_roles(request)
    if not sees_roles:
        # Who may not see the roles asks for one: the smallest that has what they lack.
        lacks = spec is not None and not access.allowed(actor=actor, permissions=(wanted,))
        fitting = fitting[:1] if lacks else []
    roles = [(str(role.id), _called(role, sees_roles=sees_roles)) for role in fitting]
    form = Asking(
        request.POST or None,
        roles=roles,
        initial={"permission": wanted if spec else "", "role": request.GET.get("role", "")},
    )
    if request.method == "POST" and form.is_valid():
        found = form.cleaned_data
        try:
            made = services.request_access(
                actor=actor,
                role=UUID(found["role"]),
                lasts=timedelta(seconds=int(found["lasts"])),
                reason=found["reason"],
                permission=wanted if spec is not None else "",
            )
        except AskedTooOften:
            form.add_error(
                None, _("You withdrew five requests within the last hour. Ask again in an hour.")
            )
        except TooManyRequests:
            form.add_error(None, _("Twenty of your requests wait already. Withdraw one first."))
        else:
            told = _("You have asked. You hear of it by mail, and see it here.")
            return done(request, told, "console:request", made)
    context = {"form": form, "spec": spec, "is_possible": bool(roles)}
    return render(request, "console/ask.html", context, status=400 if form.errors else 200)


def _called(role: RoleInUse, *, sees_roles: bool) -> str:
    """A role's name. What a workspace calls its own is for who may see its roles (R24)."""
    if role.builtin:
        return _(role.name)
    return role.name if sees_roles else _("The smallest role that has it")


def _may_see_roles(request: HttpRequest) -> bool:
    return bool(access.allowed(actor=visits.actor(request), permissions=("role:read",)))


def _fitting(roles: list[RoleInUse], permission: str) -> list[RoleInUse]:
    """Those that have a permission, the ones that have little besides first."""
    found = [
        one for one in roles if not permission or one.cells.get(permission, Reach.NONE) > Reach.NONE
    ]
    return sorted(found, key=lambda one: (len(one.cells), one.name.casefold()))


def detail(request: HttpRequest, request_id: UUID) -> HttpResponse:
    actor = visits.actor(request)
    return _show(request, access.request_in_detail(actor=actor, request=request_id), Answer())


def _show(request: HttpRequest, asked: Asked, form: Answer, *, status: int = 200) -> HttpResponse:
    actor = visits.actor(request)
    # Who decides sees exactly what it opens; who asks, only if they may see roles at all.
    cells: Mapping[str, Reach] = {}
    if not asked.is_mine or _may_see_roles(request):
        cells = next(one.cells for one in access.roles(actor=actor) if one.id == asked.role)
    context = {
        "asked": asked,
        "form": form,
        "where": saying.where(asked.scope, Names.of(actor.workspace))
        or [_("everywhere in this workspace")],
        "spec": PERMISSIONS.get(asked.permission),
        "opens": [
            (PERMISSIONS[key], reach, reach.name.lower())
            for key, reach in cells.items()
            if key in PERMISSIONS and reach > Reach.NONE and PERMISSIONS[key].can_be_in(asked.scope)
        ],
        "idle": idle_in(asked.scope, cells),
        "lasts": _span(asked.lasts),
    }
    return render(request, "console/request.html", context, status=status)


def _span(lasts: timedelta) -> str:
    seconds = int(lasts.total_seconds())
    named = dict(_SPANS).get(str(seconds))
    return str(named) if named is not None else _("%(hours)s hours") % {"hours": seconds // _HOUR}


def approve(request: HttpRequest, request_id: UUID) -> HttpResponse:
    return _decide(request, request_id, is_yes=True)


def refuse(request: HttpRequest, request_id: UUID) -> HttpResponse:
    return _decide(request, request_id, is_yes=False)


def _decide(request: HttpRequest, request_id: UUID, *, is_yes: bool) -> HttpResponse:
    actor, form = visits.actor(request), Answer(request.POST)
    asked = access.request_in_detail(actor=actor, request=request_id)
    if not form.is_valid():
        return _show(request, asked, form, status=400)
    answer = form.cleaned_data["answer"]
    try:
        if is_yes:
            services.approve_request(
                actor=actor,
                request=request_id,
                digest=bytes.fromhex(form.cleaned_data["digest"]),
                answer=answer,
            )
            told = _("%(name)s has it from now on, and it ends by itself.")
        else:
            services.refuse_request(actor=actor, request=request_id, answer=answer)
            told = _("Refused. %(name)s is told.")
    except RequestChanged:
        form.add_error(None, _("The role was changed after it was asked for. Nothing was given."))
        return _show(request, asked, form, status=409)
    except RequestClosed:
        form.add_error(None, _("This is decided already, or waited for too long."))
        now = access.request_in_detail(actor=actor, request=request_id)
        return _show(request, now, form, status=409)
    return done(request, told % {"name": asked.name}, "console:requests")


def withdraw(request: HttpRequest, request_id: UUID) -> HttpResponse:
    try:
        services.withdraw_request(actor=visits.actor(request), request=request_id)
    except RequestClosed:
        raise NotFound(str(request_id)) from None
    return done(request, _("Withdrawn."), "console:requests")
