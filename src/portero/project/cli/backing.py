"""`portero backup` and `restore`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from portero.project.cli.options import Json
from portero.project.cli.output import say, step, write, write_json
from portero.project.cli.problems import ExitCode, Problem


def add_to(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    data: Annotated[
        Path, typer.Argument(help="The file to write the database into.", metavar="DATA")
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            help="Also write the installation's keys here, in another folder, for a recovery code.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Save the database, sealed, while everything runs. What opens it is kept apart."""
    from portero.project.backup import keys as keyfile
    from portero.project.backup.saving import save
    from portero.project.cli.installation import configured
    from portero.project.configuration import SECRET_FILES, secret_file

    configuration = configured()
    _require_room(data, keys)
    with _problems():
        with step("Saving the database"):
            manifest = save(configuration, data)
        code = None
        if keys is not None:
            files = {usual: secret_file(name) for name, usual in SECRET_FILES.items()}
            code = keyfile.write(keys, files)
    rows = sum(manifest.rows.values())
    if json:
        write_json(
            {
                "data": str(data),
                "made_at": manifest.made_at,
                "rows": rows,
                "records": manifest.rows["record"],
                "broken_records": manifest.log_broken,
                "keys": str(keys) if keys else None,
                "code": code,
            }
        )
        return
    write(f"{data} holds {rows} rows as they were at {manifest.made_at}.")
    if manifest.log_broken:
        say(f"{manifest.log_broken} records do not fit their own digest: somebody changed them.")
    if code is None:
        say("It opens with this installation's keys alone: `--keys FILE` saves those, too.")
    else:
        write(f"{keys} holds the keys. They open with this code, which is not shown again:")
        write(code)


def restore(
    data: Annotated[Path, typer.Argument(help="What `portero backup` wrote.", metavar="DATA")],
    keys: Annotated[
        Path | None,
        typer.Option(
            help="What `portero backup --keys` wrote; its code is read from stdin.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    keep_keys: Annotated[
        bool,
        typer.Option("--keep-keys", help="API keys work on: none was revoked since the backup."),
    ] = False,
    json: Json = False,
) -> None:
    """Make the database anew from a backup, and say what stays behind."""
    import os

    from portero.project.backup import keys as keyfile
    from portero.project.backup.restoring import restore as load
    from portero.project.cli.installation import require_state
    from portero.project.configuration import SECRET_FILES, SETTINGS, secret_file
    from portero.project.installing import install
    from portero.project.migrate import known_migrations
    from portero.project.postgres import find_server
    from portero.store.sealing import KeyRing

    require_state()
    state = Path(os.environ["PORTERO_STATE"]).resolve()
    name = os.environ.get("PORTERO_DATABASE") or SETTINGS["PORTERO_DATABASE"]
    with _problems():
        if keys is not None:
            found = keyfile.read(keys, _code())
            files = {usual: secret_file(one) for one, usual in SECRET_FILES.items()}
            keyfile.put_back(found, files)
        kek = KeyRing.parse(secret_file("PORTERO_KEK_FILE").read_text())
        with step("Making the database from the backup"):
            server = find_server(state)
            server.prepare_logins()
            known = {f"{app}.{one}" for app, one in known_migrations()}
            restored = load(server, name, data, kek, known=known, keep_keys=keep_keys)
            install()
    rows = sum(restored.manifest.rows.values())
    if json:
        write_json(
            {
                "database": name,
                "made_at": restored.manifest.made_at,
                "rows": rows,
                "records": restored.manifest.rows["record"],
                "sessions_left": restored.sessions,
                "links_left": restored.links,
                "jobs_left": restored.jobs,
                "keys_disabled": list(restored.keys) if restored.keys_disabled else [],
                "open_calls": restored.open_calls,
            }
        )
        return
    write(
        f"The database “{name}” is as it was at {restored.manifest.made_at}: {rows} rows, as many in"
        f" each table as were saved, and {restored.manifest.rows['record']} records with their digests."
    )
    write("Left behind:")
    write(f"  what happened after {restored.manifest.made_at}")
    write(f"  {restored.sessions} sessions: everybody signs in again")
    write(f"  {restored.links} links that nobody had used yet: send them again")
    write(f"  {restored.jobs} jobs that waited, such as mails")
    write("  settings (portero.env, units) and the proxy's certificate, which no backup holds")
    if restored.open_calls:
        write(f"  how {restored.open_calls} calls ended: the log will say that nobody knows")
    if restored.keys and restored.keys_disabled:
        write("Disabled, because one of them may have been revoked since: make new ones instead of")
        write(f"  {', '.join(restored.keys)}")
    write("Look who may come in: whoever was put out since the backup was made is a member again.")


def _require_room(data: Path, keys: Path | None) -> None:
    for path in (data, *([keys] if keys is not None else [])):
        if not path.parent.is_dir():
            raise Problem(f"there is no folder {path.parent}", ExitCode.USAGE)
        if path.exists():
            raise Problem(f"{path} is there already: name another file", ExitCode.USAGE)
    if keys is not None and keys.parent.resolve() == data.parent.resolve():
        raise Problem(
            "whoever finds the data must not find the keys beside it: name another folder for --keys",
            ExitCode.USAGE,
        )


def _code() -> str:
    if sys.stdin.isatty():
        say("The recovery code:")
    return sys.stdin.readline()


@contextmanager
def _problems() -> Iterator[None]:

    from portero.project.backup.programs import ProgramFailed
    from portero.project.backup.restoring import CannotRestore
    from portero.project.backup.saving import CannotSave
    from portero.project.cli.installation import database_problems
    from portero.project.configuration import ConfigurationError
    from portero.project.installing import SecretsMissing
    from portero.project.postgres import ClusterError
    from portero.store.sealing import CannotOpen

    try:
        with database_problems():
            yield
    except CannotOpen:
        raise Problem(
            "it does not open: it was changed or cut off, or is of another installation, or the code is"
            " another's"
        ) from None
    except FileExistsError as error:
        raise Problem(
            f"{error} holds another key already: restore into an empty folder of secrets"
        ) from None
    except (SecretsMissing, ConfigurationError) as error:
        raise Problem(str(error), ExitCode.NOT_CONFIGURED) from None
    except (CannotSave, CannotRestore, ProgramFailed) as error:
        raise Problem(str(error)) from None
    except ClusterError as error:
        raise Problem(str(error), ExitCode.DATABASE_AWAY) from None
    except OSError as error:
        raise Problem(f"{error.filename}: {error.strerror}") from None
