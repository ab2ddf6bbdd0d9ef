"""What was saved comes back whole, or not at all, and what must not come back stays behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from conftest import TEMPLATE
from databases import Database
from gateway.house import VENTAS, Workspace
from portero.project.backup import contents, keys, restoring, saving, sealed
from portero.project.configuration import Configuration, create_secrets
from portero.project.postgres import Cluster
from portero.store.sealing import CannotOpen, KeyRing, Secret, new_key

PORTERO = Path(sys.executable).with_name("portero")
LEFT = "restored_by_test"


@pytest.fixture
def installation(database: Database, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """One workspace with keys, a session, a link, a job, and a log."""
    state = database.cluster.state
    create_secrets(state)
    monkeypatch.setenv("PORTERO_STATE", str(state))
    monkeypatch.setenv("PORTERO_DATABASE", database.name)
    configuration = Configuration.from_environment()
    workspace = Workspace(database, configuration.kek, configuration.pepper).create()
    workspace.key()
    with psycopg.connect(database.dsn("superuser")) as connection:
        for statement in (
            "INSERT INTO session (session_key, session_data, expire_date) VALUES ('a', 'b', now() + '1 h')",
            "INSERT INTO sign_in_link (id, digest, person_id, expires_at)"
            " SELECT gen_random_uuid(), 'x', id, now() + '1 d' FROM person LIMIT 1",
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', '{}')",
        ):
            connection.execute(statement)
        connection.execute(_A_RECORD, {"workspace": workspace.id})
    return configuration


_A_RECORD = """
INSERT INTO record (workspace_id, call_id, kind, attempt, at, event, schema, actor, operation, checks,
    resources, effect, reason, policy_version, because, obligations, upstream_attempt, leaf, digest)
SELECT %(workspace)s, gen_random_uuid(), 'intent', 1, now() - n * interval '20 days', 'message.sent', 1,
    'a', 'o', '{}', '{}', 'allow', 'r', 1, '{}', '{}', 0, leaf, sha256(leaf)
  FROM generate_series(0, 9) AS n, LATERAL (SELECT convert_to('leaf ' || n, 'UTF8') AS leaf) AS made
"""


@pytest.fixture
def restored(database: Database) -> Iterator[Database]:
    yield Database(database.cluster, LEFT)
    database.cluster.drop_database(LEFT)


def look(database: Database) -> tuple[dict[str, int], tuple[str, int]]:
    with psycopg.connect(database.dsn("superuser")) as connection:
        return contents.rows_of(connection), contents.log_of(connection)


def put(database: Database, path: Path, kek: KeyRing, **how: Any) -> restoring.Restored:
    more = {"keep_keys": False, "known": every_migration(database.cluster), **how}
    return restoring.restore(database.cluster, database.name, path, kek, **more)


def every_migration(cluster: Cluster) -> set[str]:
    with psycopg.connect(cluster.dsn("superuser", TEMPLATE)) as connection:
        rows = connection.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
    return {name for (name,) in rows}


def test_nothing_is_lost_and_what_must_not_come_back_is_named(
    installation: Configuration, database: Database, restored: Database, tmp_path: Path
) -> None:
    path = tmp_path / "portero.data"
    before = look(database)

    manifest = saving.save(installation, path)
    told = put(restored, path, installation.kek)

    after = look(restored)
    gone = {
        name: (rows, after[0][name]) for name, rows in before[0].items() if rows != after[0][name]
    }
    left_behind = ("session", "sign_in_link", "procrastinate_jobs", "procrastinate_events")
    assert gone == dict.fromkeys(left_behind, (1, 0))
    assert after[1] == before[1] == (manifest.log, 0)
    assert before[0]["record"] >= 10
    assert (told.sessions, told.links, told.jobs) == (1, 1, 1)
    assert (len(told.keys), told.keys_disabled, told.open_calls) == (1, True, 10)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_account_for_which_nobody_answers_is_stopped_in_a_restored_database_too(
    installation: Configuration, database: Database, restored: Database, tmp_path: Path
) -> None:
    with psycopg.connect(database.dsn("superuser")) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
            " VALUES (%s, %s, '{}', now() + interval '9 days')",
            ["policy", "access.stop_left_alone"],
        )
    saving.save(installation, tmp_path / "a.data")

    told = put(restored, tmp_path / "a.data", installation.kek)

    with psycopg.connect(restored.dsn("superuser")) as connection:
        [(task, status)] = connection.execute("SELECT task_name, status FROM procrastinate_jobs")
    assert (task, status, told.jobs) == ("access.stop_left_alone", "todo", 1)


def test_o05_keys_that_may_have_been_revoked_since_are_disabled(
    installation: Configuration, restored: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")

    told = put(restored, tmp_path / "a.data", installation.kek)

    with psycopg.connect(restored.dsn("superuser")) as connection:
        reasons = [row[0] for row in connection.execute("SELECT disabled_reason FROM api_key")]
    assert reasons == [f"restored from the backup of {told.manifest.made_at}"]


def test_o05_control_keys_kept_on_purpose_work_on(
    installation: Configuration, restored: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")

    told = put(restored, tmp_path / "a.data", installation.kek, keep_keys=True)

    with psycopg.connect(restored.dsn("superuser")) as connection:
        reasons = [row[0] for row in connection.execute("SELECT disabled_reason FROM api_key")]
    assert (reasons, told.keys_disabled) == ([None], False)


def test_a_restored_database_has_the_walls_it_had(
    installation: Configuration, database: Database, restored: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")
    put(restored, tmp_path / "a.data", installation.kek)

    def walls(one: Database) -> list[Any]:
        with psycopg.connect(one.dsn("superuser")) as connection:
            return connection.execute(_WALLS).fetchall()

    assert walls(restored) == walls(database)
    with psycopg.connect(restored.dsn("app")) as connection:
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (0,)


_WALLS = """
SELECT c.relname, c.relowner::regrole::text, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT array_agg(g::text ORDER BY g::text)
          FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) AS g),
       (SELECT array_agg(p.polname || pg_get_expr(p.polqual, p.polrelid) ORDER BY p.polname)
          FROM pg_policy p WHERE p.polrelid = c.oid)
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""


