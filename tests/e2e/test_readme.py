"""The README's way from a fresh clone to a sent message, to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.installations import Demo
from programs import needed

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture
def clone(shop: Demo, tmp_path: Path) -> Path:
    """A folder as a clone is while the demo runs in it."""
    (tmp_path / ".portero").mkdir()
    (tmp_path / ".portero/demo").symlink_to(shop.folder)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    return tmp_path


def block(containing: str) -> str:
    """The one fenced block that has this text."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    [found] = [block for block in blocks if containing in block]
    return str(found)


def test_the_python_example_sends_a_message(shop: Demo, clone: Path) -> None:
    (clone / "hello.py").write_text(block("import pywa"))

    done = subprocess.run(
        [sys.executable, "hello.py"], cwd=clone, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "wamid." in done.stdout
    assert shop.ledger()[-1]["path"].endswith("/messages")


def test_the_shell_example_is_refused_as_the_readme_shows(shop: Demo, clone: Path) -> None:
    needed("curl")
    script = block("curl").replace("http://127.0.0.1:8001", shop.document["gateway_url"])
    before = len(shop.ledger())

    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=clone,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )

    for line in block("outside_scope").splitlines():
        assert line in done.stdout
    assert len(shop.ledger()) == before
