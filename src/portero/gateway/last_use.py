"""When each key was last presented: reviews of access ask, and dead keys are found by it."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from portero.store.failures import DATABASE_ERRORS
from portero.store.listed import in_workspace

WRITE_S = 15.0

logger = logging.getLogger(__name__)


class LastUse:
    """Remembers genuine keys as they come, refused or not, and writes them down now and then."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._seen: dict[tuple[UUID, str], datetime] = {}

    def seen(self, workspace: UUID, key: str) -> None:
        self._seen[workspace, key] = datetime.now(UTC)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            try:
                await self.write()
            except DATABASE_ERRORS as error:
                logger.warning("last use: the database is away: %s", type(error).__name__)

    async def write(self) -> None:
        """Write what came since; what cannot be written is kept for the next time."""
        seen, self._seen = self._seen, {}
        by_workspace: dict[UUID, dict[str, datetime]] = {}
        for (workspace, key), at in seen.items():
            by_workspace.setdefault(workspace, {})[key] = at
        try:
            for workspace, used in by_workspace.items():
                async with in_workspace(self._pool, workspace) as connection:
                    await connection.execute(_WRITE, workspace, list(used), list(used.values()))
        except BaseException:
            self._seen = {**seen, **self._seen}
            raise


_WRITE = """
UPDATE api_key k SET last_used_at = greatest(k.last_used_at, t.at)
  FROM unnest($2::uuid[], $3::timestamptz[]) AS t(id, at)
 WHERE k.workspace_id = $1 AND k.id = t.id
"""
