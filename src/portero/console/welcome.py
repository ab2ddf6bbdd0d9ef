"""The page behind a sign-in link: choose a password, and come in."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters

from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid


@sensitive_post_parameters("password")
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    try:
        person = accounts.person_of_link(token)
        errors: list[str] = []
        if request.method == "POST":
            try:
                person = accounts.choose_password(
                    token=token, password=request.POST.get("password", "")
                )
            except ValidationError as error:
                errors = list(error.messages)
            else:
                # Whoever has a second factor is asked for it: a link replaces a password only.
                answer: HttpResponse = perform_password_login(
                    request, {"email": person.email}, Login(user=person, email=person.email)
                )
                return answer
    except LinkNotValid:
        return render(request, "console/spent.html", status=404)
    context = {"person": person, "errors": errors}
    # Not as an error: Django would log the path, and the path is the secret.
    return render(request, "console/welcome.html", context)
