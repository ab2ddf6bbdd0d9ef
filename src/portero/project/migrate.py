"""Bring a database to this release: tables by Django, then grants and row-level security."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import django
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from portero.project.configuration import database_settings
from portero.project.logins import OWNER

RECORD_MONTHS_AHEAD = 13
_ALIAS = "migrate"
_LOCK = 0x706F727465726F  # "portero": one migration at a time in a database
# What waits longer for a lock would itself keep everybody else waiting.
_LOCK_TIMEOUT = "2s"


def migrate(dsn: str) -> None:
    """Apply what is missing. `dsn` is the migrate login's; everything is done as the owner.

    Raises django.db.OperationalError when a lock is not to be had in time: run it again.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    django.setup()
    with _connected(dsn) as connection:
        call_command("migrate", database=_ALIAS, verbosity=0, interactive=False)
        _apply_policies(connection)
        _create_partitions(connection)


@contextmanager
def _connected(dsn: str) -> Iterator[BaseDatabaseWrapper]:
    connections.settings[_ALIAS] = connections.configure_settings(
        {
            _ALIAS: database_settings(
                dsn, role=OWNER, lock_timeout=_LOCK_TIMEOUT, statement_timeout="0"
            ),
            "default": connections.settings["default"],
        }
    )[_ALIAS]
    connection = connections[_ALIAS]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        yield connection
    finally:
        connection.close()
        del connections[_ALIAS]
        del connections.settings[_ALIAS]


def known_migrations() -> set[tuple[str, str]]:
    """App and name of every migration of this release."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    django.setup()
    from django.db.migrations.loader import MigrationLoader  # needs Django set up

    return set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def policies() -> tuple[str, str]:
    """The statements about who may do what to which rows, and the mark a database with them bears."""
    text = files("portero.store").joinpath("sql", "policies.sql").read_text()
    return text, f"portero policies {hashlib.sha256(text.encode()).hexdigest()}"


def _apply_policies(connection: BaseDatabaseWrapper) -> None:
    statements, mark = policies()
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description('public'::regnamespace, 'pg_namespace')")
        if cursor.fetchone() == (mark,):
            return
        cursor.execute(statements)  # in transactions of its own
        cursor.execute(f"COMMENT ON SCHEMA public IS '{mark}'")


def _create_partitions(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT create_record_partitions(%s)", [RECORD_MONTHS_AHEAD])
