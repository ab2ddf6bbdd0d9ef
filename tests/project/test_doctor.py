"""The doctor finds each thing that can be wrong, names it, and says what to do."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest
from typing_extensions import override

from databases import Database
from gateway.house import WABA, Workspace, free_port
from portero.project.configuration import Configuration, create_secrets
from portero.project.doctor import Finding, examine, machine
from portero.project.logins import ROLE_OF
from portero.store.sealing import KeyRing


@pytest.fixture
def installation(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A whole installation with one workspace, and no gateway running."""
    state = database.cluster.state
    create_secrets(state)
    monkeypatch.setenv("PORTERO_STATE", str(state))
    monkeypatch.setenv("PORTERO_DATABASE", database.name)
    monkeypatch.setenv("PORTERO_GATEWAY_LISTEN", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("PORTERO_LIVE_LISTEN", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("PORTERO_CONSOLE_LISTEN", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("PORTERO_GRAPH_URL", f"http://127.0.0.1:{free_port()}")
    configuration = Configuration.from_environment()
    Workspace(database, configuration.kek, configuration.pepper).create()
    return database


PROCESSES = ("gateway", "streams", "console", "worker")


def wrong() -> list[Finding]:
    """What the doctor finds wrong, but the processes, which these tests do not run."""
    return [f for f in examine() if not f.ok and f.check not in PROCESSES]


def execute(database: Database, statement: str) -> None:
    with psycopg.connect(database.dsn("superuser")) as connection:
        connection.execute(statement)


def test_a_sound_installation_has_nothing_wrong_but_what_is_not_started(
    installation: Database,
) -> None:
    findings = examine()

    missing = {f.check: f.remedy for f in findings if not f.ok}
    assert set(missing) == set(PROCESSES)
    assert missing["gateway"].startswith("Start it with `portero serve gateway`")
    assert missing["streams"].startswith("Start them with `portero serve live`")
    assert missing["console"].startswith("Start it with `portero serve console`")
    assert missing["worker"].startswith("Start one with `portero worker`")
    looked_at = {f.check for f in findings}
    assert looked_at >= {"configuration", "secrets", "migrations", "row policies", "database clock"}
    assert looked_at >= {f"database as {login}" for login in ROLE_OF}
    assert any(WABA in f.message for f in findings)


@pytest.mark.parametrize(
    ("damage", "check", "says"),
    [
        (
            "DELETE FROM django_migrations WHERE app = 'audit' AND name = '0001_initial'",
            "migrations",
            "audit.0001_initial",
        ),
        ("COMMENT ON SCHEMA public IS 'portero policies 0'", "row policies", "another release"),
        ("DELETE FROM credential", "Meta tokens of “Tienda Andina”", f"({WABA}) has none"),
        (
            "UPDATE credential SET sealed = sealed || 'x'::bytea",
            "Meta tokens of “Tienda Andina”",
            "does not open",
        ),
    ],
)
def test_each_damage_to_the_database_is_found(
    installation: Database, damage: str, check: str, says: str
) -> None:
    execute(installation, damage)

    [found] = wrong()

    assert found.check == check
    assert says in found.message
    assert found.remedy


def test_a_database_without_tables_is_found_and_nothing_is_said_of_its_rows(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = f"{installation.name}_empty"
    installation.cluster.create_database(empty)
    monkeypatch.setenv("PORTERO_DATABASE", empty)
    try:
        [found] = wrong()
    finally:
        installation.cluster.drop_database(empty)

    assert (found.check, found.remedy) == ("migrations", "Run `portero migrate`.")


def test_a_table_that_is_gone_is_found(installation: Database) -> None:
    execute(installation, "DROP TABLE credential CASCADE")

    [found] = wrong()

    assert found.check == "Meta tokens"
    assert "credential" in found.message
    assert "portero migrate" in found.remedy


def test_an_installation_without_a_folder_of_secrets_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_secrets(tmp_path)
    elsewhere = (tmp_path / "secrets").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    for name in ("kek", "pepper", "secret-key", "internal-secret"):
        setting = f"PORTERO_{name.upper().replace('-', '_')}_FILE"
        monkeypatch.setenv(setting, str(elsewhere / name))

    found = {f.check: f for f in wrong()}

    assert "is not there" in found["secrets"].message
    assert "portero db start" in found["secrets"].remedy
    assert "portero db start" in found["database as app"].remedy


def test_a_month_without_a_partition_is_found(installation: Database) -> None:
    month = datetime.now(UTC)
    coming = f"record_{month.year + month.month // 12}_{month.month % 12 + 1:02}"
    execute(installation, f"ALTER TABLE record DETACH PARTITION {coming}; DROP TABLE {coming}")

    [found] = wrong()

    assert (found.check, found.remedy) == ("record partitions", "Run `portero migrate`.")


def test_b6_5_a_login_that_passes_row_level_security_is_found(installation: Database) -> None:
    execute(installation, "ALTER ROLE portero_app BYPASSRLS")
    try:
        [found] = wrong()
    finally:
        execute(installation, "ALTER ROLE portero_app NOBYPASSRLS")

    assert found.check == "database as app"
    assert "NOBYPASSRLS" in found.remedy


def test_a_key_that_belongs_to_another_database_is_found(installation: Database) -> None:
    Workspace(installation, KeyRing.generate(), KeyRing.generate()).create(name="Otra", waba="1")

    [found] = wrong()

    assert found.check == "Meta tokens of “Otra”"
    assert "`kek`" in found.remedy


@pytest.fixture
def loose_secret(installation: Database) -> Iterator[Path]:
    path = installation.cluster.state / "secrets" / "postgres-app"
    path.chmod(0o644)
    yield path
    path.chmod(0o600)


def test_b6_4_a_secret_that_others_can_read_is_found(loose_secret: Path) -> None:
    [found] = wrong()

    assert (found.check, found.remedy) == ("secrets", f"chmod 600 {loose_secret}")


def test_a_clock_that_is_far_off_is_found(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr("portero.project.doctor.time.time", lambda: now() + 60)

    [found] = wrong()

    assert found.check == "database clock"
    assert found.message.endswith("behind this machine's")


def test_faults_of_the_configuration_are_all_named(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_GRAPH_URL", "http://graph.example")
    monkeypatch.setenv("PORTERO_NONSENSE", "1")

    found = wrong()

    assert {f.check for f in found} == {"configuration"}
    assert ["PORTERO_NONSENSE" in f.message for f in found].count(True) == 1
    assert ["PORTERO_GRAPH_URL" in f.message for f in found].count(True) == 1


def test_a_database_that_is_away_is_found_as_each_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_secrets(tmp_path)
    for login in ("migrate", "app", "gateway"):
        path = tmp_path / "secrets" / f"postgres-{login}"
        path.touch(mode=0o600)
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    monkeypatch.setenv("PORTERO_GRAPH_URL", "http://localhost:1")

    found = {f.check: f for f in wrong()}

    assert {f"database as {login}" for login in ROLE_OF} == set(found)
    assert "portero db start" in found["database as app"].remedy
    assert found["database as log"].message == "the login was never made"


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("kek", "Meta tokens are stored again"),
        ("pepper", "no key and no password fits"),
        ("secret-key", "everybody signs in again"),
        ("internal-secret", "restart every process"),
    ],
)
def test_a_secret_that_is_gone_is_brought_back_and_not_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, loss: str
) -> None:
    create_secrets(tmp_path)
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    (tmp_path / "secrets" / name).unlink()

    [found] = wrong()

    assert found.message.endswith(f"{tmp_path}/secrets/{name} does not exist")
    assert found.remedy.startswith("Bring it back from your backup")
    assert loss in found.remedy


def test_a_secret_that_is_open_or_spoilt_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_secrets(tmp_path)
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    kek, pepper = tmp_path / "secrets" / "kek", tmp_path / "secrets" / "pepper"
    kek.chmod(0o640)
    pepper.write_text("of nothing")

    found = {f.message.partition(":")[0]: f.remedy for f in wrong()}

    assert found["PORTERO_KEK_FILE"] == f"chmod 600 {kek}"
    assert found["PORTERO_PEPPER_FILE"].startswith(f"{pepper} is not what Portero wrote.")


def test_a_secret_that_cannot_be_read_is_made_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_secrets(tmp_path)
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    path = tmp_path / "secrets" / "kek"
    path.unlink()
    path.symlink_to(path)  # which nobody can read, not even root

    [found] = wrong()

    assert (
        found.remedy == f"Make {path} readable for the account that runs Portero, and for no other."
    )


@contextmanager
def mail_server(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port that speaks SMTP as far as these answers go, and what it was told."""
    told: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        @override
        def handle(self) -> None:
            self.wfile.write(b"220 mail.example ready\r\n")
            for answer in answers:
                told.append(self.rfile.readline())
                self.wfile.write(answer)
            told.extend(self.rfile.readlines())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], told
        finally:
            server.shutdown()


def test_the_mail_server_is_greeted_and_handed_nothing(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server(b"250 mail.example\r\n", b"221 bye\r\n") as (port, told):
        monkeypatch.setenv("PORTERO_MAIL_URL", f"smtp://127.0.0.1:{port}")

        [found] = [f for f in examine() if f.check == "mail"]

    assert (found.ok, found.message) == (True, f"127.0.0.1:{port} answers; nothing was sent")
    assert [line.split()[0].upper() for line in told] == [b"EHLO", b"QUIT"]


def test_a_mail_server_that_is_away_or_none_is_found(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_MAIL_URL", f"smtp://127.0.0.1:{free_port()}")

    [away] = wrong()

    with mail_server(b"500 what\r\n", b"500 what\r\n", b"221 bye\r\n") as (port, _):
        monkeypatch.setenv("PORTERO_MAIL_URL", f"smtp://127.0.0.1:{port}")
        [no_server] = wrong()

    assert (away.check, no_server.check) == ("mail", "mail")
    assert "refused" in away.message
    assert "PORTERO_MAIL_URL" in away.remedy


def test_where_no_mail_is_sent_nothing_is_wrong_with_it(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("", "mailbox:"):
        monkeypatch.setenv("PORTERO_MAIL_URL", url)

        [found] = [f for f in examine() if f.check == "mail"]

        assert found.ok
        assert found.message.startswith("none is sent")


def test_a_worker_that_runs_is_seen(installation: Database) -> None:
    execute(installation, "INSERT INTO procrastinate_workers DEFAULT VALUES")

    [found] = [f for f in examine() if f.check == "worker"]

    assert (found.ok, found.message) == (True, "1 run, 0 jobs wait")


def test_jobs_that_wait_for_no_worker_are_counted(installation: Database) -> None:
    execute(
        installation,
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '5 min');"
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
        " VALUES ('q', 't', '{}', now() - interval '5 min')",
    )

    [found] = [f for f in examine() if f.check == "worker"]

    assert found.message == "none runs, and 1 jobs wait: no mail is sent"


def test_a_database_that_takes_no_writes_is_found(installation: Database) -> None:
    closed = f"ALTER DATABASE {installation.name} SET default_transaction_read_only = on"
    execute(installation, closed)

    [found] = wrong()

    assert found.check == "database server"
    assert found.message.startswith("it takes no writes")


def test_a_password_that_is_not_the_servers_is_found(installation: Database) -> None:
    path = installation.cluster.state / "secrets" / "postgres-app"
    text = path.read_text()
    path.write_text("another")
    try:
        [found] = wrong()
    finally:
        path.write_text(text)

    assert found.check == "database as app"
    assert "bring the file back, or remove it and run `portero migrate`" in found.remedy


@pytest.mark.parametrize(
    ("damage", "repair", "remedy"),
    [
        ("ALTER ROLE portero_log NOLOGIN", "ALTER ROLE portero_log LOGIN", "portero_log LOGIN;"),
        ("ALTER ROLE portero_log CONNECTION LIMIT 0", "ALTER ROLE portero_log CONNECTION LIMIT -1",
         "max_connections"),
        ("REVOKE CONNECT ON DATABASE {} FROM portero_log", "SELECT", "GRANT CONNECT"),
    ],
)  # fmt: skip
def test_what_keeps_a_login_out_is_told_apart(
    installation: Database, damage: str, repair: str, remedy: str
) -> None:
    execute(installation, damage.format(installation.name))
    try:
        [found] = wrong()
    finally:
        execute(installation, repair)

    assert found.check == "database as log"
    assert remedy in found.remedy


def test_a_database_of_another_name_is_found(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_DATABASE", "spelt_wrong")

    found = wrong()

    assert {f.check for f in found} == {f"database as {login}" for login in ROLE_OF}
    assert {f.remedy for f in found} == {
        "Run `portero migrate`, or look at PORTERO_DATABASE: that database is not there."
    }


def test_a_disk_that_is_nearly_full_is_found(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LEAST_FREE", 1 << 60)

    [found] = wrong()

    assert found.check == "disk"
    assert str(installation.cluster.state) in found.message


def test_packages_that_are_not_the_locked_ones_are_named(
    installation: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "runtime.lock"
    lock.write_text("django==1.2.3 \\\n    --hash=x\nnever-there==1 ; sys_platform == 'win32' \\\n")
    monkeypatch.setattr(machine, "_LOCK", lock)

    [found] = wrong()

    assert found.check == "packages"
    assert found.message.endswith(f"tested with: django {version('django')} instead of 1.2.3")


def test_an_installation_that_meta_cannot_reach_is_told_so(
    installation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTERO_GRAPH_URL")

    [found] = wrong()

    assert found.check == "public address"
    assert "docs/how-to/install.md" in found.remedy