@pytest.mark.parametrize("damage", ["changed", "cut", "longer", "swapped", "head"])
def test_k11_what_was_changed_on_the_way_is_not_restored_at_all(
    installation: Configuration, restored: Database, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "a.data"
    saving.save(installation, path)
    path.write_bytes(_damaged(path.read_bytes(), damage))

    with pytest.raises(CannotOpen):
        put(restored, path, installation.kek)

    assert not restored.cluster.has_database(LEFT)


def _damaged(whole: bytes, how: str) -> bytes:
    head, _, rest = whole.partition(b"\n")
    match how:
        case "changed":
            return whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
        case "cut":
            return whole[:-5000]
        case "longer":
            return whole + b"x"
        case "swapped":
            return head + b"\n" + rest[5000:] + rest[:5000]
        case _:
            return head.replace(b'"format": 1', b'"format":  1') + b"\n" + rest


def test_another_installations_key_opens_nothing(
    installation: Configuration, restored: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")

    with pytest.raises(CannotOpen):
        put(restored, tmp_path / "a.data", KeyRing.generate())


def test_k10_a_backup_shows_nothing_without_its_key(
    installation: Configuration, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "a.data"
    saving.save(installation, path)

    with psycopg.connect(database.dsn("superuser")) as connection:
        emails = [row[0].encode() for row in connection.execute("SELECT email FROM person")]
    assert emails
    for clear in (*emails, b"Tienda Andina", b"PGDMP", VENTAS.encode()):
        assert clear not in path.read_bytes()


def test_a_database_that_is_there_is_left_alone(
    installation: Configuration, database: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")
    before = look(database)

    with pytest.raises(restoring.CannotRestore, match="rename or drop it"):
        put(database, tmp_path / "a.data", installation.kek)

    assert look(database) == before


def test_a_backup_of_a_newer_release_is_refused(
    installation: Configuration, restored: Database, tmp_path: Path
) -> None:
    saving.save(installation, tmp_path / "a.data")
    older = every_migration(restored.cluster) - {"access.0001_initial"}

    with pytest.raises(restoring.CannotRestore, match=r"newer release.*access\.0001_initial"):
        put(restored, tmp_path / "a.data", installation.kek, known=older)

    assert not restored.cluster.has_database(LEFT)


def test_rows_that_do_not_come_back_are_missed(
    installation: Configuration, restored: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = contents.rows_of
    monkeypatch.setattr(contents, "rows_of", lambda c: {**honest(c), "record": 11})
    saving.save(installation, tmp_path / "a.data")
    monkeypatch.undo()

    with pytest.raises(restoring.CannotRestore, match="rows were lost: record: 11 saved, 10 here"):
        put(restored, tmp_path / "a.data", installation.kek)

    assert not restored.cluster.has_database(LEFT)


def test_a_record_changed_before_the_backup_is_counted(
    installation: Configuration, database: Database, tmp_path: Path
) -> None:
    with psycopg.connect(database.dsn("superuser")) as connection:
        connection.execute("ALTER TABLE record DISABLE TRIGGER ALL")
        connection.execute("UPDATE record SET leaf = 'other' WHERE leaf = 'leaf 3'")

    assert saving.save(installation, tmp_path / "a.data").log_broken == 1


@pytest.mark.parametrize("size", [0, 1, sealed.PIECE - 1, sealed.PIECE, sealed.PIECE + 1,
                                  3 * sealed.PIECE])  # fmt: skip
def test_a_content_of_any_size_comes_back(size: int) -> None:
    key, content, file = new_key(), os.urandom(size), io.BytesIO()
    head = sealed.write_head(file, {"kind": "x"})
    sealed.seal(file, key, head, [content[:100], content[100:]])
    file.seek(0)
    _, line = sealed.read_head(file)

    assert b"".join(sealed.opened(file, key, line)) == content


def test_pieces_left_out_or_exchanged_do_not_open() -> None:
    key, file = new_key(), io.BytesIO()
    sealed.seal(file, key, b"", [bytes(3 * sealed.PIECE + 1)])
    size = sealed.PIECE + 16
    pieces = [file.getvalue()[at : at + size] for at in range(0, len(file.getvalue()), size)]

    for order in ([0, 1, 2], [0, 1, 3], [1, 0, 2, 3], [0, 0, 1, 2, 3], [3], []):
        spoilt = io.BytesIO(b"".join(pieces[n] for n in order))
        with pytest.raises(CannotOpen):
            list(sealed.opened(spoilt, key, b""))


def test_the_keys_open_with_their_code_alone(tmp_path: Path) -> None:
    create_secrets(tmp_path)
    files = {name: tmp_path / "secrets" / name for name in ("kek", "pepper")}
    path = tmp_path / "portero.keys"

    code = keys.write(path, files)

    assert keys.read(path, code) == {name: one.read_text() for name, one in files.items()}
    assert keys.read(path, f"  {code.lower()}\n") == keys.read(path, code)
    assert len(code.replace("-", "")) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    for name in files:
        assert files[name].read_text().split(":")[-1].encode() not in path.read_bytes()
    for wrong in ("", code[:-1], code[:-1] + ("A" if code[-1] != "A" else "B")):
        with pytest.raises(CannotOpen):
            keys.read(path, wrong)


def test_another_secret_is_never_written_over(tmp_path: Path) -> None:
    create_secrets(tmp_path)
    files = {name: tmp_path / "secrets" / name for name in ("kek", "pepper")}
    found = {"kek": files["kek"].read_text(), "pepper": KeyRing.generate().text()}
    before = files["pepper"].read_text()

    with pytest.raises(FileExistsError):
        keys.put_back(found, files)

    assert files["pepper"].read_text() == before


def portero(environ: Mapping[str, str], *arguments: str, said: str = "") -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PORTERO_STATE", "DATABASE"))}
    done = subprocess.run(
        [PORTERO, *arguments],
        env={**clean, **environ},
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_on_another_machine_everything_is_there_again(tmp_path: Path) -> None:
    """Saved by the command, the machine gone, and restored by the command beside another server."""
    tmp_path.chmod(0o755)
    old, new, safe = (tmp_path / name for name in ("old", "new", "safe"))
    safe.mkdir()
    first = {"PORTERO_STATE": str(old)}
    portero(first, "db", "start")
    portero(first, "migrate")
    portero(first, "workspace", "create", "Tienda", "--owner", "ana@example.com")
    saved = json.loads(
        portero(first, "backup", str(tmp_path / "a.data"), "--keys", str(safe / "a.keys"), "--json")
    )
    secret = Secret((old / "secrets" / "kek").read_bytes())
    roles = portero(first, "role", "list", "--json")
    portero(first, "db", "stop")
    old.rename(tmp_path / "gone")

    second = {"PORTERO_STATE": str(new)}
    portero(second, "db", "start")
    try:
        told = portero(
            second, "restore", str(tmp_path / "a.data"), "--keys", str(safe / "a.keys"),
            said=saved["code"],
        )  # fmt: skip
        found = json.loads(portero(second, "backup", str(tmp_path / "b.data"), "--json"))
        again = portero(second, "role", "list", "--json")  # which leaves a record of its own
    finally:
        Cluster(new).stop()

    assert again == roles
    assert Secret((new / "secrets" / "kek").read_bytes()) == secret
    assert f"{saved['rows']} rows, as many in each table as were saved" in told
    assert "1 links that nobody had used yet" in told
    assert found["records"] == saved["records"] > 0
