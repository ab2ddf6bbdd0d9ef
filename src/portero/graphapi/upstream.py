"""The request that goes to Meta, built from a call's typed parts and from nothing else (B4.1)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from urllib.parse import quote

import orjson

from portero.engine.values import valueclass
from portero.graphapi.fields import write_argument, write_fields
from portero.graphapi.operation import Call, Host
from portero.graphapi.shapes import Items, Shape


@valueclass(frozen=True, slots=True)
class Upstream:
    """One request to Meta.

    `path` begins with a slash; `query` has no question mark. `body` is None when there is none and
    when the gateway streams one: then `form` holds the fields of the multipart body.
    """

    method: str
    path: str
    query: str
    content_type: str | None
    body: bytes | None
    host: Host = Host.GRAPH
    form: Mapping[str, str] | None = None


def rebuild(
    call: Call, *, version: str, adds: Mapping[str, object] = MappingProxyType({})
) -> Upstream:
    """The request for a call; `version` ("v23.0") is ours, whatever the caller wrote.

    `adds` are members of the JSON body that are ours; they go over the caller's.
    """
    operation = call.operation
    prefix = "" if operation.host is Host.API else f"/{version}"
    body = _body(call, adds)
    return Upstream(
        method=operation.method,
        path=prefix + path_of(call),
        query=query_of(call),
        content_type="application/json" if body is not None else None,
        body=body,
        host=operation.host,
        form=dict(_form(call)) if call.file is not None else None,
    )


def path_of(call: Call) -> str:
    """The path without version: the template with the call's ids in their places."""
    parts = list(call.operation.segments)
    for (position, _kind), ref in zip(call.operation.slots, call.path_ids, strict=True):
        parts[position] = ref.value
    return "/" + "/".join(parts)


def query_of(
    call: Call, *, without: str | None = None, instead: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The query of a call, less one parameter; `instead` replaces or adds parameters."""
    if not call.params and call.fields is None and not instead:
        return ""
    pairs = {
        name: _written(value, call.operation.params.members[name])
        for name, value in call.params.items()
        if name != without
    }
    if call.fields is not None:
        pairs["fields"] = write_fields(call.fields)
    return "&".join(
        f"{name}={quote(value, safe='')}" for name, value in {**pairs, **instead}.items()
    )


def _written(value: object, shape: Shape) -> str:
    if isinstance(shape, Items) and shape.commas and isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return write_argument(value)


def _body(call: Call, adds: Mapping[str, object]) -> bytes | None:
    if not call.body or call.file is not None:
        return None
    shapes = call.operation.body.members if call.operation.body is not None else {}
    body = dict(call.body)
    for name, value in call.body.items():
        shape = shapes.get(name)
        if isinstance(value, tuple) and isinstance(shape, Items) and shape.commas:
            body[name] = _written(value, shape)
    body.update(adds)
    return orjson.dumps(body)


def _form(call: Call) -> Iterable[tuple[str, str]]:
    for name, value in (call.body or {}).items():
        yield name, write_argument(value)
