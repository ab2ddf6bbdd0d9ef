"""How Meta reads recipients: lenient on punctuation, with its own idea of some countries' numbers."""

import hashlib
import re

import phonenumbers

_PUNCTUATION = re.compile(r"[\s+\-().]")
_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,256}")
_BRAZIL_WITH_NINE = re.compile(r"55(?P<area>\d\d)9(?P<local>\d{8})")
_BRAZIL_AREA_KEEPS_NINE = 28  # area codes up to 28 moved to nine digits before WhatsApp knew them


def digits_of(text: str) -> str | None:
    """The digits of a phone number as typed, or None when it is not one Meta accepts."""
    digits = _PUNCTUATION.sub("", text)
    if not (digits.isascii() and digits.isdigit()) or digits.startswith("00"):
        return None
    return digits if len(digits) <= 15 else None


def wa_id_of(digits: str) -> str:
    """The WhatsApp id of a number: Mexico 52 → 521, Argentina 54 → 549, Brazil without the nine."""
    if len(digits) == 12 and digits.startswith("52"):
        return "521" + digits[2:]
    if len(digits) == 12 and digits.startswith("54"):
        return "549" + digits[2:]
    brazil = _BRAZIL_WITH_NINE.fullmatch(digits)
    if brazil and int(brazil["area"]) > _BRAZIL_AREA_KEEPS_NINE:
        return "55" + brazil["area"] + brazil["local"]
    return digits


def is_bsuid(text: str) -> bool:
    return _BSUID.fullmatch(text) is not None


def bsuid_of(business_id: str, wa_id: str) -> str:
    """A business-scoped user id: stable for one portfolio and customer, `CC.` and 19 digits."""
    seed = hashlib.sha256(f"{business_id}:{wa_id}".encode()).digest()
    return f"{country_of(wa_id)}.{int.from_bytes(seed[:8]) % 10**19:019d}"


def country_of(wa_id: str) -> str:
    """ISO alpha-2 of the calling code's main country; "ZZ" when it belongs to none."""
    for length in (1, 2, 3):
        region = phonenumbers.region_code_for_country_code(int(wa_id[:length] or 0))
        if region not in ("ZZ", "001"):
            return region
    return "ZZ"
