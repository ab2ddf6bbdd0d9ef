"""The world file: the JSON document an emulator starts from, read into objects.

Its format is part of the public interface (`docs/how-to/sandbox.md`). Unknown keys are refused, so
that a misspelt one does not silently do nothing, and so is what nobody could work with.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portero.sandbox.objects import (
    CATEGORIES,
    App,
    Business,
    Callback,
    Json,
    Number,
    Person,
    Scope,
    Template,
    Token,
    Waba,
)
from portero.sandbox.phones import digits_of, wa_id_of
from portero.sandbox.rates import PER_SECOND, TIERS

_MAX_ID_DIGITS = 15  # one official client reads ids as doubles
TEMPLATE_STATUSES = (
    "APPROVED",
    "ARCHIVED",
    "DELETED",
    "DISABLED",
    "IN_APPEAL",
    "LIMIT_EXCEEDED",
    "PAUSED",
    "PENDING",
    "PENDING_DELETION",
    "REJECTED",
)
_ROLES = ("ADMIN", "EMPLOYEE", "DEVELOPER", "FINANCE_ANALYST", "FINANCE_EDITOR")
_WABA_INFO = {"currency": "USD", "timezone_id": "1", "country": "US"}
_NUMBER_INFO: Json = {
    "verified_name": "Test Number",
    "quality_rating": "GREEN",
    "code_verification_status": "VERIFIED",
    "name_status": "APPROVED",
    "platform_type": "CLOUD_API",
    "account_mode": "LIVE",
    "country": "US",
    "is_official_business_account": False,
    "is_on_biz_app": False,
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


@dataclass(frozen=True, slots=True)
class Part:
    """An object of a document and its place there, to ask for values by kind.

    A key that is absent has the default. Every question raises `WorldError` for a value of another
    kind.
    """

    where: str
    values: Json

    def text(self, key: str, default: str | None = None) -> str:
        """A text."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise WorldError(f"{self.where}.{key} must be a text")
        return value

    def one_of(self, choices: Iterable[str], key: str, default: str | None = None) -> str:
        """One of some texts."""
        value = self.values.get(key, default)
        if value not in (known := list(choices)):
            raise WorldError(f"{self.where}.{key} must be one of {', '.join(known)}")
        return str(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false, and nothing that resembles them."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise WorldError(f"{self.where}.{key} must be true or false")
        return value

    def items(self, key: str) -> list[Any]:
        """A list, empty where there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise WorldError(f"{self.where}.{key} must be a list")
        return value

    def texts(self, key: str, known: Iterable[str] | None = None) -> frozenset[str] | None:
        """A list of texts, all of them `known`; None where there is none."""
        if self.values.get(key) is None:
            return None
        texts = self.items(key)
        if not all(isinstance(text, str) for text in texts):
            raise WorldError(f"{self.where}.{key} must be a list of texts")
        if known is not None and (unknown := sorted(set(texts) - set(known))):
            raise WorldError(f"{self.where}.{key} are unknown: {', '.join(unknown)}")
        return frozenset(texts)


def fields(source: Any, where: str, *, needed: Iterable[str] = (), known: Iterable[str]) -> Part:
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
    return Part(where, dict(source))


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
    part = fields(source, "app", needed=("app_id", "app_secret", "verify_token"), known=("name",))
    return App(
        id=identifier(part.values["app_id"], "app.app_id"),
        secret=part.text("app_secret"),
        verify_token=part.text("verify_token"),
        name=part.text("name", "Sandbox App"),
    )


def business_from(source: Any) -> Business:
    part = fields(source, "business", needed=("id",), known=("name",))
    business_id = identifier(part.values["id"], "business.id")
    return Business(business_id, part.text("name", "Sandbox Business"))


def person_from(source: Any) -> Person:
    part = fields(source, "person", needed=("id", "name"), known=("email", "role"))
    return Person(
        id=identifier(part.values["id"], "person.id"),
        name=part.text("name"),
        email=None if part.values.get("email") is None else part.text("email"),
        role=part.one_of(_ROLES, "role", "EMPLOYEE"),
    )


def prices_from(source: Any) -> dict[str, float]:
    """What a billable message costs, by category, in the account's currency."""
    part = fields(source, "prices", known=map(str.lower, CATEGORIES))
    for key, value in part.values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise WorldError(f"prices.{key} must be an amount from 0")
    return {key: float(value) for key, value in part.values.items()}


def callback_from(source: Any, verify_token: str) -> Callback | None:
    if source is None:
        return None
    part = fields(source, "callback", needed=("url",), known=("verify_token", "fields"))
    return Callback(
        url=part.text("url"),
        verify_token=part.text("verify_token", verify_token),
        fields=part.texts("fields"),
    )


def token_from(source: Any, position: int, waba_ids: Iterable[str]) -> Token:
    known = ("scopes", "expires_at", "user_id", "name", "wabas")
    part = fields(source, f"tokens[{position}]", needed=("token",), known=known)
    scopes, expires_at = part.texts("scopes", list(Scope)), part.values.get("expires_at", 0)
    if type(expires_at) is not int:
        raise WorldError(f"{part.where}.expires_at must be Unix seconds, a whole number")
    return Token(
        token=part.text("token"),
        scopes=frozenset(map(str, Scope)) if scopes is None else scopes,
        user_id=part.text("user_id", str(100000000000 + position)),
        name=part.text("name", "System User"),
        expires_at=expires_at,
        wabas=part.texts("wabas", waba_ids),
    )


def waba_from(source: Any) -> tuple[Waba, list[Number], list[Json]]:
    """An account, its numbers, and its templates still as written (ids come with the world)."""
    known = ("name", "numbers", "templates", "subscribed", "owner", *_WABA_INFO)
    part = fields(source, "waba", needed=("id",), known=known)
    waba_id = identifier(part.values["id"], "waba.id")
    waba = Waba(
        id=waba_id,
        name=part.text("name", "Sandbox Account"),
        info={key: part.text(key, default) for key, default in _WABA_INFO.items()},
        subscribed=part.flag("subscribed", default=True),
        owner=business_from(part.values["owner"]) if part.values.get("owner") else None,
    )
    numbers = [number_from(item, waba_id) for item in part.items("numbers")]
    return waba, numbers, part.items("templates")


def number_from(source: Any, waba_id: str) -> Number:
    known = ("throughput", "registered", "pin", "allowed_recipients", *_NUMBER_INFO)
    part = fields(source, "number", needed=("id", "display_phone_number"), known=known)
    info: Json = {
        key: part.flag(key, default=default)
        if isinstance(default, bool)
        else part.text(key, default)
        for key, default in _NUMBER_INFO.items()
    }
    info["messaging_limit"] = part.one_of(TIERS, "messaging_limit", info["messaging_limit"])
    info["display_phone_number"] = part.text("display_phone_number")
    info["throughput"] = {"level": part.one_of(PER_SECOND, "throughput", "STANDARD")}
    is_test_number = part.values.get("allowed_recipients") is not None
    allowed = part.items("allowed_recipients") if is_test_number else []
    return Number(
        id=identifier(part.values["id"], "number.id"),
        waba_id=waba_id,
        info=info,
        registered=part.flag("registered", default=True),
        pin=None if part.values.get("pin") is None else part.text("pin"),
        allowed_recipients=frozenset(map(customer_from, allowed)) if is_test_number else None,
    )


def template_from(source: Any, waba_id: str, next_id: str) -> Template:
    known = ("id", "status", "components", "parameter_format", "quality", "rejected_reason")
    part = fields(source, "template", needed=("name", "language", "category"), known=known)
    name, status = part.text("name"), part.one_of(TEMPLATE_STATUSES, "status", "APPROVED")
    reason = "INVALID_FORMAT" if status == "REJECTED" else "NONE"
    body = {"type": "BODY", "text": name}
    components = part.items("components") if "components" in part.values else [body]
    for component in components:
        _check_component(component, "template.components")
    return Template(
        id=identifier(part.values.get("id", next_id), "template.id"),
        waba_id=waba_id,
        name=name,
        language=part.text("language"),
        category=part.one_of(CATEGORIES, "category"),
        status=status,
        components=list(components),
        parameter_format=part.one_of(("POSITIONAL", "NAMED"), "parameter_format", "POSITIONAL"),
        quality=part.text("quality", "UNKNOWN"),
        rejected_reason=part.text("rejected_reason", reason),
    )


def _check_component(source: Any, where: str) -> None:
    """What sending a template relies on; buttons and cards have the same members."""
    if not isinstance(source, Mapping):
        raise WorldError(f"{where} must be a list of objects")
    part = Part(where, dict(source))
    for key in ("type", "format", "text", "url"):
        part.text(key, "")
    for key in ("buttons", "cards", "components"):
        for item in part.items(key):
            _check_component(item, f"{where}.{key}")


def speed_from(source: Any) -> Speed:
    known = ("sent_ms", "delivered_ms", "read_ms", "review_ms", "retry_ms")
    part = fields(source, "speed", known=known)
    given: Json = {}
    for key, value in part.values.items():
        name = key.removesuffix("_ms") + "_s"
        if key == "retry_ms":
            given[name] = tuple(_seconds(ms, "speed.retry_ms") for ms in part.items(key))
        else:
            given[name] = None if value is None else _seconds(value, f"speed.{key}")
    return Speed(**given)


def _seconds(ms: Any, where: str) -> float:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms < math.inf:
        raise WorldError(f"{where}: {ms!r} is not a number of milliseconds from 0")
    return ms / 1000


def limits_from(source: Any) -> Limits:
    part = fields(source, "limits", known=("pair", "throughput", "messaging"))
    return Limits(**{key: part.flag(key, default=True) for key in part.values})
