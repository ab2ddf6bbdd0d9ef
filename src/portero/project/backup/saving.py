"""Saving an installation's database into one sealed file, while it serves."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from portero.project.backup import contents
from portero.project.backup.keys import private
from portero.project.backup.programs import fitting, major_of, running
from portero.project.backup.sealed import PIECE, seal, write_head
from portero.project.configuration import Configuration
from portero.project.postgres import find_server
from portero.store.ids import uuid7
from portero.store.sealing import Place, new_key

KIND = "portero data"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; only whoever can open it reads it."""

    made_at: str
    """ISO 8601 in UTC, by the database's clock: what happened later is not in it."""
    migrations: list[str]
    rows: dict[str, int]
    log: str
    """One digest over the digests of every record."""
    log_broken: int
    """Records that do not fit their own digest."""


class CannotSave(Exception):
    """The message says why, for an operator."""


def place_of(backup: UUID) -> Place:
    """Where the key of a backup is sealed to, by the installation's own."""
    return Place(UUID(int=0), "backup", "key", backup)


def save(configuration: Configuration, path: Path) -> Manifest:
    """Write the backup; the file appears whole, mode 0600.

    Everything in it is of one moment: counts and dump share a snapshot. Raises CannotSave, ClusterError,
    ProgramFailed, OSError and what the database's driver raises.
    """
    dsn = find_server(configuration.state).dsn("superuser", configuration.database)
    backup, key = uuid7(), new_key()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with psycopg.connect(dsn) as connection, open(draft, "wb", opener=private) as file:
            manifest, snapshot = _look(connection)
            head = write_head(
                file,
                {
                    "kind": KIND,
                    "format": FORMAT,
                    "id": str(backup),
                    "made_at": manifest.made_at,
                    "key": configuration.kek.seal(place_of(backup), key.reveal()).hex(),
                },
            )
            program = fitting("pg_dump", major_of(connection))
            arguments = ("--format=custom", f"--snapshot={snapshot}")
            with running(program, dsn, *arguments, stdout=subprocess.PIPE) as dumping:
                seal(file, key, head, _content(manifest, dumping))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _look(connection: psycopg.Connection[Any]) -> tuple[Manifest, str]:
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    login = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if login is None or not login[0]:
        raise CannotSave(
            "the login of DATABASE_URL sees no workspace's rows: a backup needs one with SUPERUSER or"
            " BYPASSRLS"
        )
    rows = contents.rows_of(connection)
    log, broken = contents.log_of(connection)
    found = connection.execute(
        "SELECT pg_export_snapshot(), now(), array(SELECT app || '.' || name FROM django_migrations"
        " ORDER BY app, name)"
    ).fetchone()
    assert found is not None  # noqa: S101 - a query without FROM has one row
    snapshot, now, migrations = found
    made_at = now.astimezone(UTC).isoformat(timespec="seconds")
    return Manifest(made_at, migrations, rows, log, broken), snapshot


def _content(manifest: Manifest, dumping: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """A line of JSON, then what pg_dump writes."""
    yield json.dumps(asdict(manifest)).encode() + b"\n"
    assert dumping.stdout is not None  # noqa: S101 - it is a pipe
    while piece := dumping.stdout.read(PIECE):
        yield piece
