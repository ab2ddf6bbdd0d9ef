"""The webhook door: Meta's posts are proved genuine, stored durably, and only then acknowledged.

Each entry goes to the workspace that owns its account, if that workspace's app secret signed the
post; a post may carry entries of several. What arrives is kept as it came; its ids enter the
registry in the same transaction, so that a message just received can be answered and read.
"""

import hashlib
import logging
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
import orjson

from portero.gateway.customers import people_named
from portero.gateway.protocol import BodyError, BodyLimits, BodyReader, TooLarge
from portero.gateway.replies import Reply
from portero.gateway.request import Request
from portero.gateway.workspaces import Workspaces, WorkspaceState
from portero.graphapi import webhooks
from portero.graphapi.learned import Learned
from portero.store.batching import Batching
from portero.store.intake import Post, store_posts
from portero.store.registry import Resource

PATH = "/webhooks/whatsapp"
_TEXT = (b"content-type", b"text/plain; charset=utf-8")

logger = logging.getLogger(__name__)


class WebhookDoor:
    """Answers Meta's verification and Meta's posts."""

    def __init__(self, *, pool: asyncpg.Pool, workspaces: Workspaces) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._rows_of = Batching(self._look_up)
        self._keep = Batching(partial(store_posts, pool))

    async def verify(self, request: Request) -> Reply:
        """The handshake: the challenge comes back only to who knows a verify token."""
        asked = dict(parse_qsl(request.query.decode("latin-1")))
        challenge = asked.get("hub.challenge", "")
        is_asked = asked.get("hub.mode") == "subscribe" and challenge.isalnum()
        if not is_asked or not await self._is_known(asked.get("hub.verify_token", "")):
            return Reply(403, b"not verified", (_TEXT,))
        return Reply(200, challenge.encode(), (_TEXT,))

    async def receive(self, request: Request, signature: str | None) -> Reply:
        try:
            raw = await BodyReader(
                request.receive,
                BodyLimits(max_bytes=webhooks.MAX_BYTES),
                content_length=request.content_length,
            ).read()
        except TooLarge:
            return Reply(413, b"too large", (_TEXT,))
        except BodyError:
            return Reply(400, b"incomplete", (_TEXT,))
        entries = webhooks.entries(_lenient(raw))
        owners = await self._owners({entry.waba for entry in entries})
        genuine = [(state, wabas) for state, wabas in owners if _signed_by(state, signature, raw)]
        if not genuine:
            return Reply(401, b"signature does not match", (_TEXT,))
        for state, wabas in genuine:
            failure = await self._keep(_post(state, raw, entries, wabas))
            if failure is not None:
                raise failure
        spoken_for = {waba for _, wabas in genuine for waba in wabas}
        if any(entry.waba not in spoken_for for entry in entries):
            logger.warning("webhook: dropped entries of accounts the signature does not speak for")
        return Reply(200, b"stored", (_TEXT,))

    async def _is_known(self, verify_token: str) -> bool:
        """Whether a connected app has it. Digests are looked up: their time tells of no token."""
        digest = hashlib.sha256(verify_token.encode()).digest()
        return await self._pool.fetchval(_IS_KNOWN, digest) is True

    async def _owners(self, wabas: set[str]) -> list[tuple[WorkspaceState, frozenset[str]]]:
        """The workspaces that know one of the accounts, with those they know."""
        rows = await self._rows_of(wabas)
        known: dict[UUID, set[str]] = {}
        for waba, workspace in rows:
            known.setdefault(workspace, set()).add(waba)
        return [
            (await self._workspaces.current(workspace), frozenset(ids))
            for workspace, ids in known.items()
        ]

    async def _look_up(self, asked: Sequence[set[str]]) -> Sequence[list[tuple[str, UUID]]]:
        """For each set of accounts the pairs (account, workspace); several workspaces may know one."""
        rows = await self._pool.fetch(_OWNERS, sorted(set().union(*asked)))
        return [
            [(r["meta_id"], r["workspace_id"]) for r in rows if r["meta_id"] in w] for w in asked
        ]


def _post(
    state: WorkspaceState,
    raw: bytes,
    entries: Sequence[webhooks.Entry],
    wabas: frozenset[str],
) -> Post:
    mine = [entry for entry in entries if entry.waba in wabas]
    return Post(
        workspace=state.id,
        digest=hashlib.sha256(raw).digest(),
        body=raw if len(mine) == len(entries) else _only(raw, wabas),
        learned=tuple(_registered(state, one) for entry in mine for one in entry.learned),
        people=people_named(state, {names for entry in mine for names in entry.people}),
    )


def _signed_by(state: WorkspaceState, signature: str | None, raw: bytes) -> bool:
    secret = state.app_secret()
    return secret is not None and webhooks.verify(signature, raw, [secret])


def _registered(state: WorkspaceState, one: Learned) -> Resource:
    return Resource(state.id, one.kind, one.id, one.parent, one.number, one.attributes)


def _lenient(raw: bytes) -> object:
    try:
        payload: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return payload


def _only(raw: bytes, wabas: frozenset[str]) -> bytes:
    """The post without the entries of others: no byte of another workspace is kept."""
    payload = orjson.loads(raw)
    kept = [entry for entry in payload["entry"] if str(entry.get("id")) in wabas]
    return orjson.dumps({"object": payload.get("object"), "entry": kept})


_IS_KNOWN = "SELECT EXISTS (SELECT FROM meta_app WHERE verify_token_digest = $1)"
_OWNERS = "SELECT meta_id, workspace_id FROM waba WHERE meta_id = ANY($1)"
