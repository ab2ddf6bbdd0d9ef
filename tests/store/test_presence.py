"""A process's lease and what it has seen: what a revocation may rely on once it has returned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest

from portero.store import presence as module
from portero.store.ids import uuid7
from portero.store.presence import BEAT_S, LEASE_S, LeaseLapsed, PolicyMoved, Presence
from store.shop import Connect, Shop, connector, running
from store.wire import wire_to


@asynccontextmanager
async def present(connect: Connect) -> AsyncIterator[Presence]:
    """A process whose lease is live."""
    made = Presence(process=uuid7(), connect=connect)
    async with running(made.run()):
        await until(made.alive)
        yield made


async def until(is_so: Any, patience_s: float = 3.0) -> float:
    """Wait until a condition holds; returns how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(patience_s):
        while not is_so():
            await asyncio.sleep(0.001)
    return time.monotonic() - began


@asynccontextmanager
async def superuser(shop: Shop) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(shop.database.dsn())
    try:
        yield connection
    finally:
        await connection.close()


async def move_head(connection: asyncpg.Connection, shop: Shop) -> tuple[int, str]:
    """Move the head; returns the new version and the transaction that made it."""
    row = await connection.fetchrow(
        "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
        " WHERE workspace_id = $1 RETURNING version, xid::text",
        shop.id,
    )
    assert row is not None
    return row["version"], row["xid"]


async def confirmed(connection: asyncpg.Connection, xid: str, process: UUID) -> None:
    """Wait as a revocation does, for one process: until it has seen the change or is not alive."""
    async with asyncio.timeout(3):
        while await connection.fetchval(
            "SELECT EXISTS (SELECT FROM gateway_process WHERE lease_until > clock_timestamp()"
            " AND NOT pg_visible_in_snapshot($1::text::xid8, seen) AND id = $2)",
            xid,
            process,
        ):
            await asyncio.sleep(0.001)


async def is_leased(connection: asyncpg.Connection, process: UUID) -> bool:
    """Whether others see a process alive."""
    return bool(
        await connection.fetchval(
            "SELECT lease_until > clock_timestamp() FROM gateway_process WHERE id = $1", process
        )
    )


# The lease


def test_a_process_that_cannot_beat_stops_forwarding_within_a_second(shop: Shop) -> None:
    async def go() -> float:
        async with wire_to(shop.database) as wire, present(wire.connect) as one:
            await until(lambda: one.head(shop.id) == 1)
            one.require(shop.id, 1)
            wire.pause()
            lapsed_after = await until(lambda: not one.alive())
            with pytest.raises(LeaseLapsed):
                one.require(shop.id, 1)
            return lapsed_after

    assert asyncio.run(go()) <= LEASE_S + 0.1  # the tenth is for noticing it, here


async def forwards_when_others_see_it_dead(shop: Shop) -> bool:
    """Cut a process off, and look at both clocks until others take it for dead."""
    async with superuser(shop) as db, wire_to(shop.database) as wire, present(wire.connect) as one:
        wire.pause()
        while await is_leased(db, one.process):
            pass
        return one.alive()


def test_a_lease_ends_here_before_it_ends_for_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.4)

    assert not any(asyncio.run(forwards_when_others_see_it_dead(shop)) for _ in range(3))


def test_a_lease_that_ends_later_here_is_found_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.4)
    monkeypatch.setattr(module, "LEASE_MARGIN_S", -0.1)

    assert asyncio.run(forwards_when_others_see_it_dead(shop))


def test_a_lapsed_lease_comes_back_when_the_database_does(shop: Shop) -> None:
    async def go() -> bool:
        async with wire_to(shop.database) as wire, present(wire.connect) as one:
            wire.cut()
            await until(lambda: not one.alive())
            wire.mend()
            await until(one.alive)
            with psycopg.connect(shop.database.dsn(), autocommit=True) as db:
                db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE usename = 'portero_gateway' AND datname = current_database()"
                )
            await asyncio.sleep(2 * BEAT_S)
            await until(one.alive)
            return True

    assert asyncio.run(go())


def test_a_process_that_leaves_makes_nobody_wait(shop: Shop) -> None:
    async def go() -> tuple[bool, float]:
        async with superuser(shop) as db:
            async with present(connector(shop.database)) as one:
                pass
            await one.leave()
            with pytest.raises(LeaseLapsed):
                one.require(shop.id, 1)
            began = time.monotonic()
            _, xid = await move_head(db, shop)
            await confirmed(db, xid, one.process)
            return await is_leased(db, one.process), time.monotonic() - began

    leased, waited = asyncio.run(go())

    assert not leased
    assert waited < 0.1


# What it has seen


def test_a_call_admitted_under_another_version_than_the_head_does_not_go_out(shop: Shop) -> None:
    async def go() -> None:
        async with present(connector(shop.database)) as one:
            one.moved(shop.id, 3)
            one.moved(shop.id, 2)  # heard late
            one.require(shop.id, 3)
            for version in (2, 4):
                with pytest.raises(PolicyMoved):
                    one.require(shop.id, version)

    asyncio.run(go())


def test_a_change_is_seen_within_50_ms(shop: Shop) -> None:
    async def go() -> list[float]:
        async with superuser(shop) as db, present(connector(shop.database)) as one:
            await until(lambda: one.head(shop.id) == 1)
            waits = []
            for _ in range(9):
                version, _ = await move_head(db, shop)
                waits.append(await until(lambda v=version: one.head(shop.id) == v))
                await asyncio.sleep(0.02)
            return waits

    assert sorted(asyncio.run(go()))[4] < 0.05


