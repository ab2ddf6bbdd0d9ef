"""The form of API keys: `ptr_<kind>_<id>_<secret>_<checksum>`.

The prefix lets scanners recognise a leaked key; the checksum lets us refuse a mistyped or guessed
one before any look-up. Only an HMAC of the whole key is stored.
"""

import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "ptr_"
ID_LENGTH = 12
SECRET_LENGTH = 43  # 43 base62 characters carry 256 bits
CHECKSUM_LENGTH = 6
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


class KeyKind(StrEnum):
    SERVICE = "svc"
    SCIM = "scim"
    TEST = "test"


_FORM = re.compile(
    rf"{PREFIX}(?P<kind>{'|'.join(KeyKind)})_(?P<id>[0-9A-Za-z]{{{ID_LENGTH}}})"
    rf"_[0-9A-Za-z]{{{SECRET_LENGTH}}}_(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a well-formed key says about itself. Nothing is proved yet; the secret is not kept."""

    kind: KeyKind
    public_id: str


def generate(kind: KeyKind) -> str:
    """Make a new key in clear, to be shown once."""
    body = f"{PREFIX}{kind}_{_random(ID_LENGTH)}_{_random(SECRET_LENGTH)}"
    return f"{body}_{_checksum(body)}"


def read(text: str) -> ParsedKey | None:
    """Read a key, or `None` when it is no key of ours. Costs no look-up."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    body = text[: match.start("checksum") - 1]
    if not hmac.compare_digest(match["checksum"], _checksum(body)):
        return None
    return ParsedKey(KeyKind(match["kind"]), match["id"])


def find(text: str) -> ParsedKey | None:
    """Read the first whole key that stands in a text, as one is pasted: quoted, in a header, in a URL."""
    found = (read(match[0]) for match in _FORM.finditer(text))
    return next(filter(None, found), None)


def digest(pepper: bytes, text: str) -> bytes:
    """Compute what is stored of a key: HMAC-SHA-256 over the whole of it, 32 bytes."""
    return hmac.digest(pepper, text.encode(), "sha256")


def matches(stored: bytes, pepper: bytes, text: str) -> bool:
    """Whether the key is the one whose digest was stored, in constant time."""
    return hmac.compare_digest(stored, digest(pepper, text))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):  # 62^6 > 2^32: six digits always hold a CRC-32
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
