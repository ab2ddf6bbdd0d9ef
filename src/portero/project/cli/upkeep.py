"""`portero migrate`, `doctor` and `db`: keeping an installation in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from portero.project.cli.options import Json, require_room_for
from portero.project.cli.output import step, write, write_json
from portero.project.cli.problems import ExitCode, Problem

database = typer.Typer(help="The PostgreSQL that Portero runs itself.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(doctor)
    app.command()(support_bundle)
    app.add_typer(database, name="db")


def migrate(json: Json = False) -> None:
    """Bring secrets, logins, tables and policies to this release. Repeat it as often as you like."""
    from portero.project.cli.installation import database_problems, require_state
    from portero.project.configuration import ConfigurationError
    from portero.project.installing import SecretsMissing, install
    from portero.project.postgres import ClusterError

    require_state()
    try:
        with step("Bringing the database to this release"), database_problems():
            done = install()
    except (SecretsMissing, ConfigurationError) as error:
        raise Problem(str(error), ExitCode.NOT_CONFIGURED) from None
    except ClusterError as error:
        raise Problem(str(error), ExitCode.DATABASE_AWAY) from None
    if json:
        write_json({"database": done.database, "created": done.created})
    else:
        write(f"The database “{done.database}” is {'made' if done.created else 'up to date'}.")


def doctor(json: Json = False) -> None:
    """Say in plain words what is wrong with this installation. Exit 1 when something is."""
    from portero.project.cli.installation import require_state
    from portero.project.doctor import examine

    require_state()
    with step("Looking at everything"):
        findings = examine()
    ok = all(finding.ok for finding in findings)
    if json:
        document = [
            {"check": f.check, "ok": f.ok, "message": f.message, "remedy": f.remedy}
            for f in findings
        ]
        write_json({"ok": ok, "findings": document})
    else:
        for finding in findings:
            write(f"{'ok  ' if finding.ok else 'BAD '} {finding.check}: {finding.message}")
            if finding.remedy:
                write(f"     → {finding.remedy}")
    raise typer.Exit(ExitCode.OK if ok else ExitCode.FAILED)


def support_bundle(
    file: Annotated[Path, typer.Argument(help="The archive to write.", metavar="FILE")],
    json: Json = False,
) -> None:
    """Gather what somebody who helps needs: versions, settings, findings, logs, without secrets."""
    from portero.project.cli.installation import require_state
    from portero.project.support import SecretInside
    from portero.project.support import write as write_bundle

    require_state()
    require_room_for(file)
    try:
        with step("Gathering"):
            parts = write_bundle(file)
    except SecretInside as error:
        raise Problem(f"nothing was written: {error} would have held a secret") from None
    except OSError as error:
        raise Problem(f"{error.filename}: {error.strerror}") from None
    if json:
        write_json({"file": str(file), "parts": parts})
    else:
        write(f"{file} holds {', '.join(parts)}. Read it before you give it to anybody.")


@database.command("start")
def start(json: Json = False) -> None:
    """Start it, making it first when there is none; it runs on until `portero db stop`."""
    from portero.project.installing import own_cluster

    with step("Starting PostgreSQL"), _cluster_problems():
        own_cluster().start()
    _write_status(json)


@database.command("stop")
def stop(json: Json = False) -> None:
    """Stop it, rolling back what is not committed."""
    from portero.project.installing import own_cluster

    with step("Stopping PostgreSQL"), _cluster_problems():
        own_cluster().stop()
    _write_status(json)


@database.command("status")
def status(json: Json = False) -> None:
    """Say whether it runs, and where. Exit 1 when it does not."""
    if not _write_status(json):
        raise typer.Exit(ExitCode.FAILED)


@contextmanager
def _cluster_problems() -> Iterator[None]:
    from psycopg import Error as DatabaseError

    from portero.project.cli.installation import require_state
    from portero.project.installing import NotOurs
    from portero.project.postgres import ClusterError

    require_state()
    try:
        yield
    except NotOurs as error:
        raise Problem(str(error), ExitCode.NOT_CONFIGURED) from None
    except (ClusterError, DatabaseError) as error:
        raise Problem(str(error).strip(), ExitCode.DATABASE_AWAY) from None
    except OSError as error:
        raise Problem(f"the folder cannot be used: {error}") from None


def _write_status(json: bool) -> bool:
    from portero.project.installing import own_cluster

    with _cluster_problems():
        found = own_cluster().status()
    if json:
        write_json(
            {
                "running": found.running,
                "major": found.major,
                "data": str(found.data),
                "socket": str(found.socket),
                "programs": str(found.programs),
            }
        )
    else:
        words = "runs" if found.running else "does not run"
        write(f"PostgreSQL {found.major} {words}; data in {found.data}, socket {found.socket}")
    return found.running
