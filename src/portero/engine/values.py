"""Data that never changes, made often: several hundred fields of it for each call.

`@valueclass(frozen=True, slots=True)` is `@dataclass(frozen=True, slots=True)` to the type checker, which
lets nobody change it. At run time it is not frozen: that would set every field through
`object.__setattr__`, three times the time of making it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as valueclass
else:

    def valueclass(*, frozen, slots, kw_only=False):
        """Compared and hashed by its fields, as a frozen one is."""
        assert frozen  # noqa: S101 - what changes is a dataclass, and has no hash
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=True)


__all__ = ["valueclass"]
