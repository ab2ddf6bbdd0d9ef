"""Which workspaces know a WhatsApp account: Meta's posts name nothing else to tell whose they are."""

from collections.abc import Mapping, Sequence, Set
from uuid import UUID

import asyncpg

from portero.gateway.workspaces import Workspaces
from portero.store.batching import Batching

Owners = frozenset[UUID]


class Accounts:
    """Remembers whose an account is until a policy head moves: adding an account moves one.

    What no workspace knows is not remembered, so posts of strangers take no memory.
    """

    def __init__(self, *, pool: asyncpg.Pool, workspaces: Workspaces) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._ask = Batching(self._in_database)
        self._known: dict[str, Owners] = {}
        self._as_of: int | None = None

    def remembered(self, accounts: Set[str]) -> Mapping[str, Owners] | None:
        """The workspaces that know each account; None where the database must be asked."""
        moves = self._workspaces.moves()
        if moves is None or moves != self._as_of:
            self._known.clear()
            self._as_of = moves
        known = self._known
        if accounts <= known.keys():
            return {account: known[account] for account in accounts}
        return None

    async def look_up(self, accounts: Set[str]) -> Mapping[str, Owners]:
        """The same from the database; several workspaces may know one, and nobody need."""
        moves = self._workspaces.moves()
        found = await self._ask(accounts)
        if moves is not None and moves == self._workspaces.moves() == self._as_of:
            self._known |= found
        return found

    async def _in_database(self, asked: Sequence[Set[str]]) -> Sequence[Mapping[str, Owners]]:
        rows = await self._pool.fetch(_OWNERS, sorted(set().union(*asked)))
        found: dict[str, Owners] = {}
        for row in rows:
            account = row["meta_id"]
            found[account] = found.get(account, Owners()) | {row["workspace_id"]}
        return [
            {account: found[account] for account in accounts if account in found}
            for accounts in asked
        ]


_OWNERS = "SELECT meta_id, workspace_id FROM waba WHERE meta_id = ANY($1)"
