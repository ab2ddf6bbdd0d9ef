"""Making an installation, and bringing one to this release."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from portero.project.configuration import (
    SETTINGS,
    Configuration,
    ConfigurationError,
    create_secrets,
)
from portero.project.migrate import migrate
from portero.project.postgres import Cluster, ClusterError, find_server
from portero.store.sealing import CannotOpen, Place

# Without these what is stored cannot be opened or recognised: they are never made a second time.
_IRREPLACEABLE = ("kek", "pepper")
_KEYS = "SELECT id, wrapped FROM workspace_key WHERE workspace_id = %s AND retired_at IS NULL"


class SecretsMissing(Exception):
    """The database holds what a lost secret has sealed; the message says which file to bring back."""


class NotOurs(Exception):
    """The database server is somebody else's to start and stop."""


@dataclass(frozen=True, slots=True)
class Installed:
    database: str
    created: bool


def own_cluster() -> Cluster:
    """The server under the state folder. Raises NotOurs when DATABASE_URL names another."""
    if os.environ.get("DATABASE_URL"):
        raise NotOurs("DATABASE_URL names a server that Portero does not run: nothing to do here")
    return Cluster(Path(os.environ["PORTERO_STATE"]))


def install() -> Installed:
    """Make what is missing of secrets, logins, database and tables; the server must answer.

    Raises SecretsMissing, ConfigurationError, ClusterError, and what the database's drivers raise.
    """
    state = Path(os.environ["PORTERO_STATE"]).resolve()
    name = os.environ.get("PORTERO_DATABASE") or SETTINGS["PORTERO_DATABASE"]
    try:
        server = find_server(state)
    except ValueError as error:
        raise ConfigurationError(f"DATABASE_URL: {error}") from None
    if isinstance(server, Cluster) and not server.status().running:
        raise ClusterError("the database does not run: start it with `portero db start`")
    server.prepare_logins()
    is_new = not server.has_database(name)
    if not is_new:
        _require_secrets(state, name)
    create_secrets(state)
    configuration = Configuration.from_environment()
    if is_new:
        server.create_database(name)
    else:
        _require_the_kek_of(name, server.dsn("gateway", name), configuration)
    migrate(server.dsn("migrate", name))
    _renew_builtin_roles(server.dsn("gateway", name))
    return Installed(name, is_new)


def _renew_builtin_roles(dsn: str) -> None:
    """In every workspace; only the gateway's login sees which there are."""
    from portero.domain.access.services import renew_builtin_roles  # needs Django set up

    with psycopg.connect(dsn) as connection:
        workspaces = [one for (one,) in connection.execute("SELECT id FROM workspace")]
    for workspace in workspaces:
        renew_builtin_roles(workspace)


def _require_the_kek_of(database: str, dsn: str, configuration: Configuration) -> None:
    """Refuse a key ring that was made anew, or for another database: what it seals splits the data."""
    try:
        with psycopg.connect(dsn) as connection:
            first = connection.execute("SELECT id FROM workspace ORDER BY id LIMIT 1").fetchone()
            if first is None:
                return
            [workspace] = first
            connection.execute(
                "SELECT set_config('portero.workspaces', %s, true)", [str(workspace)]
            )
            rows = connection.execute(_KEYS, [workspace]).fetchall()
    except (UndefinedTable, InsufficientPrivilege):
        return  # the first migration never ended: nothing is in it
    try:
        for row, wrapped in rows:
            place = Place(workspace, "workspace_key", "wrapped", row)
            configuration.kek.open(place, bytes(wrapped))
    except CannotOpen:
        raise SecretsMissing(
            f"the file `kek` does not open what the database “{database}” holds: bring back from a"
            " backup the one that belongs to it (PORTERO_KEK_FILE says where it lies)"
        ) from None


def _require_secrets(state: Path, database: str) -> None:
    for secret in _IRREPLACEABLE:
        given = os.environ.get(f"PORTERO_{secret.upper()}_FILE")
        path = Path(given) if given else state / "secrets" / secret
        if not path.exists():
            raise SecretsMissing(
                f"{path} is gone, and the database “{database}” holds what only it can open:"
                " bring the file back from a backup"
            )
