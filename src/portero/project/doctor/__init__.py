"""What is wrong with an installation, in plain words, each with what to do about it."""

from __future__ import annotations

import os
import smtplib
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from portero.project.cli.problems import first_line
from portero.project.configuration import (
    SECRET_FILES,
    Configuration,
    ConfigurationError,
    is_loopback,
    secret_file,
)
from portero.project.doctor import machine, outside
from portero.project.doctor.finding import Finding, well, wrong
from portero.project.listening import answers
from portero.project.logins import OWNER, ROLE_OF, Login
from portero.project.migrate import known_migrations, policies
from portero.project.postgres import OLDEST_MAJOR
from portero.project.programs import CONSOLE_HEALTH, GATEWAY_HEALTH, LIVE_HEALTH
from portero.store.sealing import CannotOpen
from portero.store.workspace_keys import WorkspaceKeys

# Leases and limits go by the database's clock; ours only dates what people read.
CLOCK_TOLERANCE_S = 2.0
_TIMEOUT_S = 5
META_TOKENS = "Meta tokens"


def examine() -> list[Finding]:
    """Look at everything that can be looked at; never raises for what is wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
    try:
        configuration = Configuration.from_environment()
    except ConfigurationError as error:
        return [
            Finding("configuration", ok=False, message=fault, remedy=_remedy_of(fault))
            for fault in str(error).splitlines()
        ]
    findings = [
        Finding("configuration", ok=True, message=f"complete, state in {configuration.state}")
    ]
    findings += _secrets(configuration.state / "secrets")
    reachable = [_login(configuration, login) for login in ROLE_OF]
    findings += reachable
    if all(finding.ok for finding in reachable):
        findings += _database(configuration)
    findings += [_gateway(configuration), _live(configuration), _mail(configuration)]
    findings.append(_console(configuration))
    findings += outside.examine(configuration)
    findings += machine.examine(configuration)
    return findings


def _remedy_of(fault: str) -> str:
    name = fault.partition(":")[0]
    if name not in SECRET_FILES:
        return "Set it right in the environment or in portero.env; docs/settings.md explains each."
    path = secret_file(name)
    try:
        mode = path.stat().st_mode
        path.read_bytes()
    except FileNotFoundError:
        return _WITHOUT[SECRET_FILES[name]]
    except OSError:
        return f"Make {path} readable for the account that runs Portero, and for no other."
    if mode & 0o077:
        return f"chmod 600 {path}"
    return f"{path} is not what Portero wrote. {_WITHOUT[SECRET_FILES[name]]}"


def _database(configuration: Configuration) -> Iterator[Finding]:
    """What can be looked at in it; without its tables there is nothing more to see."""
    migrations = _looked_at("migrations", _migrations, configuration)
    yield from migrations
    if all(finding.ok for finding in migrations):
        for check, look in _IN_DATABASE.items():
            yield from _looked_at(check, look, configuration)


def _looked_at(check: str, look: _Look, configuration: Configuration) -> list[Finding]:
    try:
        return list(look(configuration))
    except psycopg.Error as error:
        remedy = "Run `portero migrate`; if it stays, the database's log says more."
        return [Finding(check, ok=False, message=first_line(error), remedy=remedy)]


def _secrets(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        message = f"{folder} is not there"
        yield Finding("secrets", ok=False, message=message, remedy=_MAKE_LOGINS)
        return
    try:
        open_files = [p for p in (folder, *sorted(folder.iterdir())) if p.stat().st_mode & 0o077]
    except OSError as error:
        remedy = f"Make {folder} readable for the account that runs Portero, and for no other."
        yield Finding("secrets", ok=False, message=str(error), remedy=remedy)
        return
    for path in open_files:
        mode = stat.S_IMODE(path.stat().st_mode)
        remedy = f"chmod {'700' if path.is_dir() else '600'} {path}"
        yield Finding("secrets", ok=False, message=f"{path} has mode {mode:o}", remedy=remedy)
    if not open_files:
        yield Finding("secrets", ok=True, message="only their owner can read them")


def _login(configuration: Configuration, login: Login) -> Finding:
    check = f"database as {login}"
    try:
        with _connected(configuration, login) as connection:
            row = connection.execute(
                "SELECT rolsuper OR rolbypassrls AS too_much FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except FileNotFoundError:
        return Finding(check, ok=False, message="the login was never made", remedy=_MAKE_LOGINS)
    except OSError as error:
        remedy = "Make it readable for the account that runs Portero, and for no other."
        return Finding(check, ok=False, message=str(error), remedy=remedy)
    except psycopg.OperationalError as error:
        return wrong(check, first_line(error), _remedy_of_login(login, str(error)))
    if row is None or row["too_much"]:
        role = ROLE_OF[login]
        remedy = f"ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS;"
        return Finding(check, ok=False, message=f"{role} passes row-level security", remedy=remedy)
    return Finding(check, ok=True, message="answers")


def _remedy_of_login(login: Login, said: str) -> str:
    """By the server's own words, which have one form in every version."""
    role = ROLE_OF[login]
    if "password authentication failed" in said:
        return (
            f"The password in secrets/postgres-{login} is not the server's: bring the file back, or"
            f" remove it and run `portero migrate`, which gives {role} a new one."
        )
    if "does not exist" in said:
        return "Run `portero migrate`, or look at PORTERO_DATABASE: that database is not there."
    if "too many" in said or "remaining connection slots" in said:
        return "Raise the server's max_connections, or run fewer processes."
    if "not permitted to log in" in said:
        return f"ALTER ROLE {role} LOGIN;"
    if "permission denied for database" in said:
        return f"GRANT CONNECT ON DATABASE … TO {role};"
    return "Start it with `portero db start`, or check DATABASE_URL and its server's log."


