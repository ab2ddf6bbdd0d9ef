"""A PostgreSQL of the benchmark's own: made, filled, measured and thrown away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portero.project.postgres import Cluster

DATABASE = "bench"


@contextmanager
def server() -> Iterator[Cluster]:
    """Run an empty server, in a folder that goes with it."""
    state = Path(tempfile.mkdtemp(prefix="portero-bench-"))
    state.chmod(0o755)  # the server's own account passes through
    cluster = Cluster(state)
    try:
        cluster.start()
        cluster.create_database(DATABASE)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(state)
