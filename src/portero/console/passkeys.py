"""What passkeys must show beyond what the library asks (B1.5).

A challenge is good for five minutes and for one answer, right or wrong. The answer was not given
inside another site's page, says of its backup what it said when it was made, and counts upwards: two
devices that count apart are copies of one key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal import auth
from django.http import HttpRequest, HttpResponse
from fido2.webauthn import (
    AuthenticationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)

CHALLENGE_S = 300
_BEGUN = "passkey_challenge"
_COUNT = "sign_count"

logger = logging.getLogger(__name__)


class Challenges:
    """Remembers when a session was given its challenge."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._get_response(request)
        state = request.session.get(auth.STATE_SESSION_KEY)
        if state is not None and not _is_known(request, state):
            request.session[_BEGUN] = [state["challenge"], time.time()]
        return answer


def _is_known(request: HttpRequest, state: dict[str, Any]) -> bool:
    challenge, _begun = request.session.get(_BEGUN, (None, 0))
    return bool(challenge == state["challenge"])


def _refused() -> Exception:
    error: Exception = get_adapter().validation_error("incorrect_code")
    return error


@contextmanager
def _answering(response: AuthenticationResponse | RegistrationResponse) -> Iterator[None]:
    """Use up the session's challenge by an answer, whether the block finds it right or wrong."""
    state = auth.get_state()
    request = context.request
    _challenge, begun = request.session.get(_BEGUN, (None, 0.0))
    try:
        is_ours = state is not None and _is_known(request, state)
        if not is_ours or time.time() - begun > CHALLENGE_S:
            raise _refused()
        _require_own_page(response.response.client_data)
        yield
    finally:
        auth.clear_state()


_Response = TypeVar("_Response", AuthenticationResponse, RegistrationResponse)


def _read(kind: type[_Response], credential: Any) -> _Response:
    try:
        found: _Response = kind.from_dict(credential)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise _refused() from None
    return found


class _Shown:
    """Beside a form of allauth's, for a passkey that was made before."""

    def clean_credential(self: Any) -> Authenticator:
        given = _read(AuthenticationResponse, self.cleaned_data["credential"])
        with _answering(given):
            authenticator: Authenticator = super().clean_credential()  # type: ignore[misc]  # of the form
            answered = given.response.authenticator_data
            made = authenticator.wrap().authenticator_data
            same = answered.is_backup_eligible() == made.is_backup_eligible()
            if not same or not _is_consistent(answered):
                raise _refused()
            _count(authenticator, made.counter, answered.counter)
        return authenticator


class _Made:
    """Beside a form of allauth's, for a new passkey."""

    def clean(self: Any) -> dict[str, Any]:
        credential = self.cleaned_data.get("credential")
        if not credential:
            raise _refused()
        given = _read(RegistrationResponse, credential)
        with _answering(given):
            if not _is_consistent(given.response.attestation_object.auth_data):
                raise _refused()
            cleaned: dict[str, Any] = super().clean()  # type: ignore[misc]  # of the form it stands beside
        return cleaned


def _require_own_page(said: CollectedClientData) -> None:
    """Asked for by a page of ours: of no subdomain, and in no frame of somebody else's page."""
    request = context.request
    is_framed = said.cross_origin or "topOrigin" in said._data  # noqa: SLF001 - it has no other reader
    if is_framed or said.origin != f"{request.scheme}://{request.get_host()}":
        raise _refused()


def _is_consistent(data: AuthenticatorData) -> bool:
    """What cannot be backed up is not backed up."""
    return data.is_backup_eligible() or not data.flags & data.FLAG.BACKUP_STATE


def _count(authenticator: Authenticator, made_at: int, count: int) -> None:
    """Zero is of devices that do not count."""
    before = max(made_at, authenticator.data.get(_COUNT, 0))
    if (count or before) and count <= before:
        logger.warning("a passkey counted %s after %s: is there a copy of it?", count, before)
        raise _refused()
    if not count:
        return
    # By one update: of two answers with one count the second finds it taken.
    taken = Authenticator.objects.filter(pk=authenticator.pk, data=authenticator.data).update(
        data={**authenticator.data, _COUNT: count}
    )
    if not taken:
        raise _refused()
    authenticator.refresh_from_db(fields=["data"])


class Login(_Shown, LoginWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    pass


class Authenticate(_Shown, AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    pass


class Reauthenticate(_Shown, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # likewise
    pass


class Add(_Made, AddWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    pass