def _server(configuration: Configuration) -> Iterator[Finding]:
    with _connected(configuration, "app") as connection:
        major = connection.info.server_version // 10_000
        row = connection.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS closed"
        ).fetchone()
    if row is not None and row["closed"]:
        yield wrong(
            "database server",
            "it takes no writes: it is a copy, or was set so",
            "Name the one that writes in DATABASE_URL; without writes nothing is sent.",
        )
    elif major < OLDEST_MAJOR:
        yield wrong(
            "database server",
            f"PostgreSQL {major} is older than {OLDEST_MAJOR}",
            f"Move to PostgreSQL {OLDEST_MAJOR} or newer: docs/how-to/backup.md.",
        )
    else:
        yield well("database server", f"PostgreSQL {major}, no extension is needed")


def _worker(configuration: Configuration) -> Iterator[Finding]:
    with _connected(configuration, "app") as connection:
        row = connection.execute(_JOBS).fetchone()
    assert row is not None  # noqa: S101 - counts are one row
    if row["workers"]:
        yield well("worker", f"{row['workers']} run, {row['late']} jobs wait")
    else:
        yield wrong(
            "worker",
            f"none runs, and {row['late']} jobs wait: no mail is sent",
            "Start one with `portero worker`.",
        )


def _migrations(configuration: Configuration) -> Iterator[Finding]:
    wanted = known_migrations()
    with _connected(configuration, "migrate") as connection:
        connection.execute(f"SET ROLE {OWNER}")
        found = connection.execute(
            "SELECT to_regclass('public.django_migrations') IS NOT NULL AS there"
        ).fetchone()
        rows = (
            connection.execute("SELECT app, name FROM django_migrations").fetchall()
            if found is not None and found["there"]
            else []
        )
    missing = wanted - {(row["app"], row["name"]) for row in rows}
    if missing:
        names = ", ".join(sorted(f"{app}.{name}" for app, name in missing))
        yield Finding(
            "migrations", ok=False, message=f"not applied: {names}", remedy="Run `portero migrate`."
        )
    else:
        yield Finding("migrations", ok=True, message="all applied")


