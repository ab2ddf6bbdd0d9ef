"""Programs of Debian that some tests need; tools/needs gets them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_UNPACKED = Path(__file__).parent.parent / ".venv" / "debian" / "usr"
_FOLDERS = (os.environ.get("PATH", ""), "/usr/sbin", f"{_UNPACKED}/sbin", f"{_UNPACKED}/bin")


def needed(program: str) -> str:
    """Where it is. Without it the test is skipped, and fails in CI, where nothing may be missing."""
    found = shutil.which(program, path=os.pathsep.join(_FOLDERS))
    if found is None:
        reason = f"{program} is missing: run tools/needs, or install Debian's package {program}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
