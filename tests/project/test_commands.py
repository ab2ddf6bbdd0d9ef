"""The command line is what docs/commands.md says, starts at once, and ends with the right code."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer.main

from portero.project.cli import app
from portero.project.configuration import create_secrets

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text()
PORTERO = Path(sys.executable).with_name("portero")


def commands(command: Any, path: str) -> dict[str, Any]:
    """Every command that does something, by what a person types."""
    if not hasattr(command, "commands"):
        return {path: command}
    found: dict[str, Any] = {}
    for name, inner in command.commands.items():
        found |= commands(inner, f"{path} {name}")
    return found


COMMANDS = commands(typer.main.get_command(app), "portero")


def documented() -> dict[str, set[str]]:
    """Command -> the options its section names."""
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    found: dict[str, set[str]] = {}
    for section in sections:
        title, _, rest = section.partition("\n")
        options = set(re.findall(r"`(--[a-z-]+)", rest.partition("\n## ")[0]))
        for name in re.findall(r"`(portero [^`]*?)`", title):
            words = [word for word in name.split() if word.islower() or word == "portero"]
            found[" ".join(words)] = options
    return found


def options_of(command: Any) -> set[str]:
    options = [one for one in command.params if one.param_type_name == "option"]
    names = {name for one in options for name in one.opts}
    return {name for name in names if name.startswith("--")} - {"--help"}


def test_every_command_is_documented_and_no_other() -> None:
    assert set(COMMANDS) == set(documented())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    assert options_of(COMMANDS[name]) == documented()[name]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PORTERO), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("key",), ("db",)])
def test_without_a_command_the_help_is_written_as_it_is(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Usage: {' '.join(('portero', *arguments))} [OPTIONS] COMMAND")
    assert "(see" not in done.stderr


def test_help_comes_at_once_and_loads_no_django() -> None:
    program = (
        "import sys; sys.argv = ['portero', '--help']\n"
        "from portero.project.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'django' not in sys.modules and 'asyncpg' not in sys.modules\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "Access control" in done.stdout
    assert time.monotonic() - began < 5  # a bound for a hang; it takes a third of a second


def test_a_gateway_without_its_database_says_so_in_a_sentence(tmp_path: Path) -> None:
    create_secrets(tmp_path)
    (tmp_path / "secrets" / "postgres-gateway").touch(mode=0o600)

    done = run("--state", str(tmp_path), "serve", "gateway")

    assert done.returncode == 4, (done.stdout, done.stderr)
    assert "portero db start" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nonsense",), 2),
        (("demo", "--port", "many"), 2),
        (("demo", "--json", "/nonexistent/x.json"), 2),
        (("bench", "revoke", "--json", "/nonexistent/x.json"), 2),
        (("key", "create"), 2),
        (("--state", "/nonexistent/portero", "doctor"), 1),
        (("--state", "/nonexistent/portero", "key", "list"), 3),
        (("--state", "/nonexistent/portero", "migrate"), 4),
    ],
)
def test_wrong_input_ends_with_the_code_of_the_page(arguments: tuple[str, ...], code: int) -> None:
    done = run(*arguments)

    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip() or done.stdout.strip()
