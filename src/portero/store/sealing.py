"""Secrets at rest: AES-256-GCM, two levels deep, each ciphertext bound to its place.

The installation's key (KEK, from a file outside the database) wraps the keys of each workspace
(`workspace_key.wrapped`), and a workspace's data key seals its values. The associated data names
the workspace, table, column, row and key version, so that a ciphertext moved elsewhere does not
open.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

KEY_BYTES = 32
_NONCE_BYTES = 12  # random; a key seals far fewer than 2^32 values before it is rotated
_VERSION_BYTES = 4
_FORMAT = b"\x01"


class CannotOpen(Exception):
    """The ciphertext was changed, moved, or sealed with a key we do not hold. Says no more."""

    code = "cannot_open"


class Secret:
    """Bytes that do not show themselves: not in text, not in logs, not in a pickle, not in JSON."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes):
        self._value: Final = value

    def reveal(self) -> bytes:
        """Give the bytes to the one place that needs them."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(***)"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # no place in sets and caches

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives. `row` is the row's own id."""

    workspace: UUID
    table: str
    column: str
    row: UUID

    def associated_data(self, key_version: int) -> bytes:
        # Table and column are identifiers of ours: no slash can be in them.
        name = f"portero/{self.workspace}/{self.table}/{self.column}/{self.row}/{key_version}"
        return name.encode()


class KeyRing:
    """The versions of one key. The highest seals; all of them open, until they are taken out."""

    __slots__ = ("_keys", "current", "version")

    def __init__(self, keys: Mapping[int, Secret]):
        if not keys or any(len(key.reveal()) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"a key ring needs keys of {KEY_BYTES} bytes")
        if any(not 0 < version < 2**31 for version in keys):
            raise ValueError("key versions count from 1")
        self._keys = dict(keys)
        self.version = max(keys)  # the one that seals now
        self.current = keys[self.version]

    @classmethod
    def generate(cls) -> KeyRing:
        return cls({1: new_key()})

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read lines of `version:base64`. Raises ValueError."""
        keys = {}
        for line in text.split():
            version, _, encoded = line.partition(":")
            if int(version) in keys:
                raise ValueError(f"key version {int(version)} is there twice")
            keys[int(version)] = Secret(base64.b64decode(encoded, altchars=b"-_", validate=True))
        return cls(keys)

    def text(self) -> str:
        """Write what `parse` reads: the keys in clear, for a file only its owner may read."""
        return "\n".join(
            f"{version}:{base64.urlsafe_b64encode(key.reveal()).decode()}"
            for version, key in sorted(self._keys.items())
        )

    @property
    def oldest(self) -> int:
        """The lowest version that still opens."""
        return min(self._keys)

    def key(self, version: int) -> Secret | None:
        return self._keys.get(version)

    def seal(self, place: Place, value: bytes) -> bytes:
        """Encrypt for one place, with the current version, which is kept in the ciphertext."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.current.reveal()).encrypt(
            nonce, value, place.associated_data(self.version)
        )
        return _FORMAT + self.version.to_bytes(_VERSION_BYTES, "big") + nonce + sealed

    def open(self, place: Place, blob: bytes) -> Secret:
        """Decrypt what was sealed for this place. Raises CannotOpen."""
        head = len(_FORMAT) + _VERSION_BYTES
        version = int.from_bytes(blob[len(_FORMAT) : head], "big")
        key = self._keys.get(version)
        if blob[: len(_FORMAT)] != _FORMAT or key is None:
            raise CannotOpen
        nonce, sealed = blob[head : head + _NONCE_BYTES], blob[head + _NONCE_BYTES :]
        try:
            return Secret(
                AESGCM(key.reveal()).decrypt(nonce, sealed, place.associated_data(version))
            )
        except (InvalidTag, ValueError):  # ValueError: cut so short that no nonce or tag is left
            raise CannotOpen from None


def new_key() -> Secret:
    return Secret(secrets.token_bytes(KEY_BYTES))
