"""Asking Meta about a template nobody has seen here yet, with the workspace's own token."""

import time
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

import asyncpg
import orjson

from portero.gateway.attempt import Doorway
from portero.gateway.forwarding import Forwarding
from portero.gateway.upstream import Upstream, UpstreamError
from portero.gateway.workspaces import NoCredential, WorkspaceState
from portero.graphapi.kinds import Kind, TemplateRef
from portero.graphapi.upstream import Upstream as Rebuilt
from portero.store import registry
from portero.store.ids import uuid7
from portero.store.listed import in_workspace
from portero.store.records import Record, RecordKind, digest_of
from portero.store.registry import Resource

# A name that does not exist may be asked for by every message of a broken program.
ASK_AGAIN_S = 30.0
# The gateway itself asks, not the caller, whose decision has not been taken yet.
ACTOR = "gateway"
_FIELDS = "id,name,language,category,status"


class Templates:
    """Learns templates that were made at Meta, not through this gateway."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        forwarding: Forwarding,
        door: Doorway,
        pool: asyncpg.Pool,
        graph_version: str,
    ) -> None:
        self._upstream = upstream
        self._forwarding = forwarding
        self._door = door
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
        await self._door.note(_record(state, waba, ref.name))
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
                before_first_byte=lambda: self._door.presence.require(state.id, state.version),
            )
            items = orjson.loads(response.body)["data"]
        except (UpstreamError, NoCredential, orjson.JSONDecodeError, KeyError, TypeError):
            return []
        return [_resource(state, waba, item) for item in items if item.get("name") == name]


def _record(state: WorkspaceState, waba: str, name: str) -> Record:
    return Record(
        workspace=state.id,
        call=uuid7(),
        kind=RecordKind.EVENT,
        event="template.looked_up",
        operation="list_templates",
        effect="allow",
        reason="unknown_template",
        policy_version=state.version,
        actor=ACTOR,
        resources=(digest_of(state.secrets.digest_key(), Kind.WABA, waba),),
        body={"template": name},
    )


def _resource(state: WorkspaceState, waba: str, item: dict[str, str]) -> Resource:
    kept = {key: str(item.get(key, "")) for key in ("name", "language", "category", "status")}
    return Resource(state.id, Kind.TEMPLATE, str(item["id"]), parent=waba, attributes=kept)
