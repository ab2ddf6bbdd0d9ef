"""Sessions as Django keeps them, but for one thing: the database holds a digest of each key.

Whoever reads the table, or a backup of it, cannot put on somebody's cookie.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as Stored
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from typing_extensions import override

from portero.domain.access.models import Principal
from portero.domain.accounts.models import Session
from portero.domain.audit.models import in_workspace

_KEY_BYTES = 32
_LISTED = 50
_AGENT_MAX = 300
SEEN, BEGAN, ADDRESS, AGENT, WORKSPACE = "seen", "began", "address", "agent", "workspace"
"""What a session says of itself: when it was last used and begun (epoch seconds), from where, by
what, and in which workspace. Columns tell the same, to be listed."""


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
        person, seen, workspace = data.get(SESSION_KEY), data.get(SEEN), data.get(WORKSPACE)
        return Session(
            session_key=_digest(self._key()),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            person_id=UUID(str(person)) if person is not None else None,
            sits_in=UUID(str(workspace)) if workspace is not None else None,
            created_at=_moment(data.get(BEGAN)) or timezone.now(),
            seen_at=_moment(seen),
            address=str(data.get(ADDRESS, "")),
            agent=str(data.get(AGENT, ""))[:_AGENT_MAX],
        )

    @override
    def cycle_key(self) -> None:
        """Another key for this session, if it is still there: what was ended does not come back."""
        old = self.session_key
        if old is None:
            super().cycle_key()
            return
        self.get(SEEN)  # read now: under its new key it would be read anew
        new = self._get_new_session_key()
        moved = Session.objects.filter(session_key=_digest(old)).update(session_key=_digest(new))
        if not moved:
            raise SessionInterrupted("the session ended meanwhile")
        self._session_key = new
        self.modified = True

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


def digest_of(key: str | None) -> str:
    """What the database calls a session, by its cookie."""
    return _digest(key)


def end_sessions(person: UUID, *, but: str | None) -> int:
    """End every session of a person, except the one with this key; returns how many."""
    ended, _ = Session.objects.filter(person_id=person).exclude(session_key=_digest(but)).delete()
    return ended


@contextmanager
def factors_taken(key: str | None) -> Iterator[dict[float, str]]:
    """For which kind of act each second factor of a session was, by when it was shown, to be changed.

    One request at a time has it, and none writes it back with the rest of the session, which it may
    have read long ago: else a factor would be free again, or for two (R22). Raises SessionInterrupted.
    """
    with transaction.atomic():
        rows = Session.objects.filter(session_key=_digest(key))
        held = rows.select_for_update().values_list("factors_taken", flat=True).first()
        if held is None:
            raise SessionInterrupted("the session ended meanwhile")
        taken = {float(at): act for at, act in held}
        yield taken
        rows.update(factors_taken=list(taken.items()))


def begun_between(person: UUID, after: datetime | None, until: datetime) -> int:
    """How many sessions of a person are open that were begun in a span of time."""
    found = Session.objects.filter(person_id=person, expire_date__gt=until, created_at__lte=until)
    return (found if after is None else found.filter(created_at__gt=after)).count()


def note_seen(*, workspace: UUID, principal: UUID) -> None:
    """Keep that a member did something in a workspace just now."""
    with in_workspace(workspace):
        Principal.objects.filter(id=principal).update(seen_at=Now())


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser in which somebody is signed in."""

    digest: str
    """Of its cookie: a name for it that lets nobody in."""
    begun: datetime
    seen: datetime | None
    address: str
    agent: str
    is_this: bool


def sessions_of(person: UUID, *, this: str | None = None) -> list[OpenSession]:
    """Where a person is signed in, the latest first; `this` is the key of who asks."""
    mine = _digest(this)
    rows = Session.objects.filter(person_id=person, expire_date__gt=timezone.now())
    return [
        OpenSession(
            row.session_key,
            row.created_at,
            row.seen_at,
            row.address,
            row.agent,
            row.session_key == mine,
        )
        for row in rows.order_by("-created_at")[:_LISTED]
    ]


def end_session(person: UUID, digest: str) -> bool:
    """End one session of a person; returns whether there was one."""
    ended, _ = Session.objects.filter(person_id=person, session_key=digest).delete()
    return ended > 0


def end_expired_sessions() -> None:
    """Forget the sessions that nobody can use any more."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _moment(at: object) -> datetime | None:
    return datetime.fromtimestamp(float(at), UTC) if isinstance(at, int | float) else None


def _digest(key: str | None) -> str:
    return hashlib.sha256((key or "").encode()).hexdigest()
