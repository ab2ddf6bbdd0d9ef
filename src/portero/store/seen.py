"""How many of the workspace's registered things a caller may see: the engine's filter, as SQL."""

from uuid import UUID

from portero.engine import Dimension, Visible
from portero.store.filters import (
    Column,
    Exists,
    Given,
    Listing,
    OrderKey,
    Placeholders,
    count,
)
from portero.store.listed import Connection

# Meta lets an account have 6,000 templates; more than this is not counted out.
COUNTED_AT_MOST = 10_000

REGISTERED = Listing(
    table="resource",
    order=(OrderKey("seen_at", "timestamptz"), OrderKey("meta_id", "text")),
    select="resource.kind",
    dimensions={
        Dimension.TEMPLATE_SET: Exists(
            table="template_set_member",
            match="template_set_member.workspace_id = resource.workspace_id"
            " AND resource.kind = 'template'"
            " AND template_set_member.template_name = resource.attributes->>'name'",
            value="template_set_member.set_id",
        ),
        Dimension.NUMBER: Column("resource.number", "text"),
        Dimension.WABA: Column("resource.parent", "text"),
    },
)


async def count_seen(
    connection: Connection, workspace: UUID, *, kind: str, waba: str, visible: Visible
) -> int:
    """The registered things of one kind in one account that the filter shows."""
    given = Given(
        "resource.workspace_id = {} AND resource.kind = {} AND resource.parent = {}",
        (workspace, kind, waba),
    )
    query = count(REGISTERED, visible, given, at_most=COUNTED_AT_MOST, style=Placeholders.ASYNCPG)
    found: int = await connection.fetchval(query.sql, *query.values)
    return found
