"""Failures on request: slow answers, wrong answers, connections cut before or after the work."""

import re
from dataclasses import dataclass
from typing import Any, Literal

_MAX_DELAY_MS = 120_000


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


def fault_from(spec: dict[str, Any]) -> Fault:
    """Read `{"count","match":{"method","path"},"delay_ms","status","body","reset"}`.

    `match.path` is a regular expression searched in the path.

    Raises:
        BadFault: a value has the wrong type or is out of range.
    """
    match, count = spec.get("match", {}), spec.get("count", 1)
    delay_ms, status = spec.get("delay_ms", 0), spec.get("status")
    if not isinstance(match, dict) or not isinstance(count, int) or count < 1:
        raise BadFault("count must be a whole number from 1, match an object")
    if not isinstance(delay_ms, int | float) or not 0 <= delay_ms <= _MAX_DELAY_MS:
        raise BadFault(f"delay_ms must be between 0 and {_MAX_DELAY_MS}")
    if status is not None and not (isinstance(status, int) and 200 <= status <= 599):
        raise BadFault("status must be between 200 and 599")
    if spec.get("reset") not in (None, "before", "after"):
        raise BadFault('reset must be "before" or "after"')
    return Fault(
        count=count,
        method=str(match["method"]).upper() if match.get("method") else None,
        path=_pattern(str(match.get("path", ""))),
        delay_s=delay_ms / 1000,
        status=status,
        body=spec.get("body"),
        reset=spec.get("reset"),
    )


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
