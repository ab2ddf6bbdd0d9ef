"""The id registry: which of Meta's ids belong to a workspace, and what they are.

A bare Graph id does not say what it stands for, and Meta would answer for any id its token can
see. So every id of a request is looked up here first; what is not here is not the workspace's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from portero.engine.values import valueclass
from portero.store.listed import Connection


@valueclass(frozen=True, slots=True)
class Resource:
    """One of Meta's objects. `number` and `parent` are Meta ids: of the number, of the WABA."""

    workspace: UUID
    kind: str
    meta_id: str
    parent: str | None = None
    number: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


async def find(connection: Connection, workspace: UUID, meta_ids: Sequence[str]) -> list[Resource]:
    """Every registered thing that bears one of the ids; an id may bear several kinds."""
    rows = await connection.fetch(_FIND, workspace, list(meta_ids))
    return [_resource(workspace, row) for row in rows]


async def find_template(
    connection: Connection, workspace: UUID, waba: str, name: str, language: str | None
) -> list[Resource]:
    """The languages of a template, or the one asked for."""
    rows = await connection.fetch(_FIND_TEMPLATE, workspace, waba, name, language)
    return [_resource(workspace, row) for row in rows]


async def learn(connection: Connection, resources: Iterable[Resource]) -> None:
    """Register what answers and webhooks tell; what is known gets its newest attributes."""
    rows = rows_of(resources)
    if rows != _NO_ROWS:
        await connection.execute(_LEARN, rows)


def rows_of(resources: Iterable[Resource]) -> str:
    """What `learning` takes, as JSON: a row once, in the order in which rows are locked."""
    known: dict[tuple[UUID, str, str], Resource] = {}
    for one in resources:
        key = (one.workspace, one.kind, one.meta_id)
        before = known.get(key)
        known[key] = one if before is None else _together(before, one)
    names = {workspace: str(workspace) for workspace, _, _ in known}
    rows = [_row(known[key], names[key[0]]) for key in sorted(known)]
    return orjson.dumps(rows).decode()


_NO_ROWS: Final = "[]"


def _row(one: Resource, workspace: str) -> dict[str, object]:
    return {
        "w": workspace,
        "k": one.kind,
        "m": one.meta_id,
        "p": one.parent or None,
        "n": one.number or None,
        "a": _told(one) if one.attributes else {},
    }


def _together(before: Resource, later: Resource) -> Resource:
    return replace(
        before,
        parent=before.parent or later.parent,
        number=before.number or later.number,
        attributes={**_told(before), **_told(later)},
    )


def _told(resource: Resource) -> dict[str, str]:
    """An attribute without a value tells nothing."""
    return {name: value for name, value in resource.attributes.items() if value}


async def forget(
    connection: Connection, workspace: UUID, kind: str, meta_ids: Sequence[str]
) -> None:
    """Drop what Meta says is deleted."""
    await connection.execute(_FORGET, workspace, kind, list(meta_ids))


def _resource(workspace: UUID, row: asyncpg.Record) -> Resource:
    return Resource(
        workspace,
        row["kind"],
        row["meta_id"],
        row["parent"],
        row["number"],
        orjson.loads(row["attributes"]),
    )


_FIND = """
SELECT kind, meta_id, parent, number, attributes
  FROM resource WHERE workspace_id = $1 AND meta_id = ANY($2)
"""
_FIND_TEMPLATE = """
SELECT kind, meta_id, parent, number, attributes
  FROM resource
 WHERE workspace_id = $1 AND kind = 'template' AND parent = $2
   AND attributes->>'name' = $3 AND ($4::text IS NULL OR attributes->>'language' = $4)
"""


def learning(place: str) -> str:
    """The statement that registers what `rows_of` gives, from its `place` in a FROM clause.

    An empty answer must not blank what was known: attributes are merged, parents only filled in.
    What tells nothing new writes nothing, so `seen_at` is true to the hour. Whether it is known is
    asked of the primary key alone: a query for it could be planned while the registry was small,
    and then read all of it for every batch.
    """
    return f"""
INSERT INTO resource (workspace_id, kind, meta_id, parent, number, attributes, seen_at)
SELECT w, k, m, p, n, a, now()
  FROM {place} AS t(w uuid, k text, m text, p text, n text, a jsonb)
ON CONFLICT (workspace_id, kind, meta_id) DO UPDATE
   SET parent = coalesce(resource.parent, excluded.parent),
       number = coalesce(resource.number, excluded.number),
       attributes = resource.attributes || excluded.attributes,
       seen_at = excluded.seen_at
 WHERE (resource.parent IS NULL AND excluded.parent IS NOT NULL)
    OR (resource.number IS NULL AND excluded.number IS NOT NULL)
    OR NOT resource.attributes @> excluded.attributes
    OR resource.seen_at <= now() - interval '1 hour'
"""  # noqa: S608 - of our own words


_LEARN = learning("jsonb_to_recordset($1::jsonb)")
_FORGET = "DELETE FROM resource WHERE workspace_id = $1 AND kind = $2 AND meta_id = ANY($3)"
