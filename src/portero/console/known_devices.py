"""A cookie that says: on this device a person has signed in before, with a second factor.

It opens nothing. It only gives its person's tries a budget of their own (`services/throttling.py`), so
that strangers who guess at their address do not keep them out. There is one for each time somebody signs
in, and it ends with the password and the factor they signed in with: nobody makes themselves many, and
a thief's is none any more when the owner has changed either.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from portero.console import visits
from portero.domain.accounts.models import Person

COOKIE = "portero_device"
LASTS = timedelta(days=180)
_SALT = "portero.device"
_LOOKED_AT = "device"


class KnownDevices:
    """Gives the cookie to whoever has shown a second factor here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._get_response(request)
        if visits.membership(request) is None:  # nobody came in, or not all the way
            return answer
        if _LOOKED_AT in request.session:
            return answer
        request.session[_LOOKED_AT] = True
        person = visits.person(request)
        factor = visits.factor_shown_last(request, person)
        if factor is not None and device_of(request, person) is None:
            made = {
                "person": str(person.pk),
                "name": secrets.token_urlsafe(16),
                "factor": factor,
                "password": _digest_of_password(person),
            }
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
    """What the cookie names, where it is this person's and they sign in as they did then."""
    try:
        given = request.COOKIES.get(f"{settings.PORTERO_COOKIE_PREFIX}{COOKIE}", "")
        found = signing.loads(given, salt=_SALT, max_age=LASTS)
    except signing.BadSignature:
        return None
    is_theirs = found["person"] == str(person.pk)
    if not is_theirs or not constant_time_compare(
        str(found.get("password")), _digest_of_password(person)
    ):
        return None
    if not Authenticator.objects.filter(user_id=person.pk, pk=found["factor"]).exists():
        return None
    return str(found["name"])


def _digest_of_password(person: Person) -> str:
    return salted_hmac(_SALT, person.password, algorithm="sha256").hexdigest()
