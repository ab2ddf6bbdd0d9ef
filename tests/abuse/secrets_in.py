"""Finds a secret in bytes, however it is dressed up. Shares nothing with the gateway's own filter."""

from __future__ import annotations

import base64
import html
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from functools import cache

_ROUNDS = 3


def found_in(haystack: bytes, secrets: Iterable[str]) -> list[str]:
    """Which of the secrets are in it: plain, in hex, base64, or under escapes of several layers."""
    plain = list(_undressed(haystack))
    return [secret for secret in secrets if any(_holds(text, secret) for text in plain)]


def _holds(text: str, secret: str) -> bool:
    return secret in text or any(needle in text for needle in _dressed(secret))


@cache
def _dressed(secret: str) -> tuple[str, ...]:
    return tuple(_dresses(secret))


def _dresses(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield raw.hex()
    yield raw.hex().upper()
    yield secret[::-1]
    for before in range(3):
        # Characters that only depend on the secret, not on what surrounds it.
        whole = base64.b64encode(bytes(before) + raw).decode()
        middle = whole[4 if before else 0 : -4]
        yield middle
        yield middle.translate(str.maketrans("+/", "-_"))


def _undressed(haystack: bytes) -> Iterator[str]:
    text = haystack.decode("latin-1")
    for _ in range(_ROUNDS):
        yield text
        peeled = html.unescape(urllib.parse.unquote(_json_unescaped(text), encoding="latin-1"))
        if peeled == text:
            return
        text = peeled


def _json_unescaped(text: str) -> str:
    text = re.sub(r"\\u00([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), text)
    return re.sub(r"\\(.)", r"\1", text)
