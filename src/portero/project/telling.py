"""Lines for logs, and texts for strangers: without secrets and without anybody's number or address.

An exception's own words may hold a row, a form or a key, so a line says of which kind it is and where
it came from, and leaves its words out.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from portero.graphapi.scrubbing import clean_text

_SOURCE = Path(__file__).parents[2]
_FRAMES = 12
_LONGEST = 2000
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s@]*@")
# As people and programs write them; a time, a port or a count is shorter or has a colon.
_PHONE = re.compile(r"\+?(?<![\w.:-])[0-9](?:[ ().-]?[0-9]){8,14}(?![\w:-])")
# What is long, of one piece and holds a digit, but for ids of ours, which open nothing.
_LONG_SECRET = re.compile(
    r"(?<![\w/-])(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))"
    r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{32,}={0,2}(?![\w/-])"
)


def without_secrets(text: str) -> str:
    """The text without keys, tokens, passwords in addresses, mail addresses and phone numbers."""
    text = _PASSWORD_IN_URL.sub("", clean_text(text))
    text = _LONG_SECRET.sub("[secret?]", _EMAIL.sub("[address]", text))
    return _PHONE.sub("[number]", text)


class Lines(logging.Formatter):
    """A line of words for a terminal, or of JSON for what reads logs."""

    def __init__(self, process: str, *, as_json: bool) -> None:
        super().__init__()
        self._process = process
        self._as_json = as_json

    @override
    def format(self, record: logging.LogRecord) -> str:
        message = without_secrets(record.getMessage())[:_LONGEST]
        error = record.exc_info[1] if record.exc_info else None
        if self._as_json:
            return json.dumps(self._fields(record, message, error), ensure_ascii=False)
        line = f"{record.levelname} {record.name}: {message}"
        if error is None:
            return line
        return "\n".join([f"{line}: {_kinds(error)}", *(f"  {one}" for one in _frames(error))])

    def _fields(
        self, record: logging.LogRecord, message: str, error: BaseException | None
    ) -> dict[str, object]:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "at": at,
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": message,
        }
        if error is not None:
            fields |= {"error": _kinds(error), "where": _frames(error)}
        return fields


def to_stderr(process: str, *, as_json: bool) -> None:
    """Send what this process logs to stderr, from `info` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(process, as_json=as_json))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _kinds(error: BaseException) -> str:
    """Its kind, and those of what it came from."""
    kinds: list[str] = []
    at: BaseException | None = error
    while at is not None and len(kinds) < _FRAMES:
        kinds.append(f"{type(at).__module__}.{type(at).__qualname__}".removeprefix("builtins."))
        at = at.__cause__ or at.__context__
    return " from ".join(kinds)


def _frames(error: BaseException) -> list[str]:
    """Where it came from, the last first."""
    found = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [
        f"{frame.filename.removeprefix(f'{_SOURCE}/')}:{frame.lineno} {frame.name}"
        for frame in reversed(found)
    ]
