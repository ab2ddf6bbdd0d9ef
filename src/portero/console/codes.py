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

from portero.console import known_devices
from portero.console.signing_in import too_often
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
        code: str = super().clean_code()  # type: ignore[misc]  # of the form it stands beside
        if self.authenticator.type == Authenticator.Type.TOTP:
            _use_up(self.authenticator, "".join(one for one in code if one.isdigit()))
        throttling.succeeded(tried)
        return code


def _use_up(authenticator: Authenticator, digits: str) -> None:
    """Take a code of a later half minute than every one before it, or none."""
    secret = get_adapter().decrypt(authenticator.data["secret"])
    fitting = [
        step
        for step in yield_hotp_counters_from_time()
        if compare_digest(format_hotp_value(hotp_value(secret, step)), digits)
    ]
    step = max(fitting, default=-1)  # -1: it went out of time since it was found right
    # By one update: of two that come at once, one finds it taken.
    if step <= authenticator.data.get(_LAST_STEP, -1) or not Authenticator.objects.filter(
        pk=authenticator.pk, data=authenticator.data
    ).update(data={**authenticator.data, _LAST_STEP: step}):
        raise get_adapter().validation_error("incorrect_code")
    authenticator.refresh_from_db(fields=["data"])


class Authenticate(_Once, AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass


class Reauthenticate(_Once, ReauthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass
