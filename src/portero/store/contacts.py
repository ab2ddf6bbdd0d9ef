"""Customers: one internal id over phone number, business-scoped id and username.

Identities are looked up by a digest keyed per workspace; the value itself lies encrypted beside
it. Limits, consent, masking and erasure hang on the contact id, never on a string.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from portero.store.ids import uuid7
from portero.store.listed import Connection


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to name a customer. `kind`: phone, bsuid, parent_bsuid or username."""

    id: UUID  # of its row, to which `sealed` is bound
    workspace: UUID
    kind: str
    digest: bytes
    sealed: bytes


IdentityKey = tuple[UUID, str, bytes]


def key_of(identity: Identity) -> IdentityKey:
    return (identity.workspace, identity.kind, identity.digest)


async def resolve(
    connection: Connection, identities: Iterable[Identity]
) -> Mapping[IdentityKey, UUID]:
    """The contact of each identity; whoever was never met becomes a contact now."""
    wanted = {key_of(identity): identity for identity in identities}
    found = await _find(connection, sorted(wanted))
    strangers = [wanted[key] for key in sorted(wanted.keys() - found.keys())]
    if not strangers:
        return found
    await _meet(connection, [[stranger] for stranger in strangers])
    return found | await _find(connection, [key_of(stranger) for stranger in strangers])


async def link(connection: Connection, groups: Sequence[Sequence[Identity]]) -> None:
    """Each group names one person. The oldest contact among them keeps all their identities."""
    for group in groups:
        found = await _find(connection, sorted(key_of(identity) for identity in group))
        if not found:
            await _meet(connection, [group])
            continue
        keeper = min(found.values())  # ids are UUIDv7: the smallest is the oldest
        missing = [identity for identity in group if key_of(identity) not in found]
        if missing:
            await _insert(connection, [(keeper, identity) for identity in missing])
        others = [contact for contact in set(found.values()) if contact != keeper]
        if others:
            await connection.execute(_MERGE, group[0].workspace, others, keeper)


async def _find(connection: Connection, keys: Sequence[IdentityKey]) -> dict[IdentityKey, UUID]:
    if not keys:
        return {}
    rows = await connection.fetch(_FIND, *(list(column) for column in zip(*keys, strict=True)))
    return {(row["workspace_id"], row["kind"], row["digest"]): row["contact_id"] for row in rows}


async def _meet(connection: Connection, groups: Sequence[Sequence[Identity]]) -> None:
    """New contacts, one per group. Another process may win the race for an identity."""
    pairs = [(uuid7(), group) for group in groups]
    await connection.execute(
        _NEW_CONTACTS, [group[0].workspace for _, group in pairs], [contact for contact, _ in pairs]
    )
    await _insert(connection, [(contact, one) for contact, group in pairs for one in group])


async def _insert(connection: Connection, rows: Sequence[tuple[UUID, Identity]]) -> None:
    await connection.execute(
        _NEW_IDENTITIES,
        [identity.workspace for _, identity in rows],
        [identity.id for _, identity in rows],
        [contact for contact, _ in rows],
        [identity.kind for _, identity in rows],
        [identity.digest for _, identity in rows],
        [identity.sealed for _, identity in rows],
    )


_FIND = """
SELECT i.workspace_id, i.kind, i.digest, i.contact_id
  FROM contact_identity i
  JOIN unnest($1::uuid[], $2::text[], $3::bytea[]) AS t(w, k, d)
    ON i.workspace_id = t.w AND i.kind = t.k AND i.digest = t.d
"""
_NEW_CONTACTS = """
INSERT INTO contact (workspace_id, id, created_at)
SELECT w, c, now() FROM unnest($1::uuid[], $2::uuid[]) AS t(w, c)
"""
_NEW_IDENTITIES = """
INSERT INTO contact_identity (workspace_id, id, contact_id, kind, digest, sealed, created_at)
SELECT w, i, c, k, d, s, now()
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[])
    AS t(w, i, c, k, d, s)
ON CONFLICT (workspace_id, kind, digest) DO NOTHING
"""
_MERGE = """
UPDATE contact_identity SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = ANY($2)
"""
