"""What allauth asks of us: how passwords and factors are kept, and that nobody signs up unasked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import time
import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import (
    get_authentication_records,
    record_authentication,
)
from allauth.core import context
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
    authenticator_used,
)
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import Signal, receiver
from django.http import HttpRequest
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from typing_extensions import override

from portero.console import keeping, known_devices, visits
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.accounts.services import throttling
from portero.domain.accounts.services.throttling import Try
from portero.domain.accounts.sessions import BEGAN, end_expired_sessions, end_sessions
from portero.domain.notices import services as notices
from portero.domain.notices.services import Letter
from portero.store.sealing import KeyRing, Place

# allauth seals without telling whose value it is, so the place names the table and no row.
_HOUR_MIN = 60
_VERSION = "pepper="
_FACTOR = Place(UUID(int=0), "mfa_authenticator", "data", UUID(int=0))


class Argon2id(Argon2PasswordHasher):
    """Argon2id over the password keyed with the pepper, which is not in the database (B1.3).

    What is kept names the version of the pepper, so that a try costs one hash whatever became of the
    pepper since, and as much as a try at nobody's account (A03). Without a version it is the oldest.
    """

    algorithm = "portero_argon2id"
    time_cost = 2
    memory_cost = 47 * 1024  # KiB
    parallelism = 1

    @override
    def encode(self, password: str, salt: str) -> str:
        version = _pepper().version
        made: str = super().encode(_keyed(password, version), salt)
        return made.replace("$", f"${_VERSION}{version}$", 1)

    @override
    def verify(self, password: str, encoded: str) -> bool:
        version, plain = _versioned(encoded)
        # Under a pepper that is gone nothing fits, and the time is the same.
        has_it = _pepper().key(version) is not None
        keyed = _keyed(password, version if has_it else _pepper().version)
        return bool(super().verify(keyed, plain)) and has_it

    @override
    def decode(self, encoded: str) -> dict[str, Any]:
        decoded: dict[str, Any] = super().decode(_versioned(encoded)[1])
        return decoded

    @override
    def must_update(self, encoded: str) -> bool:
        is_old = _versioned(encoded)[0] != _pepper().version
        return is_old or bool(super().must_update(encoded))


def _pepper() -> KeyRing:
    ring: KeyRing = settings.PORTERO_PEPPER
    return ring


def _keyed(password: str, version: int) -> str:
    key = _pepper().key(version)
    assert key is not None  # noqa: S101 - the version is one of the ring's
    text = unicodedata.normalize("NFKC", password)
    digest = hmac.digest(key.reveal(), text.encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def _versioned(encoded: str) -> tuple[int, str]:
    """Under which pepper a password is kept, and the rest as Django knows it."""
    algorithm, first, rest = encoded.split("$", 2)
    if first.startswith(_VERSION):
        return int(first.removeprefix(_VERSION)), f"{algorithm}${rest}"
    return _pepper().oldest, encoded


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False  # people are invited

    @override
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Ours in place of allauth's five failures, which lock out whoever is guessed at."""
        tried = _try_of(request, credentials)
        wait = throttling.begin(tried)
        if wait is not None:
            raise too_often(wait)
        self._tried = tried

    @override
    def is_safe_url(self, url: str) -> bool:
        """A path of ours, and nothing that names a host (A19)."""
        is_path = url.startswith("/") and not url.startswith(("//", "/\\"))
        return is_path and bool(super().is_safe_url(url))

    def _rollback_login_failed_rl_usage(self) -> None:
        """What allauth calls when the password was right."""
        throttling.succeeded(self._tried)

    @override
    def is_reauthentication_required(self, *, app: str) -> bool:
        """Not of who showed all they have a moment ago, which allauth would ask for once more."""
        request = context.request
        if is_mfa_enabled(request.user):
            # The page one comes to after making the first factor is no act: it leaves what was shown
            # for the first that is.
            takes = request.method == "POST"
            act = keeping.FACTORS
            if keeping.is_shown_for(request, request.user, act, here=False, takes=takes):
                return False
            raise ReauthenticationRequired
        shown = [
            float(record["at"])
            for record in get_authentication_records(request, request.user)
            if record["method"] in {"mfa", "password"}
        ]
        if not shown or time.time() - max(shown) >= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
            # Answered with True, allauth would take a password that was shown again for enough.
            raise ReauthenticationRequired
        return False

    @override
    def get_reauthentication_methods(self, user: Person) -> list[dict[str, Any]]:
        """Whoever has a second factor shows that; a password alone is for who has none yet."""
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if is_mfa_enabled(user):
            ways = [one for one in found if one["id"] != "reauthenticate"]
            return sorted(ways, key=lambda one: "webauthn" not in one["id"])  # passkeys first
        return found


