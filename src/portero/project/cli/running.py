"""`portero demo`, `serve` and `sandbox`: what stays until Ctrl-C."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from portero.project.cli.options import Json, require_room_for
from portero.project.cli.problems import ExitCode, Problem

serve = typer.Typer(help="Run the processes of an installation.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
    app.add_typer(serve, name="serve")
    app.command()(worker)
    app.command()(sandbox)


def demo(
    data: Annotated[
        Path,
        typer.Option(help="Where everything is kept; made when it is not there.", metavar="DIR"),
    ] = Path(".portero/demo"),
    port: Annotated[
        int,
        typer.Option(
            help="Of the console; gateway, sandbox and streams take the next three.", metavar="N"
        ),
    ] = 8000,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write addresses, ids and keys here once everything answers.",
            metavar="FILE",
        ),
    ] = None,
    lan: Annotated[
        bool,
        typer.Option(
            "--lan", help="Let phones in this network in, by https; needs Caddy on this machine."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            help="With --lan: by which they reach it; this machine's own, ending in .local, else.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            help="Only write what this person's app with codes shows now, and stop.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run everything on this machine: database, sandbox, gateway, console and a lived-in workspace."""
    if code is not None:
        from portero.project.demo.codes import code_of

        typer.echo(code_of(data, code))
        return
    from portero.project.demo import running as demonstration
    from portero.project.demo.lan import own_name

    if name is not None and not (lan and re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", name)):
        raise typer.BadParameter("a name of small letters, with --lan", param_hint="--name")
    reached = (name or own_name()) if lan else None
    _require_port(port, last=port + (5 if lan else 3))
    require_room_for(json_file)
    try:
        asyncio.run(demonstration.run(data, port=port, json_file=json_file, lan_name=reached))
    except demonstration.DemoFailed as error:
        raise Problem(str(error), ExitCode.TAKEN if error.taken else ExitCode.FAILED) from None


@serve.command("gateway")
def serve_gateway(
    processes: Annotated[
        int | None,
        typer.Option(
            help="How many share the address; PORTERO_GATEWAY_PROCESSES when not given.",
            min=1,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run the gateway: programs and Meta talk to it, and it alone talks to Meta."""
    from portero.project import serving
    from portero.project.cli.installation import configured, require_database
    from portero.project.configuration import MOST_PROCESSES

    if processes is not None and processes > MOST_PROCESSES:
        raise typer.BadParameter(f"at most {MOST_PROCESSES}", param_hint="--processes")
    configuration = configured()
    require_database(configuration)
    count = processes or configuration.gateway_processes
    _serve(lambda: serving.serve_gateway(configuration, processes=count, as_json=json))


@serve.command("console")
def serve_console(json: Json = False) -> None:
    """Run the console, on this machine only."""
    from portero.project import serving
    from portero.project.cli.installation import configured

    configuration = configured()
    _serve(lambda: serving.serve_console(configuration, as_json=json))


@serve.command("live")
def serve_live(json: Json = False) -> None:
    """Run the streams by which the console's pages change under people's eyes."""
    from portero.project import serving
    from portero.project.cli.installation import configured, require_database

    configuration = configured()
    require_database(configuration)
    _serve(lambda: serving.serve_live(configuration, as_json=json))


@serve.command("metrics")
def serve_metrics(json: Json = False) -> None:
    """Answer Prometheus, on this machine only."""
    from portero.project import serving
    from portero.project.cli.installation import configured

    configuration = configured()
    _serve(lambda: serving.serve_metrics(configuration, as_json=json))


def worker(json: Json = False) -> None:
    """Run the worker: it sends mail, and does what waits for nobody."""
    from portero.project import serving
    from portero.project.cli.installation import configured, require_database

    require_database(configured())
    _serve(lambda: serving.serve_worker(as_json=json))


def sandbox(
    port: Annotated[int, typer.Option(help="On the loopback address.", metavar="N")] = 8002,
    world: Annotated[
        Path | None,
        typer.Option(
            help="What exists in it (JSON, docs/how-to/sandbox.md); a fixed world without it.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run the Cloud API emulator alone: no database, no Meta account."""
    from portero.project import serving
    from portero.sandbox import WorldError

    _require_port(port, last=port)
    try:
        _serve(lambda: serving.serve_sandbox(port=port, world=world, as_json=json))
    except WorldError as error:
        raise Problem(f"{world} is no world: {error}") from None


def _serve(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    from portero.project.listening import AddressTaken
    from portero.project.supervisor import ProgramFailed

    try:
        asyncio.run(start())
    except AddressTaken as error:
        raise Problem(f"{error}: stop it, or choose another port", ExitCode.TAKEN) from None
    except ProgramFailed as error:
        raise Problem(str(error)) from None


def _require_port(first: int, *, last: int) -> None:
    if not (first > 0 and last < 65536):
        raise typer.BadParameter(f"{first} to {last} are no ports", param_hint="--port")
