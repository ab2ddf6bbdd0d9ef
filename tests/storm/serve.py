"""One gateway process for a storm, with a control taken away where a test says so.

Run as `python serve.py SETTINGS.json`; prints `ready PORT` once it answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import sabotage
import uvloop

from portero.gateway import process
from portero.gateway.settings import Settings
from portero.store.sealing import KeyRing


def read_settings(path: Path) -> tuple[Settings, list[str]]:
    told: dict[str, Any] = json.loads(path.read_text())
    sabotages = told.pop("sabotage", [])
    told["kek"], told["peppers"] = KeyRing.parse(told["kek"]), KeyRing.parse(told["peppers"])
    told["media_urls"] = tuple(told["media_urls"])
    return Settings(**told), sabotages


def main() -> None:
    settings, sabotages = read_settings(Path(sys.argv[1]))
    sabotage.commit(sabotages)

    def ready(addresses: Any) -> None:
        print("ready", addresses[0][1], flush=True)  # noqa: T201 - what the test waits for

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(process.run(settings, ready=ready))


if __name__ == "__main__":
    main()
