"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is empty when all is well."""

    check: str
    ok: bool
    message: str
    remedy: str = ""


def well(check: str, message: str) -> Finding:
    return Finding(check, ok=True, message=message)


def wrong(check: str, message: str, remedy: str) -> Finding:
    return Finding(check, ok=False, message=message, remedy=remedy)
