"""The world file: the JSON document an emulator starts from, read into objects.

Its format is part of the public interface (`docs/how-to/sandbox.md`). Unknown keys are refused, so
that a misspelt one does not silently do nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portero.sandbox.objects import (
    App,
    Business,
    Callback,
    Json,
    Number,
    Scope,
    Template,
    Token,
    Waba,
)
from portero.sandbox.phones import digits_of, wa_id_of

_MAX_ID_DIGITS = 15  # one official client reads ids as doubles
_WABA_INFO = {"currency": "USD", "timezone_id": "1", "country": "US"}
_NUMBER_INFO = {
    "verified_name": "Test Number",
    "quality_rating": "GREEN",
    "code_verification_status": "VERIFIED",
    "name_status": "APPROVED",
    "platform_type": "CLOUD_API",
    "account_mode": "LIVE",
    "country": "US",
    "is_official_business_account": False,
    "messaging_limit": "TIER_100K",
}


class WorldError(ValueError):
    """A world document cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How soon things happen, in seconds after their cause; None means never by themselves."""

    sent_s: float | None = 0.0
    delivered_s: float | None = 0.0
    read_s: float | None = None
    review_s: float | None = 0.0
    retry_s: tuple[float, ...] = (0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Meta's ceilings, each of which a world may lift by `false`."""

    pair: bool = True
    throughput: bool = True
    messaging: bool = True


def fields(source: Any, where: str, *, needed: Iterable[str] = (), known: Iterable[str]) -> Json:
    """`source` as an object with the `needed` keys and no others than `known`.

    Raises:
        WorldError: it is not.
    """
    if not isinstance(source, Mapping):
        raise WorldError(f"{where} must be an object")
    if missing := [key for key in needed if key not in source]:
        raise WorldError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(set(source) - set(needed) - set(known)):
        raise WorldError(f"{where} has unknown keys: {', '.join(unknown)}")
    return dict(source)


def identifier(value: Any, where: str) -> str:
    """An id of the emulator: digits, at most fifteen."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS):
        raise WorldError(f"{where} must be a string of at most {_MAX_ID_DIGITS} digits")
    return text


def customer_from(phone: object) -> str:
    """The WhatsApp id of a customer's phone number."""
    digits = digits_of(str(phone))
    if not digits:
        raise WorldError(f"{phone!r} is not a phone number")
    return wa_id_of(digits)


def app_from(source: Any) -> App:
    data = fields(source, "app", needed=("app_id", "app_secret", "verify_token"), known=("name",))
    return App(
        id=identifier(data["app_id"], "app.app_id"),
        secret=data["app_secret"],
        verify_token=data["verify_token"],
        name=data.get("name", "Sandbox App"),
    )


def business_from(source: Any) -> Business:
    data = fields(source, "business", needed=("id",), known=("name",))
    return Business(identifier(data["id"], "business.id"), data.get("name", "Sandbox Business"))


def callback_from(source: Any, verify_token: str) -> Callback | None:
    if source is None:
        return None
    data = fields(source, "callback", needed=("url",), known=("verify_token", "fields"))
    names = data.get("fields")
    return Callback(
        url=data["url"],
        verify_token=data.get("verify_token", verify_token),
        fields=None if names is None else frozenset(names),
    )


def token_from(source: Any, position: int) -> Token:
    known = ("scopes", "expires_at", "user_id", "name", "wabas")
    data = fields(source, f"tokens[{position}]", needed=("token",), known=known)
    wabas = data.get("wabas")
    return Token(
        token=data["token"],
        scopes=frozenset(data.get("scopes", list(Scope))),
        user_id=str(data.get("user_id", 100000000000 + position)),
        name=data.get("name", "System User"),
        expires_at=int(data.get("expires_at", 0)),
        wabas=None if wabas is None else frozenset(map(str, wabas)),
    )


def waba_from(source: Any) -> tuple[Waba, list[Number], list[Json]]:
    """An account, its numbers, and its templates still as written (ids come with the world)."""
    known = ("name", "numbers", "templates", "subscribed", *_WABA_INFO)
    data = fields(source, "waba", needed=("id",), known=known)
    waba_id = identifier(data["id"], "waba.id")
    waba = Waba(
        id=waba_id,
        name=data.get("name", "Sandbox Account"),
        info={key: data.get(key, default) for key, default in _WABA_INFO.items()},
        subscribed=bool(data.get("subscribed", True)),
    )
    numbers = [number_from(item, waba_id) for item in data.get("numbers", [])]
    return waba, numbers, list(data.get("templates", []))


def number_from(source: Any, waba_id: str) -> Number:
    known = ("throughput", "registered", "pin", "allowed_recipients", *_NUMBER_INFO)
    data = fields(source, "number", needed=("id", "display_phone_number"), known=known)
    info = {key: data.get(key, default) for key, default in _NUMBER_INFO.items()}
    info["display_phone_number"] = data["display_phone_number"]
    info["throughput"] = {"level": data.get("throughput", "STANDARD")}
    allowed = data.get("allowed_recipients")
    return Number(
        id=identifier(data["id"], "number.id"),
        waba_id=waba_id,
        info=info,
        registered=bool(data.get("registered", True)),
        pin=data.get("pin"),
        allowed_recipients=None if allowed is None else frozenset(map(customer_from, allowed)),
    )


def template_from(source: Any, waba_id: str, next_id: str) -> Template:
    known = ("id", "status", "components", "parameter_format", "quality", "rejected_reason")
    data = fields(source, "template", needed=("name", "language", "category"), known=known)
    status = data.get("status", "APPROVED")
    return Template(
        id=identifier(data.get("id", next_id), "template.id"),
        waba_id=waba_id,
        name=data["name"],
        language=data["language"],
        category=data["category"],
        status=status,
        components=list(data.get("components", [{"type": "BODY", "text": data["name"]}])),
        parameter_format=data.get("parameter_format", "POSITIONAL"),
        quality=data.get("quality", "UNKNOWN"),
        rejected_reason=data.get(
            "rejected_reason", "INVALID_FORMAT" if status == "REJECTED" else "NONE"
        ),
    )


def speed_from(source: Any) -> Speed:
    known = ("sent_ms", "delivered_ms", "read_ms", "review_ms", "retry_ms")
    data = fields(source, "speed", known=known)
    given: Json = {}
    for key, value in data.items():
        name = key.removesuffix("_ms") + "_s"
        if key == "retry_ms":
            given[name] = tuple(ms / 1000 for ms in value)
        else:
            given[name] = None if value is None else value / 1000
    return Speed(**given)


def limits_from(source: Any) -> Limits:
    return Limits(**fields(source, "limits", known=("pair", "throughput", "messaging")))
