"""A workspace's own keys, unwrapped: to seal its values, and to digest its contacts and records."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from portero.store.sealing import KeyRing, Place, Secret, new_key

PURPOSES = ("contact", "record", "data")


class WrappedKey(Protocol):
    """A row of `workspace_key`, however the driver gives it."""

    def __getitem__(self, column: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class WorkspaceKeys:
    """The keys of one workspace, in clear and in memory only."""

    workspace: UUID
    contact: KeyRing
    record: KeyRing
    data: KeyRing

    @classmethod
    def unwrap(cls, kek: KeyRing, workspace: UUID, rows: Iterable[WrappedKey]) -> WorkspaceKeys:
        """Open the rows (id, purpose, version, wrapped).

        Raises CannotOpen, or KeyError when a purpose has no key: such a workspace is not served.
        """
        rings: dict[str, dict[int, Secret]] = {purpose: {} for purpose in PURPOSES}
        for row in rows:
            place = Place(workspace, "workspace_key", "wrapped", row["id"])
            rings[row["purpose"]][row["version"]] = kek.open(place, bytes(row["wrapped"]))
        contact, record, data = (KeyRing(rings[purpose]) for purpose in PURPOSES)
        return cls(workspace, contact, record, data)

    def digest_key(self) -> bytes:
        """The key of the digests in records."""
        return self.record.current.reveal()

    def contact_digest(self, kind: str, identity: str) -> bytes:
        """How an identity is looked up: keyed, so that a dump cannot be searched number by number."""
        key = self.contact.current.reveal()
        return hmac.digest(key, f"{kind}:{identity}".encode(), "sha256")

    def seal(self, table: str, column: str, row: UUID, value: bytes) -> bytes:
        return self.data.seal(Place(self.workspace, table, column, row), value)

    def open(self, table: str, column: str, row: UUID, sealed: bytes) -> bytes:
        """Raises CannotOpen for what was changed or moved."""
        return self.data.open(Place(self.workspace, table, column, row), sealed).reveal()


def wrap_new_keys(
    kek: KeyRing, workspace: UUID, ids: Iterable[UUID]
) -> list[tuple[UUID, str, bytes]]:
    """Fresh keys for a new workspace: (row id, purpose, wrapped), all of version 1."""
    return [
        (
            row,
            purpose,
            kek.seal(Place(workspace, "workspace_key", "wrapped", row), new_key().reveal()),
        )
        for row, purpose in zip(ids, PURPOSES, strict=True)
    ]
