"""Failures on request: slow answers, wrong answers, connections cut before or after the work."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard

from portero.graphapi.errors import CATALOGUE, GraphError, meta_error
from portero.sandbox.objects import Json
from portero.sandbox.worldfile import Part, fields

_MAX_DELAY_MS = 120_000
_WHAT = ("delay_ms", "status", "reset", "error")
_TEXTS = ("message", "details", "type", "user_title", "user_msg")
_TRANSIENT = frozenset({2, 131000, 131016, 133004})  # "retry with back-off", says Meta
_EXPLAINED = range(130_000, 150_000)


class BadFault(ValueError):
    """The description of a fault cannot be used; the text says why."""


@dataclass(slots=True)
class Fault:
    """What to do to the next `count` matching requests.

    `status` answers without processing, and so does `error`, in Meta's shape; `fate` lets a message
    be accepted and then fail with a code by webhook; `reset` cuts the TCP connection, "before"
    anything is processed or "after" it was; a delay alone makes the ordinary answer late.
    """

    count: int
    method: str | None
    path: re.Pattern[str]
    delay_s: float
    status: int | None
    body: Any
    reset: Literal["before", "after"] | None
    error: GraphError | None = None
    fate: GraphError | None = None

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and self.path.search(path) is not None


def fault_from(spec: object) -> Fault:
    """Read `{"count","match":{"method","path"},"delay_ms","status","body","reset","error"}`.

    `match.path` is a regular expression searched in the path. `error` is `{"code"}` of the catalogue
    and whatever Meta varies: `subcode`, `message`, `details`, `type`, `status`, `user_title`,
    `user_msg`; `by` says whether the "answer" or a "webhook" brings it.

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
    if sum(what is not None for what in (status, reset, part.values.get("error"))) > 1:
        raise BadFault("status, reset and error exclude each other")
    error, by = _error_from(part.values.get("error"))
    return Fault(
        count=count,
        method=match.text("method", "").upper() or None,
        path=_pattern(match.text("path", "")),
        delay_s=delay_ms / 1000,
        status=status,
        body=part.values.get("body"),
        reset=reset,
        error=error if by == "answer" else None,
        fate=error if by == "webhook" else None,
    )


def _error_from(spec: object) -> tuple[GraphError | None, str]:
    """The error a fault gives, and what brings it: "answer" or "webhook"."""
    if spec is None:
        return None, ""
    part = fields(spec, "error", needed=("code",), known=("subcode", "status", "by", *_TEXTS))
    code, subcode = part.values["code"], part.values.get("subcode")
    if not _is_whole(code) or code not in CATALOGUE:
        raise BadFault("error.code must be one of Meta's codes")
    if subcode is not None and not _is_whole(subcode):
        raise BadFault("error.subcode must be a whole number")
    status = part.values.get("status", CATALOGUE[code].http)
    if not (_is_whole(status) and 200 <= status <= 599):
        raise BadFault("error.status must be between 200 and 599")
    usual = "webhook" if CATALOGUE[code].asynchronous else "answer"
    by = part.one_of(("answer", "webhook"), "by", usual)
    return _error_of(part, code, subcode, status), by


def _error_of(part: Part, code: int, subcode: int | None, status: int) -> GraphError:
    """Meta's error for a code, in Meta's words where nothing else is asked for."""
    said: Json = _SAID.get((code, subcode), {})
    texts = {key: part.text(key) for key in _TEXTS if key in part.values}
    # Meta explains its codes for WhatsApp in `error_data`; where nobody says how, by their title.
    details = CATALOGUE[code].title if code in _EXPLAINED else None
    transient = code in _TRANSIENT
    error = meta_error(code, subcode=subcode, http=status, details=details, transient=transient)
    return replace(error, **(said | texts))


# Where Meta's text, type or details depend on more than the code.
_SAID: dict[tuple[int, int | None], Json] = {
    (100, 33): {
        "type": "GraphMethodException",
        "message": (
            "Unsupported request. Object does not exist, cannot be loaded due to missing "
            "permissions, or does not support this operation."
        ),
    },
    (190, None): {"message": "Invalid OAuth access token - Cannot parse access token"},
    (190, 458): {"message": "Error validating access token: The user has not authorized the app."},
    (190, 460): {
        "message": (
            "Error validating access token: The session has been invalidated because the user "
            "changed their password."
        )
    },
    (190, 463): {"message": "Error validating access token: Session has expired."},
    (190, 467): {"message": "Error validating access token: The session is invalid."},
    (200, None): {
        "message": (
            "(#200) You do not have the necessary permissions to send messages on behalf of this "
            "WhatsApp Business Account"
        )
    },
}


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
