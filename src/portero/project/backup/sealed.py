"""A file sealed piece by piece, so that a database of any size passes through in little memory.

One line of JSON in clear, the head, then pieces of AES-256-GCM. A piece's nonce counts it and says
whether it is the last, and the head is associated data of all of them: pieces that were changed, left
out, put in another order or cut off at the end do not open. The key seals one file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portero.store.sealing import CannotOpen, Secret

PIECE = 1 << 20
_TAG = 16
_COUNTER_BYTES = 11
_LONGEST_HEAD = 1 << 16


def write_head(file: BinaryIO, head: Mapping[str, Any]) -> bytes:
    """Write what may be read without a key; returns its bytes, to which every piece is bound."""
    line = json.dumps(head, sort_keys=True).encode() + b"\n"
    file.write(line)
    return line


def read_head(file: BinaryIO) -> tuple[Mapping[str, Any], bytes]:
    """The head and its bytes. Raises CannotOpen for a file of another kind."""
    line = file.readline(_LONGEST_HEAD)
    try:
        head = json.loads(line)
    except ValueError:
        raise CannotOpen from None
    if not line.endswith(b"\n") or not isinstance(head, dict):
        raise CannotOpen
    return head, line


def seal(file: BinaryIO, key: Secret, head: bytes, content: Iterable[bytes]) -> None:
    """Write `content`, in pieces of whatever size, behind the head."""
    cipher, number, held = AESGCM(key.reveal()), 0, b""
    for part in content:
        held += part
        while len(held) > PIECE:  # one is kept back: only the end tells which is the last
            file.write(cipher.encrypt(_nonce(number, is_last=False), held[:PIECE], head))
            number, held = number + 1, held[PIECE:]
    file.write(cipher.encrypt(_nonce(number, is_last=True), held, head))


def opened(file: BinaryIO, key: Secret, head: bytes) -> Iterator[bytes]:
    """What was sealed, piece by piece. Raises CannotOpen, also after the first pieces."""
    cipher, number = AESGCM(key.reveal()), 0
    piece = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, is_last=not following), piece, head)
        except (InvalidTag, ValueError):
            raise CannotOpen from None
        if not following:
            return
        number, piece = number + 1, following


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([is_last])
