"""`portero bench`: the figures, measured here."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from portero.project.cli.options import require_room_for


class Subject(StrEnum):
    """What can be measured; each but `seed` is a module of `project.bench` with a `run`."""

    DECISION = "decision"
    VISIBLE = "visible"
    REVOKE = "revoke"
    GATEWAY = "gateway"
    INGEST = "ingest"
    CONSOLE = "console"
    SEED = "seed"


def add_to(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    subject: Annotated[Subject, typer.Argument(help="What to measure.")],
    rounds: Annotated[
        int, typer.Option(help="How often each contestant takes its turn.", min=1, metavar="N")
    ] = 5,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A small size that only shows that everything runs."),
    ] = False,
    people: Annotated[
        int, typer.Option(help="Of `seed`: there are ten bindings for each.", min=20, metavar="N")
    ] = 100_000,
    roles: Annotated[int, typer.Option(help="Of `seed`.", min=10, metavar="N")] = 1_000,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write every round here, too.", metavar="FILE"),
    ] = None,
) -> None:
    """Measure Portero beside its rivals on this machine and print medians, ratios and goals.

    `seed` measures nothing: it makes a large workspace in this installation, to look at.
    """
    require_room_for(json_file)
    if subject is Subject.SEED:
        _seed(people, roles)
        return
    from portero.project.bench.report import as_json, as_markdown

    run = import_module(f"portero.project.bench.{subject}").run
    report = run(rounds=rounds, quick=quick, progress=lambda said: typer.echo(said, err=True))
    typer.echo(as_markdown(report), nl=False)
    if json_file is not None:
        json_file.write_text(as_json(report))


def _seed(people: int, roles: int) -> None:
    """In a process of its own: this one need not load Django."""
    from portero.project.cli.installation import configured, require_database

    require_database(configured())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seeded.json"
        command = [sys.executable, "-P", "-m", "portero.project.bench.seeding"]
        subprocess.run([*command, str(file), str(people), str(roles)], check=True)  # noqa: S603 - our own module
        made = json.loads(file.read_text())
    typer.echo(
        f"{made['people']:,} people with {made['bindings']:,} bindings, made in {made['seconds']:.0f} s."
        f" Come in as the owner: portero person link {made['email']}"
    )
