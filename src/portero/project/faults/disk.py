"""A small disk, to be filled."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotAllowed(Exception):
    """This fault cannot be made here; the text says why."""


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A folder on a disk of its own in memory, of a size like "192m". Raises NotAllowed."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        raise NotAllowed("there is no mount")
    folder = Path(tempfile.mkdtemp(prefix="portero-disk-"))
    try:
        command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - size and folder are the caller's
        if made.returncode != 0:
            raise NotAllowed(f"a small disk can be made by root only: {made.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run([umount, "-l", str(folder)], check=False)  # noqa: S603 - the folder of above
    finally:
        folder.rmdir()
