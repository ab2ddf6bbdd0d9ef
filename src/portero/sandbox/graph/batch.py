"""Several calls in one: `POST /` with `batch`, and `GET /?ids=`."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import checks
from portero.sandbox.objects import Json
from portero.sandbox.reading import read_request
from portero.sandbox.wire import error_reply, trace_id

Perform: TypeAlias = Callable[[Call], Awaitable[Reply]]

_BATCH_MAX = 50


async def perform_batch(call: Call, perform: Perform) -> Reply:
    """Up to fifty calls one after another, each with an answer of its own."""
    entries = checks.a_list(call.request.params.get("batch"), "batch")
    if len(entries) > _BATCH_MAX:
        raise meta_error(100, details=f"A batch has at most {_BATCH_MAX} requests")
    return Reply([await _one(call, checks.an_object(entry, "batch"), perform) for entry in entries])


async def _one(call: Call, entry: Json, perform: Perform) -> Json:
    part: Call | None = None
    try:
        part = _part(call, entry)
        reply = await perform(part)
    except GraphError as error:
        reply = error_reply(error, trace_id())
    if part is not None:
        call.afterwards += part.afterwards
    header = {"name": "Content-Type", "value": reply.content_type}
    return {"code": reply.status, "headers": [header], "body": _as_text(reply.body)}


def _part(call: Call, entry: Json) -> Call:
    """One entry as a call; it inherits the token of the whole."""
    path, _, query = str(entry.get("relative_url", "")).partition("?")
    body = str(entry.get("body", "")).encode()
    request = read_request(
        method=str(entry.get("method", "GET")).upper(),
        path=path,
        query=query,
        headers={"content-type": "application/x-www-form-urlencoded"} if body else {},
        body=body,
        base_url=call.request.base_url,
    )
    request.params.setdefault("access_token", call.request.token)
    return replace(call, request=request, rest=(), waba=None, afterwards=[])


async def read_many(call: Call, perform: Perform) -> Reply:
    """Several nodes by `ids`, as an object keyed by id."""
    found: Json = {}
    for node_id in map(str, call.request.listed("ids")):
        params = {key: value for key, value in call.request.params.items() if key != "ids"}
        request = replace(call.request, segments=(node_id,), params=params)
        reply = await perform(replace(call, request=request))
        found[node_id] = reply.body
    return Reply(found)


def _as_text(body: Any) -> str:
    return body.decode("latin-1") if isinstance(body, bytes) else json.dumps(body)
