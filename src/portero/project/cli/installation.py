"""An installation opened for a command: its configuration, Django, and one of its workspaces.

Heavy: commands import it when they run. What touches models (`cli.work`) is imported inside
`opened`, once Django is set up.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import django
import psycopg
from django.db import DatabaseError, OperationalError

from portero.project.cli.problems import ExitCode, Problem, first_line
from portero.project.configuration import Configuration, ConfigurationError

_NO_STATE = (
    "no installation is named: give --state DIR or set PORTERO_STATE"
    " (`portero demo` makes one to try things on)"
)
_AWAY = "the database does not answer ({}): start it with `portero db start`, or check DATABASE_URL"
_NO_TABLES = "the database is not up to date ({}): run `portero migrate`"


def configured() -> Configuration:
    """The configuration, or a Problem that lists everything wrong with it."""
    require_state()
    state = Path(os.environ["PORTERO_STATE"])
    if not state.is_dir():
        raise Problem(
            f"there is no installation in {state}: is it spelt right? `portero migrate` makes one",
            ExitCode.NOT_CONFIGURED,
        )
    try:
        return Configuration.from_environment()
    except ConfigurationError as error:
        message = f"the configuration is not complete (`portero doctor` says more):\n{error}"
        raise Problem(message, ExitCode.NOT_CONFIGURED) from None


def welcome_url(configuration: Configuration, token: str) -> str:
    """Where a link of the console's leads."""
    return f"{configuration.console_url}/welcome/{token}"


def require_state() -> None:
    if not os.environ.get("PORTERO_STATE"):
        raise Problem(_NO_STATE, ExitCode.NOT_CONFIGURED)


def require_database(configuration: Configuration) -> None:
    """Raises Problem unless the gateway's login can be used."""
    with database_problems():
        psycopg.connect(configuration.dsn("gateway"), connect_timeout=5).close()


@contextmanager
def opened(command: str, workspace: str | None) -> Iterator[UUID]:
    """Set Django up, find the workspace, and put the command on its record before anything is read.

    What goes wrong inside becomes a Problem.
    """
    configuration = configured()
    with database_problems():
        found = _choose(configuration, workspace)
        django_ready()
        from portero.project.cli.work.refusals import refusals_named  # needs Django

        put_on_record(found, command)
        with refusals_named(found):
            yield found


def put_on_record(workspace: UUID, command: str) -> None:
    """Leave in a workspace's log which command runs, and who runs it; what it was given stays out."""
    from portero.domain.access import services as access  # needs Django

    access.record_command(workspace=workspace, operator=operator(), command=command)


def operator() -> str:
    """Who runs this command, as the server knows them: not by what the environment says."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, where a number may have no name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def django_ready() -> None:
    """Set Django up; what touches models is imported after this."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    django.setup()


@contextmanager
def database_problems() -> Iterator[None]:
    """Say what is wrong with the database in a sentence, with the code that belongs to it."""
    try:
        yield
    except FileNotFoundError as error:  # a login's password: it was never made
        raise Problem(_NO_TABLES.format(error), ExitCode.NOT_CONFIGURED) from None
    except (OperationalError, psycopg.OperationalError) as error:
        raise Problem(_AWAY.format(first_line(error)), ExitCode.DATABASE_AWAY) from None
    except (DatabaseError, psycopg.DatabaseError) as error:
        raise Problem(_NO_TABLES.format(first_line(error)), ExitCode.NOT_CONFIGURED) from None


def workspaces(configuration: Configuration) -> list[tuple[UUID, str]]:
    """Id and name of every workspace, by the only login that may list them."""
    with psycopg.connect(configuration.dsn("log"), connect_timeout=5) as connection:
        rows = connection.execute("SELECT id, name FROM workspace ORDER BY name, id").fetchall()
    return [(row[0], row[1]) for row in rows]


def _choose(configuration: Configuration, wanted: str | None) -> UUID:
    known = workspaces(configuration)
    if not known:
        raise Problem("there is no workspace yet", ExitCode.NOT_CONFIGURED)
    fitting = [
        one
        for one, name in known
        if wanted is None or wanted.casefold() in (name.casefold(), str(one))
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{name} ({one})" for one, name in known)
    if wanted is None:
        raise Problem(f"say which workspace with --workspace: {names}", ExitCode.USAGE)
    raise Problem(f"no one workspace is called {wanted!r}: there are {names}", ExitCode.USAGE)
