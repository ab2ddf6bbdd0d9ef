"""Factors that go, and changes of them that are taken back."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import deactivate_totp
from allauth.mfa.webauthn.views import remove_webauthn
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from portero.console import visits
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # allauth has no types
def remove_app(request: HttpRequest) -> HttpResponse:
    return _remove(request, deactivate_totp, type=Authenticator.Type.TOTP)


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # allauth has no types
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    return _remove(request, remove_webauthn, type=Authenticator.Type.WEBAUTHN, pk=pk)


def _remove(request: HttpRequest, view: Any, **which: Any) -> HttpResponse:
    """Allauth's own page, unless the factor has to stay (A15)."""
    person = visits.person_of(request)
    found = Authenticator.objects.filter(user=person, **which).first()
    if person is None or found is None:
        raise Http404
    arguments = {"pk": which["pk"]} if "pk" in which else {}
    with transaction.atomic():
        until = accounts.stays_until(person=person.pk, factor=found.pk)
        if until is None:
            removed: HttpResponse = view(request, **arguments)
            return removed
    context = {"until": None if until == accounts.NEVER else until}
    return render(
        request, "mfa/stays.html", context, status=409 if request.method == "POST" else 200
    )


def undo(request: HttpRequest, token: str) -> HttpResponse:
    """What a mail offers to whoever did not change it themselves. Only a tap does it."""
    try:
        change = accounts.change_of(token)
        if request.method == "POST":
            accounts.undo(token=token)
            return render(request, "console/undone.html")
    except LinkNotValid:
        return render(request, "console/spent.html", {"is_undo": True}, status=404)
    return render(request, "console/undo.html", {"at": change.made_at})
