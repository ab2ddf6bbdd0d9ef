"""The world file: what it may say, and that a mistake in it is told."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from portero.sandbox import World, WorldError
from portero.sandbox.__main__ import introduction, main
from sandbox.harness import WORLD

BAD: dict[str, dict[str, Any]] = {
    "no app": {"app": None},
    "an unknown key": {"colour": "red"},
    "an id of 16 digits": {"business": {"id": "1234567890123456"}},
    "an id with letters": {"wabas": [{"id": "abc"}]},
    "an unknown key of a number": {
        "wabas": [{"id": "1", "numbers": [{"id": "2", "display_phone_number": "+1", "x": 1}]}]
    },
    "a template without a category": {
        "wabas": [{"id": "1", "templates": [{"name": "a", "language": "es"}]}]
    },
    "a window of a stranger": {"windows": [{"number": "9", "customer": "34600111222"}]},
    "a customer who is no number": {"customers": [{"phone": "Ana", "name": "Ana"}]},
    "an unknown speed": {"speed": {"warp_ms": 1}},
    "two things with one id": {"business": {"id": WORLD["app"]["app_id"]}},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_world_with_a_mistake_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WorldError):
        World.from_dict(WORLD | change)


def test_the_smallest_world_is_an_app() -> None:
    world = World.from_dict({"app": WORLD["app"]})

    assert world.numbers == {}


def test_the_default_world_says_where_to_go() -> None:
    text = introduction(World.default(), 8002)

    assert "http://127.0.0.1:8002" in text
    assert "sandbox-token" in text


def test_fresh_ids_are_numbers_of_fifteen_digits_and_never_repeat() -> None:
    world = World.default()

    ids = [world.new_id() for _ in range(100)]

    assert len(set(ids)) == 100
    assert all(len(item) == 15 and item.isdigit() for item in ids)


def test_the_example_of_the_how_to_is_a_world() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "sandbox.md"
    example = page.read_text().partition("```json\n")[2].partition("```")[0]

    world = World.from_dict(json.loads(example))

    assert world.window_is_open("100000000000101", "5215512345678")


@pytest.mark.parametrize("content", ["{", '{"app": 1}'])
def test_a_file_that_is_no_world_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "world.json"
    path.write_text(content)

    assert main(["--world", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_the_command_serves_a_world_file(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLD))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "portero.sandbox", "--port", str(port), "--world", str(path)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            answer = _first_answer(f"http://127.0.0.1:{port}/me")
        finally:
            process.terminate()
            output = process.communicate(timeout=10)[0]

    assert answer == {"id": "100000000000030", "name": "Bot"}
    assert "test-token" in output


def _first_answer(url: str) -> Any:
    deadline = time.monotonic() + 10
    while True:
        try:
            return httpx.get(url, headers={"Authorization": "Bearer test-token"}).json()
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "the command did not serve"
            time.sleep(0.05)
