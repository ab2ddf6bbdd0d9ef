"""Which workspaces know a WhatsApp account: Meta's posts name nothing else to tell whose they are."""

from collections.abc import Iterable, Mapping, Sequence, Set
from uuid import UUID

import asyncpg

from portero.gateway.workspaces import Workspaces
from portero.store.batching import Batching

Known = dict[str, frozenset[UUID]]
Owners = Mapping[UUID, Set[str]]


class Accounts:
    """Remembers whose an account is until a policy head moves: adding an account moves one.

    Several workspaces may know an account, and nobody need. What nobody knows is not remembered,
    so posts of strangers take no memory.
    """

    def __init__(self, *, pool: asyncpg.Pool, workspaces: Workspaces) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._ask = Batching(self._in_database)
        self._known: Known = {}
        self._as_of: int | None = None

    def remembered(self, accounts: Set[str]) -> Owners | None:
        """The workspaces that know one of the accounts, with those they know.

        None where the database must be asked.
        """
        moves = self._workspaces.moves()
        if moves is None or moves != self._as_of:
            self._known.clear()
            self._as_of = moves
        return _owners(self._known, accounts) if accounts <= self._known.keys() else None

    async def look_up(self, accounts: Set[str]) -> Owners:
        """The same from the database."""
        moves = self._workspaces.moves()
        found = await self._ask(accounts)
        if moves is not None and moves == self._workspaces.moves() == self._as_of:
            self._known |= found
        return _owners(found, found)

    async def _in_database(self, asked: Sequence[Set[str]]) -> Sequence[Known]:
        rows = await self._pool.fetch(_OWNERS, sorted(set().union(*asked)))
        found: Known = {}
        for row in rows:
            account = row["meta_id"]
            found[account] = found.get(account, frozenset()) | {row["workspace_id"]}
        return [{one: found[one] for one in accounts if one in found} for accounts in asked]


def _owners(known: Known, accounts: Iterable[str]) -> Owners:
    owners: dict[UUID, set[str]] = {}
    for account in accounts:
        for workspace in known[account]:
            owners.setdefault(workspace, set()).add(account)
    return owners


_OWNERS = "SELECT meta_id, workspace_id FROM waba WHERE meta_id = ANY($1)"
