"""A cookie that says: on this device a person has signed in before, with a second factor.

It opens nothing. It only gives its person's tries a budget of their own (`services/throttling.py`), so
that strangers who guess at their address do not keep them out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from portero.console import visits
from portero.domain.accounts.models import Person

COOKIE = "portero_device"
LASTS = timedelta(days=180)
_SALT = "portero.device"


class KnownDevices:
    """Gives the cookie to whoever has shown a second factor here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._get_response(request)
        if visits.membership(request) is None:  # nobody came in, or not all the way
            return answer
        person = visits.person(request)
        if device_of(request, person) is None:
            made = {"person": str(person.pk), "name": secrets.token_urlsafe(16)}
            answer.set_cookie(
                f"{settings.PORTERO_COOKIE_PREFIX}{COOKIE}",
                signing.dumps(made, salt=_SALT),
                max_age=LASTS,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure(),
            )
        return answer


def device_of(request: HttpRequest, person: Person) -> str | None:
    """What the cookie names, where it is this person's."""
    try:
        given = request.COOKIES.get(f"{settings.PORTERO_COOKIE_PREFIX}{COOKIE}", "")
        found = signing.loads(given, salt=_SALT, max_age=LASTS)
    except signing.BadSignature:
        return None
    return str(found["name"]) if found["person"] == str(person.pk) else None
