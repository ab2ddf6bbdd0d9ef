"""The kinds of things Graph names by id, and the small values every part of a call is made of."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from portero.engine.values import valueclass


class Kind(StrEnum):
    """What an id stands for. A bare numeric id does not say; the workspace's registry does."""

    NUMBER = "number"
    WABA = "waba"
    TEMPLATE = "template"
    TEMPLATE_GROUP = "template_group"
    MEDIA = "media"
    FLOW = "flow"
    BUSINESS = "business"
    APP = "app"
    GROUP = "group"
    JOIN_REQUEST = "join_request"
    UPLOAD = "upload"
    USER = "user"
    SOLUTION = "solution"
    QR_CODE = "qr_code"
    MESSAGE = "message"
    CALL = "call"
    CATALOG = "catalog"
    SIGNUP = "signup"
    PREVERIFIED_NUMBER = "preverified_number"
    HISTORY = "history"
    INTENT = "intent"
    BOT = "bot"
    PROFILE = "profile"


_DECIMAL = re.compile(r"[0-9]{1,20}")
_WAMID = re.compile(r"wamid\.[A-Za-z0-9+/=_-]{4,512}")
_SHAPES: Mapping[Kind, re.Pattern[str]] = {
    Kind.GROUP: re.compile(r"(?=[^.]*[A-Za-z])[A-Za-z0-9_=-]{8,256}"),
    Kind.JOIN_REQUEST: re.compile(r"[A-Za-z0-9_=-]{1,256}"),
    Kind.UPLOAD: re.compile(r"upload:[A-Za-z0-9_=-]{4,1024}"),
    Kind.QR_CODE: re.compile(r"[A-Za-z0-9]{8,32}"),
    Kind.MESSAGE: _WAMID,
    Kind.CALL: re.compile(r"wacid\.[A-Za-z0-9+/=_-]{4,512}"),
}


def has_shape(kind: Kind, value: str) -> bool:
    """Whether `value` is spelled as an id of `kind`: ASCII only, the whole string (B4.3)."""
    return _SHAPES.get(kind, _DECIMAL).fullmatch(value) is not None


def spelling_of(kind: Kind) -> str:
    """The regular expression that the whole of an id of `kind` fits."""
    return _SHAPES.get(kind, _DECIMAL).pattern


CHECKED_BY_PARENT: Final = frozenset({Kind.QR_CODE, Kind.JOIN_REQUEST})
"""Kinds that mean something only beneath the number or group of the same request.

Graph itself looks them up there, so they need no entry of their own in the registry.
"""


@valueclass(frozen=True, slots=True)
class IdRef:
    """One id in a request and where it stands: `path`, `query.hsm_id`, `body.image.id`."""

    kind: Kind
    value: str
    place: str


@valueclass(frozen=True, slots=True)
class TemplateRef:
    """The template a request uses or changes: by name and language, or by id.

    `language` None means every language of the name; `id` None means the name decides.
    """

    name: str
    language: str | None = None
    id: str | None = None


class RecipientKind(StrEnum):
    """How a recipient is addressed."""

    PHONE = "phone"
    BSUID = "bsuid"
    GROUP = "group"


@valueclass(frozen=True, slots=True)
class Recipient:
    """Somebody a request reaches.

    `value` is canonical: E.164 digits without plus, a business-scoped user id, or a group id.
    `original` is what the caller wrote. `country` is ISO 3166 alpha-2, None when unknown.
    `identity` is the one form shared by the national twins of a number (Mexico 52/521, Argentina
    54/549, Brazil's ninth digit); every rule about a customer hangs on it.
    """

    kind: RecipientKind
    value: str
    original: str
    country: str | None
    identity: str
