"""What the machine gives: room, and the packages this release was tested with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from portero.project.configuration import Configuration
from portero.project.doctor.finding import Finding, well, wrong
from portero.project.postgres import Cluster, find_server

LEAST_FREE = 1 << 30
"""Bytes. Below it PostgreSQL may stop in the middle of a day, and then nothing is sent (P5)."""
_LOCK = Path(__file__).parents[4] / "requirements" / "runtime.lock"
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;]+)(?: ; ([^\\]+))?", re.MULTILINE)
_NAMED = 3


def examine(configuration: Configuration) -> Iterator[Finding]:
    yield _disk(configuration)
    yield _packages()


def _disk(configuration: Configuration) -> Finding:
    server = find_server(configuration.state)
    folders = [
        configuration.state,
        *([server.status().data] if isinstance(server, Cluster) else []),
    ]
    folder = min(
        (one for one in folders if one.exists()), key=lambda one: shutil.disk_usage(one).free
    )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        return wrong(
            "disk",
            f"{free >> 20} MB are free for {folder}",
            "Make room: when PostgreSQL cannot write, nothing is sent.",
        )
    return well("disk", f"{free >> 30} GB are free for {folder}")


def _packages() -> Finding:
    if not _LOCK.exists():
        return well("packages", "this release came without its list of them")
    pinned = [
        (name, wanted) for name, wanted, only in _PINNED.findall(_LOCK.read_text()) if not only
    ]
    odd = [
        f"{name} {_installed(name)} instead of {wanted}"
        for name, wanted in pinned
        if _installed(name) != wanted
    ]
    if odd:
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        return wrong(
            "packages",
            f"not those this release was tested with: {', '.join(odd[:_NAMED])}{more}",
            "Run `make setup`, or tools/setup runtime, in the folder Portero is installed in.",
        )
    return well("packages", f"the {len(pinned)} this release was tested with")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "nothing"
