"""The server we run ourselves: it starts from anything, loses nothing, and opens nothing."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from portero.project.logins import ROLE_OF, Server
from portero.project.postgres import Cluster, ClusterError, find_server

PLAIN_USER = 65534  # nobody
SOURCE = Path(__file__).parents[2] / "src"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has accounts to give away")


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="portero-pg-"))
    folder.chmod(0o755)
    yield folder
    Cluster(folder).stop()
    shutil.rmtree(folder)


def query(cluster: Cluster, statement: str) -> object:
    with psycopg.connect(cluster.dsn("superuser", "postgres"), autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def postmaster_pid(cluster: Cluster) -> int:
    return int((cluster.status().data / "postmaster.pid").read_text().split()[0])


def start_in_new_process(state: Path) -> subprocess.Popen[bytes]:
    script = "import pathlib, sys; from portero.project.postgres import Cluster; Cluster(pathlib.Path(sys.argv[1])).start()"
    return subprocess.Popen(
        [sys.executable, "-c", script, str(state)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def test_a_cluster_speaks_utf8_on_a_socket_only_without_jit(cluster: Cluster) -> None:
    assert query(cluster, "SHOW server_encoding") == "UTF8"
    assert query(cluster, "SELECT 'b' COLLATE \"default\" > 'B'") is True
    assert query(cluster, "SHOW listen_addresses") == ""
    assert query(cluster, "SHOW jit") == "off"
    assert query(cluster, "SHOW password_encryption") == "scram-sha-256"


def test_starting_twice_and_from_several_processes_gives_one_server(state: Path) -> None:
    racers = [start_in_new_process(state) for _ in range(3)]

    assert [racer.wait(timeout=60) for racer in racers] == [0, 0, 0]
    first = postmaster_pid(Cluster(state))
    Cluster(state).start()
    assert postmaster_pid(Cluster(state)) == first


def test_stopping_is_idempotent_and_status_tells_the_truth(state: Path) -> None:
    cluster = Cluster(state)
    assert not cluster.status().running

    cluster.start()
    assert cluster.status().running

    cluster.stop()
    cluster.stop()
    assert not cluster.status().running


def test_a_pid_file_that_names_a_living_stranger_does_not_keep_the_cluster_down(
    state: Path,
) -> None:
    cluster = Cluster(state)
    cluster.start()
    cluster.stop()
    stranger = os.getpid()
    (cluster.status().data / "postmaster.pid").write_text(f"{stranger}\n")
    cluster.status().socket.with_name(".s.PGSQL.5432.lock").write_text(f"{stranger}\n")

    cluster.start()

    assert cluster.status().running


def programs_in(folder: Path, **instead: str) -> dict[str, str]:
    """An environment whose programs are the usual ones, but for scripts `instead` of some."""
    usual = Cluster(folder.parent).status().programs
    folder.mkdir()
    for name in ("postgres", "initdb", "pg_ctl"):
        if name in instead:
            (folder / name).write_text(f"#!/bin/sh\n{instead[name]}\n")
            (folder / name).chmod(0o755)
        else:
            (folder / name).symlink_to(usual / name)
    return {"PORTERO_PG_BIN": str(folder)}


def test_a_cluster_that_was_half_made_is_made_again(state: Path) -> None:
    half = 'echo 18 > "$2/PG_VERSION"; mkdir "$2/base"; kill -9 $$'
    with pytest.raises(ClusterError, match="initdb failed"):
        Cluster(state, programs_in(state / "bin", initdb=half)).start()

    Cluster(state).start()

    assert Cluster(state).status().running
    assert not list(state.glob(".pg*"))


def test_programs_that_fail_are_named(state: Path) -> None:
    with pytest.raises(ClusterError, match=r"postgres failed \(exit code 3\)"):
        Cluster(state, programs_in(state / "no-bin", postgres="exit 3")).status()

    Cluster(state).start()
    with pytest.raises(ClusterError, match=r"pg_ctl failed \(exit code 3\)"):
        Cluster(state, programs_in(state / "bin", pg_ctl="exit 3")).stop()


def test_i6_what_was_committed_before_a_kill_is_there_after_the_next_start(state: Path) -> None:
    cluster = Cluster(state)
    cluster.start()
    acknowledged = 0
    with psycopg.connect(cluster.dsn("superuser", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        for number in range(200):
            connection.execute("INSERT INTO kept VALUES (%s)", (number,))
            acknowledged += 1
        os.kill(postmaster_pid(cluster), signal.SIGKILL)

    cluster.start()

    assert query(cluster, "SELECT count(*) FROM kept") == acknowledged


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    right = cluster.dsn("app", "postgres")
    password = (cluster.state / "secrets" / "postgres-app").read_text()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(right.replace(password, "x" * len(password)))


def test_b6_4_each_login_has_a_random_password_only_its_owner_can_read(cluster: Cluster) -> None:
    files = sorted((cluster.state / "secrets").glob("postgres-*"))

    passwords = {path.read_text() for path in files}

    assert len(files) == len(ROLE_OF) + 1
    assert len(passwords) == len(files)
    assert all(len(password) >= 32 for password in passwords)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((cluster.state / "secrets").stat().st_mode) == 0o700


def test_a_lost_password_file_is_replaced_at_the_next_start(state: Path) -> None:
    cluster = Cluster(state)
    cluster.start()
    (state / "secrets" / "postgres-gateway").unlink()

    cluster.start()

    cluster.create_database("portero")
    with psycopg.connect(cluster.dsn("gateway")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("portero_gateway",)


@as_root
def test_root_opens_nobodys_folder_to_reach_a_closed_state_folder() -> None:
    closed = Path(tempfile.mkdtemp(prefix="portero-closed-"))
    cluster = Cluster(closed / "state")
    try:
        cluster.start()

        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert cluster.status().running
        assert not cluster.status().data.is_relative_to(closed)
    finally:
        cluster.stop()
        shutil.rmtree(cluster.status().data.parent)
        shutil.rmtree(closed)


@as_root
def test_a_plain_user_can_run_a_cluster(state: Path) -> None:
    folder = state / "plain"
    folder.mkdir()
    os.chown(folder, PLAIN_USER, PLAIN_USER)

    assert as_plain_user(lambda: Cluster(folder).start()) == 0
    data = next(folder.glob("pg*"))
    assert (data / "postmaster.pid").stat().st_uid == PLAIN_USER
    assert as_plain_user(lambda: Cluster(folder).stop()) == 0


def as_plain_user(action: Callable[[], None]) -> int:
    """Fork, because the interpreter itself may lie in a folder closed to others."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(PLAIN_USER)
        os.setuid(PLAIN_USER)
        action()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_a_path_too_long_for_a_socket_gets_a_short_one(state: Path) -> None:
    deep = state / ("d" * 60) / ("e" * 60)
    cluster = Cluster(deep)

    cluster.start()

    assert len(str(cluster.status().socket)) <= 107
    assert query(cluster, "SELECT 1") == 1
    cluster.stop()
    shutil.rmtree(cluster.status().socket.parent)