def _try_of(request: HttpRequest, credentials: Mapping[str, Any]) -> Try:
    email = str(credentials.get("email") or credentials.get("username") or "")
    person = Person.objects.filter(email__iexact=email).first()
    device = known_devices.device_of(request, person) if person is not None else None
    return Try(email, request.META["REMOTE_ADDR"], device)


def too_often(wait: timedelta) -> ValidationError:
    """For a try that is not looked at."""
    return ValidationError(
        _("That was wrong too often. Try again in %(wait)s.") % {"wait": _in_words(wait)},
        code="too_many_login_attempts",
    )


def _in_words(wait: timedelta) -> str:
    minutes = math.ceil(wait.total_seconds() / 60)
    if wait < timedelta(minutes=1):
        seconds = math.ceil(wait.total_seconds())
        return ngettext("one second", "%(count)s seconds", seconds) % {"count": seconds}
    if minutes < _HOUR_MIN:
        return ngettext("one minute", "%(count)s minutes", minutes) % {"count": minutes}
    hours = math.ceil(minutes / _HOUR_MIN)
    return ngettext("one hour", "%(count)s hours", hours) % {"count": hours}


class Factors(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    @override
    def encrypt(self, text: str) -> str:
        return base64.b64encode(settings.PORTERO_KEK.seal(_FACTOR, text.encode())).decode()

    @override
    def decrypt(self, encrypted_text: str) -> str:
        sealed = base64.b64decode(encrypted_text)
        text: str = settings.PORTERO_KEK.open(_FACTOR, sealed).reveal().decode()
        return text


@receiver(authenticator_added)
def _a_new_factor_was_just_shown(
    sender: object, request: HttpRequest, user: Person, authenticator: Authenticator, **_more: Any
) -> None:
    """Who sets a factor up has shown it: they are not asked for it once more."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record_authentication(
            request, user, method="mfa", type=authenticator.type, id=authenticator.pk
        )


@receiver(authenticator_used)
def _shown_again(
    sender: object,
    request: HttpRequest,
    user: Person,
    reauthenticated: bool = False,
    **_more: Any,
) -> None:
    """A session that may do more from now on has another id (B2.1, A09)."""
    if reauthenticated:
        keeping.take_what_was_shown(request, user)
        request.session.cycle_key()


@receiver([authenticator_added, authenticator_removed, authenticator_reset])
def _other_sessions_end(
    sender: object,
    signal: Signal,
    request: HttpRequest,
    user: Person,
    authenticator: Authenticator,
    **_more: Any,
) -> None:
    """Whoever had a session before a factor changed has none after, and ours has a new id."""
    request.session.cycle_key()
    end_sessions(user.pk, but=request.session.session_key)
    # Recovery codes are made along with the first factor: one mail tells of both, and undoes both.
    is_told = getattr(request, "factor_told", False)
    visits.attributes(request).factor_told = True
    if user.last_login is not None and not is_told:
        if signal is authenticator_added:
            undoes = accounts.remember(person=user.pk, but=authenticator.pk)
        else:  # what is gone was remembered before it went
            undoes = request.sign_in_before  # type: ignore[attr-defined]  # by `console.factors`
        notices.tell(Letter(user.pk, "factor_changed", undoes=undoes))


@receiver(user_logged_in)
def _remember_the_language(
    sender: object, request: HttpRequest, user: Person, **_more: Any
) -> None:
    """Mails come in the language that somebody reads."""
    spoken = get_language()
    if spoken and spoken != user.spoken:
        user.spoken = spoken
        user.save(update_fields=["spoken"])


@receiver(user_logged_in)
def _begin(sender: object, request: HttpRequest, **_more: Any) -> None:
    """A session begins here, not with its first page: who is signed out between the two stays out."""
    request.session[BEGAN] = time.time()


@receiver(user_logged_in)
def _clear_away(sender: object, **_more: Any) -> None:
    """Whoever signs in clears away the sessions that nobody can use any more."""
    end_expired_sessions()
