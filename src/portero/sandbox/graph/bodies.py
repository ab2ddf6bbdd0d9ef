"""The contents of free-form messages: what each type needs, and how much of it."""

import re
from collections.abc import Callable

from portero.graphapi.errors import meta_error
from portero.sandbox.graph import checks
from portero.sandbox.graph.attachments import check_attachment
from portero.sandbox.graph.interactive import check_interactive
from portero.sandbox.objects import Json
from portero.sandbox.reading import required
from portero.sandbox.world import World

Check = Callable[[World, Json], None]

_TEXT_MAX = 4096
_CAPTION_MAX = 1024
_FILENAME_MAX = 240
_PIN_DAYS_MAX = 30
_BIRTHDAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _text(_world: World, params: Json) -> None:
    text = checks.an_object(params.get("text"), "text")
    body = text.get("body")
    if body is None or body == "":
        raise required("text['body']")
    if not isinstance(body, str) or len(body) > _TEXT_MAX:
        message = f"(#100) Param text['body'] must be at most {_TEXT_MAX} characters long."
        raise meta_error(100, message=message)


def _media(kind: str, *, caption: bool = False, filename: bool = False) -> Check:
    def check(world: World, params: Json) -> None:
        media = checks.an_object(params.get(kind), kind)
        check_attachment(world, media, kind)
        if caption:
            checks.an_optional_text(media, "caption", kind, high=_CAPTION_MAX)
        if filename:
            checks.an_optional_text(media, "filename", kind, high=_FILENAME_MAX)

    return check


def _location(_world: World, params: Json) -> None:
    location = checks.an_object(params.get("location"), "location")
    for key, bound in (("latitude", 90), ("longitude", 180)):
        value = location.get(key)
        if value is None:
            raise checks.missing_member(f"location['{key}']")
        try:
            inside = abs(float(value)) <= bound
        except (TypeError, ValueError, OverflowError):
            inside = False
        if not inside:
            raise checks.invalid(f"location['{key}'] must be between -{bound} and {bound}")


def _contacts(_world: World, params: Json) -> None:
    contacts = checks.a_list(params.get("contacts"), "contacts")
    checks.a_length(contacts, "contacts", low=1, high=257)
    for index, contact in enumerate(contacts):
        where = f"contacts[{index}]"
        name = checks.an_object(checks.an_object(contact, where).get("name"), f"{where}['name']")
        checks.a_text(name, "formatted_name", f"{where}['name']", high=1024)
        birthday = contact.get("birthday")
        if birthday is not None and not _BIRTHDAY.fullmatch(str(birthday)):
            raise checks.invalid(f"{where}['birthday'] must be YYYY-MM-DD")


def _reaction(_world: World, params: Json) -> None:
    reaction = checks.an_object(params.get("reaction"), "reaction")
    checks.a_text(reaction, "message_id", "reaction", high=1024)
    if not isinstance(reaction.get("emoji"), str):
        raise checks.missing_member("reaction['emoji']")


def _pin(_world: World, params: Json) -> None:
    pin = checks.an_object(params.get("pin"), "pin")
    checks.a_text(pin, "message_id", "pin", high=1024)
    kind = checks.a_text(pin, "type", "pin", high=16)
    if kind not in ("pin", "unpin"):
        raise checks.invalid("pin['type'] must be pin or unpin")
    days = pin.get("expiration_days")
    if kind == "pin" and not (type(days) is int and 1 <= days <= _PIN_DAYS_MAX):
        raise checks.invalid(f"pin['expiration_days'] must be 1 to {_PIN_DAYS_MAX}")


def _interactive(world: World, params: Json) -> None:
    check_interactive(world, checks.an_object(params.get("interactive"), "interactive"))


CHECKS: dict[str, Check] = {
    "text": _text,
    "image": _media("image", caption=True),
    "video": _media("video", caption=True),
    "audio": _media("audio"),
    "document": _media("document", caption=True, filename=True),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "pin": _pin,
    "interactive": _interactive,
}
MEDIA_TYPES = frozenset({"image", "video", "audio", "document", "sticker"})
