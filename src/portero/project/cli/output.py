"""What commands write: documents and tables to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer


def write(text: str) -> None:
    typer.echo(text)


def say(text: str) -> None:
    """Tell the person at the terminal; a program that reads stdout never sees it."""
    typer.echo(text, err=True)


def write_json(document: object) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns under their names; plain text when stdout is no terminal."""
    from rich.console import Console  # a tenth of a second that most commands do not need
    from rich.table import Table

    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    # Cut lines help nobody who reads a file or a pipe.
    Console(width=None if sys.stdout.isatty() else 10_000, highlight=False, markup=False).print(
        table, soft_wrap=not sys.stdout.isatty()
    )


@contextmanager
def step(sentence: str) -> Iterator[None]:
    """Show that something is under way: a spinner on a terminal, a line elsewhere."""
    if not sys.stderr.isatty():
        say(f"{sentence} …")
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{sentence} …"):
        yield
