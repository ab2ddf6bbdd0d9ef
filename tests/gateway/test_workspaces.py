"""What is read when a policy has moved: whoever is refused by the change waits for it."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from gateway.house import House, Key, Workspace
from portero.gateway.workspaces import Workspaces
from portero.store.ids import uuid7
from portero.store.presence import Presence


def revoke(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        db.execute("UPDATE api_key SET revoked_at = now() WHERE id = %s", [key.id])


def end_binding(workspace: Workspace, key: Key) -> None:
    with workspace.change() as db:
        db.execute(
            "UPDATE binding SET valid_to = %s WHERE principal_id = %s",
            [workspace.next_version, key.account],
        )


async def asked_after(house: House, change: Callable[[], None]) -> list[str]:
    """What another process asks the database to follow a change; it knew what was before."""
    asked: list[str] = []

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(house.database.dsn("gateway"))

    async def listening(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda query: asked.append(query.query))

    async with asyncpg.create_pool(
        house.database.dsn("gateway"), min_size=1, max_size=1, init=listening
    ) as pool:
        presence = Presence(process=uuid7(), connect=connect)
        workspaces = Workspaces(pool=pool, presence=presence, kek=house.kek)
        before = await workspaces.current(house.workspace.id)
        change()
        asked.clear()
        presence.moved(house.workspace.id, before.version + 1)
        after = await workspaces.current(house.workspace.id)
    assert after.version == before.version + 1
    return [query for query in asked if " FROM " in query]


@pytest.mark.parametrize("change", [revoke, end_binding])
def test_a_change_that_concerns_no_people_is_read_by_three_queries(
    house: House, change: Callable[[Workspace, Key], None]
) -> None:
    """The head with all small rules, the bindings that changed, and what is no policy."""
    key = house.workspace.key({"send:text": "all"})

    asked = house.loop.run(asked_after(house, lambda: change(house.workspace, key)))

    assert len(asked) == 3, asked
