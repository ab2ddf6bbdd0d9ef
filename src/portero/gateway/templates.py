"""Asking Meta about a template nobody has seen here yet, with the workspace's own token."""

import time
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

import asyncpg
import orjson

from portero.gateway.forwarding import Forwarding
from portero.gateway.upstream import Upstream, UpstreamError
from portero.gateway.workspaces import NoCredential, WorkspaceState
from portero.graphapi.kinds import Kind, TemplateRef
from portero.graphapi.upstream import Upstream as Rebuilt
from portero.store import registry
from portero.store.listed import in_workspace
from portero.store.presence import Presence
from portero.store.registry import Resource

# A name that does not exist may be asked for by every message of a broken program.
ASK_AGAIN_S = 30.0
_FIELDS = "id,name,language,category,status"


class Templates:
    """Learns templates that were made at Meta, not through this gateway."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        forwarding: Forwarding,
        presence: Presence,
        pool: asyncpg.Pool,
        graph_version: str,
    ) -> None:
        self._upstream = upstream
        self._forwarding = forwarding
        self._presence = presence
        self._pool = pool
        self._version = graph_version
        self._asked: dict[tuple[UUID, str, str], float] = {}

    async def resolve(
        self, state: WorkspaceState, waba: str, ref: TemplateRef
    ) -> Sequence[Resource]:
        """The registered languages of the template, after asking; empty when there is none."""
        asked = (state.id, waba, ref.name)
        now = time.monotonic()
        if self._asked.get(asked, -ASK_AGAIN_S) + ASK_AGAIN_S > now:
            return ()
        self._asked = {k: at for k, at in self._asked.items() if at + ASK_AGAIN_S > now}
        self._asked[asked] = now
        found = await self._ask(state, waba, ref.name)
        async with in_workspace(self._pool, state.id) as connection:
            await registry.learn(connection, found)
        return [r for r in found if ref.language in (None, r.attributes["language"])]

    async def _ask(self, state: WorkspaceState, waba: str, name: str) -> list[Resource]:
        query = f"name={quote(name)}&fields={_FIELDS}&limit=100"
        rebuilt = Rebuilt("GET", f"/{self._version}/{waba}/message_templates", query, None, None)
        try:
            response = await self._upstream.send(
                self._forwarding.sealed_in(state, rebuilt, waba),
                before_first_byte=lambda: self._presence.require(state.id, state.version),
            )
            items = orjson.loads(response.body)["data"]
        except (UpstreamError, NoCredential, orjson.JSONDecodeError, KeyError, TypeError):
            return []
        return [_resource(state, waba, item) for item in items if item.get("name") == name]


def _resource(state: WorkspaceState, waba: str, item: dict[str, str]) -> Resource:
    kept = {key: str(item.get(key, "")) for key in ("name", "language", "category", "status")}
    return Resource(state.id, Kind.TEMPLATE, str(item["id"]), parent=waba, attributes=kept)
