"""The webhook door: Meta's posts are proved genuine, stored durably, and only then acknowledged.

Each entry goes to the workspace that owns its account, if that workspace's app secret signed the
post; a post may carry entries of several. What arrives is kept as it came; its ids enter the
registry in the same transaction, so that a message just received can be answered and read.
"""

import hashlib
import logging
from collections.abc import Sequence, Set
from functools import partial
from urllib.parse import parse_qsl

import asyncpg
import orjson

from portero.gateway.accounts import Accounts
from portero.gateway.body import BodyError, BodyLimits, TooLarge
from portero.gateway.customers import people_named
from portero.gateway.replies import Reply
from portero.gateway.request import Request
from portero.gateway.workspaces import Workspaces, WorkspaceState
from portero.graphapi import webhooks
from portero.graphapi.kinds import Kind
from portero.graphapi.learned import Learned
from portero.store.batching import Batching
from portero.store.intake import Post, store_posts
from portero.store.registry import Resource

PATH = "/webhooks/whatsapp"
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_STORED = Reply(200, b"stored", (_TEXT,))
_UNSIGNED = Reply(401, b"signature does not match", (_TEXT,))

logger = logging.getLogger(__name__)

_LIMITS = BodyLimits(max_bytes=webhooks.MAX_BYTES)


class WebhookDoor:
    """Answers Meta's verification and Meta's posts."""

    def __init__(self, *, pool: asyncpg.Pool, workspaces: Workspaces) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._accounts = Accounts(pool=pool, workspaces=workspaces)
        # While one batch is committed the next is on its way.
        self._keep = Batching(
            partial(store_posts, pool), lanes=2, whose=lambda post: post.workspace
        )

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
            raw = await request.read(_LIMITS)
        except TooLarge:
            return Reply(413, b"too large", (_TEXT,))
        except BodyError:
            return Reply(400, b"incomplete", (_TEXT,))
        return await self.take_in(raw, signature)

    async def take_in(self, raw: bytes, signature: str | None) -> Reply:
        """Answer a whole post, once what it brings for each workspace is durable."""
        entries = webhooks.entries(_lenient(raw))
        accounts = {entry.waba for entry in entries}
        owners = self._accounts.remembered(accounts)
        if owners is None:
            owners = await self._accounts.look_up(accounts)
        spoken_for: set[str] = set()
        for workspace, wabas in owners.items():
            state = await self._workspaces.current(workspace)
            if _signed_by(state, signature, raw):
                spoken_for |= wabas
                failure = await self._keep(_post(state, raw, entries, wabas))
                if failure is not None:
                    raise failure
        if not spoken_for:
            return _UNSIGNED
        if not accounts <= spoken_for:
            logger.warning("webhook: dropped entries of accounts the signature does not speak for")
        return _STORED

    async def _is_known(self, verify_token: str) -> bool:
        """Whether a connected app has it. Digests are looked up: their time tells of no token."""
        digest = hashlib.sha256(verify_token.encode()).digest()
        return await self._pool.fetchval(_IS_KNOWN, digest) is True


def _post(
    state: WorkspaceState,
    raw: bytes,
    entries: Sequence[webhooks.Entry],
    wabas: Set[str],
) -> Post:
    mine = [entry for entry in entries if entry.waba in wabas]
    people = {names for entry in mine for names in entry.people}
    return Post(
        workspace=state.id,
        digest=hashlib.sha256(raw).digest(),
        body=raw if len(mine) == len(entries) else _only(raw, wabas),
        learned=[
            Resource(state.id, one.kind, one.id, one.parent, one.number, one.attributes)
            for entry in mine
            for one in entry.learned
            if not _is_in_state(state, one)
        ],
        people=people_named(state, people) if people else (),
    )


def _signed_by(state: WorkspaceState, signature: str | None, raw: bytes) -> bool:
    signer = state.signer()
    return signer is not None and webhooks.verify(signature, raw, [signer])


def _is_in_state(state: WorkspaceState, one: Learned) -> bool:
    """Numbers that were added are in the registry since; every post names one of them again."""
    return one.kind is Kind.NUMBER and state.numbers.get(one.id) == one.parent


def _lenient(raw: bytes) -> object:
    try:
        payload: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return payload


def _only(raw: bytes, wabas: Set[str]) -> bytes:
    """The post without the entries of others: no byte of another workspace is kept."""
    payload = orjson.loads(raw)
    kept = [entry for entry in payload["entry"] if str(entry.get("id")) in wabas]
    return orjson.dumps({"object": payload.get("object"), "entry": kept})


_IS_KNOWN = "SELECT EXISTS (SELECT FROM meta_app WHERE verify_token_digest = $1)"
