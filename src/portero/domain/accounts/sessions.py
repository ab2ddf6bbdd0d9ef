"""Sessions as Django keeps them, but for one thing: the database holds a digest of each key.

Whoever reads the table, or a backup of it, cannot put on somebody's cookie.
"""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as Stored
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from typing_extensions import override

from portero.domain.accounts.models import Session

_KEY_BYTES = 32


class SessionStore(Stored):
    @classmethod
    @override
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_new_session_key(self) -> str:
        return secrets.token_urlsafe(_KEY_BYTES)

    def _get_session_from_db(self) -> Session | None:
        try:
            return Session.objects.get(
                session_key=_digest(self.session_key), expire_date__gt=timezone.now()
            )
        except (Session.DoesNotExist, SuspiciousOperation):
            self._session_key = None
            return None

    @override
    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=_digest(session_key)).exists()

    @override
    def create_model_instance(self, data: dict[str, object]) -> Session:
        person = data.get(SESSION_KEY)
        return Session(
            session_key=_digest(self._key()),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            person_id=UUID(str(person)) if person is not None else None,
        )

    def _key(self) -> str:
        if self._session_key is None:
            self._session_key = self._get_new_session_key()
        return self._session_key

    @override
    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=_digest(key)).delete()

    # Nothing of ours is asynchronous here, and what is inherited would look for keys in clear.

    async def _aget_session_from_db(self) -> Session | None:
        raise NotImplementedError

    @override
    async def aexists(self, session_key: str) -> bool:
        raise NotImplementedError

    @override
    async def acreate_model_instance(self, data: dict[str, object]) -> Session:
        raise NotImplementedError

    @override
    async def adelete(self, session_key: str | None = None) -> None:
        raise NotImplementedError


def end_sessions(person: UUID, *, but: str | None) -> None:
    """End every session of a person, except the one with this key."""
    Session.objects.filter(person_id=person).exclude(session_key=_digest(but)).delete()


def end_expired_sessions() -> None:
    """Forget the sessions that nobody can use any more."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _digest(key: str | None) -> str:
    return hashlib.sha256((key or "").encode()).hexdigest()
