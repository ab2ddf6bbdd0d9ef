"""One PostgreSQL for the whole run, a migrated template, and a fresh clone for each test.

`database` is a clone for one test, `shared_database` one for a module; both know a DSN per login.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from databases import Database
from portero.project.postgres import Cluster

TEMPLATE = "portero_template"

# Runs apart from pytest and waits for its end, however it comes: a killed run leaves no server.
_UNDERTAKER = """
import pathlib, shutil, sys
sys.stdin.read()
from portero.project.postgres import Cluster
state = pathlib.Path(sys.argv[1])
Cluster(state).stop()
shutil.rmtree(state)
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running server of this run (one for each xdist worker: a start costs half a second)."""
    state = Path(tempfile.mkdtemp(prefix="portero-test-", dir=_in_memory()))
    state.chmod(0o755)  # the server's own account passes through
    source = Path(__file__).parent.parent / "src"
    undertaker = subprocess.Popen(
        [sys.executable, "-c", _UNDERTAKER, str(state)],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(source)},
        start_new_session=True,
    )
    cluster = Cluster(state)
    cluster.start()
    yield cluster
    undertaker.communicate(timeout=60)


def _in_memory() -> Path | None:
    """A folder in memory with room for a server: a clone costs ten times less there."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 2 * 2**30
    return shared if roomy and os.access(shared, os.W_OK) else None


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A migrated database nobody is connected to."""
    from portero.project.migrate import migrate  # only database tests load Django

    cluster.create_database(TEMPLATE)
    migrate(cluster.dsn("migrate", TEMPLATE))
    return TEMPLATE


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def clone(cluster: Cluster, template: str) -> Callable[[], Database]:
    """Make one more clone; the caller drops it, or leaves it to the end of the run."""

    def make() -> Database:
        name = f"portero_{next(_numbers)}"
        cluster.create_database(name, template=template)
        return Database(cluster, name)

    return make


@pytest.fixture
def database(clone: Callable[[], Database]) -> Iterator[Database]:
    made = clone()
    yield made
    made.cluster.drop_database(made.name)


@pytest.fixture(scope="module")
def shared_database(clone: Callable[[], Database]) -> Iterator[Database]:
    made = clone()
    yield made
    made.cluster.drop_database(made.name)


@pytest.fixture
def pg_dsn(database: Database) -> str:
    return database.dsn("superuser")
