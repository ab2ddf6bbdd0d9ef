"""A key that its holder ends: success is told when no process can use it, to everybody who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest

from databases import insert
from portero.store import heads, revoking
from portero.store.ids import uuid7
from portero.store.records import RecordKind
from store.shop import Shop


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "PATIENCE_S", 0.3)


@pytest.fixture
def key(shop: Shop) -> UUID:
    key, bot = uuid7(), uuid7()
    row = {
        "workspace_id": shop.id, "id": key, "public_id": key.hex[-12:], "kind": "svc",
        "principal_id": bot, "name": "bot", "digest": b"d" * 32, "pepper_version": 1,
        "scope": {}, "conditions": {}, "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    with psycopg.connect(shop.database.dsn()) as db:
        named = {"workspace_id": shop.id, "id": bot, "kind": "service_account", "name": "bot"}
        insert(db, "principal", named)
        insert(db, "api_key", row)
    return key


@pytest.fixture
def slow_process(shop: Shop) -> Iterator[psycopg.Connection[Any]]:
    """A gateway that lives and sees nothing until it is told to; it is gone after the test."""
    with psycopg.connect(shop.database.dsn(), autocommit=True) as db:
        db.execute(
            "INSERT INTO gateway_process VALUES"
            " (%s, now(), clock_timestamp() + '1 hour', pg_current_snapshot())",
            [shop.process],
        )
        yield db
        db.execute("DELETE FROM gateway_process WHERE id = %s", [shop.process])


def revoke(shop: Shop, key: UUID) -> None:
    async def go() -> None:
        async with asyncpg.create_pool(shop.database.dsn("gateway"), min_size=1) as pool:
            event = shop.intent(kind=RecordKind.EVENT, event="api_key.revoked")
            await revoking.revoke(pool, shop.id, key, event)

    asyncio.run(go())


def test_k09_who_revokes_again_waits_for_the_same_processes(
    shop: Shop, key: UUID, slow_process: psycopg.Connection[Any]
) -> None:
    for _ in range(2):
        with pytest.raises(revoking.NotConfirmed):
            revoke(shop, key)

    slow_process.execute("UPDATE gateway_process SET seen = pg_current_snapshot()")
    revoke(shop, key)


def test_a_key_ends_once(shop: Shop, key: UUID) -> None:
    revoke(shop, key)
    revoke(shop, key)

    [head] = shop.rows("SELECT version FROM policy_head WHERE workspace_id = %s")
    assert head["version"] == 2
    assert len(shop.records(RecordKind.EVENT)) == 1
