"""Customers: one internal id over phone number, business-scoped id and username.

Identities are looked up by a digest keyed per workspace; the value itself lies encrypted beside
it. Limits, consent, masking and erasure hang on the contact id, never on a string.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from uuid import UUID

from portero.engine.values import valueclass
from portero.store.ids import uuid7
from portero.store.listed import Connection


@valueclass(frozen=True, slots=True)
class Identity:
    """One way to name a customer. `kind`: phone, bsuid, parent_bsuid, username or group."""

    workspace: UUID
    kind: str
    digest: bytes
    # Seals the value for the row of this id. Called for strangers only: most are known.
    seal: Callable[[UUID], bytes] = field(compare=False, repr=False)


IdentityKey = tuple[UUID, str, bytes]
Known = Mapping[IdentityKey, UUID]


def key_of(identity: Identity) -> IdentityKey:
    return (identity.workspace, identity.kind, identity.digest)


async def resolve(
    connection: Connection, identities: Iterable[Identity], found: Known | None = None
) -> Known:
    """The contact of each identity; whoever was never met becomes a contact now.

    `found` are those that a statement of the caller's has found already; others are strangers.
    """
    wanted = {key_of(identity): identity for identity in identities}
    if found is None:
        found = await _find(connection, wanted)
    strangers = [wanted[key] for key in wanted.keys() - found.keys()]
    if not strangers:
        return found
    await _add(connection, [(uuid7(), stranger) for stranger in strangers])
    return {**found, **await _find(connection, map(key_of, strangers))}


async def link(connection: Connection, groups: Sequence[Sequence[Identity]]) -> None:
    """Each group names one person. The oldest contact among them keeps all their identities."""
    found = await _find(connection, {key_of(one) for group in groups for one in group})
    for group in groups:
        contacts = {found.get(key_of(identity)) for identity in group}
        if len(contacts) > 1 or None in contacts:
            await _unite(connection, group)


async def _unite(connection: Connection, group: Sequence[Identity]) -> None:
    wanted = {key_of(identity): identity for identity in group}
    found = await _find(connection, wanted, lock=True)
    # Ids are UUIDv7: the smallest is the oldest.
    keeper = min(found.values()) if found else uuid7()
    missing = [wanted[key] for key in wanted.keys() - found.keys()]
    if missing:
        await _add(connection, [(keeper, identity) for identity in missing])
        # Another process may have met one of them first.
        found = await _find(connection, wanted, lock=True)
    contacts = set(found.values())
    keeper = min(contacts)
    others = list(contacts - {keeper})
    if others:
        await _merge(connection, group[0].workspace, others, keeper)


async def _merge(
    connection: Connection, workspace: UUID, others: Sequence[UUID], keeper: UUID
) -> None:
    # Again until nothing is left: who holds one of their identities may just have added another.
    # Who comes later waits for us, because every identity they have is locked by then.
    while await connection.execute(_MERGE, workspace, others, keeper) != "UPDATE 0":
        pass


async def _find(
    connection: Connection, keys: Iterable[IdentityKey], *, lock: bool = False
) -> dict[IdentityKey, UUID]:
    wanted = sorted(keys)
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*wanted, strict=True)]
    rows = await connection.fetch(_FIND_AND_LOCK if lock else _FIND, *columns)
    return {(row["workspace_id"], row["kind"], row["digest"]): row["contact_id"] for row in rows}


async def _add(connection: Connection, pairs: Sequence[tuple[UUID, Identity]]) -> None:
    """Name contacts, which are made if they are new; what somebody else named first stays so."""
    rows = sorted(pairs, key=lambda pair: key_of(pair[1]))
    ids = [uuid7() for _ in rows]
    await connection.execute(
        _ADD,
        [identity.workspace for _, identity in rows],
        ids,
        [contact for contact, _ in rows],
        [identity.kind for _, identity in rows],
        [identity.digest for _, identity in rows],
        [identity.seal(row) for row, (_, identity) in zip(ids, rows, strict=True)],
    )


_FIND = """
SELECT i.workspace_id, i.kind, i.digest, i.contact_id
  FROM contact_identity i
  JOIN unnest($1::uuid[], $2::text[], $3::bytea[]) AS t(w, k, d)
    ON i.workspace_id = t.w AND i.kind = t.k AND i.digest = t.d
"""
_FIND_AND_LOCK = f"{_FIND} ORDER BY i.workspace_id, i.kind, i.digest FOR UPDATE OF i"
# One statement, so that a contact whose only name was taken in that moment is never made. The
# foreign key is looked at when both are there.
_ADD = """
WITH named AS (
    INSERT INTO contact_identity (workspace_id, id, contact_id, kind, digest, sealed, created_at)
    SELECT w, i, c, k, d, s, now()
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[])
        AS t(w, i, c, k, d, s)
    ON CONFLICT (workspace_id, kind, digest) DO NOTHING
    RETURNING workspace_id, contact_id
)
INSERT INTO contact (workspace_id, id, created_at)
SELECT DISTINCT workspace_id, contact_id, now() FROM named
ON CONFLICT DO NOTHING
"""
_MERGE = """
UPDATE contact_identity SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = ANY($2)
"""
