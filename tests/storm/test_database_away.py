"""PostgreSQL killed, or its disk full: nothing is sent without a record, and it recovers alone."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from databases import Database
from gateway.house import House, Key, error_of, text
from portero.project.faults import processes
from portero.project.faults.disk import NotAllowed, small_disk
from portero.project.migrate import migrate
from portero.project.postgres import Cluster
from storm.ledgers import compare, wait_until_closed
from storm.storms import under_load

RATE = 100.0


@contextmanager
def house_on(state: Path) -> Iterator[House]:
    """A house whose PostgreSQL is its own, to be ill-treated."""
    state.chmod(0o755)
    cluster = Cluster(state)
    cluster.start()
    cluster.create_database("storm")
    migrate(cluster.dsn("migrate", "storm"))
    house = House(Database(cluster, "storm"))
    try:
        yield house
    finally:
        house.close()
        cluster.stop()


@pytest.fixture
def own_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="portero-storm-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def postmaster(house: House) -> int:
    with psycopg.connect(house.database.dsn()) as db:
        (folder,) = db.execute("SHOW data_directory").fetchone() or ("",)
    return int(Path(folder, "postmaster.pid").read_text().split()[0])


def kill_all(pid: int) -> None:
    """The postmaster and every process of it, at once."""
    processes.kill(pid, *processes.children(pid))


def back_within(house: House, key: Key, seconds: float) -> float:
    began = time.monotonic()
    while house.send(key, text(body="again")).status_code != 200:
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def test_postgresql_killed_under_load(own_folder: Path) -> None:
    with house_on(own_folder) as house:
        key = house.workspace.key({"send:text": "all"})
        with under_load(house, house.gateway.url, key, rate=RATE) as seen:
            time.sleep(1.0)
            kill_all(postmaster(house))
            time.sleep(1.0)
            sent_while_away = len(house.sandbox.ledger())
            time.sleep(1.0)
            assert (
                len(house.sandbox.ledger()) == sent_while_away
            )  # no lease, no record: nothing leaves
            house.database.cluster.start()
            took = back_within(house, key, 10)
        wait_until_closed(house)

        found = compare(house, seen)
        assert found.violations == {}
        assert set(seen.statuses.values()) <= {200, 503}
        assert 503 in seen.statuses.values()
        print(f"\nback {took:.2f} s after PostgreSQL was started again")  # noqa: T201


def test_disk_full_under_load() -> None:
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk("192m"))
        except NotAllowed as why:
            pytest.skip(str(why))
        house = stack.enter_context(house_on(disk))
        key = house.workspace.key({"send:text": "all"})
        with under_load(house, house.gateway.url, key, rate=RATE) as seen:
            time.sleep(1.0)
            fill(house, disk / "filling")
            until_refused(house, key)
            sent = len(house.sandbox.ledger())

            refused = [house.send(key, text(body=f"full {n}")) for n in range(20)]

            assert {error_of(answer)[:2] for answer in refused} == {(503, 2)}
            assert len(house.sandbox.ledger()) == sent
            (disk / "filling").unlink()
            took = back_within(house, key, 10)
        wait_until_closed(house)

        found = compare(house, seen)
        assert sent > RATE / 2
        assert found.violations == {}
        assert set(seen.statuses.values()) == {200, 503}
        print(f"\n{sent} sent before it was full, back {took:.2f} s after there was room")  # noqa: T201


def until_refused(house: House, key: Key) -> None:
    """What still fits into pages that are there is recorded and sent; then nothing fits."""
    row = 0
    for n in range(5000):
        row = row + 1 if house.send(key, text(body=f"filling {n}")).status_code == 503 else 0
        if row == 10:
            return
    raise AssertionError("there was room all the time")


def fill(house: House, file: Path) -> None:
    """Until PostgreSQL itself cannot write: not a byte is left, and its own spare log is used up."""
    with (
        file.open("wb", buffering=0) as out,
        psycopg.connect(house.database.dsn(), autocommit=True) as db,
    ):
        db.execute("CREATE TABLE IF NOT EXISTS ballast (data text)")
        for _ in range(200):
            with contextlib.suppress(OSError):
                while out.write(b"\0" * 65_536):
                    pass
            try:
                db.execute(
                    "INSERT INTO ballast SELECT repeat('x', 2000) FROM generate_series(1, 2000)"
                )
            except psycopg.errors.DiskFull:
                return
    raise AssertionError("the disk never was full")
