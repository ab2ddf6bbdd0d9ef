"""What somebody who helps needs to know of an installation, and nothing that is anybody's.

Counts, versions, what the doctor found and what the services said. No row, no name of a customer or a
person, no message, no key; and before it is written every part is compared with every secret there is.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psycopg

from portero.project.backup.keys import private
from portero.project.configuration import SETTINGS, Configuration
from portero.project.doctor import META_TOKENS, examine
from portero.project.doctor.finding import Finding
from portero.project.logins import OWNER, Login
from portero.project.telling import without_secrets

_SAYS_NOTHING = ("DATABASE_URL", "PORTERO_MAIL_URL", "PORTERO_MAIL_FROM")
"""Settings of which only is told that they are set: they hold a login or an address."""
_UNITS = "portero-*"
_LINES = 3000
_JOURNAL_S = 30
_SHORTEST_SECRET = 8


class SecretInside(Exception):
    """A part would have held a secret; the message names the part. Nothing was written."""


def write(path: Path) -> list[str]:
    """Write the bundle, mode 0600; returns what is in it. Raises SecretInside, OSError."""
    parts = dict(_parts())
    known = secrets_of(os.environ)
    for name, text in parts.items():
        if any(secret in text for secret in known):
            raise SecretInside(name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with (
        open(draft, "wb", opener=private) as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
    ):
        for name, text in parts.items():
            body = text.encode()
            info = tarfile.TarInfo(f"portero-support/{name}")
            info.size, info.mtime, info.mode = len(body), int(time.time()), 0o600
            archive.addfile(info, io.BytesIO(body))
    draft.replace(path)
    return sorted(parts)


def secrets_of(environ: Mapping[str, str]) -> set[str]:
    """Every secret of the installation, whole and line by line."""
    folder = Path(environ.get("PORTERO_STATE", "")) / "secrets"
    files = [
        *(folder.iterdir() if folder.is_dir() else []),
        *(Path(value) for name, value in environ.items()
          if name.startswith("PORTERO_") and name.endswith("_FILE") and value),
    ]  # fmt: skip
    found: set[str] = set()
    for file in files:
        try:
            text = file.read_text()
        except (OSError, ValueError):
            continue
        found |= {text.strip(), *(line.partition(":")[2] or line for line in text.split())}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _parts() -> Iterator[tuple[str, str]]:
    yield "about.json", _json(_about())
    yield "settings.json", _json(_settings(os.environ))
    yield "doctor.json", _json([_told(finding) for finding in examine()])
    yield "database.json", _json(_database())
    yield "journal.txt", _journal()


def _json(value: object) -> str:
    return without_secrets(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def _told(finding: Finding) -> dict[str, Any]:
    """Without the names of workspaces and accounts, which are customers of whoever runs this."""
    if finding.check.startswith(META_TOKENS):
        return {"check": META_TOKENS, "ok": finding.ok, "remedy": finding.remedy}
    return asdict(finding)


def _about() -> dict[str, Any]:
    return {
        "python": sys.version,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": sorted(f"{one.name} {one.version}" for one in distributions()),
    }


def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    told = {}
    for name, default in SETTINGS.items():
        value = environ.get(name, "")
        if not value:
            told[name] = f"not set: {default}" if default else "not set"
        else:
            told[name] = "set" if name in _SAYS_NOTHING else value
    return told


def _database() -> dict[str, Any]:
    try:
        configuration = Configuration.from_environment()
        return {name: _rows(configuration, *asked) for name, asked in _ASKED.items()}
    except Exception as error:  # noqa: BLE001 - whoever helps is told of what can be told
        return {"error": type(error).__name__}


def _rows(configuration: Configuration, login: Login, statement: str) -> list[list[Any]] | str:
    try:
        with psycopg.connect(configuration.dsn(login), connect_timeout=5) as connection:
            connection.execute("SET statement_timeout = '10s'")
            if login == "migrate":
                connection.execute(f"SET ROLE {OWNER}")
            return [list(row) for row in connection.execute(statement).fetchall()]
    except (psycopg.Error, OSError) as error:
        return type(error).__name__


def _journal() -> str:
    program = shutil.which("journalctl")
    if program is None:
        return "there is no journal here\n"
    command = [
        program,
        "-u",
        _UNITS,
        "-n",
        str(_LINES),
        "--no-pager",
        "-o",
        "short-iso",
        "--no-hostname",
    ]
    try:
        done = subprocess.run(  # noqa: S603 - of the system
            command, capture_output=True, text=True, check=False, timeout=_JOURNAL_S
        )
    except subprocess.TimeoutExpired:
        return "the journal does not answer\n"
    return "\n".join(without_secrets(line) for line in done.stdout.splitlines())


# Estimates and counts; nothing of a row but what a job is called.
_ASKED: Mapping[str, tuple[Login, str]] = {
    "version": ("app", "SELECT version()"),
    "settings": (
        "app",
        "SELECT name, setting, unit FROM pg_settings WHERE source <> 'default' AND name IN"
        " ('max_connections', 'shared_buffers', 'work_mem', 'jit', 'synchronous_commit', 'fsync',"
        " 'default_transaction_isolation', 'statement_timeout', 'server_encoding', 'lc_collate')",
    ),
    "tables": (
        "app",
        "SELECT relname, reltuples::bigint, pg_relation_size(oid) >> 20 AS megabytes FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i') ORDER BY 1",
    ),
    "migrations": ("migrate", "SELECT app, name, applied FROM django_migrations ORDER BY 1, 2"),
    "connections": (
        "app",
        "SELECT usename, state, wait_event_type, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3",
    ),
    "gateway processes": (
        "app", "SELECT started_at, lease_until, clock_timestamp() FROM gateway_process",
    ),
    "jobs": (
        "app", "SELECT task_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2",
    ),
}  # fmt: skip
