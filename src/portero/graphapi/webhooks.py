"""Meta's webhooks: the signature over their bytes, and the ids they tell us about.

Payloads are Meta's to shape and change; whatever is not recognised here is passed over, because a
webhook that cannot be read must still be stored and acknowledged.
"""

import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Final

from portero.graphapi.kinds import Kind, has_shape
from portero.graphapi.learned import Learned

MAX_BYTES: Final = 3 * 1024 * 1024  # "payloads can be up to 3 MB", webhooks overview, Nov 2025
_MAX_ITEMS: Final = 1_000  # updates in one delivery, same page; taken as the bound of every list
_MAX_LEARNED: Final = 10_000
_MAX_ATTRIBUTE: Final = 512
_MAX_NUMERIC_ID: Final = 2**63

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_MEDIA_TYPES = ("image", "video", "audio", "document", "sticker")
_EMPTY: Mapping[str, object] = MappingProxyType({})


class Signer:
    """Signs with one app secret; made once, because a key takes longer to set up than to use."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod="sha256")

    def signature(self, raw: bytes) -> str:
        """The `X-Hub-Signature-256` of a body: "sha256=" and its HMAC, in hex."""
        keyed = self._keyed.copy()
        keyed.update(raw)
        return "sha256=" + keyed.hexdigest()


def verify(header: str | None, raw: bytes, signers: Sequence[Signer]) -> bool:
    """Whether `header` signs exactly these bytes with the secret of one of the signers.

    Every one is tried whatever the ones before gave, so that time tells nothing.
    """
    if header is None or _SIGNATURE.fullmatch(header) is None:
        return False
    matches = [hmac.compare_digest(header, signer.signature(raw)) for signer in signers]
    return any(matches)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry of a payload concerns.

    Attributes:
        waba: the id the entry is about, normally a WhatsApp Business Account.
        learned: ids for the registry, each once.
        people: the customers named in several ways, each once, as `names_of` gives them.
    """

    waba: str
    learned: tuple[Learned, ...]
    people: tuple[tuple[str, ...], ...]


def entries(payload: object) -> tuple[Entry, ...]:
    """The recognisable entries of a parsed payload; never raises, whatever its shape."""
    return tuple(
        [_entry(one, waba) for one in _objects(_object(payload), "entry") if (waba := _id_of(one))]
    )


_NAMES: Final = ("wa_id", "user_id", "parent_user_id")


def names_of(contact: Mapping[str, object]) -> tuple[str, ...]:
    """The names of one customer that Meta tells side by side, in the order number, own id, parent.

    Empty where there are fewer than two: nothing is learned of a person with one name.
    """
    named = tuple(filter(None, (_text(contact, name) for name in _NAMES)))
    return named if len(named) > 1 else ()


def _entry(entry: Mapping[str, object], waba: str) -> Entry:
    learned: dict[tuple[Kind, str], Learned] = {}
    people: dict[tuple[str, ...], None] = {}
    room = _MAX_LEARNED
    for change in _objects(entry, "changes"):
        value = _object(change.get("value"))
        for one in islice(_learned_from(_text(change, "field"), value, waba), room):
            room -= 1
            known = learned.get((one.kind, one.id))
            learned[one.kind, one.id] = one if known is None else _together(known, one)
        for contact in _objects(value, "contacts"):
            if names := names_of(contact):
                people[names] = None
    return Entry(waba, tuple(learned.values()), tuple(people))


def _together(known: Learned, later: Learned) -> Learned:
    """All that is told of one id; what comes later is newer."""
    return replace(later, attributes={**known.attributes, **later.attributes})


def _id_of(entry: Mapping[str, object]) -> str:
    text = _text(entry, "id")
    return text if has_shape(Kind.WABA, text) else ""


def _learned_from(field: str, value: Mapping[str, object], waba: str) -> Iterator[Learned]:
    number = _text(_object(value.get("metadata")), "phone_number_id")
    known_number = number if has_shape(Kind.NUMBER, number) else None
    if known_number is not None:
        yield Learned(Kind.NUMBER, known_number, waba)
    reader = _READERS.get(field)
    if reader is None:
        return
    for kind, text, attributes in reader(value):
        if has_shape(kind, text):
            yield Learned(kind, text, waba, known_number, attributes)


