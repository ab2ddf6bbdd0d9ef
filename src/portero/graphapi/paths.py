"""Reading the path of a request, and finding what operations it may mean.

A path is taken only in its plain spelling: an escape, a dot segment, a double slash or a backslash
has no legitimate use here and would let the path mean one thing to us and another upstream.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from portero.graphapi.operation import Operation
from portero.graphapi.refusals import malformed, never_offered

_MAX_BYTES: Final = 2048
_MYSELF: Final = "me"
_SEGMENT: Final = rb"[A-Za-z0-9_:=-][A-Za-z0-9_.:=-]*"
_PLAIN = re.compile(rb"/(?:" + _SEGMENT + rb"(?:/" + _SEGMENT + rb")*/?)?")
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Path:
    """A path without version and trailing slash, in segments."""

    version: str | None
    segments: tuple[str, ...]


def read_path(raw: bytes) -> Path:
    """The version and the segments of a raw path.

    Raises:
        GraphError: malformed: anything but plain segments, or a second version.
    """
    if len(raw) > _MAX_BYTES or _PLAIN.fullmatch(raw) is None:
        raise malformed("The path has characters or parts that no operation has.")
    segments = tuple(part for part in raw.decode("ascii").split("/") if part)
    version = None
    if segments and _VERSION.fullmatch(segments[0]):
        version, segments = segments[0], segments[1:]
    if any(map(_VERSION.fullmatch, segments)):
        raise malformed("The path names a version twice, or not first.")
    return Path(version, segments)


class Routes:
    """Finds the operations of a path by its shape: literals in their place, ids anywhere else."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_pattern: dict[tuple[str | None, ...], list[Operation]] = {}
        for operation in operations:
            pattern = tuple(None if s.startswith("{") else s for s in operation.segments)
            self._by_pattern.setdefault(pattern, []).append(operation)

    def matching(self, path: Path) -> tuple[Operation, ...]:
        """Every operation, of any method and any kind of id, whose path looks like this one.

        Raises:
            GraphError: never_offered: none does.
        """
        if len(path.segments) > 1 and path.segments[0] == _MYSELF:
            raise never_offered("The identity that calls Meta is not shown.")
        for pattern in _patterns(path.segments):
            if pattern in self._by_pattern:
                return tuple(self._by_pattern[pattern])
        raise never_offered("This path is no operation that is offered.")


def _patterns(segments: tuple[str, ...]) -> Iterable[tuple[str | None, ...]]:
    """The ways to read segments as literals and ids, the most literal first."""
    if len(segments) == 0:
        yield ()
    elif len(segments) == 1:
        yield (segments[0],)
        yield (None,)
    elif len(segments) == 2:
        yield segments
        yield (segments[0], None)
        yield (None, segments[1])
    elif len(segments) == 3:
        yield (None, *segments[1:])
        yield (None, segments[1], None)
