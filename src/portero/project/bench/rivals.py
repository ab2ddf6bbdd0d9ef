"""What a person would write instead, as the frameworks' own pages teach it.

Run by uvicorn: `uvicorn portero.project.bench.rivals:proxy` (or `judge`, or `inserting`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
from fastapi import FastAPI, Request, Response

_parts: dict[str, Any] = {}


@asynccontextmanager
async def _with_client(_app: FastAPI) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=512)
    async with aiohttp.ClientSession(os.environ["BENCH_UPSTREAM"], connector=connector) as client:
        _parts["client"] = client
        yield


proxy = FastAPI(lifespan=_with_client)


@proxy.post("/{version}/{number}/messages")
async def forward(version: str, number: str, request: Request) -> Response:
    """Pass a message on; nothing is decided and nothing recorded."""
    async with _parts["client"].post(
        f"/{version}/{number}/messages",
        data=await request.body(),
        headers={
            "authorization": f"Bearer {os.environ['BENCH_TOKEN']}",
            "content-type": "application/json",
        },
    ) as answer:
        return Response(
            await answer.read(),
            status_code=answer.status,
            media_type=answer.headers.get("content-type"),
        )


judge = FastAPI()


@judge.api_route("/{path:path}", methods=["GET", "POST"])
async def allowed(path: str, request: Request) -> Response:
    """Answer nginx whether the key is known; that is the whole decision."""
    presented = request.headers.get("authorization", "").removeprefix("Bearer ")
    digest = hashlib.sha256(presented.encode()).hexdigest()
    known = hmac.compare_digest(digest, os.environ["BENCH_KEY_DIGEST"])
    return Response(status_code=200 if known else 403, headers={"x-path": path[:1]})


@asynccontextmanager
async def _with_pool(_app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=8, max_size=8) as pool:
        _parts["pool"] = pool
        yield


inserting = FastAPI(lifespan=_with_pool)


@inserting.post("/webhooks")
async def receive(request: Request) -> Response:
    """Check the signature over the raw bytes, insert one row, answer."""
    body = await request.body()
    expected = hmac.new(os.environ["BENCH_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    signature = request.headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(signature, f"sha256={expected}"):
        return Response(status_code=403)
    await _parts["pool"].execute("INSERT INTO bench_event (body) VALUES ($1)", body)
    return Response("EVENT_RECEIVED")