_Told = tuple[Kind, str, dict[str, str]]


def _from_messages(value: Mapping[str, object]) -> Iterator[_Told]:
    for message in _objects(value, "messages"):
        yield from _from_message(message)
    for status in _objects(value, "statuses"):
        yield Kind.MESSAGE, _text(status, "id"), {}


def _from_message(message: Mapping[str, object]) -> Iterator[_Told]:
    yield Kind.MESSAGE, _text(message, "id"), {}
    yield Kind.GROUP, _text(message, "group_id"), {}
    yield from _media_of(message)
    yield from _media_of(_object(_object(message.get("edit")).get("message")))


def _media_of(message: Mapping[str, object]) -> Iterator[_Told]:
    for media_type in _MEDIA_TYPES:
        media = _object(message.get(media_type))
        yield Kind.MEDIA, _text(media, "id"), _attributes(media, mime_type="mime_type")


def _from_echoes(value: Mapping[str, object]) -> Iterator[_Told]:
    for message in _objects(value, "message_echoes"):
        yield from _from_message(message)


def _from_history(value: Mapping[str, object]) -> Iterator[_Told]:
    for chunk in _objects(value, "history"):
        for thread in _objects(chunk, "threads"):
            for message in _objects(thread, "messages"):
                yield from _from_message(message)


def _from_calls(value: Mapping[str, object]) -> Iterator[_Told]:
    for call in (*_objects(value, "calls"), *_objects(value, "statuses")):
        yield Kind.CALL, _text(call, "id"), {}


def _from_template(value: Mapping[str, object]) -> Iterator[_Told]:
    attributes = _attributes(
        value,
        name="message_template_name",
        language="message_template_language",
        status="event",
        category="message_template_category",
        quality_score="new_quality_score",
    )
    yield Kind.TEMPLATE, _text(value, "message_template_id"), attributes


def _from_category(value: Mapping[str, object]) -> Iterator[_Told]:
    # `new_category` is the category in force both when a change is announced and when it is done.
    attributes = _attributes(
        value,
        name="message_template_name",
        language="message_template_language",
        category="new_category",
    )
    yield Kind.TEMPLATE, _text(value, "message_template_id"), attributes


def _from_flow(value: Mapping[str, object]) -> Iterator[_Told]:
    yield Kind.FLOW, _text(value, "flow_id"), _attributes(value, status="new_status")


def _from_groups(value: Mapping[str, object]) -> Iterator[_Told]:
    for group in _objects(value, "groups"):
        yield Kind.GROUP, _text(group, "group_id"), {}


_READERS: Mapping[str, Callable[[Mapping[str, object]], Iterator[_Told]]] = MappingProxyType(
    {
        "messages": _from_messages,
        "smb_message_echoes": _from_echoes,
        "history": _from_history,
        "calls": _from_calls,
        "message_template_status_update": _from_template,
        "message_template_quality_update": _from_template,
        "message_template_components_update": _from_template,
        "template_category_update": _from_category,
        "flows": _from_flow,
        "group_lifecycle_update": _from_groups,
        "group_participants_update": _from_groups,
        "group_settings_update": _from_groups,
        "group_status_update": _from_groups,
    }
)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _EMPTY


def _objects(parent: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    value = parent.get(name)
    if not isinstance(value, list):
        return ()
    return [item for item in value[:_MAX_ITEMS] if isinstance(item, dict)]


def _text(parent: Mapping[str, object], name: str) -> str:
    """A member as text; ids come as strings in some fields and as numbers in others."""
    value = parent.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value <= _MAX_NUMERIC_ID else ""
    return ""


def _attributes(parent: Mapping[str, object], **members: str) -> dict[str, str]:
    """Our attribute names with the text of Meta's members, where there is any."""
    found = {ours: _text(parent, theirs)[:_MAX_ATTRIBUTE] for ours, theirs in members.items()}
    return {ours: text for ours, text in found.items() if text}
