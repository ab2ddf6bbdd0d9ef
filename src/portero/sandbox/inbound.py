"""A customer writes: the message in Meta's webhook shape, and what it changes (the window opens)."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from portero.sandbox import wamid
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.objects import Json, Media, Number
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.world import World

_OURS = frozenset({"phone_number_id", "from", "name", "username", "user_id"})
_MEDIA_TYPES = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/ogg; codecs=opus",
    "document": "application/pdf",
    "sticker": "image/webp",
}
_TINY_FILE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


class BadInbound(ValueError):
    """The customer's message cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A customer's message, ready to be told."""

    message_id: str
    field_value: Json
    number: Number
    world: World
    blocked: bool

    async def deliver(self, courier: Courier) -> Delivery:
        """Tell the subscriber, unless the business blocked the customer."""
        if self.blocked:
            return Delivery(delivered=False, error="the business has blocked this customer")
        waba = self.world.wabas[self.number.waba_id]
        value = self.field_value
        field = "user_preferences" if "user_preferences" in value else "messages"
        return await courier.deliver(field, value, waba=waba, number=self.number)


def receive(source: Json, world: World) -> Arrival:
    """Make a customer's message of `{"phone_number_id","from","type",<type>:{…}}`.

    `user_id` instead of `from` stands for a customer whose number Meta does not tell.

    Raises:
        BadInbound: number, sender or content is missing or wrong.
    """
    number = world.numbers.get(str(source.get("phone_number_id")))
    if number is None:
        raise BadInbound("phone_number_id is not a number of this sandbox")
    wa_id, user_id = _sender(source, world)
    key = wa_id or user_id
    message_id = str(source.get("id") or wamid.received_id(key))
    kind = str(source.get("type", "text"))
    if kind == "user_preferences":
        content = _preferences(source, world, key)
    else:
        message = _message(source, kind, number, world, message_id)
        sender = {"from": wa_id} if wa_id else {}
        content = {"messages": [sender | {"from_user_id": user_id} | message]}
        world.open_window(number.id, key)
        world.remember_received(message_id, number.id)
    value = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": number.display_digits,
            "phone_number_id": number.id,
        },
        "contacts": [_contact(source, world, wa_id, user_id)],
        **content,
    }
    return Arrival(message_id, value, number, world, blocked=key in number.blocked)


def _sender(source: Json, world: World) -> tuple[str, str]:
    """WhatsApp id, empty when Meta would not tell it, and business-scoped id."""
    if source.get("from") is None and is_bsuid(str(source.get("user_id", ""))):
        return "", str(source["user_id"])
    digits = digits_of(str(source.get("from", "")))
    if not digits:
        raise BadInbound("from must be a phone number, or user_id a business-scoped id")
    wa_id = wa_id_of(digits)
    return wa_id, world.user_id_of(wa_id)


def _contact(source: Json, world: World, wa_id: str, user_id: str) -> Json:
    name = source.get("name") or world.names.get(wa_id) or f"Customer {(wa_id or user_id)[-4:]}"
    profile = {"name": name}
    if "username" in source:
        profile["username"] = source["username"]
    known = {"wa_id": wa_id} if wa_id else {}
    return {"profile": profile} | known | {"user_id": user_id}


def _message(source: Json, kind: str, number: Number, world: World, message_id: str) -> Json:
    rest = {key: value for key, value in source.items() if key not in _OURS}
    message = rest | {"id": message_id, "type": kind}
    message["timestamp"] = str(source.get("timestamp") or int(world.clock()))
    if kind in _MEDIA_TYPES:
        message[kind] = _media(source.get(kind) or {}, kind, number, world)
    elif kind not in message:
        raise BadInbound(f"the content of type {kind} is missing")
    return message


def _media(given: Json, kind: str, number: Number, world: World) -> Json:
    """A media object with an id that can be fetched; `data` holds the bytes as base64."""
    try:
        content = base64.b64decode(given.get("data") or b"", validate=True) or _TINY_FILE
    except binascii.Error as error:
        raise BadInbound(f"{kind}.data is not base64") from error
    media = Media(
        id=world.new_id(),
        number_id=number.id,
        mime_type=str(given.get("mime_type") or _MEDIA_TYPES[kind]),
        content=content,
        created_at=world.clock(),
        inbound=True,
    )
    world.keep_media(media)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    told = {key: value for key, value in given.items() if key != "data"}
    return told | {"id": media.id, "mime_type": media.mime_type, "sha256": digest}


def _preferences(source: Json, world: World, key: str) -> Json:
    """The customer stops or resumes marketing."""
    given = source.get("user_preferences")
    choice = given.get("value") if isinstance(given, dict) else None
    if choice not in ("stop", "resume"):
        raise BadInbound('user_preferences.value must be "stop" or "resume"')
    if choice == "stop":
        world.opted_out.add(key)
    else:
        world.opted_out.discard(key)
    preference = {
        "wa_id": key,
        "detail": f"User requested to {choice} marketing messages",
        "category": "marketing_messages",
        "value": choice,
        "timestamp": int(world.clock()),
    }
    return {"user_preferences": [preference]}
