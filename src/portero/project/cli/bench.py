"""`portero bench`: the figures, measured here."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer


class Subject(StrEnum):
    """What can be measured; each is a module of `project.bench` with a `run`."""

    DECISION = "decision"
    VISIBLE = "visible"
    REVOKE = "revoke"
    GATEWAY = "gateway"
    INGEST = "ingest"


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
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write every round here, too.", metavar="FILE"),
    ] = None,
) -> None:
    """Measure Portero beside its rivals on this machine and print medians, ratios and goals."""
    from portero.project.bench.report import as_json, as_markdown

    run = import_module(f"portero.project.bench.{subject}").run
    report = run(rounds=rounds, quick=quick, progress=lambda said: typer.echo(said, err=True))
    typer.echo(as_markdown(report), nl=False)
    if json_file is not None:
        json_file.write_text(as_json(report))
