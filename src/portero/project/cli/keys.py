"""`portero key`: keys of service accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import typer

from portero.project.cli.options import ActingAs, Json, Workspace
from portero.project.cli.output import say, write, write_json, write_table

group = typer.Typer(help="Keys with which programs come to the gateway.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="key")


@group.command("create")
def create(
    name: Annotated[
        str, typer.Argument(help="What the key is for, as people will read it.", metavar="NAME")
    ],
    account: Annotated[
        str | None, typer.Option(help="The service account it belongs to.", metavar="NAME")
    ] = None,
    new_account: Annotated[
        str | None,
        typer.Option(
            help="Make this service account first, with --role at the scope.", metavar="NAME"
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="At most what this role has.", metavar="NAME")
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="Only from this number; repeatable.", metavar="NAME")
    ] = None,
    template_set: Annotated[
        list[str] | None, typer.Option(help="Only this set; repeatable.", metavar="NAME")
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(help="Only to this country; repeatable.", metavar="MX")
    ] = None,
    days: Annotated[int, typer.Option(help="Until it expires.", min=1, max=365, metavar="N")] = 90,
    url_compatible: Annotated[
        bool, typer.Option("--url-compatible", help="May also come as access_token in a URL.")
    ] = False,
    acting: ActingAs = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write the key alone.")] = False,
) -> None:
    """Make a key. It is shown this once; only a digest of it is kept."""
    from portero.project.cli.installation import opened

    if (account is None) == (new_account is None):
        raise typer.BadParameter("give one of the two", param_hint="--account / --new-account")
    if new_account is not None and role is None:
        raise typer.BadParameter("a new account needs a role", param_hint="--role")
    with opened("portero key create", workspace) as here:
        from portero.project.cli.work import keys

        made = keys.create(
            here,
            keys.Wanted(
                name=name,
                account=account,
                new_account=new_account,
                role=role,
                numbers=tuple(number or ()),
                template_sets=tuple(template_set or ()),
                countries=tuple(country or ()),
                lifetime=timedelta(days=days),
                url_compatible=url_compatible,
            ),
            acting=acting,
        )
    if json:
        write_json(made)
        return
    _tell(name, made, quiet=quiet)


_CAN_NOTHING = (
    "As things stand this key can do nothing: no role that “{}” was given leaves it a permission where"
    " the key holds. Give the account a role in the console, or revoke the key and make it wider."
)


def _tell(name: str, made: Mapping[str, Any], *, quiet: bool) -> None:
    write(made["key"])
    if quiet:
        return
    say(f"“{name}” expires {made['expires_at']}. Keep it now: it is not shown again.")
    if made["can_nothing"]:
        say(_CAN_NOTHING.format(made["account"]))


@group.command("list")
def list_keys(workspace: Workspace = None, json: Json = False) -> None:
    """List keys: whose they are, what state they are in, when they were used."""
    from portero.project.cli.installation import opened

    with opened("portero key list", workspace) as here:
        from portero.project.cli.work import keys

        found = keys.listing(here)
    if json:
        write_json({"keys": found})
        return
    columns = ("name", "account", "state", "expires_at", "last_used_at", "public_id")
    write_table(columns, [[str(key[column] or "never") for column in columns] for key in found])


@group.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Name, public id or id.", metavar="KEY")],
    reason: Annotated[str, typer.Option(help="For the record.", metavar="TEXT")] = "",
    acting: ActingAs = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """End a key now. Once this returns, no call of it reaches Meta."""
    from portero.project.cli.installation import opened

    with opened("portero key revoke", workspace) as here:
        from portero.project.cli.work import keys

        ended = keys.revoke(here, key, reason=reason, acting=acting)
    if json:
        write_json(ended)
    else:
        write(f"“{ended['name']}” is revoked: no call of it reaches Meta any more.")
