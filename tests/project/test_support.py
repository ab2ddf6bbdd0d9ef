"""K12: neither a log nor what is given to helpers holds a secret or anybody's data."""

from __future__ import annotations

import json
import logging
import secrets
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from databases import Database
from gateway.house import Workspace
from portero.project import support
from portero.project.configuration import Configuration, create_secrets
from portero.project.telling import Lines, without_secrets
from portero.store import keys
from portero.store.keys import KeyKind

KEY = keys.generate(KeyKind.SERVICE)
TOKEN = f"EAA{secrets.token_hex(40)}"
SECRET = secrets.token_urlsafe(48)
SAID = [
    (f"a call with {KEY} failed", KEY),
    (f"GET /v23.0/1?access_token={TOKEN}&x=1", TOKEN),
    (f"Authorization: Bearer {SECRET}", SECRET),
    ("postgresql://admin:hunter22@db.example:5432/x", "hunter22"),
    ("smtp://user@mail.example:587", "user@"),
    ("Key (email)=(lucia.perez+x@correo.example.mx) already exists", "lucia.perez"),
    ("to +52 1 55 1234 5678 from 34600111222", "5678"),
    ("to +52 1 55 1234 5678 from 34600111222", "34600111222"),
    ("recipient=5215512345678", "5512345678"),
]
KEPT = [
    "process 01a21bc6-6ac2-70d2-8a9b-4469188b8d55 died with 3 calls open; they are unknown",
    "2026-11-27 07:46:29 the gateway answers on http://127.0.0.1:8001, with 2 process(es)",
    "src/portero/gateway/a_file_with_a_name_that_is_rather_long.py:108 and_a_function_as_long_as_that_too",
    "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64",
]


@pytest.mark.parametrize(("text", "secret"), SAID, ids=range(len(SAID)))
def test_k12_no_line_of_a_log_holds_it_whoever_said_it(text: str, secret: str) -> None:
    for line in (logged(text), logged("%s", text), logged("it failed", error=ValueError(text))):
        assert secret not in line


@pytest.mark.parametrize("text", KEPT)
def test_what_helps_is_left_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_a_line_of_json_says_what_failed_and_where() -> None:
    said = json.loads(logged("a request failed", error=ValueError("row 7"), as_json=True))

    assert said["message"] == "a request failed"
    assert (said["level"], said["process"], said["logger"]) == ("error", "gateway", "portero.x")
    assert said["error"] == "ValueError from KeyError"
    assert said["where"][0].split()[-1] == "logged"
    assert "row 7" not in json.dumps(said)


def test_a_line_of_json_is_one_line_whatever_was_said() -> None:
    line = logged('a\r\n{"level": "info"}\x1b[2J\x00', as_json=True)

    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["message"].startswith("a\r\n")


def logged(text: str, *args: object, error: Exception | None = None, as_json: bool = False) -> str:
    raised = None
    if error is not None:
        try:
            raise error from KeyError(KEY)
        except ValueError:
            raised = sys.exc_info()
    record = logging.LogRecord("portero.x", logging.ERROR, __file__, 1, text, args, raised)
    return Lines("gateway", as_json=as_json).format(record)


@pytest.fixture
def installation(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workspace:
    state = database.cluster.state
    create_secrets(state)
    mail = tmp_path / "mail"
    mail.write_text(SECRET)
    mail.chmod(0o600)
    for name, value in {
        "PORTERO_STATE": str(state),
        "PORTERO_DATABASE": database.name,
        "PORTERO_MAIL_URL": "smtp://canary-login@127.0.0.1:1",
        "PORTERO_MAIL_PASSWORD_FILE": str(mail),
        "PORTERO_MAIL_FROM": "Ana <canary-sender@example.com>",
    }.items():
        monkeypatch.setenv(name, value)
    configuration = Configuration.from_environment()
    return Workspace(database, configuration.kek, configuration.pepper).create()


def content_of(path: Path) -> str:
    with tarfile.open(path) as archive:
        files = [archive.extractfile(member) for member in archive.getmembers()]
        return "\n".join(file.read().decode() for file in files if file is not None)


def test_k12_two_hundred_canaries_are_in_no_support_bundle(
    installation: Workspace, database: Database, tmp_path: Path
) -> None:
    planted = [installation.key().text for _ in range(20)]
    planted += [f"CANARY{secrets.token_hex(8)}" for _ in range(160)]
    with psycopg.connect(database.dsn("superuser")) as connection:
        for number, canary in enumerate(planted[20:]):
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                " VALUES ('q', 't', jsonb_build_object('a', %s::text))"
                if number % 2
                else "INSERT INTO session (session_key, session_data, expire_date)"
                " VALUES (gen_random_uuid(), %s, now())",
                [canary],
            )
    planted += ["canary-login", "canary-sender", installation.email, "Tienda Andina"]
    planted += sorted(support.secrets_of(_environ(database, tmp_path)))

    support.write(tmp_path / "bundle.tar.gz")

    content = content_of(tmp_path / "bundle.tar.gz")
    assert len(planted) >= 190
    assert [canary for canary in planted if canary in content] == []
    assert '"packages"' in content
    assert "procrastinate_jobs" in content
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o777 == 0o600


def _environ(database: Database, tmp_path: Path) -> dict[str, str]:
    return {
        "PORTERO_STATE": str(database.cluster.state),
        "PORTERO_MAIL_PASSWORD_FILE": str(tmp_path / "mail"),
    }


@pytest.mark.parametrize("of", ["kek", "pepper", "secret-key", "internal-secret", "postgres-app"])
def test_k12_control_a_part_that_holds_a_secret_is_not_written(
    installation: Workspace,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
) -> None:
    text = (database.cluster.state / "secrets" / of).read_text().strip()
    spoilt: Callable[[], str] = lambda: f"said: {text.rpartition(':')[2]}\n"  # noqa: E731
    monkeypatch.setattr(support, "_journal", spoilt)

    with pytest.raises(support.SecretInside, match=r"journal\.txt"):
        support.write(tmp_path / "bundle.tar.gz")

    assert list(tmp_path.glob("*bundle*")) == []


def test_a_bundle_is_made_without_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))

    parts = support.write(tmp_path / "bundle.tar.gz")

    assert "doctor.json" in parts
    assert "PORTERO_KEK_FILE" in content_of(tmp_path / "bundle.tar.gz")