def test_a_socket_folder_that_is_somebody_elses_link_is_refused(state: Path) -> None:
    cluster = Cluster(state / ("d" * 60) / ("e" * 60))
    sockets = cluster.status().socket.parent
    sockets.symlink_to(state)
    try:
        with pytest.raises(ClusterError, match="belongs to somebody else"):
            cluster.start()
    finally:
        sockets.unlink()


def test_the_operators_url_comes_before_a_server_of_ours(tmp_path: Path) -> None:
    url = "postgresql://admin:secret@db.example:5433/postgres?sslmode=verify-full"

    server = find_server(tmp_path, {"DATABASE_URL": url})

    assert type(server) is Server
    assert (
        server.dsn("superuser", "portero")
        == "postgresql://admin:secret@/portero?host=db.example&port=5433&sslmode=verify-full"
    )


def test_the_password_of_the_operators_url_is_written_nowhere(tmp_path: Path) -> None:
    url = "postgresql://admin:secret@db.example/postgres"

    find_server(tmp_path, {"DATABASE_URL": url}).dsn("superuser")

    assert list(tmp_path.iterdir()) == []


def test_a_url_with_an_option_we_cannot_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="service"):
        find_server(tmp_path, {"DATABASE_URL": "postgresql://admin@db/x?service=other"})


def test_programs_that_cannot_open_the_data_are_refused_with_the_way_out(state: Path) -> None:
    old = state / "old"
    (old / "pg9").mkdir(parents=True)
    (old / "pg9" / "PG_VERSION").write_text("9\n")

    with pytest.raises(ClusterError, match="dump and restore"):
        Cluster(old, {}).status()


def test_the_operators_programs_come_before_all_others(state: Path) -> None:
    usual = Cluster(state, {}).status().programs
    chosen = state / "bin"
    chosen.symlink_to(usual)

    assert Cluster(state, {"PORTERO_PG_BIN": str(chosen)}).status().programs == chosen
