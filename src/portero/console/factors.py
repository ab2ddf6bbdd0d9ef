"""Factors that go, and changes of them that are taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import generate_recovery_codes, view_recovery_codes
from allauth.mfa.totp.views import deactivate_totp
from allauth.mfa.webauthn.views import remove_webauthn
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from portero.console import visits
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import LinkNotValid
from portero.domain.accounts.models import Person

_SHOWN_FOR = timedelta(minutes=10)


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
            _remember(request, person)
            removed: HttpResponse = view(request, **arguments)
            return removed
    context = {"until": None if until == accounts.NEVER else until}
    return render(
        request, "mfa/stays.html", context, status=409 if request.method == "POST" else 200
    )


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # allauth has no types
def make_codes(request: HttpRequest) -> HttpResponse:
    """Allauth's own page. The codes there were can be put back (B1.10)."""
    with transaction.atomic():
        _remember(request, visits.person(request))
        made: HttpResponse = generate_recovery_codes(request)
        return made


def codes(request: HttpRequest) -> HttpResponse:
    """Allauth's own page, which shows codes once, and that just after they were made.

    A thief would read what nobody has looked at, and nobody would hear of it (A15).
    """
    with transaction.atomic():
        found = Authenticator.objects.select_for_update().filter(
            user=visits.person(request), type=Authenticator.Type.RECOVERY_CODES
        )
        for one in found.filter(created_at__lt=timezone.now() - _SHOWN_FOR):
            one.wrap().mark_as_viewed()
        shown: HttpResponse = view_recovery_codes(request)
        return shown.render() if hasattr(shown, "render") else shown


def _remember(request: HttpRequest, person: Person) -> None:
    """What there is before it changes, for the mail that tells of it."""
    if request.method == "POST":
        visits.attributes(request).sign_in_before = accounts.remember(person=person.pk)


def undo(request: HttpRequest, token: str) -> HttpResponse:
    """What a mail offers to whoever did not change it themselves. Only a tap does it."""
    try:
        change = accounts.change_of(token)
        if request.method == "POST":
            accounts.undo(token=token)
            return render(request, "console/undone.html")
    except LinkNotValid:
        return render(request, "console/spent.html", {"is_undo": True}, status=404)
    zone = visits.zone_of(change.person_id)
    context = {"at": change.made_at, "zone": zone, "clock": f" ({zone.key})"}
    return render(request, "console/undo.html", context)
