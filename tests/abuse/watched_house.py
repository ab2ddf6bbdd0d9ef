"""The house of the abuse cases: it can be waited for."""

from __future__ import annotations

import time

import psycopg

from gateway.house import House, Workspace
from portero.store.presence import CHANNEL


class WatchedHouse(House):
    """A house that can wait for its gateways."""

    def settle(self) -> None:
        """Wait until every gateway has written down what it did."""
        for gateway in (self.gateway, *self.more):
            self.loop.run(gateway.parts.recorder.settled())

    def await_head(self, workspace: Workspace) -> None:
        """Wait until every gateway knows the newest policy, as services do before they return."""
        with psycopg.connect(self.database.dsn("superuser")) as db:
            db.execute(f"NOTIFY {CHANNEL}")
            row = db.execute(
                "SELECT version FROM policy_head WHERE workspace_id = %s", [workspace.id]
            ).fetchone()
        assert row is not None
        deadline = time.monotonic() + 10
        for gateway in (self.gateway, *self.more):
            while gateway.parts.presence.head(workspace.id) < row[0]:
                assert time.monotonic() < deadline, "a gateway does not learn of a change"
                time.sleep(0.001)
