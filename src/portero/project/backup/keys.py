"""The installation's keys in a file of their own, which a recovery code opens.

The code is made at random, long enough that nobody guesses it, and shown once. Whoever has the data,
or this file, or the code alone has nothing.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portero.project.backup.sealed import opened, read_head, seal, write_head
from portero.project.environment import make_private_folder, write_private
from portero.store.sealing import KEY_BYTES, CannotOpen, Secret

KIND = "portero keys"
_FORMAT = 1
_CODE_BYTES = 20  # 160 bits: 32 letters, which can be written down
_GROUP = 4
_SALT_BYTES = 16


def write(path: Path, files: Mapping[str, Path]) -> str:
    """Write the secrets, by name; returns the code that opens them. Raises OSError."""
    code = _grouped(base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode())
    salt = secrets.token_bytes(_SALT_BYTES)
    content = json.dumps({name: secret.read_text() for name, secret in files.items()}).encode()
    draft = path.with_name(f".{path.name}.draft")
    with open(draft, "wb", opener=private) as file:
        head = write_head(file, {"kind": KIND, "format": _FORMAT, "salt": salt.hex()})
        seal(file, _key(code, salt), head, [content])
    draft.replace(path)
    return code


def read(path: Path, code: str) -> dict[str, str]:
    """The secrets, by name. Raises CannotOpen for another code or another file, OSError."""
    with path.open("rb") as file:
        head, line = read_head(file)
        if head.get("kind") != KIND or head.get("format") != _FORMAT:
            raise CannotOpen
        content = b"".join(opened(file, _key(code, bytes.fromhex(head["salt"])), line))
    found: dict[str, str] = json.loads(content)
    return found


def put_back(found: Mapping[str, str], files: Mapping[str, Path]) -> None:
    """Write the secrets where this installation looks for them.

    Raises FileExistsError, naming the file, where another secret stands in the way.
    """
    for name, path in files.items():
        if path.exists() and path.read_text().strip() != found[name].strip():
            raise FileExistsError(str(path))
    for name, path in files.items():
        make_private_folder(path.parent)
        write_private(path, found[name])


def private(path: str, flags: int) -> int:
    """An opener: what is made is its owner's alone."""
    return os.open(path, flags, 0o600)


def _key(code: str, salt: bytes) -> Secret:
    plain = "".join(code.split()).replace("-", "").upper()
    made = HKDF(hashes.SHA256(), KEY_BYTES, salt, KIND.encode()).derive(plain.encode())
    return Secret(made)


def _grouped(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
