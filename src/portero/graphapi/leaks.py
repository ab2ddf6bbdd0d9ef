"""The last look at an answer before it leaves: does it hold a live secret in any usual encoding?"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

_SHORTEST: Final = 8  # bytes; anything shorter turns up by chance
_LAYERS: Final = 3  # JSON in JSON, a link in a link; nobody writes deeper by accident
_FIRST_OWN_CHAR: Final = (0, 2, 3)  # base64 characters that earlier bytes share, by alignment
_ESCAPE = re.compile(rb"\\u00([0-9A-Fa-f]{2})|\\(.)")


@dataclass(frozen=True, slots=True)
class Needles:
    """Every spelling of some secrets, worked out once; does not show itself."""

    raw: tuple[bytes, ...] = field(repr=False)
    hex: tuple[bytes, ...] = field(repr=False)


def needles_of(secrets: Iterable[bytes]) -> Needles:
    """The spellings to look for; a secret of less than 8 bytes has none."""
    long = [secret for secret in secrets if len(secret) >= _SHORTEST]
    return Needles(
        raw=tuple(dict.fromkeys(n for secret in long for n in (secret, *_base64(secret)))),
        hex=tuple(secret.hex().encode() for secret in long),
    )


def find_secret(payload: bytes, needles: Needles) -> bool:
    """Whether one of the secrets is in the payload.

    Looked for raw, beneath up to three layers of JSON and percent escapes, in hex of either case,
    and in both base64 alphabets wherever it begins within the encoded bytes.
    """
    lower = payload.lower()
    for needle in needles.hex:
        if needle in lower:
            return True
    for text in _readings(payload):
        for needle in needles.raw:
            if needle in text:
                return True
    return False


def _readings(payload: bytes) -> Iterator[bytes]:
    """The payload as it is, and what is beneath its escapes, layer by layer."""
    yield payload
    for _ in range(_LAYERS):
        outer = payload
        if b"\\" in payload:
            payload = _ESCAPE.sub(_unescape, payload)
            yield payload
        if b"%" in payload:
            payload = unquote_to_bytes(payload)
            yield payload
        if payload == outer:
            return


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else match[2]


def _base64(secret: bytes) -> Iterator[bytes]:
    """The characters that are in every base64 text with the secret in it, by alignment."""
    for before, first in enumerate(_FIRST_OWN_CHAR):
        whole = (before + len(secret)) * 8 // 6
        padded = bytes(before) + secret
        yield b64encode(padded)[first:whole]
        yield urlsafe_b64encode(padded)[first:whole]
