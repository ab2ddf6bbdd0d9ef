"""Who a message reaches: phone numbers, business-scoped user ids and groups, in one canonical form.

The canonical form is what is decided on, recorded *and* sent. Twins of one number (the same
telephone written two ways in Mexico, Argentina and Brazil) share an `identity`, and every rule about
a customer hangs on that.
"""

import re
from functools import lru_cache
from typing import Final

import phonenumbers

from portero.graphapi import refusals
from portero.graphapi.kinds import Kind, Recipient, RecipientKind, has_shape

_MAX_CHARS: Final = 40
_CACHE: Final = 16_384
_NON_GEOGRAPHIC: Final = "001"

_WRITTEN = re.compile(r"[0-9+() .-]+")
_SEPARATORS = str.maketrans("", "", "() .-")
_DIGITS = re.compile(r"\+?([1-9][0-9]{6,14})")

# "up to 256 alphanumeric characters" after the country; `ENT` marks the parent id.
# Source: developers.facebook.com/…/whatsapp/business-scoped-user-ids, page of 2025-11-21.
_BSUID = re.compile(r"([A-Z]{2})\.(?:ENT\.)?[A-Za-z0-9]{1,256}")

_MEXICO_OLD = re.compile(r"521([0-9]{10})")
_ARGENTINE_NSN: Final = 10  # area code and subscriber, without the mobile prefix 9
_ARGENTINE_NSN_WITH_15: Final = 12  # as dialled at home, 15 between area code and subscriber

# Eight-digit Brazilian mobiles began with 6 to 9 before the ninth digit; 2 to 5 are landlines and
# never had one. WhatsApp still knows many mobiles by the eight-digit form. Area codes: Anatel's
# plan as in phonenumbers 9.0.
_BRAZIL_OLD_MOBILE = re.compile(
    r"55((?:[14689][1-9]|2[12478]|3[1-578]|5[13-5]|7[13-79]))([6-9][0-9]{7})"
)


@lru_cache(maxsize=_CACHE)
def canonical(text: str) -> Recipient:
    """The phone number written as `text`.

    ASCII digits with `+ - ( ) .` and spaces; international, with or without plus.

    Raises:
        GraphError: malformed: other characters, a leading zero, fewer than 7 or over 15 digits.
    """
    if len(text) > _MAX_CHARS or _WRITTEN.fullmatch(text) is None:
        raise refusals.malformed("The phone number has characters other than digits and + - ( ) .")
    match = _DIGITS.fullmatch(text.translate(_SEPARATORS))
    if match is None:
        raise refusals.malformed(
            "The phone number must have 7 to 15 digits with its country code and no leading zero."
        )
    digits = match[1]
    return Recipient(RecipientKind.PHONE, digits, text, _country(digits), identity(digits))


def recipient(text: str) -> Recipient:
    """The person `text` names: a business-scoped user id or a phone number.

    Raises:
        GraphError: malformed: it is neither.
    """
    return business_scoped(text) if _BSUID.fullmatch(text) else canonical(text)


def business_scoped(text: str) -> Recipient:
    """The person with this business-scoped user id (`US.1349…`) or parent id (`US.ENT.118…`).

    Raises:
        GraphError: malformed: not spelled as such an id.
    """
    match = _BSUID.fullmatch(text)
    if match is None:
        raise refusals.malformed("The recipient is not a business-scoped user id.")
    return Recipient(RecipientKind.BSUID, text, text, match[1], text)


def group(text: str) -> Recipient:
    """The WhatsApp group with this id.

    Raises:
        GraphError: malformed: not spelled as a group id.
    """
    if not has_shape(Kind.GROUP, text):
        raise refusals.malformed("The recipient of a group message must be a group id.")
    return Recipient(RecipientKind.GROUP, text, text, None, text)


def identity(digits: str) -> str:
    """The one form shared by the national twins of a number given as E.164 digits without plus."""
    if match := _MEXICO_OLD.fullmatch(digits):
        return "52" + match[1]
    if digits.startswith("54"):
        return _argentine_identity(digits)
    if match := _BRAZIL_OLD_MOBILE.fullmatch(digits):
        return f"55{match[1]}9{match[2]}"
    return digits


def _argentine_identity(digits: str) -> str:
    """Without the mobile prefix 9, and without the domestic 15 after an area code."""
    has_mobile_prefix = digits.startswith("549") and len(digits) in (13, 15)
    national = digits[3:] if has_mobile_prefix else digits[2:]
    if len(national) == _ARGENTINE_NSN:
        return "54" + national
    if len(national) == _ARGENTINE_NSN_WITH_15:
        # Area codes have two to four digits; the library knows which, and rewrites 15 as the 9.
        parsed = str(phonenumbers.parse("+54" + national).national_number)
        if re.fullmatch(r"9[0-9]{10}", parsed):
            return "54" + parsed[1:]
    return digits


def _country(digits: str) -> str | None:
    """ISO alpha-2; None for a number of no single country, so that a country scope fails closed."""
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is None:
            continue
        if len(regions) == 1:
            return None if regions[0] == _NON_GEOGRAPHIC else regions[0]
        return _country_of_shared_code(digits)
    return None


def _country_of_shared_code(digits: str) -> str | None:
    """The country within +1, +7, +44 and the like: only the library's metadata tells."""
    return phonenumbers.region_code_for_number(phonenumbers.parse("+" + digits))
