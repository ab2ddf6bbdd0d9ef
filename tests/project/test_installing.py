"""An installation is made once, brought up to date as often as one likes, and never made over data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from databases import Database
from gateway.house import Workspace
from portero.project import installing
from portero.project.configuration import Configuration, ConfigurationError, create_secrets
from portero.project.demo.workspace import start_over
from portero.project.installing import NotOurs, SecretsMissing, install, own_cluster
from portero.project.logins import Login
from portero.project.postgres import Cluster, ClusterError
from portero.store.ids import uuid7
from portero.store.sealing import KeyRing


@pytest.fixture
def name(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database name nobody uses yet, set as that of the installation under the test cluster."""
    chosen = f"made_{uuid7().hex}"
    monkeypatch.setenv("PORTERO_STATE", str(cluster.state))
    monkeypatch.setenv("PORTERO_DATABASE", chosen)
    yield chosen
    cluster.drop_database(chosen)


def tables(cluster: Cluster, name: str, login: Login = "superuser") -> int:
    with psycopg.connect(cluster.dsn(login, name)) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        [count] = row.fetchone() or [0]
    return int(count)


def test_installing_makes_everything_and_again_changes_nothing(cluster: Cluster, name: str) -> None:
    first, again = install(), install()

    assert (first.created, again.created) == (True, False)
    assert first.database == name
    assert tables(cluster, name) > 20
    assert {path.name for path in (cluster.state / "secrets").iterdir()} >= {
        "kek", "pepper", "secret-key", "internal-secret",
    }  # fmt: skip


@pytest.mark.parametrize("secret", ["kek", "pepper"])
def test_a_lost_secret_that_data_depends_on_is_never_made_again(
    name: str, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    lost = tmp_path / "lost"
    monkeypatch.setenv(f"PORTERO_{secret.upper()}_FILE", str(lost))

    with pytest.raises(SecretsMissing, match="bring the file back"):
        install()

    assert not lost.exists()


def test_a_kek_of_another_database_is_not_taken_for_its_own(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = database.cluster.state
    create_secrets(state)
    monkeypatch.setenv("PORTERO_STATE", str(state))
    monkeypatch.setenv("PORTERO_DATABASE", database.name)
    configuration = Configuration.from_environment()
    Workspace(database, configuration.kek, configuration.pepper).create()
    gateway = database.dsn("gateway")
    installing._require_the_kek_of(database.name, gateway, configuration)  # control: its own
    other = tmp_path / "kek"
    other.write_text(KeyRing.generate().text())
    other.chmod(0o600)
    monkeypatch.setenv("PORTERO_KEK_FILE", str(other))

    with pytest.raises(SecretsMissing, match="bring back"):
        install()


def test_a_server_somebody_else_runs_is_not_ours_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://admin@db.example/postgres")

    with pytest.raises(NotOurs):
        own_cluster()


def test_nothing_is_made_while_our_database_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))

    with pytest.raises(ClusterError, match="portero db start"):
        install()

    assert list(tmp_path.iterdir()) == []


def test_a_url_that_is_none_is_a_fault_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTERO_STATE", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "db.example")

    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        install()


def test_an_interrupted_demo_starts_over_from_nothing(
    cluster: Cluster, name: str, tmp_path: Path
) -> None:
    cluster.create_database(name)
    mark = tmp_path / "unfinished"
    mark.touch()

    start_over(cluster.state, mark)

    assert not cluster.has_database(name)
    assert mark.exists()


def test_a_demo_that_was_once_whole_is_never_dropped(
    cluster: Cluster, name: str, tmp_path: Path
) -> None:
    cluster.create_database(name)

    with pytest.raises(SystemExit, match="to begin anew"):
        start_over(cluster.state, tmp_path / "unfinished")

    assert cluster.has_database(name)
