"""The `portero` command line.

Only `typer` is loaded to read the arguments: a command imports what it needs when it runs, so that
`--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from portero.project.cli import (
    access,
    backing,
    bench,
    founding,
    keys,
    people,
    policy,
    running,
    upkeep,
)
from portero.project.cli.problems import ExitCode, Problem

app = typer.Typer(
    name="portero",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers twice as fast as framed help
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Access control for the WhatsApp Business API.",
)
running.add_to(app)
upkeep.add_to(app)
backing.add_to(app)
keys.add_to(app)
founding.add_to(app)
people.add_to(app)
access.add_to(app)
policy.add_to(app)
bench.add_to(app)


@app.callback(invoke_without_command=True)
def portero(
    context: typer.Context,
    state: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the installation, which holds its portero.env.",
            envvar="PORTERO_STATE",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Say the version and stop.")] = False,
) -> None:
    """Access control for the WhatsApp Business API."""
    if version:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as version_of

        try:
            typer.echo(version_of("portero"))
        except PackageNotFoundError:  # run from a checkout, which is not installed as a package
            typer.echo("checkout")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
    if state is not None and context.invoked_subcommand != "demo":
        _read_settings(state)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (`ExitCode`)."""
    try:
        code = app(args=arguments, prog_name="portero", standalone_mode=False)
    except Problem as problem:
        print(f"portero: {problem}", file=sys.stderr)  # noqa: T201 - a command's own words
        return problem.code
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        return _usage(error)
    return code if isinstance(code, int) else ExitCode.OK


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "portero"
    message = error.format_message()
    if message.startswith("Usage: "):  # nothing was asked for: the whole help, as it is
        print(message, file=sys.stderr)  # noqa: T201 - as above
        return error.exit_code
    print(f"{command}: {message} (see {command} --help)", file=sys.stderr)  # noqa: T201 - as above
    return error.exit_code


def _read_settings(state: Path) -> None:
    from portero.project.environment import BadEnvironment, with_file

    try:
        os.environ.update(with_file(state, os.environ))
    except (BadEnvironment, OSError) as error:
        raise Problem(str(error), ExitCode.NOT_CONFIGURED) from None
