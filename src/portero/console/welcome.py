"""The page behind a link that lets somebody in: what they are given, and a password of their own."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core import ratelimit
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from portero.console.forms import Form
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.notices import services as notices
from portero.domain.notices.services import Letter


@sensitive_post_parameters("password")
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    errors: list[str] = []
    try:
        bearer = accounts.bearer_of(token)
        if request.method == "POST":
            try:
                person = accounts.choose_password(
                    token=token, password=request.POST.get("password", "")
                )
            except ValidationError as error:
                errors = list(error.messages)
            else:
                if bearer.person.last_login is not None:
                    notices.tell(Letter(person.id, "password_changed"))
                # Whoever has a second factor is asked for it: a link replaces a password only.
                answer: HttpResponse = perform_password_login(
                    request, {"email": person.email}, Login(user=person, email=person.email)
                )
                return answer
    except LinkNotValid:
        return render(request, "console/spent.html", status=404)
    context: dict[str, Any] = {"bearer": bearer, "person": bearer.person, "errors": errors}
    if bearer.workspace is not None:
        context["invitation"] = queries.invitation(bearer.workspace, bearer.person.id)
    # Not as an error: Django would log the path, and the path is the secret.
    return render(request, "console/welcome.html", context)


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
        if refused := ratelimit.consume_or_429(request, action="reset_password", key=address):
            busy: HttpResponse = refused
            return busy
        notices.tell_somebody(address)
        return render(request, "console/sent.html", {"address": address})
    return render(request, "console/forgotten.html", {"form": form})
