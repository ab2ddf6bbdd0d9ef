"""Makes sure that the demo's database and workspace are there, whole.

Runs as a process of its own (`child`), so that the supervisor never loads Django.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import django

from portero.project.configuration import SETTINGS
from portero.project.demo.world import DEMO_FILE, WORLD_FILE
from portero.project.environment import write_private
from portero.project.installing import install
from portero.project.postgres import Cluster

_UNFINISHED = "unfinished"


def ensure_workspace(state: Path) -> None:
    """Bring the database to this release, and make the workspace if it is not there whole."""
    if (state / DEMO_FILE).exists():
        _say("bringing the database to this release")
        install()
        _let_people_sign_in(state / DEMO_FILE)
        _tell_of_dead_keys(state / DEMO_FILE)
        return
    mark = state / _UNFINISHED
    start_over(state, mark)
    _say("making the database")
    install()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    django.setup()
    from portero.project.demo.history import write_history  # need Django set up
    from portero.project.demo.seed import make

    _say("making the workspace Tienda Andina")
    made = make(json.loads((state / WORLD_FILE).read_text()))
    _say("remembering half a year of customers and calls")
    write_history(made)
    write_private(state / DEMO_FILE, json.dumps(made.document, ensure_ascii=False, indent=2) + "\n")
    mark.unlink()


def _let_people_sign_in(file: Path) -> None:
    """For a folder from a release in which nobody signed in."""
    document = json.loads(file.read_text())
    if any("password" in person for person in document["people"]):
        return
    from portero.project.demo.seed import let_sign_in  # needs Django set up

    document["people"] = let_sign_in()
    write_private(file, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _tell_of_dead_keys(file: Path) -> None:
    """What was revoked since, or has expired, is not said to do anything any more."""
    from portero.project.demo.seed import with_dead_keys_told  # needs Django set up

    document = with_dead_keys_told(json.loads(file.read_text()))
    write_private(file, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def start_over(state: Path, mark: Path) -> None:
    """Drop what an interrupted start left; data that was once complete is never touched."""
    name = os.environ.get("PORTERO_DATABASE") or SETTINGS["PORTERO_DATABASE"]
    cluster = Cluster(state)
    if cluster.has_database(name):
        if not mark.exists():
            raise SystemExit(
                f"{state / DEMO_FILE} is gone, and its keys cannot be shown again:"
                f" delete the folder {state} to begin anew"
            )
        cluster.drop_database(name)
    mark.touch(mode=0o600)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - relayed to the person who started the demo
