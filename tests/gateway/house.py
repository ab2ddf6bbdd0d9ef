"""A whole house for one test module: PostgreSQL, the sandbox as Meta, a gateway in front of it.

Everything is real: HTTP over loopback, the gateway's own database role, the sandbox's own reading
of what arrives. The event loop runs in a thread, so that tests are plain code, and may reach into
a process of theirs where a control must be taken away.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psycopg
import pytest
import uvloop

from databases import Database, insert
from portero import engine
from portero.gateway import process
from portero.gateway.settings import Settings
from portero.gateway.wire import Connection, Exchange
from portero.sandbox import World, create_app
from portero.sandbox.server import server_for
from portero.store import keys
from portero.store.ids import uuid7, workspace_lock
from portero.store.sealing import KeyRing
from portero.store.workspace_keys import WorkspaceKeys, wrap_new_keys

T = TypeVar("T")

META_TOKEN = "EAAGsandboxtokenCANARY7d1f0c9ab2e4"
APP_SECRET = "app-secret-CANARY-51c7e2d09f"
VERIFY_TOKEN = "verify-CANARY-90ab"
WABA = "100000000000100"
VENTAS = "100000000000101"
SOPORTE = "100000000000102"
APP_ID = "100000000000001"
BUSINESS = "100000000000002"
LUCIA = "525512345678"
PEDRO = "34600111222"

BODY_TEXT = [{"type": "BODY", "text": "Tu pedido va en camino."}]
TEMPLATES: tuple[tuple[str, str, str, str, str], ...] = (
    ("100000000000201", "order_update", "es_MX", "UTILITY", "APPROVED"),
    ("100000000000202", "hello_world", "en_US", "UTILITY", "APPROVED"),
    ("100000000000203", "summer_sale", "es_MX", "MARKETING", "APPROVED"),
    ("100000000000204", "slow_news", "es_MX", "UTILITY", "PAUSED"),
    ("100000000000205", "too_loud", "es_MX", "MARKETING", "REJECTED"),
)


def world(callback: str | None = None, **changes: Any) -> dict[str, Any]:
    """The sandbox's world: one account, two numbers, five templates, two open windows."""
    made: dict[str, Any] = {
        "app": {"app_id": APP_ID, "app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN},
        "business": {"id": BUSINESS, "name": "Tienda Andina"},
        "tokens": [{"token": META_TOKEN, "wabas": [WABA]}],
        "wabas": [
            {
                "id": WABA,
                "name": "Tienda Andina",
                "subscribed": True,
                "numbers": [
                    {
                        "id": VENTAS,
                        "display_phone_number": "+52 55 1111 0001",
                        "verified_name": "Ventas",
                        "country": "MX",
                        "throughput": "HIGH",
                    },
                    {
                        "id": SOPORTE,
                        "display_phone_number": "+52 55 1111 0002",
                        "verified_name": "Soporte",
                        "country": "MX",
                    },
                ],
                "templates": [
                    {
                        "id": i,
                        "name": n,
                        "language": lang,
                        "category": c,
                        "status": s,
                        "components": BODY_TEXT,
                    }
                    for i, n, lang, c, s in TEMPLATES
                ],
            }
        ],
        "windows": [
            {"number": n, "customer": c} for n in (VENTAS, SOPORTE) for c in (LUCIA, PEDRO)
        ],
        "limits": {"pair": False, "throughput": False, "messaging": False},
        "speed": {"sent_ms": None, "delivered_ms": None, "read_ms": None},
    }
    if callback is not None:
        made["callback"] = {"url": callback}
    return {**made, **changes}


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()  # as in production; asyncio leaves Nagle on
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        async def begin() -> asyncio.Task[Any]:
            return asyncio.get_running_loop().create_task(work)

        return self.run(begin())

    def close(self) -> None:
        # uvloop lets what is left run on while it closes: a task that connects anew would keep it.
        self.run(_cancel_the_rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=10)


class Sandbox:
    """The sandbox, as Meta, on a free port."""

    def __init__(self, loop: Loop, made: Mapping[str, Any]) -> None:
        self._loop = loop
        self._server = server_for(create_app(World.from_dict(dict(made))), 0)
        self._task = loop.start(self._server.serve())
        loop.run(self._until_started())
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)

    async def _until_started(self) -> None:
        while not self._server.started:
            await asyncio.sleep(0.005)

    def ledger(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/_sandbox/ledger").json()["requests"]
        return found

    def control(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"/_sandbox/{name}", json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def reset(self) -> None:
        self.control("reset", {})

    def close(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._loop.run(_quiet(self._task))


async def _quiet(task: asyncio.Task[Any]) -> None:
    await asyncio.wait({task}, timeout=10)


@dataclass(frozen=True)
class Key:
    """A key made for a test: its text, and the ids behind it."""

    text: str
    id: UUID
    account: UUID
    public_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.text}"}


EVERYTHING = dict.fromkeys(engine.PERMISSIONS, "all")


@dataclass
class Workspace:
    """Rows put in as the superuser, without asking anybody: what a test needs, no more."""

    database: Database
    kek: KeyRing
    pepper: KeyRing
    id: UUID = field(default_factory=uuid7)
    owner: UUID = field(default_factory=uuid7)
    keys: WorkspaceKeys = field(init=False)
    next_version: int = field(init=False, default=1)

    @property
    def email(self) -> str:
        """The owner's address."""
        return f"ana-{self.owner}@tienda.test"

    def create(
        self,
        *,
        name: str = "Tienda Andina",
        waba: str = WABA,
        numbers: Sequence[str] = (VENTAS, SOPORTE),
        token: str = META_TOKEN,
        templates: Sequence[tuple[str, str, str, str, str]] = TEMPLATES,
        timezone: str = "America/Mexico_City",
    ) -> Workspace:
        with psycopg.connect(self.database.dsn("superuser")) as db:
            insert(db, "workspace", {"id": self.id, "name": name, "timezone": timezone})
            insert(db, "policy_head", {"workspace_id": self.id, "version": 1})
            person = uuid7()
            insert(db, "person", {"id": person, "email": self.email, "name": "Ana"})
            insert(
                db,
                "principal",
                {
                    "workspace_id": self.id,
                    "id": self.owner,
                    "kind": "person",
                    "name": "Ana",
                    "active": True,
                    "owner": True,
                    "person_id": person,
                },
            )
            self._insert_keys(db)
            self._insert_meta(db, waba, numbers, token, templates)
        return self

    def _insert_keys(self, db: psycopg.Connection[Any]) -> None:
        wrapped = wrap_new_keys(self.kek, self.id, [uuid7() for _ in range(3)])
        for row, purpose, sealed in wrapped:
            insert(
                db,
                "workspace_key",
                {
                    "workspace_id": self.id,
                    "id": row,
                    "purpose": purpose,
                    "version": 1,
                    "wrapped": sealed,
                },
            )
        rows = [{"id": r, "purpose": p, "version": 1, "wrapped": w} for r, p, w in wrapped]
        self.keys = WorkspaceKeys.unwrap(self.kek, self.id, rows)

    def _insert_meta(
        self,
        db: psycopg.Connection[Any],
        waba: str,
        numbers: Sequence[str],
        token: str,
        templates: Sequence[tuple[str, str, str, str, str]],
    ) -> None:
        waba_row, credential, app = uuid7(), uuid7(), uuid7()
        insert(db, "waba", {"workspace_id": self.id, "id": waba_row, "meta_id": waba, "name": "W"})
        self.register(db, "waba", waba)
        self.register(db, "app", APP_ID)
        self.register(db, "business", BUSINESS)
        for number in numbers:
            insert(
                db,
                "number",
                {
                    "workspace_id": self.id,
                    "id": uuid7(),
                    "meta_id": number,
                    "waba_id": waba_row,
                    "display": number,
                    "name": number,
                    "country": "MX",
                },
            )
            self.register(db, "number", number, parent=waba, number=number)
        for meta_id, template, language, category, status in templates:
            attributes = {
                "name": template,
                "language": language,
                "category": category,
                "status": status,
            }
            self.register(db, "template", meta_id, parent=waba, attributes=attributes)
        insert(
            db,
            "credential",
            {
                "workspace_id": self.id,
                "id": credential,
                "waba": waba,
                "kind": "system_user_token",
                "sealed": self.keys.seal("credential", "sealed", credential, token.encode()),
                "key_version": 1,
            },
        )
        insert(
            db,
            "meta_app",
            {
                "workspace_id": self.id,
                "id": app,
                "app_id": APP_ID,
                "app_secret": self.keys.seal("meta_app", "app_secret", app, APP_SECRET.encode()),
                "verify_token_digest": hashlib.sha256(VERIFY_TOKEN.encode()).digest(),
            },
        )

    def register(
        self,
        db: psycopg.Connection[Any],
        kind: str,
        meta_id: str,
        *,
        parent: str | None = None,
        number: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        insert(
            db,
            "resource",
            {
                "workspace_id": self.id,
                "kind": kind,
                "meta_id": meta_id,
                "parent": parent,
                "number": number,
                "attributes": dict(attributes or {}),
            },
        )

    @contextmanager
    def change(self) -> Iterator[psycopg.Connection[Any]]:
        """A policy change as services make it: exclusive lock, new head, one commit, confirmed.

        Within it `next_version` is the version from which its rows hold, or until which.
        """
        with psycopg.connect(self.database.dsn("superuser")) as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", [workspace_lock(self.id)])
            row = db.execute(
                "SELECT version + 1 FROM policy_head WHERE workspace_id = %s", [self.id]
            ).fetchone()
            assert row is not None
            self.next_version = row[0]
            yield db
            moved = db.execute(
                "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id(),"
                " changed_at = now() WHERE workspace_id = %s RETURNING xid::text",
                [self.id],
            ).fetchone()
        assert moved is not None
        with psycopg.connect(self.database.dsn("superuser"), autocommit=True) as db:
            while db.execute(
                "SELECT FROM gateway_process WHERE lease_until > clock_timestamp()"
                " AND NOT pg_visible_in_snapshot(%s::text::xid8, seen)",
                moved,
            ).fetchone():
                time.sleep(0.002)

    def template_set(self, *names: str) -> str:
        made = uuid7()
        with self.change() as db:
            insert(
                db, "template_set", {"workspace_id": self.id, "id": made, "name": "/".join(names)}
            )
            for name in names:
                insert(
                    db,
                    "template_set_member",
                    {"workspace_id": self.id, "set_id": made, "template_name": name},
                )
        return str(made)

    def key(
        self,
        cells: Mapping[str, str] | None = None,
        *,
        scope: Mapping[str, Sequence[str]] | None = None,
        conditions: Mapping[str, Any] | None = None,
        key_scope: Mapping[str, Sequence[str]] | None = None,
        key_conditions: Mapping[str, Any] | None = None,
        until: datetime | None = None,
        expires_at: datetime | None = None,
        revoked_at: datetime | None = None,
        url_compatible: bool = False,
        name: str = "key",
    ) -> Key:
        """A service account with one role at one scope, and one key of it."""
        account, role, binding, key = uuid7(), uuid7(), uuid7(), uuid7()
        text = keys.generate(keys.KeyKind.SERVICE)
        parsed = keys.read(text)
        assert parsed is not None
        with self.change() as db:
            insert(
                db,
                "principal",
                {
                    "workspace_id": self.id,
                    "id": account,
                    "kind": "service_account",
                    "name": name,
                    "active": True,
                    "owner": False,
                },
            )
            insert(
                db,
                "role",
                {"workspace_id": self.id, "id": role, "name": f"role {role}", "builtin": False},
            )
            insert(
                db,
                "role_version",
                {
                    "workspace_id": self.id,
                    "id": uuid7(),
                    "role_id": role,
                    "cells": dict(EVERYTHING if cells is None else cells),
                    "valid_from": self.next_version,
                    "reason": "",
                    "managed_by": "",
                },
            )
            insert(
                db,
                "binding",
                {
                    "workspace_id": self.id,
                    "id": binding,
                    "principal_id": account,
                    "role_id": role,
                    "scope": dict(scope or {}),
                    "conditions": dict(conditions or {}),
                    "until": until,
                    "reason": "",
                    "managed_by": "",
                    "valid_from": self.next_version,
                },
            )
            insert(
                db,
                "api_key",
                {
                    "workspace_id": self.id,
                    "id": key,
                    "public_id": parsed.public_id,
                    "kind": "svc",
                    "principal_id": account,
                    "name": name,
                    "digest": keys.digest(self.pepper.current.reveal(), text),
                    "pepper_version": self.pepper.version,
                    "scope": dict(key_scope or {}),
                    "conditions": dict(key_conditions or {}),
                    "url_compatible": url_compatible,
                    "expires_at": expires_at or datetime.now(UTC) + timedelta(days=90),
                    "revoked_at": revoked_at,
                },
            )
        return Key(text, key, account, parsed.public_id)

    def revoke(self, key: Key) -> None:
        with self.change() as db:
            db.execute("UPDATE api_key SET revoked_at = now() WHERE id = %s", [key.id])

    def limit(
        self,
        metric: str,
        per: str,
        amount: int,
        *,
        holder_kind: str = "workspace",
        holder: UUID | None = None,
    ) -> UUID:
        made = uuid7()
        with self.change() as db:
            insert(
                db,
                "usage_limit",
                {
                    "workspace_id": self.id,
                    "id": made,
                    "holder_kind": holder_kind,
                    "holder_id": holder,
                    "metric": metric,
                    "per": per,
                    "amount": amount,
                    "reason": "",
                    "managed_by": "",
                    "valid_from": self.next_version,
                },
            )
        return made

    def guardrail(self, kind: str, body: Mapping[str, Any], *, name: str = "rule") -> UUID:
        made = uuid7()
        with self.change() as db:
            insert(
                db,
                "guardrail",
                {
                    "workspace_id": self.id,
                    "id": made,
                    "name": name,
                    "kind": kind,
                    "body": dict(body),
                    "reason": "",
                    "managed_by": "",
                    "valid_from": self.next_version,
                },
            )
        return made

    def records(self) -> list[dict[str, Any]]:
        """Every record of the workspace with its readable half, oldest first."""
        with psycopg.connect(
            self.database.dsn("superuser"), row_factory=psycopg.rows.dict_row
        ) as db:
            return db.execute(
                "SELECT r.*, o.body FROM record r LEFT JOIN record_open o"
                " USING (workspace_id, call_id, kind, attempt)"
                " WHERE r.workspace_id = %s ORDER BY r.at, r.kind",
                [self.id],
            ).fetchall()


class Gateway:
    """One gateway process's worth of gateway, in the loop's thread."""

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self._loop = loop
        self._stop = loop.run(_event())
        bound: list[Any] = []
        ready = threading.Event()

        def on_ready(addresses: Sequence[Any]) -> None:
            bound.extend(addresses)
            ready.set()

        self._task = loop.start(self._run(settings, on_ready))
        while not ready.wait(0.05):
            if self._task.done():
                self._task.result()
        self.port = bound[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._until_alive()

    async def _run(self, settings: Settings, ready: Callable[[Sequence[Any]], None]) -> None:
        async with process.assembled(settings) as parts:
            self.parts = parts
            await process.listen(settings, parts, ready=ready, stop=self._stop)

    def _until_alive(self) -> None:
        while self.http.get("/-/health").status_code != 200:
            pass

    def close(self) -> None:
        self.http.close()
        self._loop.loop.call_soon_threadsafe(self._stop.set)
        self._loop.run(_quiet(self._task))


async def _event() -> asyncio.Event:
    return asyncio.Event()


class House:
    """All of it, with one workspace."""

    def __init__(self, database: Database, **sandbox: Any) -> None:
        self.database = database
        self.loop = Loop()
        self.kek, self.pepper = KeyRing.generate(), KeyRing.generate()
        port = free_port()
        self.sandbox = Sandbox(
            self.loop, world(f"http://127.0.0.1:{port}/webhooks/whatsapp", **sandbox)
        )
        self.settings = self.settings_with(port=port)
        self.workspace = Workspace(database, self.kek, self.pepper).create()
        self.gateway = Gateway(self.loop, self.settings)
        self.more: list[Gateway] = []

    def settings_with(self, *, port: int = 0, **changes: Any) -> Settings:
        port = port or free_port()
        return Settings(
            **{
                "database": self.database.dsn("gateway"),
                "graph_url": self.sandbox.url,
                "media_urls": (),
                "public_url": f"http://127.0.0.1:{port}",
                "peppers": self.pepper,
                "kek": self.kek,
                "port": port,
                "graceful_s": 2.0,
                **changes,
            }
        )

    def another_gateway(self, **changes: Any) -> Gateway:
        made = Gateway(self.loop, self.settings_with(**changes))
        self.more.append(made)
        return made

    def send(
        self, key: Key, body: Mapping[str, Any], *, number: str = VENTAS, **options: Any
    ) -> httpx.Response:
        headers = {**key.headers, **options.pop("headers", {})}
        return self.gateway.http.post(
            f"/v23.0/{number}/messages", json=body, headers=headers, **options
        )

    def close(self) -> None:
        for gateway in (*self.more, self.gateway):
            gateway.close()
        self.sandbox.close()
        self.loop.close()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def text(to: str = LUCIA, body: str = "hola", **more: Any) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "to": to,
        "type": "text",
        "text": {"body": body},
        **more,
    }


def template(
    name: str = "order_update", language: str = "es_MX", to: str = LUCIA
) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "to": to,
        "type": "template",
        "template": {"name": name, "language": {"code": language}},
    }


def error_of(answer: httpx.Response) -> tuple[int, int, int | None, str]:
    """(HTTP, code, subcode, reason) of a refusal."""
    error = answer.json()["error"]
    reason = str(error.get("error_data", {}).get("details", "")).partition(":")[0]
    return answer.status_code, error["code"], error.get("error_subcode"), reason


def dumps(value: object) -> str:
    return json.dumps(value)


def note_first_bytes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each request that carries Meta's token was written, by `time.monotonic`.

    Written is not arrived: how late something arrives says how busy this machine is.
    """
    moments: list[float] = []
    write = Connection.write_first

    def noted(self: Connection, data: bytes, exchange: Exchange) -> None:
        write(self, data, exchange)
        if META_TOKEN.encode() in data:
            moments.append(time.monotonic())

    monkeypatch.setattr(Connection, "write_first", noted)
    return moments