def _policies(configuration: Configuration) -> Iterator[Finding]:
    _, mark = policies()
    with _connected(configuration, "migrate") as connection:
        row = connection.execute(
            "SELECT obj_description('public'::regnamespace, 'pg_namespace') AS mark"
        ).fetchone()
    if row is not None and row["mark"] == mark:
        yield Finding("row policies", ok=True, message="those of this release are applied")
    else:
        message = "the database's grants and row policies are of another release"
        yield Finding("row policies", ok=False, message=message, remedy="Run `portero migrate`.")


def _partitions(configuration: Configuration) -> Iterator[Finding]:
    month = datetime.now(UTC)
    coming = f"record_{month.year + month.month // 12}_{month.month % 12 + 1:02}"
    with _connected(configuration, "log") as connection:
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL AS there", [coming]).fetchone()
    if row is not None and row["there"]:
        yield Finding("record partitions", ok=True, message="next month has its own")
    else:
        message = "next month's records have no partition of their own"
        yield Finding(
            "record partitions", ok=False, message=message, remedy="Run `portero migrate`."
        )


def _clock(configuration: Configuration) -> Iterator[Finding]:
    with _connected(configuration, "app") as connection:
        before = time.time()
        row = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
        ).fetchone()
        after = time.time()
    assert row is not None  # noqa: S101 - a query without FROM has one row
    difference = row["now"] - (before + after) / 2
    message = f"{abs(difference):.2f} s {'ahead of' if difference > 0 else 'behind'} this machine's"
    if abs(difference) <= CLOCK_TOLERANCE_S:
        yield Finding("database clock", ok=True, message=message)
    else:
        remedy = "Set both machines by NTP: keys and bindings end by this machine's clock."
        yield Finding("database clock", ok=False, message=message, remedy=remedy)


def _credentials(configuration: Configuration) -> Iterator[Finding]:
    with _connected(configuration, "gateway") as connection:
        workspaces = connection.execute("SELECT id, name FROM workspace ORDER BY id").fetchall()
        for workspace in workspaces:
            connection.execute(
                "SELECT set_config('portero.workspaces', %s, true)", [str(workspace["id"])]
            )
            yield from _credentials_of(configuration, connection, workspace)


def _credentials_of(
    configuration: Configuration,
    connection: psycopg.Connection[dict[str, Any]],
    workspace: dict[str, Any],
) -> Iterator[Finding]:
    check = f"{META_TOKENS} of “{workspace['name']}”"
    wrapped = connection.execute(_KEYS, [workspace["id"]]).fetchall()
    try:
        keys = WorkspaceKeys.unwrap(configuration.kek, workspace["id"], wrapped)
    except (CannotOpen, KeyError):
        message = "the key in the secrets folder does not open this workspace's keys"
        remedy = "Bring back the file `kek` that belongs to this database."
        yield Finding(check, ok=False, message=message, remedy=remedy)
        return
    for account in connection.execute(_ACCOUNTS, [workspace["id"]]).fetchall():
        if account["sealed"] is None:
            message = f"the account {account['name']} ({account['meta_id']}) has none"
            remedy = "Store a system user's token for it: without one no call to Meta can leave."
            yield Finding(check, ok=False, message=message, remedy=remedy)
            continue
        try:
            keys.open("credential", "sealed", account["id"], account["sealed"])
        except CannotOpen:
            message = f"the token of {account['meta_id']} does not open"
            yield Finding(check, ok=False, message=message, remedy="Store the token again.")
        else:
            yield Finding(
                check, ok=True, message=f"{account['name']} ({account['meta_id']}) has one"
            )


def _gateway(configuration: Configuration) -> Finding:
    url = configuration.gateway_listen.url
    if answers(url + GATEWAY_HEALTH):
        return Finding("gateway", ok=True, message=f"answers on {url}, its lease is live")
    remedy = "Start it with `portero serve gateway`; if it runs, its log says why it has no lease."
    return Finding("gateway", ok=False, message=f"nothing healthy answers on {url}", remedy=remedy)


def _live(configuration: Configuration) -> Finding:
    url = configuration.live_listen.url
    if answers(url + LIVE_HEALTH):
        return Finding("streams", ok=True, message=f"answer on {url}")
    remedy = (
        "Start them with `portero serve live`; without them open pages do not change by themselves."
    )
    return Finding("streams", ok=False, message=f"nothing answers on {url}", remedy=remedy)


