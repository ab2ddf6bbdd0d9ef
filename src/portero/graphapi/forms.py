"""Strict reading of `application/x-www-form-urlencoded`, for bodies and for query strings."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from portero.graphapi import refusals

MAX_BYTES: Final = 256 * 1024
MAX_FIELDS: Final = 200

# Printable ASCII may stand unescaped, but for what ends a value in some parser: & # \ and a bare %.
_PAIR = re.compile(
    rb"((?:[^\x00-\x20\x7f-\xff%&=#\\]|%[0-9A-Fa-f]{2})+)="
    rb"((?:[^\x00-\x20\x7f-\xff%&#\\]|%[0-9A-Fa-f]{2})*)"
)
_NAME = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,100}")


def parse(data: bytes) -> dict[str, str]:
    """Read `a=1&b=2` into a mapping, in the order written; empty input is an empty mapping.

    Only `&` separates and every pair has `=`. Values keep whatever they encode, JSON included.

    Raises:
        GraphError: malformed: a name given twice, a broken escape, bytes that are not UTF-8, a
            name with unusual characters, or more than 200 fields or 256 KiB.
    """
    if not data:
        return {}
    if data.lstrip()[:1] in (b"{", b"["):
        raise refusals.malformed("This looks like JSON: send Content-Type: application/json.")
    if len(data) > MAX_BYTES:
        raise refusals.malformed(f"The form is larger than {MAX_BYTES} bytes.")
    pairs = data.split(b"&", MAX_FIELDS)
    if len(pairs) > MAX_FIELDS:
        raise refusals.malformed(f"The form has more than {MAX_FIELDS} fields.")
    fields: dict[str, str] = {}
    for pair in pairs:
        name, value = _read_pair(pair)
        if name in fields:
            raise refusals.malformed(f"Parameter '{name}' is given twice.")
        fields[name] = value
    return fields


def _read_pair(pair: bytes) -> tuple[str, str]:
    match = _PAIR.fullmatch(pair)
    if match is None:
        raise refusals.malformed("The form has a field that is not name=value, %-encoded.")
    name, value = _decode(match[1]), _decode(match[2])
    if _NAME.fullmatch(name) is None:
        raise refusals.malformed("The form has a parameter name with unusual characters.")
    return name, value


def _decode(encoded: bytes) -> str:
    try:
        return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise refusals.malformed("The form is not valid UTF-8.") from None
