"""The settings kept beside an installation: `portero.env` in its state folder.

The environment of the process goes first, so that a container or a unit file can override a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

FILE = "portero.env"
_LINE = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")


class BadEnvironment(Exception):
    """The file cannot be read as settings, or others may write it; the message says which."""


def with_file(state: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` over what the state folder's file says. Raises BadEnvironment."""
    path = state / FILE
    named = {"PORTERO_STATE": str(state.resolve())}
    if not path.exists():
        return {**environ, **named}
    if path.stat().st_mode & 0o022:
        raise BadEnvironment(f"{path} may be written by others: chmod 600 {path}")
    return {**_read(path), **environ, **named}


def write_file(state: Path, settings: Mapping[str, str]) -> None:
    """Replace the file, which appears whole and belongs to its owner alone."""
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    write_private(state / FILE, text)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that is seen whole or not at all.

    What root writes belongs to whoever the folder belongs to: root migrates, another account serves.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        _give_to_owner_of(path.parent, descriptor)
        file.write(text)
    draft.replace(path)


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, which belongs to whoever the folder around it belongs to."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    descriptor = os.open(path, os.O_DIRECTORY)
    try:
        _give_to_owner_of(path.parent, descriptor)
    finally:
        os.close(descriptor)


def _give_to_owner_of(folder: Path, descriptor: int) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _read(path: Path) -> dict[str, str]:
    settings = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise BadEnvironment(f"{path} line {number} is not NAME=value")
        settings[match["name"]] = match["value"]
    return settings