def _console(configuration: Configuration) -> Finding:
    url = configuration.console_listen.url
    if answers(url + CONSOLE_HEALTH):
        return well("console", f"answers on {url}")
    return wrong("console", f"nothing answers on {url}", "Start it with `portero serve console`.")


def _mail(configuration: Configuration) -> Finding:
    """Says good day to the mail server, as far as it takes to know that it is one; sends nothing."""
    server = configuration.mail
    if server is None:
        return Finding("mail", ok=True, message="none is sent: PORTERO_MAIL_URL is not set")
    if server.is_mailbox:
        return Finding("mail", ok=True, message="none is sent: it is kept in the demo's mailbox")
    where = f"{server.host}:{server.port}"
    kind = smtplib.SMTP_SSL if server.is_tls else smtplib.SMTP
    try:
        with kind(server.host, server.port, timeout=_TIMEOUT_S) as connection:
            connection.ehlo_or_helo_if_needed()
            wants_tls = not server.is_tls and not is_loopback(server.host)
            if wants_tls and not connection.has_extn("starttls"):
                remedy = (
                    "Use its port for TLS (smtps://…), or let it offer STARTTLS: mail holds links"
                    " with which people come in, and does not leave in clear."
                )
                message = f"{where} offers no STARTTLS"
                return Finding("mail", ok=False, message=message, remedy=remedy)
    except (OSError, smtplib.SMTPException) as error:
        remedy = (
            "Look at PORTERO_MAIL_URL, at that server, and at what lies between: invitations and links"
            " are not sent while it does not answer."
        )
        message = f"{where}: {first_line(error)}"
        return Finding("mail", ok=False, message=message, remedy=remedy)
    return Finding("mail", ok=True, message=f"{where} answers; nothing was sent")


def _connected(configuration: Configuration, login: Login) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(
        configuration.dsn(login), connect_timeout=_TIMEOUT_S, row_factory=dict_row
    )


_FROM_A_BACKUP = "Bring it back from your backup of the folder `secrets`."
_ANEW = "Where there never was one, `portero migrate` makes it"
_WITHOUT: Mapping[str, str] = {
    "kek": f"{_FROM_A_BACKUP} {_ANEW}; what was sealed with the lost one stays shut: Meta tokens"
    " are stored again, codes of apps are set up again.",
    "pepper": f"{_FROM_A_BACKUP} {_ANEW}; without the lost one no key and no password fits any more.",
    "secret-key": f"{_FROM_A_BACKUP} {_ANEW}; everybody signs in again then.",
    "internal-secret": f"{_FROM_A_BACKUP} {_ANEW}; restart every process of ours then.",
}
_MAKE_LOGINS = (
    "Run `portero db start` (not with DATABASE_URL, whose server is somebody else's),"
    " then `portero migrate`."
)
_Look = Callable[[Configuration], Iterator[Finding]]
_IN_DATABASE: Mapping[str, _Look] = {
    "database server": _server,
    "worker": _worker,
    "row policies": _policies,
    "record partitions": _partitions,
    "database clock": _clock,
    META_TOKENS: _credentials,
}
# A worker says every five seconds that it is there.
_JOBS = """
SELECT (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 s') AS workers,
       (SELECT count(*) FROM procrastinate_jobs
         WHERE status = 'todo' AND coalesce(scheduled_at, now()) < now() - interval '30 s') AS late
"""
_KEYS = (
    "SELECT id, purpose, version, wrapped FROM workspace_key"
    " WHERE workspace_id = %s AND retired_at IS NULL"
)
_ACCOUNTS = """
SELECT waba.meta_id, waba.name, newest.id, newest.sealed
  FROM waba LEFT JOIN LATERAL (
       SELECT id, sealed FROM credential
        WHERE workspace_id = waba.workspace_id AND waba = waba.meta_id AND retired_at IS NULL
        ORDER BY id DESC LIMIT 1) AS newest ON true
 WHERE waba.workspace_id = %s ORDER BY waba.meta_id
"""
