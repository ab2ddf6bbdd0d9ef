"""The workspaces a transaction of the gateway may touch: row-level security reads this list."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from portero.store.fairness import Shares

# A pool lends a proxy that is a connection in all but its type.
Connection = asyncpg.Connection | PoolConnectionProxy

SHARE = 4
_shares = Shares(SHARE)

_LIST = "SELECT set_config('portero.workspaces', $1, true)"


async def list_workspaces(connection: Connection, workspaces: Iterable[UUID]) -> None:
    """Say so, as the first statement of a transaction; the list ends with it."""
    await connection.execute(_LIST, ",".join(str(workspace) for workspace in workspaces))


async def read_committed(connection: Connection) -> None:
    """Prepare a pool's connection: a statement that is a transaction of its own cannot say this.

    Whatever the server's default, a row that somebody just committed is found and not failed on.
    """
    await connection.execute("SET default_transaction_isolation = 'read committed'")


@asynccontextmanager
async def in_workspace(
    pool: asyncpg.Pool, workspace: UUID, *, readonly: bool = False
) -> AsyncIterator[Connection]:
    """A transaction that sees one workspace: to read, in one state; to write, as it is by now.

    One workspace has SHARE of a pool's connections at most; what else it asks waits for those.
    """
    async with (
        _shares.of((pool, workspace)),
        pool.acquire() as connection,
        connection.transaction(
            isolation="repeatable_read" if readonly else "read_committed", readonly=readonly
        ),
    ):
        await list_workspaces(connection, [workspace])
        yield connection
