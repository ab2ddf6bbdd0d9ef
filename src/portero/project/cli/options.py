"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]
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
