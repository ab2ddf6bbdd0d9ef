"""Settings kept beside an installation: read, overridden, written whole, and never by strangers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from portero.project.environment import BadEnvironment, with_file, write_file

SETTINGS = (
    "# of the shop\n\nPORTERO_GATEWAY_LISTEN=127.0.0.1:9001\nPORTERO_PUBLIC_URL=https://a.example\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "portero.env"
    path.write_text(SETTINGS)
    path.chmod(0o600)
    return path


def test_the_environment_goes_before_the_file(file: Path) -> None:
    found = with_file(file.parent, {"PORTERO_PUBLIC_URL": "https://b.example", "HOME": "/root"})

    assert found == {
        "PORTERO_GATEWAY_LISTEN": "127.0.0.1:9001",
        "PORTERO_PUBLIC_URL": "https://b.example",
        "HOME": "/root",
        "PORTERO_STATE": str(file.parent),
    }


def test_the_folder_named_on_the_command_line_is_the_state(file: Path) -> None:
    found = with_file(file.parent, {"PORTERO_STATE": "/elsewhere"})

    assert found["PORTERO_STATE"] == str(file.parent)


def test_a_folder_without_a_file_adds_nothing_else(tmp_path: Path) -> None:
    assert with_file(tmp_path, {}) == {"PORTERO_STATE": str(tmp_path)}


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_b6_5_a_file_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)

    with pytest.raises(BadEnvironment, match="chmod 600"):
        with_file(file.parent, {})


@pytest.mark.parametrize("line", ["export A=1", "a=1", "PORTERO_PUBLIC_URL"])
def test_a_line_that_is_no_setting_is_named(file: Path, line: str) -> None:
    file.write_text(f"{SETTINGS}{line}\n")

    with pytest.raises(BadEnvironment, match="line 5"):
        with_file(file.parent, {})


def test_what_is_written_is_read_back_and_private(tmp_path: Path) -> None:
    write_file(tmp_path, {"PORTERO_DATABASE": "shop", "PORTERO_PUBLIC_URL": "https://a.example"})

    assert with_file(tmp_path, {})["PORTERO_DATABASE"] == "shop"
    assert stat.S_IMODE((tmp_path / "portero.env").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["portero.env"]
