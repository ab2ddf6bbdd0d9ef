"""The internal listener: our own processes state a need, and it takes the same way as any call.

Console, workers, campaigns and bots never speak to Meta. They say who wants which operation with
which parts; the gateway decides again for that principal, records, sends and answers.
"""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

from portero.gateway.attempt import Caller
from portero.gateway.body import BodyError, BodyLimits, BodyReader
from portero.gateway.graph import BODY_MAX, GraphDoor
from portero.gateway.refusing import guarded
from portero.gateway.replies import Receive, Reply, Send, error_reply, json_reply
from portero.gateway.workspaces import Workspaces
from portero.graphapi.errors import GraphError
from portero.graphapi.operations import OPERATIONS
from portero.graphapi.parse import RawCall
from portero.graphapi.refusals import malformed, refusal_for
from portero.store.ids import uuid7
from portero.store.sealing import Secret

PATH = b"/perform"
_BY_NAME = {operation.name: operation for operation in OPERATIONS}


class InternalApp:
    """ASGI application of the unix socket. Every request carries the service credential."""

    def __init__(self, *, graph: GraphDoor, workspaces: Workspaces, secret: Secret) -> None:
        self._graph = graph
        self._workspaces = workspaces
        self._secret = secret

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await guarded(lambda sending: self._answer(scope, receive, sending), send)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        call_id = uuid7()
        try:
            reply = await self._perform(call_id, scope, receive)
        except GraphError as error:
            reply = error_reply(error, str(call_id))
        await reply.send(send)

    async def _perform(self, call_id: UUID, scope: Mapping[str, Any], receive: Receive) -> Reply:
        headers = dict(scope["headers"])
        wanted = b"Bearer " + self._secret.reveal()
        if not hmac.compare_digest(headers.get(b"authorization", b""), wanted):
            raise refusal_for("key_unknown", "The service credential does not match.")
        if (scope["method"], scope["raw_path"]) != ("POST", PATH):
            raise malformed("This listener has one operation: POST /perform.")
        needed = await _read(receive)
        raw = _raw_call(needed)
        caller = _caller(needed)
        state = await self._workspaces.current(caller.workspace)
        reply = await self._graph.perform(
            call_id, raw, caller, state, _text_or_none(needed, "idempotency_id")
        )
        answer = {"call": str(call_id), "status": reply.status, "body": orjson.loads(reply.body)}
        return json_reply(answer)


async def _read(receive: Receive) -> Mapping[str, Any]:
    try:
        body = await BodyReader(receive, BodyLimits(max_bytes=BODY_MAX)).read()
        needed = orjson.loads(body)
    except (BodyError, orjson.JSONDecodeError):
        raise malformed("The need is not one JSON object.") from None
    if not isinstance(needed, dict):
        raise malformed("The need is not one JSON object.")
    return needed


def _raw_call(needed: Mapping[str, Any]) -> RawCall:
    """The call as a client would have written it: it is parsed like everybody's."""
    operation = _BY_NAME.get(str(needed.get("operation")))
    parts = needed.get("parts")
    if operation is None or not isinstance(parts, dict):
        raise malformed("The need names no operation, or has no parts.")
    ids, params = parts.get("ids", []), parts.get("params", {})
    if not isinstance(ids, list) or not isinstance(params, dict):
        raise malformed("The ids of a need are a list, and its params an object.")
    if len(ids) != len(operation.slots):
        raise malformed(
            f"{operation.name} has {len(operation.slots)} ids; the need has {len(ids)}."
        )
    rest = map(str, ids)
    segments = [next(rest) if one.startswith("{") else one for one in operation.segments]
    query = "&".join(f"{quote(str(n))}={quote(str(v), safe='')}" for n, v in params.items())
    body = parts.get("body")
    return RawCall(
        method=operation.method,
        path=("/" + "/".join(segments)).encode(),
        query=query.encode(),
        content_type="application/json" if body is not None else None,
        body=orjson.dumps(body) if body is not None else b"",
    )


def _caller(needed: Mapping[str, Any]) -> Caller:
    try:
        workspace = UUID(str(needed["workspace"]))
        principal = str(UUID(str(needed["principal"])))
    except (KeyError, ValueError):
        raise malformed("The need names no workspace or no principal.") from None
    return Caller(
        workspace=workspace,
        principal=principal,
        on_behalf=_text_or_none(needed, "on_behalf"),
        address=_text_or_none(needed, "address"),
        factor_at=_moment_or_none(needed, "factor_at"),
        passkey_at=_moment_or_none(needed, "passkey_at"),
    )


def _moment_or_none(needed: Mapping[str, Any], name: str) -> float | None:
    value = needed.get(name)
    return float(value) if isinstance(value, int | float) else None


def _text_or_none(needed: Mapping[str, Any], name: str) -> str | None:
    value = needed.get(name)
    return str(value) if value is not None else None
