"""A workspace made of raw rows, and what the tests of the store say about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from databases import Database, insert
from portero.engine import Metric, Per
from portero.graphapi import phone
from portero.store.admission import Admission
from portero.store.contacts import Identity
from portero.store.idempotency import Claim
from portero.store.ids import uuid7, workspace_lock
from portero.store.limits import Take
from portero.store.recorder import Recorder
from portero.store.records import Record, RecordKind
from portero.store.sealing import KeyRing
from portero.store.workspace_keys import WorkspaceKeys, wrap_new_keys

UTC_ZONE = ZoneInfo("UTC")
Connect = Callable[[], Awaitable[asyncpg.Connection]]


@dataclass(frozen=True)
class Shop:
    """One workspace with its keys and a policy head; nothing else."""

    database: Database
    id: UUID
    keys: WorkspaceKeys
    process: UUID = field(default_factory=uuid7)

    @classmethod
    def open(cls, database: Database) -> Shop:
        kek, workspace = KeyRing.generate(), uuid7()
        wrapped = wrap_new_keys(kek, workspace, [uuid7() for _ in range(3)])
        rows = [{"id": r, "purpose": p, "version": 1, "wrapped": w} for r, p, w in wrapped]
        with psycopg.connect(database.dsn()) as db:
            insert(db, "workspace", {"id": workspace, "name": "Tienda Andina"})
            insert(db, "policy_head", {"workspace_id": workspace, "version": 1})
            for row in rows:
                insert(db, "workspace_key", {"workspace_id": workspace, **row})
        return cls(database, workspace, WorkspaceKeys.unwrap(kek, workspace, rows))

    @contextmanager
    def change(self) -> Iterator[psycopg.Connection[Any]]:
        """A change of policy: the lock held exclusively, the head moved by the same commit."""
        with psycopg.connect(self.database.dsn()) as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", [workspace_lock(self.id)])
            yield db
            db.execute(
                "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
                " WHERE workspace_id = %s",
                [self.id],
            )

    def rows(self, query: sql.Composed | LiteralString, *values: object) -> list[dict[str, Any]]:
        """What a query finds; its first parameter is the workspace."""
        with psycopg.connect(self.database.dsn(), row_factory=dict_row) as db:
            return db.execute(query, [self.id, *values]).fetchall()

    def count(self, table: str) -> int:
        counted = sql.SQL("SELECT count(*) AS n FROM {} WHERE workspace_id = %s")
        [found] = self.rows(counted.format(sql.Identifier(table)))
        return int(found["n"])

    def records(self, kind: RecordKind = RecordKind.INTENT) -> list[dict[str, Any]]:
        """The workspace's records of one kind with both their halves, oldest first."""
        return self.rows(
            "SELECT * FROM record JOIN record_open USING (workspace_id, call_id, kind, attempt)"
            " WHERE workspace_id = %s AND kind = %s ORDER BY record.at, call_id",
            kind,
        )

    def intent(self, **changes: Any) -> Record:
        made = {
            "workspace": self.id,
            "call": uuid7(),
            "kind": RecordKind.INTENT,
            "event": "message.sent",
            "operation": "send_message",
            "effect": "allow",
            "reason": "allowed",
            "policy_version": 1,
            "actor": str(self.id),
            "process": self.process,
        }
        return Record(**{**made, **changes})

    def admission(self, *, record: Record | None = None, **changes: Any) -> Admission:
        made = {"record": record or self.intent(), "version": 1, "zone": UTC_ZONE, "messages": 1}
        return Admission(**{**made, **changes})

    def identity(self, value: str, kind: str = "phone") -> Identity:
        """Whom a text names: spellings and national twins of a number are one."""
        name = phone.recipient(value).identity if kind == "phone" else value
        return Identity(
            self.id,
            kind,
            self.keys.contact_digest(kind, name),
            lambda row: self.keys.seal("contact_identity", "sealed", row, value.encode()),
        )

    def claim(self, call: UUID, key: str = "order-1", **changes: Any) -> Claim:
        made = {"principal": "bot", "operation": "send_message", "digest": b"the same body"}
        return Claim(workspace=self.id, key=key, call=call, **{**made, **changes})


def limit_of(amount: int, metric: Metric = Metric.MESSAGES, per: Per = Per.DAY) -> Take:
    return Take(uuid7(), "key", metric, per, amount)


def connector(database: Database) -> Connect:
    """How a gateway process connects: with its own login."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(database.dsn("gateway"), timeout=5)

    return connect


@asynccontextmanager
async def recording(connect: Connect, **options: Any) -> AsyncIterator[Recorder]:
    """A recorder at work, as one process has it; its outcomes are durable at the end."""
    recorder = Recorder(connect=connect, **options)
    async with running(recorder.run()):
        yield recorder
        await recorder.settled()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Something that runs beside until the block ends."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)  # its connections close in the next round


@asynccontextmanager
async def connected(database: Database, workspace: UUID) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of the gateway's login in one workspace, committed at the end."""
    connection = await asyncpg.connect(database.dsn("gateway"))
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('portero.workspaces', $1, true)", str(workspace)
            )
            yield connection
    finally:
        await connection.close()


def tally(items: list[Any]) -> Mapping[str, int]:
    """How many there are of each type."""
    names = [type(item).__name__ for item in items]
    return {name: names.count(name) for name in sorted(set(names))}


@contextmanager
def isolated_by_default(shop: Shop, level: str) -> Iterator[None]:
    """A server whose administrator chose another isolation for every transaction."""
    change = sql.SQL("ALTER DATABASE {} {} default_transaction_isolation {}")
    name = sql.Identifier(shop.database.name)
    with psycopg.connect(shop.database.dsn(), autocommit=True) as db:
        db.execute(change.format(name, sql.SQL("SET"), sql.SQL("= {}").format(level)))
        try:
            yield
        finally:
            db.execute(change.format(name, sql.SQL("RESET"), sql.SQL("")))
