"""`portero role` and `portero why`: who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from portero.project.cli.options import Json, Workspace
from portero.project.cli.output import write, write_json, write_table
from portero.project.cli.problems import ExitCode

roles = typer.Typer(help="Roles: for each permission, how far it goes.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(roles, name="role")
    app.command()(why)


@roles.command("list")
def list_roles(workspace: Workspace = None, json: Json = False) -> None:
    """List roles, how many permissions each has, and how often it is given."""
    from portero.project.cli.installation import opened

    with opened("portero role list", workspace) as here:
        from portero.project.cli.work import roles as work

        found = work.listing(here)
    if json:
        write_json({"roles": found})
        return
    columns = ("name", "builtin", "permissions", "given")
    write_table(columns, [[_words(role[column]) for column in columns] for role in found])


@roles.command("show")
def show_role(
    role: Annotated[str, typer.Argument(help="Name or id.", metavar="ROLE")],
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Show what a role has and how far each permission reaches."""
    from portero.project.cli.installation import opened

    with opened("portero role show", workspace) as here:
        from portero.project.cli.work import roles as work

        shown = work.shown(here, role)
    if json:
        write_json(shown)
        return
    rows = [[p["group"], p["sentence"], p["reach"], p["permission"]] for p in shown["permissions"]]
    write_table(("group", "may", "reach", "permission"), rows)


def why(
    who: Annotated[
        str, typer.Argument(help="A key, person, service account or team.", metavar="WHO")
    ],
    permission: Annotated[str, typer.Argument(help="For example send:text.", metavar="PERMISSION")],
    number: Annotated[str | None, typer.Option(help="From this number.", metavar="NAME")] = None,
    template: Annotated[
        str | None, typer.Option(help="With this template.", metavar="NAME")
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="To somebody in this country.", metavar="MX")
    ] = None,
    to: Annotated[str | None, typer.Option(help="To this phone number.", metavar="PHONE")] = None,
    team: Annotated[
        str | None, typer.Option(help="In a conversation of this team.", metavar="NAME")
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="In a conversation assigned to them.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """May they, now? Says which bindings settle it, and the smallest change that would. Exit 0 or 1."""
    from portero.project.cli.installation import opened

    with opened("portero why", workspace) as here:
        from portero.project.cli.work import why as work

        asked = work.Question(
            who=who,
            permission=permission,
            number=number,
            template=template,
            country=country,
            to=to,
            team=team,
            own=own,
        )
        answer = work.answer(here, asked)
    if json:
        write_json(answer)
    else:
        write("\n".join(_account(answer)))
    raise typer.Exit(ExitCode.OK if answer["allowed"] else ExitCode.FAILED)


def _words(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _account(answer: dict[str, Any]) -> Iterator[str]:
    """The verdict first, the evidence under it, then the way out."""
    verdict = "Yes" if answer["allowed"] else "It depends" if answer["depends"] else "No"
    yield f"{verdict}: {answer['principal']['name']}, {answer['permission']} ({answer['reason']})"
    for way in answer["depends"]:
        yield f"  yes, when {' and '.join(way)}"
    if not answer["allowed"] and not answer["depends"]:
        yield f"  {answer['sentence']}"
    for check in answer["checks"]:
        yield f"  {check['permission']}"
        for rule in check["matched"]:
            if rule["role"] is None:
                yield "    + an owner may do everything"
            else:
                yield f"    + binding {rule['binding']} of the role “{rule['role']}” allows it"
        for rule in check["missed"]:
            missed = "; ".join(_failure(one) for one in rule["failing"])
            yield f"    - binding {rule['binding']} of the role “{rule['role']}”: {missed}"
        for one in check["key_fails"]:
            yield f"    - the key itself: {_failure(one)}"
        for guardrail in check["guardrails"]:
            yield f"    - the guardrail “{guardrail['name']}” takes it away"
    for sentence in answer["change"]:
        yield f"  smallest change: {sentence}"
    if answer["who_can_give"]:
        yield f"  can be given by: {', '.join(answer['who_can_give'])}"


def _failure(failing: dict[str, Any]) -> str:
    wanted, actual = _said(failing["wanted"]), _said(failing["actual"])
    return f"{failing['dimension'].replace('_', ' ')} must be {wanted}, is {actual}"


def _said(value: object) -> str:
    if value is None:
        return "not known"
    return (" or ".join(value) or "none") if isinstance(value, list) else str(value)