@asynccontextmanager
async def without_notify(db: asyncpg.Connection) -> AsyncIterator[None]:
    await db.execute("ALTER TABLE policy_head DISABLE TRIGGER policy_head_moved")
    try:
        yield
    finally:
        await db.execute("ALTER TABLE policy_head ENABLE TRIGGER policy_head_moved")


def test_a_change_nobody_is_told_of_is_seen_by_the_next_beat(shop: Shop) -> None:
    async def go() -> float:
        async with (
            superuser(shop) as db,
            without_notify(db),
            present(connector(shop.database)) as one,
        ):
            version, _ = await move_head(db, shop)
            return await until(lambda: one.head(shop.id) == version)

    assert asyncio.run(go()) < BEAT_S + 0.1


async def sees_a_late_commit(shop: Shop) -> bool:
    """A change begins, others commit after it, beats pass; only then does it commit."""
    other = Shop.open(shop.database)
    async with (
        superuser(shop) as slow,
        superuser(shop) as fast,
        without_notify(fast),
        present(connector(shop.database)) as one,
    ):
        async with slow.transaction():
            version, _ = await move_head(slow, shop)
            for _ in range(3):
                later, _ = await move_head(fast, other)
                await until(lambda v=later: one.head(other.id) == v)
        await asyncio.sleep(2.5 * BEAT_S)
        return one.head(shop.id) == version


def test_a_change_that_commits_late_is_not_missed(shop: Shop) -> None:
    assert asyncio.run(sees_a_late_commit(shop))


def test_who_reads_on_from_the_newest_transaction_misses_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READ", module._READ.replace("snapshot_xmin", "snapshot_xmax"))

    assert not asyncio.run(sees_a_late_commit(shop))


def test_a_long_transaction_elsewhere_holds_up_no_confirmation(shop: Shop) -> None:
    async def go() -> float:
        async with (
            superuser(shop) as long,
            superuser(shop) as db,
            present(connector(shop.database)) as one,
            long.transaction(),
        ):
            await long.execute("SELECT pg_current_xact_id()")
            began = time.monotonic()
            for _ in range(5):
                _, xid = await move_head(db, shop)
                await confirmed(db, xid, one.process)
            return time.monotonic() - began

    assert asyncio.run(go()) < 0.5


# In which order


async def confirmed_but_unknown(shop: Shop, rounds: int) -> int:
    """How often a change was confirmed while a live process had not yet taken note of it."""
    async with superuser(shop) as db, present(connector(shop.database)) as one:
        missed = 0
        for _ in range(rounds):
            version, xid = await move_head(db, shop)
            await confirmed(db, xid, one.process)
            missed += one.alive() and one.head(shop.id) < version
        return missed


def test_k05_a_change_is_confirmed_only_after_the_process_knows_it(shop: Shop) -> None:
    assert asyncio.run(confirmed_but_unknown(shop, 100)) == 0


def test_k05_a_process_that_publishes_what_it_has_not_noted_is_found_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Presence.moved

    def notes_later(self: Presence, workspace: UUID, version: int) -> None:
        asyncio.get_running_loop().call_later(0.01, original, self, workspace, version)

    monkeypatch.setattr(Presence, "moved", notes_later)

    assert asyncio.run(confirmed_but_unknown(shop, 20)) > 0


class Stalling:
    """A connection on which a beat stops between what it reads and what it publishes."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def fetchrow(self, *arguments: Any, **options: Any) -> Any:
        return await self._connection.fetchrow(*arguments, **options)

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        await self.goes_on.wait()
        return await self._connection.execute(*arguments, **options)


async def forwards_after_a_gap(shop: Shop) -> bool:
    """A beat reads, stalls until its lease is over, and publishes after a change was confirmed."""
    async with superuser(shop) as db, superuser(shop) as own:
        one, wire = Presence(process=uuid7(), connect=connector(shop.database)), Stalling(own)
        await one._beat(wire)
        await one._beat(wire)
        one.require(shop.id, 1)
        wire.goes_on.clear()
        beat = asyncio.ensure_future(one._beat(wire))
        await until(lambda: not one.alive())
        await asyncio.sleep(2 * module.LEASE_MARGIN_S)  # and for others, too
        _, xid = await move_head(db, shop)
        await confirmed(db, xid, one.process)
        wire.goes_on.set()
        await beat
        try:
            one.require(shop.id, 1)
        except (LeaseLapsed, PolicyMoved):
            pass
        else:
            return True
        await one._beat(wire)  # what was published so late was over when it arrived
        await one._beat(wire)
        one.require(shop.id, 2)
        return False


def test_k05_heads_from_before_a_gap_do_not_enter_the_next_lease(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.3)

    assert not asyncio.run(forwards_after_a_gap(shop))


def test_k05_a_process_that_takes_a_lease_on_old_heads_is_found_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.3)

    class Unbroken(Presence):
        @property
        def _published_ends(self) -> float:
            return module._now() + 0.3

        @_published_ends.setter
        def _published_ends(self, _ends: float) -> None:
            """Nobody looks."""

    monkeypatch.setitem(globals(), "Presence", Unbroken)

    assert asyncio.run(forwards_after_a_gap(shop))
