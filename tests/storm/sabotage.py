"""What a process of its own does otherwise, each by its name: guards taken away, and room made scarce."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from portero.gateway import process
from portero.gateway.upstream import Upstream, UpstreamLimits, _Pool
from portero.gateway.wire import Connection
from portero.store.admission import Admission, Admitted, Verdict
from portero.store.counting import Counts
from portero.store.presence import Presence
from portero.store.recorder import Recorder
from portero.store.transaction import RecordingTransaction

RECORD_DELAY_S = 0.05
_background: set[asyncio.Task[None]] = set()


def record_after_the_send() -> None:
    """The fault the order of a call excludes: let it go, and write the intent a little later."""
    admit = Recorder.admit

    async def later(recorder: Recorder, admission: Admission) -> None:
        await asyncio.sleep(RECORD_DELAY_S)
        await admit(recorder, admission)

    async def careless(recorder: Recorder, admission: Admission) -> Verdict:
        task = asyncio.get_running_loop().create_task(later(recorder, admission))
        _background.add(task)
        task.add_done_callback(_background.discard)
        return Admitted(datetime.now(UTC))

    Recorder.admit = careless  # type: ignore[method-assign]  # the sabotage


def forward_without_looking() -> None:
    """The fault of a process that does not look again before the first byte."""
    Presence.require = lambda *_: None  # type: ignore[method-assign]  # the sabotage


def believe_the_first_head() -> None:
    """The fault of a process that never hears that the policy moved, by whichever way."""
    moved = Presence.moved

    def once(self: Presence, workspace: UUID, version: int) -> None:
        if self.head(workspace) == 0:
            moved(self, workspace, version)

    Presence.moved = once  # type: ignore[method-assign]  # the sabotage
    RecordingTransaction._without_moved = lambda _, asked: list(asked)  # type: ignore[method-assign]


def forget_what_is_used() -> None:
    """The fault of a count that is looked at and not written back."""

    Counts.changes = lambda _counts: [[]] * 12  # type: ignore[method-assign]  # the sabotage


FEW = UpstreamLimits(connections=16, share=12)


def hold_few_connections() -> None:
    """No fault: a sixteenth of the connections to Meta, so that a sixteenth of a load waits for them."""
    _hold(FEW)


def let_the_first_come_first() -> None:
    """The fault of a queue for connections to Meta that does not ask whose a call is."""
    take, acquire = _Pool.take, _Pool.acquire

    def anybodys(pool: _Pool, _whose: Hashable) -> Connection | None:
        return take(pool, None)

    async def wait_for_any(pool: _Pool, _whose: Hashable) -> Connection:
        return await acquire(pool, None)

    _Pool.take, _Pool.acquire = anybodys, wait_for_any  # type: ignore[method-assign]  # the sabotage
    _hold(replace(FEW, share=FEW.connections))


def _hold(limits: UpstreamLimits) -> None:
    process.Upstream = partial(Upstream, limits=limits)  # type: ignore[misc,assignment]


SABOTAGE = {
    f.__name__: f
    for f in (
        record_after_the_send,
        forward_without_looking,
        believe_the_first_head,
        forget_what_is_used,
        hold_few_connections,
        let_the_first_come_first,
    )
}


def commit(names: Iterable[str]) -> None:
    for name in names:
        SABOTAGE[name]()
