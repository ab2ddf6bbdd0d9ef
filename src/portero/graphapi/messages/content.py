"""The plain message types: text, media, location, contacts, reaction, pin.

Limits: developers.facebook.com/documentation/business-messaging/whatsapp/messages, December 2025.
"""

import re
from typing import Final

from portero.graphapi.kinds import Kind
from portero.graphapi.messages.schema import (
    Array,
    Flag,
    Id,
    Link,
    Number,
    Object,
    Text,
    Typed,
    may,
    must,
    obj,
    one_of,
)

BODY_MAX: Final = 4096
CAPTION_MAX: Final = 1024
LINE_MAX: Final = 1000  # Meta gives no figure for single-line fields such as a street or a company
_CONTACTS_MAX: Final = 257
_PER_CONTACT_MAX: Final = 50
_PIN_DAYS_MAX: Final = 30

_FILENAME = re.compile(r"[^\x00-\x1f\x7f]+")
_EMOJI_MAX: Final = 64  # code points: a family with skin tones is about twenty
_BIRTHDAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_LINE = Text(LINE_MAX, least=0)
_SOURCE = ("id", "link")
_MEDIA = {"id": may(Id(Kind.MEDIA)), "link": may(Link())}
_CAPTION = may(Text(CAPTION_MAX, least=0))
_FILENAME_MEMBER = may(Text(240, pattern=_FILENAME))

TEXT = obj(body=must(Text(BODY_MAX)), preview_url=may(Flag()))
IMAGE = obj(_MEDIA, either=_SOURCE, caption=_CAPTION)
VIDEO = obj(_MEDIA, either=_SOURCE, caption=_CAPTION)
AUDIO = obj(_MEDIA, either=_SOURCE, voice=may(Flag()))
DOCUMENT = obj(_MEDIA, either=_SOURCE, caption=_CAPTION, filename=_FILENAME_MEMBER)
STICKER = obj(_MEDIA, either=_SOURCE)
BARE_MEDIA = obj(
    _MEDIA, either=_SOURCE, filename=_FILENAME_MEMBER, provider=may(obj(name=must(Text(LINE_MAX))))
)
"""Media in a header of an interactive message or a template: no caption."""

LOCATION = obj(
    latitude=must(Number(-90, 90)),
    longitude=must(Number(-180, 180)),
    name=may(_LINE),
    address=may(_LINE),
)
REACTION = obj(
    message_id=must(Id(Kind.MESSAGE)),
    emoji=must(Text(_EMOJI_MAX, least=0)),  # empty takes the reaction back
)


def _pin_has_an_end(typed: Typed) -> str | None:
    if typed["type"] == "pin" and "expiration_days" not in typed:
        return "have 'expiration_days' to pin a message"
    return None


PIN = obj(
    type=must(one_of("pin", "unpin")),
    message_id=must(Id(Kind.MESSAGE)),
    expiration_days=may(Number(1, _PIN_DAYS_MAX, whole=True)),
    demands=(_pin_has_an_end,),
)

_NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")
_ADDRESS_PARTS = ("street", "city", "state", "zip", "country", "country_code", "type")


def _lines(*names: str) -> Object:
    return obj({name: may(_LINE) for name in names})


_CONTACT = obj(
    name=must(obj({part: may(_LINE) for part in _NAME_PARTS}, formatted_name=must(Text(LINE_MAX)))),
    phones=may(Array(_lines("phone", "type", "wa_id"), _PER_CONTACT_MAX, least=0)),
    emails=may(Array(_lines("email", "type"), _PER_CONTACT_MAX, least=0)),
    addresses=may(Array(_lines(*_ADDRESS_PARTS), _PER_CONTACT_MAX, least=0)),
    urls=may(Array(_lines("url", "type"), _PER_CONTACT_MAX, least=0)),
    org=may(_lines("company", "department", "title")),
    birthday=may(Text(10, pattern=_BIRTHDAY)),
)
CONTACTS = Array(_CONTACT, _CONTACTS_MAX)
