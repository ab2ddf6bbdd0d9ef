"""Failures on request: slow answers, wrong answers, connections cut before or after the work."""

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from portero.sandbox.worldfile import fields

_MAX_DELAY_MS = 120_000
_WHAT = ("delay_ms", "status", "reset")


class BadFault(ValueError):
    """The description of a fault cannot be used; the text says why."""


@dataclass(slots=True)
class Fault:
    """What to do to the next `count` matching requests.

    `status` answers without processing; `reset` cuts the TCP connection, "before" anything is
    processed or "after" it was; a delay alone makes the ordinary answer late.
    """

    count: int
    method: str | None
    path: re.Pattern[str]
    delay_s: float
    status: int | None
    body: Any
    reset: Literal["before", "after"] | None

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and self.path.search(path) is not None


def fault_from(spec: object) -> Fault:
    """Read `{"count","match":{"method","path"},"delay_ms","status","body","reset"}`.

    `match.path` is a regular expression searched in the path.

    Raises:
        BadFault: a value has the wrong type or is out of range, or the fault would do nothing.
        WorldError: it is no object, or has a key that nobody would read.
    """
    part = fields(spec, "fault", known=("count", "match", *_WHAT, "body"))
    match = fields(part.values.get("match", {}), "fault.match", known=("method", "path"))
    count, delay_ms = part.values.get("count", 1), part.values.get("delay_ms", 0)
    status, reset = part.values.get("status"), part.values.get("reset")
    if not _is_whole(count) or count < 1:
        raise BadFault("count must be a whole number from 1")
    if not (_is_whole(delay_ms) or isinstance(delay_ms, float)) or not (
        0 <= delay_ms <= _MAX_DELAY_MS
    ):
        raise BadFault(f"delay_ms must be between 0 and {_MAX_DELAY_MS}")
    if status is not None and not (_is_whole(status) and 200 <= status <= 599):
        raise BadFault("status must be between 200 and 599")
    if reset not in (None, "before", "after"):
        raise BadFault('reset must be "before" or "after"')
    if all(part.values.get(key) is None for key in _WHAT):
        raise BadFault(f"a fault needs one of {', '.join(_WHAT)}")
    if status is None and "body" in part.values:
        raise BadFault("body needs a status to be answered with")
    if status is not None and reset is not None:
        raise BadFault("status and reset exclude each other")
    return Fault(
        count=count,
        method=match.text("method", "").upper() or None,
        path=_pattern(match.text("path", "")),
        delay_s=delay_ms / 1000,
        status=status,
        body=part.values.get("body"),
        reset=reset,
    )


def _is_whole(value: object) -> TypeGuard[int]:
    return type(value) is int


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadFault(f"match.path is not a regular expression: {error}") from error


class Faults:
    """The faults in waiting, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that matches, counted down."""
        for fault in self._waiting:
            if fault.matches(method, path):
                fault.count -= 1
                if not fault.count:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._waiting.clear()

    def __len__(self) -> int:
        return sum(fault.count for fault in self._waiting)
