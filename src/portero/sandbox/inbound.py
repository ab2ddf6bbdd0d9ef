"""A customer writes: the message in Meta's webhook shape, and what it changes (the window opens)."""

import base64
import hashlib
import math
from dataclasses import dataclass

from portero.sandbox import wamid
from portero.sandbox.contacts import contact
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.objects import Json, Media, Number
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.world import World

_OURS = frozenset(  # everything else is the message itself
    {"phone_number_id", "from", "name", "username", "user_id", "id", "type", "timestamp"}
)
_MEDIA_TYPES = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/ogg; codecs=opus",
    "document": "application/pdf",
    "sticker": "image/webp",
}
_PERMISSION_LIFE_S = 7 * 24 * 3600
_UNSUPPORTED: Json = {  # Meta's words on the customer's side of 131051
    "code": 131051,
    "title": "Message type unknown",
    "message": "Message type unknown",
    "error_data": {"details": "Message type is currently not supported."},
}
_TINY_FILE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


class BadInbound(ValueError):
    """The customer's message cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A customer; `wa_id` is empty when Meta would not tell it."""

    wa_id: str
    user_id: str

    @property
    def key(self) -> str:
        return self.wa_id or self.user_id


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a customer did, ready to be told as the `value` of a webhook's `field`."""

    message_id: str
    field: str
    value: Json
    number: Number
    world: World
    is_blocked: bool

    async def deliver(self, courier: Courier) -> Delivery:
        """Tell the subscriber, unless the business blocked the customer."""
        if self.is_blocked:
            return Delivery(delivered=False, error="the business has blocked this customer")
        waba = self.world.wabas[self.number.waba_id]
        return await courier.deliver(self.field, self.value, waba=waba, number=self.number)


def receive(source: Json, world: World) -> Arrival:
    """Make a customer's message of `{"phone_number_id","from","type",<type>:{…}}`.

    `user_id` instead of `from` stands for a customer whose number Meta does not tell; `group_id`
    says that a member of the group writes into it.

    Raises:
        BadInbound: number, sender or content is missing or wrong.
    """
    number = world.numbers.get(str(source.get("phone_number_id")))
    if number is None:
        raise BadInbound("phone_number_id is not a number of this sandbox")
    sender = _sender(source, world)
    _check_group(source, number, world, sender)
    is_blocked = sender.key in number.blocked
    message_id = str(source.get("id") or wamid.received_id(sender.key))
    if source.get("type") == "user_preferences":
        field, content = "user_preferences", _preference(source, world, sender)
    else:
        field, content = "messages", _message(source, number, world, sender, message_id)
        if not is_blocked:
            world.open_window(number.id, str(source.get("group_id") or sender.key))
            world.remember_received(message_id, number.id)
            _take_effect(content, number, world, sender)
    value: Json = {"messaging_product": "whatsapp", "metadata": number.metadata}
    if not _changes_number(content):  # then there is nobody yet whom a contact could name
        value["contacts"] = [_contact(source, number, world, sender)]
    return Arrival(message_id, field, value | {field: [content]}, number, world, is_blocked)


def _check_group(source: Json, number: Number, world: World, sender: Sender) -> None:
    if source.get("group_id") is None:
        return
    group = world.groups.get(str(source["group_id"]))
    if group is None or group.number_id != number.id:
        raise BadInbound("group_id is not a group of this number")
    if sender.wa_id not in group.participants:
        raise BadInbound("from is not in the group")


def _contact(source: Json, number: Number, world: World, sender: Sender) -> Json:
    told = contact(
        world,
        sender.wa_id,
        sender.user_id,
        name=source.get("name"),
        username=source.get("username"),
    )
    if number.checks_identity:
        told["identity_key_hash"] = world.identity_of(sender.key)
    return told


def _changes_number(content: Json) -> bool:
    system = content.get("system")
    return isinstance(system, dict) and system.get("type") == "user_changed_number"


def _take_effect(content: Json, number: Number, world: World, sender: Sender) -> None:
    """What a message changes besides the window: clicks, call permissions, identities."""
    context, button = content.get("context"), content.get("button")
    if isinstance(context, dict) and isinstance(button, dict):
        answered = world.messages.get(str(context.get("id")))
        if answered is not None:
            text = str(button.get("text", ""))
            answered.clicks[text] = answered.clicks.get(text, 0) + 1
    interactive = content.get("interactive")
    if isinstance(interactive, dict) and interactive.get("type") == "call_permission_reply":
        reply = interactive.get("call_permission_reply")
        _permit_calls(reply if isinstance(reply, dict) else {}, number, world, sender)
    system = content.get("system")
    if isinstance(system, dict) and system.get("type") == "customer_identity_changed":
        world.change_identity(sender.key)
        now, identity = str(int(world.clock())), world.identity_of(sender.key)
        known = {"acknowledged": False, "created_timestamp": now, "hash": identity}
        content.setdefault("identity", known)


def _permit_calls(reply: Json, number: Number, world: World, sender: Sender) -> None:
    """What the customer's answer to a request for permission is worth."""
    if reply.get("response") != "accept":
        world.call_permissions.pop((number.id, sender.key), None)
        return
    until = reply.get("expiration_timestamp", world.clock() + _PERMISSION_LIFE_S)
    if reply.get("is_permanent"):
        until = math.inf
    try:
        world.call_permissions[number.id, sender.key] = float(until)
    except (TypeError, ValueError) as error:
        raise BadInbound("expiration_timestamp must be a number of seconds") from error


def _sender(source: Json, world: World) -> Sender:
    if source.get("from") is None and is_bsuid(str(source.get("user_id", ""))):
        return Sender("", str(source["user_id"]))
    digits = digits_of(str(source.get("from", "")))
    if not digits:
        raise BadInbound("from must be a phone number, or user_id a business-scoped id")
    wa_id = wa_id_of(digits)
    return Sender(wa_id, world.user_id_of(wa_id))


def _message(source: Json, number: Number, world: World, sender: Sender, message_id: str) -> Json:
    kind = str(source.get("type", "text"))
    message: Json = {"from": sender.wa_id} if sender.wa_id else {}
    message |= {"from_user_id": sender.user_id, "id": message_id, "type": kind}
    message["timestamp"] = str(source.get("timestamp") or int(world.clock()))
    message |= {key: value for key, value in source.items() if key not in _OURS}
    if kind == "unsupported":
        message = {"errors": [_UNSUPPORTED], "unsupported": {"type": "unknown"}} | message
    if kind in _MEDIA_TYPES:
        given = source.get(kind) or {}
        if not isinstance(given, dict):
            raise BadInbound(f"{kind} must be an object")
        message[kind] = _media(given, kind, number, world)
    elif kind not in message:
        raise BadInbound(f"the content of type {kind} is missing")
    return message


def _media(given: Json, kind: str, number: Number, world: World) -> Json:
    """A media object with an id that can be fetched; `data` holds the bytes as base64."""
    try:
        content = base64.b64decode(given.get("data") or b"", validate=True) or _TINY_FILE
    except (ValueError, TypeError) as error:  # besides wrong characters: none of ASCII, no text
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


def _preference(source: Json, world: World, sender: Sender) -> Json:
    """The customer stops or resumes marketing."""
    given = source.get("user_preferences")
    given = given if isinstance(given, dict) else {}
    choice = given.get("value")
    if choice not in ("stop", "resume", "signup"):
        raise BadInbound('user_preferences.value must be "stop", "resume" or "signup"')
    if choice == "stop":
        world.opted_out.add(sender.key)
    else:
        world.opted_out.discard(sender.key)
    return _signup_of(given) | {
        "wa_id": sender.wa_id,
        "user_id": sender.user_id,
        "detail": f"User requested to {choice} marketing messages",
        "category": "marketing_messages",
        "value": choice,
        "timestamp": int(world.clock()),
    }


def _signup_of(given: Json) -> Json:
    return {"signup_id": given["signup_id"]} if "signup_id" in given else {}
