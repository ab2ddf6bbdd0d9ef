"""The database logins: who may connect, with which random password, to which address.

Five logins share one server. `superuser` only prepares the others; everything Portero does at run
time goes through one of the four narrow ones. Passwords are made here, once per installation, and
kept in files of mode 0600 beside the state.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from portero.project.environment import make_private_folder, write_private

Login = Literal["superuser", "migrate", "app", "gateway", "log"]

OWNER = "portero_owner"
ROLE_OF: Mapping[Login, str] = {
    "migrate": "portero_migrate",
    "app": "portero_app",
    "gateway": "portero_gateway",
    "log": "portero_log",
}
_NARROW = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION NOINHERIT")
# NOINHERIT: portero_migrate becomes the owner only by an explicit SET ROLE. The owner itself must
# inherit: schema public belongs to pg_database_owner, whose one member is a database's owner.
_OWNER = sql.SQL("NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION INHERIT")
# What both libpq and asyncpg understand in a URI; anything else of an operator's URL is refused.
_ADDRESS_KEYS = ("host", "port", "sslmode", "sslrootcert")


class Server:
    """A PostgreSQL server and the logins Portero has on it."""

    # Whatever it was set up with: a Debian without a locale makes databases that know no letters.
    _new_database = " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"

    def __init__(
        self,
        *,
        address: Mapping[str, str],
        administrator: str,
        secrets_folder: Path,
        password: str | None = None,
    ):
        """`address` holds libpq's host, port and TLS settings; `administrator` may create roles.

        Its `password` is kept in no file when it is given here.
        """
        self._address = dict(address)
        self._administrator = administrator
        self._secrets = secrets_folder
        self._password = password

    @classmethod
    def from_url(cls, url: str, secrets_folder: Path) -> Self:
        """Use a server somebody else runs. Raises ValueError."""
        parts = parse_url(url)
        return cls(
            address={key: parts[key] for key in _ADDRESS_KEYS if key in parts},
            administrator=parts["user"],
            secrets_folder=secrets_folder,
            password=parts.get("password", ""),
        )

    def dsn(self, login: Login, database: str = "portero") -> str:
        """URI for psycopg and asyncpg alike. Raises FileNotFoundError before the first start."""
        user = self._administrator if login == "superuser" else ROLE_OF[login]
        if login == "superuser" and self._password is not None:
            password = self._password
        else:
            password = self._password_file(login).read_text()
        where = urlencode(self._address, quote_via=quote)
        return f"postgresql://{quote(user)}:{quote(password)}@/{quote(database)}?{where}"

    def prepare_logins(self) -> None:
        """Create the roles that are missing, and their passwords. Safe to repeat."""
        with psycopg.connect(self.dsn("superuser", "postgres"), autocommit=True) as connection:
            present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            if OWNER not in present:
                connection.execute(sql.SQL("CREATE ROLE {} {}").format(_name(OWNER), _OWNER))
            for login, role in ROLE_OF.items():
                self._prepare_login(connection, login, exists=role in present)
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(_name(OWNER), _name(ROLE_OF["migrate"]))
            )

    def _prepare_login(self, connection: psycopg.Connection, login: Login, *, exists: bool) -> None:
        has_password = self._password_file(login).exists()
        if exists and has_password:
            return
        statement = (
            "ALTER ROLE {} LOGIN {} PASSWORD {}"
            if exists
            else "CREATE ROLE {} LOGIN {} PASSWORD {}"
        )
        connection.execute(
            sql.SQL(statement).format(
                _name(ROLE_OF[login]), _NARROW, sql.Literal(self._ensure_password(login))
            )
        )

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Create a database owned by portero_owner that only our logins may enter."""
        source = (
            sql.SQL(" TEMPLATE {}").format(_name(template))
            if template
            else sql.SQL(self._new_database)
        )
        logins = sql.SQL(", ").join(_name(role) for role in ROLE_OF.values())
        with psycopg.connect(self.dsn("superuser", "postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}{}").format(_name(name), _name(OWNER), source)
            )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(_name(name)))
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(_name(name), logins)
            )

    def has_database(self, name: str) -> bool:
        with psycopg.connect(self.dsn("superuser", "postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return found.fetchone() is not None

    def drop_database(self, name: str) -> None:
        """Drop a database, ending whatever is connected to it."""
        with psycopg.connect(self.dsn("superuser", "postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_name(name))
            )

    def _password_file(self, login: Login) -> Path:
        return self._secrets / f"postgres-{login}"

    def _ensure_password(self, login: Login) -> str:
        path = self._password_file(login)
        if not path.exists():
            make_private_folder(path.parent)
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()


def parse_url(url: str) -> dict[str, str]:
    """The parts of an operator's URL, whose login must be allowed to create roles. Raises ValueError."""
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:  # its own words may repeat the password
        raise ValueError("is not written like postgresql://user:password@host:port/db") from None
    if unknown := set(parts) - {*_ADDRESS_KEYS, "user", "password", "dbname"}:
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be kept")
    if missing := {"user", "host"} - set(parts):
        raise ValueError(f"{' and '.join(sorted(missing))} must be named")
    return parts


def _name(text: str) -> sql.Identifier:
    return sql.Identifier(text)
