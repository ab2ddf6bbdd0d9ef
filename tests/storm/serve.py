"""One gateway process for a storm, with a control taken away where a test says so.

Run as `python serve.py SETTINGS.json`; prints `ready PORT` once it answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from portero.gateway import process
from portero.gateway.settings import Settings
from portero.store.admission import Admission, Admitted, Verdict
from portero.store.presence import Presence
from portero.store.recorder import Recorder
from portero.store.sealing import KeyRing

RECORD_DELAY_S = 0.05


def record_after_the_send() -> None:
    """The fault the order of a call excludes: let it go, and write the intent a little later."""
    admit = Recorder.admit

    async def later(recorder: Recorder, admission: Admission) -> None:
        await asyncio.sleep(RECORD_DELAY_S)
        await admit(recorder, admission)

    async def careless(recorder: Recorder, admission: Admission) -> Verdict:
        from datetime import UTC, datetime

        task = asyncio.get_running_loop().create_task(later(recorder, admission))
        _background.add(task)
        task.add_done_callback(_background.discard)
        return Admitted(datetime.now(UTC))

    Recorder.admit = careless  # type: ignore[method-assign]  # the sabotage


def forward_without_looking() -> None:
    """The fault of a process that does not look again before the first byte."""
    Presence.require = lambda *_: None  # type: ignore[method-assign]  # the sabotage


_background: set[asyncio.Task[None]] = set()
SABOTAGE = {f.__name__: f for f in (record_after_the_send, forward_without_looking)}


def read_settings(path: Path) -> tuple[Settings, list[str]]:
    told: dict[str, Any] = json.loads(path.read_text())
    sabotage = told.pop("sabotage", [])
    told["kek"], told["peppers"] = KeyRing.parse(told["kek"]), KeyRing.parse(told["peppers"])
    told["media_urls"] = tuple(told["media_urls"])
    return Settings(**told), sabotage


def main() -> None:
    settings, sabotage = read_settings(Path(sys.argv[1]))
    for name in sabotage:
        SABOTAGE[name]()

    def ready(addresses: Any) -> None:
        print("ready", addresses[0][1], flush=True)  # noqa: T201 - what the test waits for

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(process.run(settings, ready=ready))


if __name__ == "__main__":
    main()
