"""The lens of a session: with whose eyes it looks, until when, and what of a page it lets through."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.utils.translation import gettext as _

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, Lens

LENS_S = 15 * 60
_KEY = "lens"
_LOG = r'"?(?:record|record_open|outbox)"?\b'
_READS = re.compile(
    rf"\s*(?:SELECT\b|SAVEPOINT\b|RELEASE\b|ROLLBACK\b|INSERT INTO {_LOG}"
    r"|WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE|MERGE)\b))",
    re.IGNORECASE | re.DOTALL,
)
# Whatever may stand before the @ (RFC 5322, as a page escapes it), also of an address within a link,
# which then leads nowhere: that is the safer side to be wrong on. It is looked for from the beginning
# of such a run alone: a long one without an @ would take as many looks as it has letters.
_SIGN = r"[\w.!#$*+/=?^`{|}~'-]"
_LOCAL = rf"(?:{_SIGN}|%(?!40)|&#x27;|&#39;|&amp;)"
_BEGINS = rf"(?<!{_SIGN})(?<!&#x27;)(?<!&#39;)(?<!&amp;)"
_EMAIL = re.compile(
    rf"(?:{_BEGINS}({_LOCAL}){_LOCAL}*+|(&quot;)[^<>@]{{0,64}}&quot;)(?:@|%40)"
    r"(?:(?:[\w-]+\.)+[\w-]+|localhost\b|\[[\w.:]+\])"
)
_PHONE = re.compile(
    r"""\+\d[\d  ().-]{5,18}(\d\d)(?!\d)|(?<![\w=/.-])(?<!option value=")\d{8,13}(\d\d)(?![\w/.-])"""
)


class _Kept(TypedDict):
    workspace: str
    viewer: str
    kind: Literal["person", "role"]
    of: str
    name: str
    zone: str
    until: float


@dataclass(frozen=True, slots=True)
class Held:
    """The lens of a session."""

    workspace: UUID
    viewer: UUID
    lens: Lens
    name: str
    """Of the person or the role, as it was when the lens was put on."""
    zone: str
    """The workspace's, in which the bar says until when."""
    until: float

    @property
    def is_over(self) -> bool:
        return time.time() >= self.until

    def actor(self) -> Actor:
        """Who looks, as themselves."""
        return Actor(self.workspace, self.viewer, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the bar says."""

    name: str
    is_role: bool
    until: datetime
    zone: str


def held(request: HttpRequest) -> Held | None:
    return held_by(request.session)


def held_by(session: SessionBase) -> Held | None:
    """The lens of a session, also one whose time is over."""
    kept = cast("_Kept | None", session.get(_KEY))
    if kept is None:
        return None
    lens = Lens(kept["kind"], UUID(kept["of"]))
    return Held(
        UUID(kept["workspace"]),
        UUID(kept["viewer"]),
        lens,
        kept["name"],
        kept["zone"],
        kept["until"],
    )


def shown(request: HttpRequest) -> Shown | None:
    """What the bar says, on every page that is looked at through a lens."""
    found = held(request) if hasattr(request, "session") else None
    if found is None or found.is_over:
        return None
    until = datetime.fromtimestamp(found.until, UTC)
    return Shown(found.name, found.lens.kind == "role", until, found.zone)


def begin(request: HttpRequest, actor: Actor, lens: Lens, *, name: str, zone: str) -> None:
    """Put a lens on. It belongs to this session, this workspace and this target, and ends by itself."""
    kept: _Kept = {
        "workspace": str(actor.workspace),
        "viewer": actor.id,
        "kind": lens.kind,
        "of": lens.id,
        "name": name,
        "zone": zone,
        "until": time.time() + LENS_S,
    }
    request.session[_KEY] = kept
    # A form from before the lens is none of it, and one from under it nothing afterwards.
    rotate_token(request)


def end(request: HttpRequest, why: str) -> None:
    """Take the lens off: `asked`, `time`, `withdrawn`."""
    found = held(request)
    if found is not None:
        access.close_lens(actor=found.actor(), lens=found.lens, why=why)
        del request.session[_KEY]
        rotate_token(request)


def end_if_over(request: HttpRequest) -> None:
    found = held(request)
    if found is not None and found.is_over:
        end(request, "time")
        messages.warning(
            request, _("You see the console with your own eyes again: the time was over.")
        )


def withdraw(request: HttpRequest) -> None:
    end(request, "withdrawn")
    messages.warning(
        request, _("You see the console with your own eyes again: this is not yours to see.")
    )


class WouldWrite(Exception):
    """A page that is looked at through a lens tried to write."""


def only_reads(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    if not _READS.match(sql):
        raise WouldWrite(sql.split(maxsplit=3)[:3])
    return execute(sql, params, many, context)


def masked(answer: HttpResponseBase) -> HttpResponseBase:
    """The page with personal data masked; files and streams are not for looking."""
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    if not isinstance(answer, HttpResponse) or (answer.content and not is_page):
        return HttpResponse(status=403)
    if is_page:
        answer.content = mask(answer.content.decode(answer.charset)).encode(answer.charset)
    return answer


def mask(page: str) -> str:
    """Of an address the first letter stays, of a phone number the last two digits."""
    page = _EMAIL.sub(lambda found: f"{found[1] or found[2]}···@···", page)
    return _PHONE.sub(lambda found: f"···{found[1] or found[2]}", page)
