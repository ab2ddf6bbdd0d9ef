"""`portero policy`: a workspace's rules as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from portero.project.cli.options import Json, Workspace
from portero.project.cli.output import say, write, write_json
from portero.project.cli.problems import ExitCode, Problem

policies = typer.Typer(help="A workspace's rules as files.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(policies, name="policy")


@policies.command("export")
def export(
    cedar: Annotated[bool, typer.Option("--cedar", help="In Cedar's words.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write policy.cedar, schema.cedarschema and entities.json there.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Write the policy in force as Cedar policies, with schema and principals."""
    from portero.project.cli.installation import opened

    if not cedar:
        raise Problem("say in which words: --cedar", ExitCode.USAGE)
    with opened("portero policy export", workspace) as here:
        from portero.project.cli.work import policies as work

        documents = work.cedar_documents(here)
    if out is not None:
        _write_files(out, documents)
    if json:
        write_json(documents)
    elif out is None:
        write(documents["policy.cedar"])


def _write_files(folder: Path, documents: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in documents.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise Problem(f"the folder cannot be written: {error}") from None
    say(f"{', '.join(documents)} are in {folder}")
