"""`portero person`: who may sign in."""

from __future__ import annotations

from typing import Annotated

import typer

from portero.project.cli.options import ActingAs, Json, Workspace
from portero.project.cli.output import write, write_json

group = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="person")


@group.command("link")
def link(
    email: Annotated[str, typer.Argument(help="The person's address.", metavar="EMAIL")],
    new_factors: Annotated[
        bool,
        typer.Option("--new-factors", help="Take away the old second factors: they are lost."),
    ] = False,
    acting: ActingAs = None,
    json: Json = False,
) -> None:
    """Make a link with which a person chooses a password. It works once, within three days."""
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
        from portero.domain.accounts import queries
        from portero.domain.accounts import services as accounts
        from portero.domain.accounts.models import Person
        from portero.domain.notices import services as notices

        try:
            person = Person.objects.get_by_natural_key(email)
        except Person.DoesNotExist:
            raise Problem(
                f"nobody here has the address {email}:"
                " `portero workspace create` founds a workspace with its first owner",
                ExitCode.USAGE,
            ) from None
        for place in queries.places_of(person.id):
            put_on_record(place, "portero person link")
        from portero.project.cli.work.people import record_link

        record_link(person.id, new_factors=new_factors, acting=acting)
        if new_factors:
            before = accounts.begin_again(person=person.id)
            notices.tell(notices.Letter(person.id, "factor_changed", undoes=before))
        url = welcome_url(configuration, accounts.make_sign_in_link(person=person.id))
    if json:
        write_json({"url": url, "email": person.email})
    else:
        write(url)


@group.command("let-in")
def let_in(
    reason: Annotated[str, typer.Option(help="For the record.", metavar="TEXT")],
    as_: ActingAs = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Take away every rule on coming in, when nobody who could do it in the console can come in."""
    from portero.project.cli.installation import opened

    with opened("portero person let-in", workspace) as here:
        from portero.domain.access import services as access
        from portero.project.cli.work.directory import directory

        actor = directory(here).actor(as_)
        taken = access.lift_entry_rules(actor=actor, reason=reason)
    if json:
        write_json({"rules": taken})
    else:
        write(f"Rules on coming in, or on lifting guardrails, that were taken away: {taken}.")
