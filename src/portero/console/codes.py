"""Codes of an app work once, and are remembered for longer than they could work (B1.6, B1.7)."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from django.core.cache import cache

# A code works in its own half minute and in those beside it; allauth forgets after one.
_REMEMBERED_S = 150


class _Once:
    """Beside a form of allauth's, which says whether a code is right."""

    def clean_code(self: Any) -> str:
        code: str = super().clean_code()  # type: ignore[misc]  # of the form it stands beside
        if self.authenticator.type == Authenticator.Type.TOTP:
            digits = "".join(one for one in code if one.isdigit())
            # By one insert: of two that come at once, one finds it taken.
            if not cache.add(f"totp:{self.user.pk}:{digits}", 1, timeout=_REMEMBERED_S):
                raise get_adapter().validation_error("incorrect_code")
        return code


class Authenticate(_Once, AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass


class Reauthenticate(_Once, ReauthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass
