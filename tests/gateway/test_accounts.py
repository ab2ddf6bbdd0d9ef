"""Whose an account is: remembered while every policy change would be heard of, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from databases import Database, insert
from portero.gateway.accounts import Accounts, Owners
from portero.gateway.workspaces import Workspaces
from portero.store.ids import uuid7
from portero.store.presence import Presence
from portero.store.sealing import KeyRing
from store.shop import Shop

NOBODYS = "100000000000999"


@pytest.fixture
def shop(shared_database: Database) -> Shop:
    return Shop.open(shared_database)


class Desk:
    """Accounts over a presence that beats only when told to."""

    def __init__(self, pool: asyncpg.Pool, database: Database) -> None:
        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(database.dsn("gateway"))

        self.presence = Presence(process=uuid7(), connect=connect)
        kek = KeyRing.generate()
        workspaces = Workspaces(pool=pool, presence=self.presence, kek=kek)
        self.accounts = Accounts(pool=pool, workspaces=workspaces)

    async def asked_for(self, account: str) -> bool:
        """Whether the database must be asked; it is."""
        if self.accounts.remembered({account}) is not None:
            return False
        await self.accounts.look_up({account})
        return True


def at_a_desk(shop: Shop, work: Callable[[Desk], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncpg.create_pool(shop.database.dsn("gateway"), min_size=1) as pool:
            desk = Desk(pool, shop.database)
            beating = asyncio.ensure_future(desk.presence.run())
            try:
                while not desk.presence.alive():
                    await asyncio.sleep(0.01)
                await work(desk)
            finally:
                beating.cancel()

    asyncio.run(go())


def add_account(shop: Shop, meta_id: str) -> str:
    with shop.change() as db:
        insert(
            db, "waba", {"workspace_id": shop.id, "id": uuid7(), "meta_id": meta_id, "name": "x"}
        )
    return meta_id


async def until_heard(desk: Desk, account: str, owners: set[UUID]) -> None:
    async with asyncio.timeout(5):
        found: Owners = {}
        while found.keys() != owners:
            await asyncio.sleep(0.01)
            remembered = desk.accounts.remembered({account})
            found = await desk.accounts.look_up({account}) if remembered is None else remembered


def test_an_account_is_asked_for_once_and_again_when_anybodys_policy_has_moved(shop: Shop) -> None:
    account, other = add_account(shop, "100000000000901"), Shop.open(shop.database)

    async def work(desk: Desk) -> None:
        await until_heard(desk, account, {shop.id})
        assert not await desk.asked_for(account)
        add_account(other, account)
        await until_heard(desk, account, {shop.id, other.id})

    at_a_desk(shop, work)


def test_what_nobody_knows_is_asked_for_every_time_and_takes_no_memory(shop: Shop) -> None:
    async def work(desk: Desk) -> None:
        assert [await desk.asked_for(NOBODYS) for _ in range(3)] == [True] * 3
        assert not desk.accounts._known
        assert desk.accounts.remembered(set()) == {}

    at_a_desk(shop, work)


def test_without_a_lease_nothing_is_remembered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hears of no policy change may not trust what it knows."""
    account = add_account(shop, "100000000000902")

    async def work(desk: Desk) -> None:
        await until_heard(desk, account, {shop.id})
        assert not await desk.asked_for(account)
        monkeypatch.setattr(desk.presence, "_lease_ends", 0.0)
        assert [await desk.asked_for(account) for _ in range(2)] == [True] * 2

    at_a_desk(shop, work)
