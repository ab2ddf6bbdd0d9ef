"""`portero workspace`: where people and numbers belong."""

from __future__ import annotations

from typing import Annotated

import typer

from portero.project.cli.options import Json
from portero.project.cli.output import write, write_json

group = typer.Typer(help="Workspaces: a company's people, numbers and rules.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="workspace")


@group.callback()
def workspace() -> None:
    """Workspaces: a company's people, numbers and rules."""


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is called.", metavar="NAME")],
    owner: Annotated[str, typer.Option(help="The address of its first owner.", metavar="EMAIL")],
    owner_name: Annotated[
        str, typer.Option(help="Their name; else the address.", metavar="TEXT")
    ] = "",
    timezone: Annotated[
        str, typer.Option(help="Whose clock it goes by, such as America/Lima.", metavar="ZONE")
    ] = "UTC",
    json: Json = False,
) -> None:
    """Found a workspace, and make the link with which its first owner comes in."""
    from portero.project.cli.installation import (
        configured,
        database_problems,
        django_ready,
        put_on_record,
        welcome_url,
    )
    from portero.project.cli.problems import ExitCode, Problem

    configuration = configured()
    with database_problems():
        django_ready()
        from portero.domain.access.errors import InvalidRule
        from portero.domain.accounts import services as accounts
        from portero.domain.accounts.errors import InvalidEmail
        from portero.domain.workspaces import services as workspaces
        from portero.domain.workspaces.errors import InvalidTimezone

        try:
            workspaces.require_foundable(name=name, timezone=timezone)
            person = accounts.register_person(email=owner, name=owner_name or owner)
            new = workspaces.found_workspace(
                name=name, timezone=timezone, owner=person, owner_name=owner_name or owner
            )
            put_on_record(new.id, "portero workspace create")
        except InvalidEmail:
            raise Problem(f"{owner!r} is no address", ExitCode.USAGE) from None
        except InvalidTimezone:
            raise Problem(
                f"{timezone!r} is no time zone such as America/Lima", ExitCode.USAGE
            ) from None
        except InvalidRule as error:
            raise Problem(f"the name: {error}", ExitCode.USAGE) from None
        url = welcome_url(configuration, accounts.make_sign_in_link(person=person))
    if json:
        write_json({"id": str(new.id), "name": name, "owner": owner, "url": url})
    else:
        write(
            f"{name} is founded. Its owner comes in once the console runs (`portero serve console`):"
        )
        write(url)
