"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]


def require_room_for(file: Path | None) -> None:
    """Look before the work whether its result can be written where `--json` says."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise typer.BadParameter(f"nothing can be written in {file.parent}", param_hint="--json")


Workspace = Annotated[
    str | None,
    typer.Option("--workspace", help="Name or id; needed when there are several.", metavar="NAME"),
]
ActingAs = Annotated[
    str | None,
    typer.Option(
        "--as",
        help="E-mail of the person who does this; the only owner when not given.",
        metavar="EMAIL",
    ),
]
