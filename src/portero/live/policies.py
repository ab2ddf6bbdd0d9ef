"""The policies of the workspaces whose people have a stream open."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from portero.engine import Snapshot, compile_policy
from portero.store.listed import Connection
from portero.store.policy import LoadedPolicy, load_policy


@dataclass(frozen=True, slots=True)
class State:
    """One workspace's policy at one version."""

    version: int
    loaded: LoadedPolicy
    snapshot: Snapshot
    zone: ZoneInfo


class Policies:
    """Each as it was last looked at."""

    def __init__(self) -> None:
        self._states: dict[UUID, State] = {}

    async def at_head(self, connection: Connection, workspace: UUID, version: int) -> State:
        """The policy at its head, which the caller has read in this transaction."""
        known = self._states.get(workspace)
        if known is None or known.version != version:
            before, last = (known.loaded, known.snapshot) if known is not None else (None, None)
            loaded = await load_policy(connection, workspace, known=before)
            snapshot = compile_policy(loaded.policy, after=last)
            known = State(loaded.policy.version, loaded, snapshot, ZoneInfo(loaded.timezone))
            self._states[workspace] = known
        return known

    def forget_all_but(self, workspaces: set[UUID]) -> None:
        for gone in self._states.keys() - workspaces:
            del self._states[gone]
