"""A workspace on a real installation: one command, one link."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from databases import Database
from portero.project.configuration import create_secrets

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database: Database) -> Run:
    create_secrets(database.cluster.state)

    def portero(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("portero"), *arguments],
            env={
                **os.environ,
                "PORTERO_STATE": str(database.cluster.state),
                "PORTERO_DATABASE": database.name,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return portero


def found(run: Run, *more: str, name: str = "Tienda Nueva") -> Any:
    done = run("workspace", "create", name, "--owner", "eva@nueva.example", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_owner_has_a_link_and_the_workspace_its_roles(run: Run) -> None:
    made = found(run, "--timezone", "America/Lima", "--owner-name", "Eva Núñez")

    assert "/welcome/" in made["url"]
    roles = run("role", "list", "--json", "--workspace", made["id"])
    assert {"Administrator", "Agent"} <= set(re.findall(r'"name": ?"(\w+)"', roles.stdout))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("Shop", "--owner", "eva"), "no address"),
        (("Shop", "--owner", "eva@x.example", "--timezone", "Lima"), "no time zone"),
        (("", "--owner", "eva@x.example"), "the name"),
        (("Shop",), "--owner"),
    ],
)
def test_wrong_input_founds_nothing(run: Run, wrong: tuple[str, ...], told: str) -> None:
    done = run("workspace", "create", *wrong)

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    link = run("person", "link", "eva@x.example")
    assert link.returncode != 0, "nobody was left behind"
    assert "portero workspace create" in link.stderr
