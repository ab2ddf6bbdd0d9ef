"""Putting a backup into a new database, and saying what stays behind.

A backup is older than what happened since. Whom somebody put out after it was made would be back in
(abuse case O05), so sessions, links and tickets are left out, and keys are disabled unless the
operator says that nothing was revoked since.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import psycopg

from portero.project.backup import contents
from portero.project.backup.programs import fitting, major_of, running
from portero.project.backup.saving import FORMAT, KIND, Manifest, place_of
from portero.project.backup.sealed import opened, read_head
from portero.project.logins import Server
from portero.store.sealing import CannotOpen, KeyRing

_LONGEST_MANIFEST = 1 << 22
# What a session, a link or a ticket opened then must not open now; a job would be done a second time.
# But nothing else would ever stop an account for which nobody answers, and that looks before it acts.
_LEFT_OUT: Mapping[str, str] = {
    "stream_ticket": "",
    "session": "",
    "sign_in_link": "WHERE used_at IS NULL",
    "procrastinate_events": "",
    "procrastinate_periodic_defers": "",
    "procrastinate_jobs": "WHERE status <> 'todo' OR task_name <> 'access.stop_left_alone'",
}
_DISABLE = """
UPDATE api_key SET disabled_reason = %s
 WHERE revoked_at IS NULL AND disabled_reason IS NULL AND expires_at > now() RETURNING name
"""
_LIVE = (
    "SELECT name FROM api_key WHERE revoked_at IS NULL AND disabled_reason IS NULL"
    " AND expires_at > now() ORDER BY name"
)
_OPEN_CALLS = """
SELECT count(*) FROM record AS intent WHERE intent.kind = 'intent' AND intent.effect = 'allow' AND NOT EXISTS (
    SELECT FROM record AS outcome WHERE outcome.workspace_id = intent.workspace_id
       AND outcome.call_id = intent.call_id AND outcome.kind = 'outcome')
"""


class CannotRestore(Exception):
    """The message says why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back and what did not."""

    manifest: Manifest
    sessions: int
    links: int
    jobs: int
    keys: tuple[str, ...]
    """Names of those that were live when the backup was made."""
    keys_disabled: bool
    open_calls: int
    """Whose outcome nobody knows; the gateway closes them as unknown."""


def restore(
    server: Server,
    database: str,
    path: Path,
    kek: KeyRing,
    *,
    known: Collection[str],
    keep_keys: bool,
) -> Restored:
    """Make the database from the backup. Nothing is left of it where that fails.

    The server's logins must be there; `known` are the migrations of this release, as `app.name`.
    Raises CannotRestore, CannotOpen for a file that was changed or is of another installation,
    ProgramFailed, OSError and what the database's driver raises.
    """
    if server.has_database(database):
        raise CannotRestore(
            f"there is a database “{database}” already: rename or drop it, or name another in"
            " PORTERO_DATABASE"
        )
    with path.open("rb") as file:
        content = _content(file, kek)
        manifest, rest = _manifest(content)
        if newer := sorted(set(manifest.migrations) - set(known)):
            raise CannotRestore(
                f"the backup is of a newer release, which knows {', '.join(newer)}: install that"
            )
        server.create_database(database)
        try:
            dsn = server.dsn("superuser", database)
            _load(dsn, chain([rest], content))
            with psycopg.connect(dsn) as connection:
                _compare(connection, manifest)
                return _leave_behind(connection, manifest, keep_keys=keep_keys)
        except BaseException:
            server.drop_database(database)
            raise


def _content(file: BinaryIO, kek: KeyRing) -> Iterator[bytes]:
    head, line = read_head(file)
    if head.get("kind") != KIND or head.get("format") != FORMAT:
        raise CannotOpen
    key = kek.open(place_of(UUID(head["id"])), bytes.fromhex(head["key"]))
    return opened(file, key, line)


def _manifest(content: Iterator[bytes]) -> tuple[Manifest, bytes]:
    """The manifest, and what of the dump came in the same piece."""
    held = b""
    for piece in content:
        held += piece
        line, end, rest = held.partition(b"\n")
        if end:
            return Manifest(**json.loads(line)), rest
        if len(held) > _LONGEST_MANIFEST:
            break
    raise CannotOpen


def _load(dsn: str, content: Iterator[bytes]) -> None:
    """All of it or nothing: what does not open in the end is not there at all."""
    with psycopg.connect(dsn) as connection:
        program = fitting("pg_restore", major_of(connection))
    arguments = ("--single-transaction", "--exit-on-error")
    with running(program, dsn, *arguments, stdin=subprocess.PIPE) as loading:
        assert loading.stdin is not None  # noqa: S101 - it is a pipe
        for piece in content:
            loading.stdin.write(piece)


def _compare(connection: psycopg.Connection[Any], manifest: Manifest) -> None:
    rows, (log, broken) = contents.rows_of(connection), contents.log_of(connection)
    differing = [
        f"{table}: {manifest.rows.get(table, 0)} saved, {rows.get(table, 0)} here"
        for table in sorted(manifest.rows.keys() | rows.keys())
        if manifest.rows.get(table) != rows.get(table)
    ]
    if differing:
        raise CannotRestore("rows were lost: " + "; ".join(differing))
    if (log, broken) != (manifest.log, manifest.log_broken):
        raise CannotRestore("the records are not those that were saved")


def _leave_behind(
    connection: psycopg.Connection[Any], manifest: Manifest, *, keep_keys: bool
) -> Restored:
    left = {
        table: connection.execute(f"DELETE FROM {table} {which}").rowcount  # noqa: S608 - ours
        for table, which in _LEFT_OUT.items()
    }
    reason = f"restored from the backup of {manifest.made_at}"
    found = connection.execute(_LIVE) if keep_keys else connection.execute(_DISABLE, [reason])
    names = tuple(sorted(row[0] for row in found.fetchall()))
    calls = connection.execute(_OPEN_CALLS).fetchone()
    assert calls is not None  # noqa: S101 - a count has one row
    return Restored(
        manifest,
        sessions=left["session"],
        links=left["sign_in_link"],
        jobs=left["procrastinate_jobs"],
        keys=names,
        keys_disabled=not keep_keys,
        open_calls=calls[0],
    )
