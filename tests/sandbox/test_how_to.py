"""The page about testing a bot, to the letter: its lines start the sandbox and its tests pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from programs import needed
from sandbox.conftest import serving
from sandbox.harness import Running

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/test-against-the-sandbox.md").read_text()
BINARIES = Path(sys.executable).parent
PACKAGES = ROOT / ".venv" / "node" / "node_modules"
CLIENT = "@kapso/whatsapp-cloud-api"


def block(language: str, containing: str) -> str:
    """The one fenced block of a language that has this text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    [found] = [block for block in blocks if containing in block]
    return str(found)


@pytest.fixture
def fixed_world() -> Iterator[Running]:
    """The emulator as it starts without a file."""
    path = ROOT / "src/portero/sandbox/default_world.json"
    with serving(json.loads(path.read_text())) as running:
        yield running


def run(command: list[str], folder: Path, sandbox: Running) -> None:
    environment = {**os.environ, "SANDBOX": sandbox.url, "NO_PROXY": "127.0.0.1"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # our own plugins are not the reader's
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_tests_pass(fixed_world: Running, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(block("python", "# test_bot.py"))

    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path, fixed_world)

    assert fixed_world.ledger()[-1]["path"].endswith("/messages")


def test_the_javascript_tests_pass(fixed_world: Running, tmp_path: Path) -> None:
    node = needed("node")
    if not (PACKAGES / CLIENT).exists():
        pytest.skip(f"{CLIENT} is not in .venv/node: tools/needs gets it where npm can")
    (tmp_path / "bot.test.mjs").write_text(block("js", "// bot.test.mjs"))
    (tmp_path / "node_modules").symlink_to(PACKAGES)

    run([node, "--test", "bot.test.mjs"], tmp_path, fixed_world)

    assert fixed_world.ledger()[-1]["path"].endswith("/messages")


@pytest.mark.long
def test_the_shell_lines_start_it_and_wait(tmp_path: Path) -> None:
    lines = block("sh", "portero sandbox").replace("--port 8002", f"--port {_free_port()}")

    document, pid = _started(f"{lines}\necho $! > pid", tmp_path)
    os.kill(pid, signal.SIGTERM)

    assert document["tokens"] == ["sandbox-token"]
    assert document["sandbox_url"].startswith("http://127.0.0.1:")


def test_ci_runs_the_same_lines() -> None:
    job = block("yaml", "runs-on")

    for line in block("sh", "portero sandbox").splitlines():
        assert line.replace("portero sandbox", "bin/portero sandbox") in job or line in job
    assert "python -m pytest test_bot.py" in job
    assert "node --test bot.test.mjs" in job


def _started(lines: str, folder: Path) -> tuple[dict[str, Any], int]:
    """What the lines left, and the process that stays."""
    path = f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}"
    shell = shutil.which("sh") or "sh"
    subprocess.run(
        [shell, "-euc", lines],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return json.loads((folder / "sandbox.json").read_text()), int((folder / "pid").read_text())


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
