"""Codes of an app work once and in order (B1.6, B1.7), and are not guessed for ever (B1.8)."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portero.console import known_devices
from portero.console.signing_in import too_often
from portero.domain.accounts.models import Person
from portero.domain.accounts.services import throttling
from portero.domain.accounts.services.throttling import FactorTry

_LAST_STEP = "last_step"


class _Once:
    """Beside a form of allauth's, which says whether a code is right."""

    def clean_code(self: Any) -> str:
        request = context.request
        tried = FactorTry(self.user.pk, known_devices.device_of(request, self.user))
        if (wait := throttling.begin(tried)) is not None:
            raise too_often(wait)
        try:
            code: str = super().clean_code()  # type: ignore[misc]  # of the form it stands beside
        except ValidationError as error:
            if error.code == "incorrect_code" and _was_used(self.user, self.cleaned_data["code"]):
                raise _used() from error
            raise
        if self.authenticator.type == Authenticator.Type.TOTP:
            _use_up(self.authenticator, code)
        throttling.succeeded(tried)
        return code


def _use_up(authenticator: Authenticator, code: str) -> None:
    """Take a code of a later half minute than every one before it, or none."""
    step = _step_of(authenticator, code)
    # By one update: of two that come at once, one finds it taken.
    if step <= authenticator.data.get(_LAST_STEP, -1) or not Authenticator.objects.filter(
        pk=authenticator.pk, data=authenticator.data
    ).update(data={**authenticator.data, _LAST_STEP: step}):
        raise _used()
    authenticator.refresh_from_db(fields=["data"])


def _was_used(user: Person, code: str) -> bool:
    """Whether a code is a right one that is taken no more, for itself or for one after it."""
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    return app is not None and 0 <= _step_of(app, code) <= app.data.get(_LAST_STEP, -1)


def _used() -> ValidationError:
    # It tells who has the password nothing they could use: no code follows from one before it, and
    # the try is counted all the same.
    return ValidationError(
        _("This code was used already. Wait until your app shows the next one."), code="used_code"
    )


def _step_of(authenticator: Authenticator, code: str) -> int:
    """Of which half minute a code is, counted from 1970; -1 where it is none of now."""
    digits = "".join(one for one in code if one.isdigit())
    secret = get_adapter().decrypt(authenticator.data["secret"])
    fitting = [
        step
        for step in yield_hotp_counters_from_time()
        if compare_digest(format_hotp_value(hotp_value(secret, step)), digits)
    ]
    return max(fitting, default=-1)


class Authenticate(_Once, AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass


class Reauthenticate(_Once, ReauthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass
