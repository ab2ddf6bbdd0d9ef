"""What a body sent to `/{number}/messages` or `/{number}/marketing_messages` does.

Sending, marking as read and showing that somebody types share one path and one verb; the whole body
tells them apart, and a body that is two of them at once is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal, cast

from portero.engine.values import valueclass
from portero.graphapi import phone, refusals
from portero.graphapi.kinds import IdRef, Kind, Recipient, RecipientKind, TemplateRef
from portero.graphapi.messages import content, interactive
from portero.graphapi.messages.schema import (
    ROOT,
    Address,
    Flag,
    Id,
    Member,
    Object,
    Rule,
    Text,
    Typed,
    fold,
    may,
    must,
    obj,
    one_of,
)
from portero.graphapi.messages.template import TEMPLATE

__all__ = ["Contents", "Message", "parse_marketing_message", "parse_message"]

Contents = Literal["template", "free_form"]

_DEFAULT_TYPE: Final = "text"
_TYPES: Mapping[str, Rule] = MappingProxyType(
    {
        "text": content.TEXT,
        "image": content.IMAGE,
        "video": content.VIDEO,
        "audio": content.AUDIO,
        "document": content.DOCUMENT,
        "sticker": content.STICKER,
        "location": content.LOCATION,
        "contacts": content.CONTACTS,
        "reaction": content.REACTION,
        "pin": content.PIN,
        "interactive": interactive.INTERACTIVE,
        "template": TEMPLATE,
    }
)
_PRODUCT = must(one_of("whatsapp"))
_COMMON = {
    "messaging_product": _PRODUCT,
    "recipient_type": may(one_of("individual", "group")),
    "to": may(Address()),
    "recipient": may(Address()),
    "context": may(obj(message_id=must(Id(Kind.MESSAGE)))),
    "biz_opaque_callback_data": may(Text(512, least=0)),
    "recipient_identity_key_hash": may(Text(512)),
}


def _send(type_name: str, more: Mapping[str, Member] = MappingProxyType({})) -> Object:
    return obj(
        {**_COMMON, **more, "type": may(one_of(type_name)), type_name: must(_TYPES[type_name])},
        either=("to", "recipient"),
    )


_SENDS: Mapping[str, Object] = MappingProxyType({name: _send(name) for name in _TYPES})
_MARKETING = _send(
    "template",
    {
        "product_policy": may(one_of("CLOUD_API_FALLBACK", "STRICT")),
        "message_activity_sharing": may(Flag()),
    },
)
_RECEIPT = obj(
    messaging_product=_PRODUCT,
    status=must(one_of("read")),
    message_id=must(Id(Kind.MESSAGE)),
    typing_indicator=may(obj(type=must(one_of("text")))),
)
_RECEIPT_MARKS = ("status", "message_id", "typing_indicator")


@valueclass(frozen=True, slots=True)
class Message:
    """What one body does.

    Attributes:
        type: Meta's message type; None for a read receipt.
        permissions: every permission it needs.
        ids: every id in the body, in the order met, with its place.
        recipients: whom it reaches: one, or none for a receipt.
        template: the template it uses.
        contents: what a "templates only" guardrail looks at; None for a receipt.
        messages: how many messages it sends: 1 or 0.
        body: the typed body to send on; `to` is "+" and E.164 digits or a group id.
    """

    type: str | None
    permissions: tuple[str, ...]
    ids: tuple[IdRef, ...]
    recipients: tuple[Recipient, ...]
    template: TemplateRef | None
    contents: Contents | None
    messages: int
    body: Typed


def parse_message(body: object) -> Message:
    """Read a JSON body of `POST /{number}/messages`.

    Raises:
        GraphError: malformed: not exactly one known operation in exactly its shape.
    """
    fields = _object(body)
    if any(fields.get(name) is not None for name in _RECEIPT_MARKS):
        return _receipt(fields)
    given = fields.get("type")
    name = _DEFAULT_TYPE if given is None else fold(given)
    schema = _SENDS.get(name)
    if schema is None:
        raise refusals.malformed(f"Parameter 'type' must be one of {{{', '.join(_SENDS)}}}.")
    return _sent(schema, name, fields)


def parse_marketing_message(body: object) -> Message:
    """Read a JSON body of `POST /{number}/marketing_messages`: a marketing template.

    Raises:
        GraphError: malformed: not a template message in exactly its shape.
    """
    message = _sent(_MARKETING, "template", _object(body))
    return replace(message, permissions=(*message.permissions, "template:use_marketing"))


def _object(body: object) -> Typed:
    if not isinstance(body, dict):
        raise refusals.malformed("The body must be a JSON object.")
    return body


def _receipt(fields: Typed) -> Message:
    found: list[IdRef] = []
    typed = _RECEIPT.read(fields, ROOT, found)
    return Message(
        type=None,
        permissions=("send:typing_read",),
        ids=tuple(found),
        recipients=(),
        template=None,
        contents=None,
        messages=0,
        body=typed,
    )


def _sent(schema: Object, name: str, fields: Typed) -> Message:
    found: list[IdRef] = []
    typed = schema.read(fields, ROOT, found)
    typed["type"] = name
    reached = _address(typed, found)
    if name == "pin" and reached.kind is not RecipientKind.GROUP:
        raise refusals.malformed("Messages can be pinned in groups only.")
    payload = cast(Typed, typed[name])
    return Message(
        type=name,
        permissions=_permissions(name, payload, reached),
        ids=tuple(found),
        recipients=(reached,),
        template=_template(payload) if name == "template" else None,
        contents="template" if name == "template" else "free_form",
        messages=1,
        body=typed,
    )


def _address(typed: Typed, found: list[IdRef]) -> Recipient:
    """Settle whom `typed` reaches and write it in the canonical form into `typed`."""
    if typed.get("recipient_type") == "group":
        reached = phone.group(str(typed.get("to", "")))
        found.append(IdRef(Kind.GROUP, reached.value, f"{ROOT}.to"))
        return reached
    if "recipient" in typed:
        return phone.business_scoped(str(typed["recipient"]))
    reached = phone.recipient(str(typed.pop("to")))
    if reached.kind is RecipientKind.BSUID:
        typed["recipient"] = reached.value  # in `to`, Meta would look for digits
    else:
        typed["to"] = "+" + reached.value
    return reached


def _template(payload: Typed) -> TemplateRef:
    language = cast(Typed, payload["language"])
    return TemplateRef(name=str(payload["name"]), language=str(language["code"]))


def _permissions(name: str, payload: Typed, reached: Recipient) -> tuple[str, ...]:
    own = _own_permission(name, payload)
    return (own, "send:group") if reached.kind is RecipientKind.GROUP else (own,)


def _own_permission(name: str, payload: Typed) -> str:
    if name == "interactive":
        return interactive.PERMISSIONS[str(payload["type"])]
    if name == "audio" and payload.get("voice"):
        return "send:voice"
    if name == "pin":
        return "group:update"
    return f"send:{name}"
