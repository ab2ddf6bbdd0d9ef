"""Asking Meta about a template nobody has seen here yet, with the workspace's own token."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

import asyncpg
import orjson

from portero.gateway.attempt import Doorway, Refusal
from portero.gateway.forwarding import Forwarding
from portero.gateway.upstream import Upstream, UpstreamError
from portero.gateway.workspaces import NoCredential, WorkspaceState
from portero.graphapi.kinds import Kind, TemplateRef
from portero.graphapi.refusals import refusal_for
from portero.graphapi.upstream import Upstream as Rebuilt
from portero.store import registry
from portero.store.ids import uuid7
from portero.store.listed import in_workspace
from portero.store.presence import LeaseLapsed, PolicyMoved
from portero.store.records import Record, RecordKind, digest_of
from portero.store.registry import Resource

# A name that does not exist may be asked for by every message of a broken program.
ASK_AGAIN_S = 30.0
# The gateway itself asks, not the caller, whose decision has not been taken yet.
ACTOR = "gateway"
_FIELDS = "id,name,language,category,status"
_OK = 200

_Asked = tuple[UUID, str, str]


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
        self._asking: dict[_Asked, asyncio.Task[Sequence[Resource]]] = {}
        self._absent: dict[_Asked, float] = {}

    async def resolve(
        self, state: WorkspaceState, waba: str, ref: TemplateRef
    ) -> Sequence[Resource]:
        """The registered languages of the template, after asking; empty when there is none.

        Concurrent callers share one question. Raises GraphError when Meta could not be asked.
        """
        asked = (state.id, waba, ref.name)
        if self._absent.get(asked, 0.0) > time.monotonic():
            return ()
        task = self._asking.get(asked)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._learn(state, asked))
            self._asking[asked] = task
            task.add_done_callback(lambda _task: self._asking.pop(asked, None))
        found = await asyncio.shield(task)
        return [r for r in found if ref.language in (None, r.attributes["language"])]

    async def _learn(self, state: WorkspaceState, asked: _Asked) -> Sequence[Resource]:
        _, waba, name = asked
        try:
            await self._door.note(_record(state, waba, name))
        except Refusal as refusal:
            raise refusal.error from None
        found = await self._ask(state, waba, name)
        if found:
            async with in_workspace(self._pool, state.id) as connection:
                await registry.learn(connection, found)
        else:
            now = time.monotonic()
            self._absent = {one: until for one, until in self._absent.items() if until > now}
            self._absent[asked] = now + ASK_AGAIN_S
        return found

    async def _ask(self, state: WorkspaceState, waba: str, name: str) -> list[Resource]:
        query = f"name={quote(name)}&fields={_FIELDS}&limit=100"
        rebuilt = Rebuilt("GET", f"/{self._version}/{waba}/message_templates", query, None, None)
        try:
            response = await self._upstream.send(
                self._forwarding.sealed_in(state, rebuilt, waba),
                before_first_byte=lambda: self._door.presence.require(state.id, state.version),
            )
            items = orjson.loads(response.body)["data"] if response.status == _OK else None
        except (UpstreamError, NoCredential, PolicyMoved, LeaseLapsed, ValueError, KeyError):
            items = None
        if not isinstance(items, list):
            sentence = f"Meta could not be asked about the template “{name}”; nothing was sent."
            raise refusal_for("unavailable", sentence)
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
