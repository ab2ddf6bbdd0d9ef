"""The tables as the engine sees them, at the head, under the workspace's lock."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from portero import engine
from portero.domain.access.models import PolicyHead
from portero.domain.audit.models import current_workspace, in_workspace
from portero.store.ids import workspace_lock
from portero.store.policy import LoadedPolicy, load_policy_locked


@dataclass(frozen=True, slots=True)
class State:
    """One version of the current workspace's policy, compiled."""

    snapshot: engine.Snapshot
    zone: ZoneInfo
    loaded: LoadedPolicy | None = None
    """What the next version is followed from; None = nothing was loaded."""

    @property
    def policy(self) -> engine.Policy:
        return self.snapshot.policy


# By workspace: the head's version and transaction, and what was compiled of it, all of it committed. The
# transaction is part of it because a version that was rolled back is given again, to something else.
_compiled: dict[UUID, tuple[tuple[int, str], State]] = {}
_COMPILED_MAX = 256
_remembering = threading.Lock()  # two threads that make room at once would reach for one entry


def lock_policy(*, exclusive: bool) -> None:
    """Keep the policy as it is (shared), or for this transaction alone (exclusive).

    Whoever will change it takes the lock exclusively at once: two that raise a shared lock wait
    for each other for ever.
    """
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [workspace_lock(current_workspace())])


def state_now(workspace: UUID) -> State:
    """The policy in force, for whoever reads it and acts on nothing."""
    with in_workspace(workspace):
        lock_policy(exclusive=False)
        return current_state()


def policy_now(workspace: UUID) -> engine.Policy:
    return state_now(workspace).policy


def current_state() -> State:
    """The policy in force. The lock must be held: several statements read one state only then."""
    workspace = current_workspace()
    head = PolicyHead.objects.values_list("version", "xid").get()
    known = _compiled.get(workspace)
    if known is not None and known[0] == head:
        return known[1]
    state = _followed(workspace, known[1] if known is not None else None)
    if not _is_our_own_doing(head):
        _remember(workspace, head, state)
    return state


def _followed(workspace: UUID, known: State | None) -> State:
    """What is at the head, from what is known if that is older; it was committed, so it leads here."""
    connection.ensure_connection()
    before, last = (known.loaded, known.snapshot) if known is not None else (None, None)
    loaded = load_policy_locked(connection.connection, workspace, known=before)
    snapshot = engine.compile_policy(loaded.policy, after=last)
    if known is None:
        # It stays. To look through its millions of parts for garbage takes longer than most pages.
        gc.freeze()
    return State(snapshot, ZoneInfo(loaded.timezone), loaded)


def _is_our_own_doing(head: tuple[int, str]) -> bool:
    """Whether this transaction itself moved the head: it may still be undone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned()::text")
        [ours] = cursor.fetchone()
    return ours is not None and str(ours) == str(head[1])


def _remember(workspace: UUID, head: tuple[int, str], state: State) -> None:
    with _remembering:
        if workspace not in _compiled and len(_compiled) >= _COMPILED_MAX:
            _compiled.pop(next(iter(_compiled)))
        _compiled[workspace] = (head, state)
