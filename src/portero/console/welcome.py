"""The page behind a link that lets somebody in: what they are given, and a password of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core import ratelimit
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from portero.console import visits
from portero.console.answers import done
from portero.console.forms import Form
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import one_spelling
from portero.domain.accounts.services import Bearer
from portero.domain.audit.models import in_workspace
from portero.domain.notices import services as notices
from portero.domain.notices.services import Letter
from portero.domain.workspaces.queries import own_roles


@sensitive_post_parameters("password")
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    try:
        bearer = accounts.bearer_of(token)
        if request.method != "POST":
            return _page(request, bearer)
        if bearer.chooses:
            return _choose(request, bearer, token)
        return _accept(request, bearer, token)
    except LinkNotValid:
        return render(request, "console/spent.html", status=404)


def _page(request: HttpRequest, bearer: Bearer, errors: Sequence[str] = ()) -> HttpResponse:
    visitor = visits.person_of(request)
    context: dict[str, Any] = {
        "bearer": bearer,
        "person": bearer.person,
        "errors": errors,
        "visitor": visitor,
        "is_them": visitor is not None and visitor.pk == bearer.person.pk,
    }
    if bearer.workspace is not None:
        invitation = queries.invitation(bearer.workspace, bearer.person.id)
        with in_workspace(bearer.workspace):
            context |= {"invitation": invitation, "roles": own_roles(invitation.principal)}
    # Not as an error: Django would log the path, and the path is the secret.
    return render(request, "console/welcome.html", context)


def _choose(request: HttpRequest, bearer: Bearer, token: str) -> HttpResponse:
    """A password of their own, and in; whoever has a second factor is asked for it all the same."""
    try:
        chosen = accounts.choose_password(token=token, password=request.POST.get("password", ""))
    except ValidationError as error:
        return _page(request, bearer, list(error.messages))
    person = chosen.person
    if bearer.workspace is not None:
        accounts.arrive(person=person.id, workspace=bearer.workspace)
    if bearer.person.last_login is not None:
        notices.tell(Letter(person.id, "password_changed", undoes=chosen.change))
    answer: HttpResponse = perform_password_login(
        request, {"email": person.email}, Login(user=person, email=person.email)
    )
    return answer


def _accept(request: HttpRequest, bearer: Bearer, token: str) -> HttpResponse:
    """Into another workspace, as who they are already, with their second factor (A16)."""
    visitor = visits.person_of(request)
    if visitor is None or visitor.pk != bearer.person.pk:
        return _page(request, bearer)
    way = visits.way_to_a_factor(request, visitor)
    if way is not None:
        return redirect(way)
    accounts.accept(token=token, person=visitor.pk)
    return done(
        request, _("You are in. Go over to it where the workspaces stand."), "console:own_why"
    )


class Forgotten(Form):
    login = forms.EmailField(
        label=gettext_lazy("E-mail"),
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


def forgotten(request: HttpRequest) -> HttpResponse:
    """Send a way back in, if there is somebody to send one to; the answer is the same."""
    if not settings.PORTERO_SENDS_MAIL:
        return render(request, "console/no_mail.html")
    form = Forgotten(request.POST or None)
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["login"]
        key = one_spelling(address)
        if refused := ratelimit.consume_or_429(request, action="reset_password", key=key):
            busy: HttpResponse = refused
            return busy
        notices.tell_somebody(address)
        return render(request, "console/sent.html", {"address": address})
    return render(request, "console/forgotten.html", {"form": form})
