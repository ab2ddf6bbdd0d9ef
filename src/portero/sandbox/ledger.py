"""Every request that reached the emulator, in order: what a test compares with what it sent."""

import base64
from collections import deque
from dataclasses import dataclass
from typing import Any

_MAX_ENTRIES = 50_000
_MAX_BYTES = 128 * 1024 * 1024


@dataclass(slots=True)
class Entry:
    """One request. `status` stays None while unanswered, for ever when the connection was reset."""

    n: int
    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry as the control surface prints it; a body that is not text comes as base64."""
        shown = {key: getattr(self, key) for key in ("n", "at", "method", "path", "query")}
        try:
            body = {"body": self.body.decode()}
        except UnicodeDecodeError:
            body = {"body": base64.b64encode(self.body).decode(), "body_encoding": "base64"}
        return shown | {"headers": self.headers} | body | {"status": self.status}


class Ledger:
    """The newest entries within bounds; `n` goes on counting, so a gap shows what was dropped."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.clear()

    def clear(self) -> None:
        """Forget everything and count from one again."""
        self._entries.clear()
        self._bytes = 0
        self._count = 0

    def open(
        self, *, at: float, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> Entry:
        """Write a request down before anything is done with it."""
        self._count += 1
        entry = Entry(self._count, at, method, path, query, headers, body)
        self._entries.append(entry)
        self._bytes += len(body)
        while len(self._entries) > _MAX_ENTRIES or self._bytes > _MAX_BYTES:
            self._bytes -= len(self._entries.popleft().body)
        return entry

    def since(self, n: int) -> list[dict[str, Any]]:
        """Entries numbered above `n`, oldest first."""
        return [entry.as_json() for entry in self._entries if entry.n > n]
