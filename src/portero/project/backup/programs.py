"""`pg_dump` and `pg_restore`: which ones fit a server, and how they are run without a password in sight."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from portero.project.postgres import ClusterError, client_programs

_LAST_WORDS = 600


class ProgramFailed(Exception):
    """The program's own last words, for an operator."""


def fitting(program: str, server_major: int) -> Path:
    """The oldest that is not older than the server: newer ones write what older servers refuse."""
    found = [
        (one.major, one.folder / program)
        for one in client_programs()
        if one.major >= server_major and (one.folder / program).exists()
    ]
    if not found:
        raise ClusterError(
            f"no {program} for PostgreSQL {server_major} is here: install Debian's"
            f" postgresql-client-{server_major}, or set PORTERO_PG_BIN"
        )
    return min(found)[1]


def major_of(connection: psycopg.Connection[Any]) -> int:
    return connection.info.server_version // 10000


@contextmanager
def running(
    program: Path,
    dsn: str,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run it on this database; streams as Popen's. Raises ProgramFailed unless it ends well."""
    parts = conninfo_to_dict(dsn)
    password = str(parts.pop("password", "") or "")
    where = make_conninfo("", **parts)
    # Nothing of the caller's PGHOST, PGOPTIONS … may steer it; the password is in no list of processes.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    command: Sequence[str | Path] = [program, "--no-password", "--dbname", where, *arguments]
    with subprocess.Popen(  # noqa: S603 - a program that the operator, the system or we put there
        command,
        env={**environment, "PGPASSWORD": password},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            with suppress(BrokenPipeError):  # it ended early: its last words say why
                yield process
        except BaseException:
            process.kill()
            raise
        finally:
            _close(process.stdin)
        said = process.stderr.read() if process.stderr is not None else b""
    if process.returncode != 0:
        raise ProgramFailed(
            f"{program.name}: {said[-_LAST_WORDS:].decode(errors='replace').strip()}"
        )


def _close(stream: IO[bytes] | None) -> None:
    """What it did not read, because it has ended, is of no use to it."""
    if stream is not None:
        with suppress(BrokenPipeError):
            stream.close()
