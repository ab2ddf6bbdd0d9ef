"""The `fields` parameter: names, modifiers, and what to show of what a name leads to."""

import re
from dataclasses import dataclass, field

from portero.graphapi.errors import GraphError

_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Field:
    """`name.modifier(argument){inner}`; `inner` is kept as text, to be read where it leads."""

    name: str
    modifiers: dict[str, str] = field(default_factory=dict)
    inner: str | None = None


def read_fields(text: str) -> list[Field]:
    """The fields asked for, in order.

    Raises:
        GraphError: brackets do not match, or something is not a name.
    """
    return [_read(part) for part in _parts(text, ",") if part]


def _read(text: str) -> Field:
    head, inner = _split_inner(text)
    name, *modifiers = _parts(head, ".")
    if not _NAME.fullmatch(name):
        raise _syntax(text)
    return Field(name, dict(map(_modifier, modifiers)), inner)


def _split_inner(text: str) -> tuple[str, str | None]:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char == "{" and not depth:
            if not text.endswith("}"):
                raise _syntax(text)
            return text[:at], text[at + 1 : -1]
    return text, None


def _modifier(text: str) -> tuple[str, str]:
    name, bracket, argument = text.partition("(")
    if not bracket or not argument.endswith(")") or not _NAME.fullmatch(name):
        raise _syntax(text)
    return name, argument[:-1]


def _parts(text: str, separator: str) -> list[str]:
    """Cut at separators outside any brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == separator and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    if depth:
        raise _syntax(text)
    return [*parts, text[start:].strip()]


def _syntax(text: str) -> GraphError:
    message = f"Syntax error in the field list near '{text[:40]}'"
    return GraphError(http=400, code=2500, message=message)
