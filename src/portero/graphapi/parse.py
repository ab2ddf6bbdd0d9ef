"""From a raw request to the one operation it is, in typed parts (security rules B4.1 to B4.5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Final

from portero.engine.values import valueclass
from portero.graphapi import messages, strict_json
from portero.graphapi.errors import GraphError
from portero.graphapi.fields import parse_fields, permissions_of
from portero.graphapi.inputs import (
    GRAPH_WIDE_PARAMETERS,
    Input,
    Inputs,
    is_json,
    read_inputs,
)
from portero.graphapi.kinds import CHECKED_BY_PARENT, IdRef, Kind, TemplateRef, has_shape
from portero.graphapi.media import check_file
from portero.graphapi.operation import Call, FieldTree, Operation, Payload, RiskClass, UploadedFile
from portero.graphapi.operations import BY_NAME, ROUTES
from portero.graphapi.paths import Path, read_path
from portero.graphapi.refusals import id_unknown, malformed, never_offered
from portero.graphapi.said import says
from portero.graphapi.shapes import Found, Shape, Text

_SEND: Final = BY_NAME["send_message"]
_READS_MESSAGE: Final = frozenset({"send_message", "mark_message_read"})
_READS_MARKETING: Final = "send_marketing_message"
_FIELDS: Final = Text()
_REMEMBERED: Final = 1024  # paths routed lately: programs ask on a few, again and again


@valueclass(frozen=True, slots=True)
class RawCall:
    """A request as it came over the wire.

    `path` and `query` are undecoded, the query without its question mark. `body` is None for
    multipart and byte bodies, which the gateway streams. Only the method and the type are shown in
    a repr: the rest may hold a key.
    """

    method: str
    path: bytes = field(repr=False)
    query: bytes = field(repr=False)
    content_type: str | None
    body: bytes | None = field(repr=False)


def ids_in_path(raw: RawCall) -> tuple[str, ...]:
    """The ids of the path that the workspace's registry must know, for the caller to look up.

    Raises:
        GraphError: malformed or never_offered: the path is no operation's.
    """
    path, operations = _routed(raw.path)
    slots = operations[0].slots
    return tuple(path.segments[i] for i, kind in slots if kind not in CHECKED_BY_PARENT)


def parse(
    raw: RawCall,
    kinds: Mapping[str, Kind],
    *,
    fields: Mapping[str, str] | None = None,
    file: UploadedFile | None = None,
) -> Call:
    """The call that a request is.

    `kinds` says what the registry knows about `ids_in_path(raw)`. `fields` and `file` are the text
    fields and the file of a multipart body.

    Raises:
        GraphError: malformed, never_offered, or id_unknown for an id of no or of another kind.
    """
    path, operations = _routed(raw.path)
    if operations[0] is _SEND and fields is None and file is None:
        call = _plain_message(raw, path, kinds)
        if call is not None:
            return call
    return _parse(raw, path, operations, kinds, fields, file)


def _plain_message(raw: RawCall, path: Path, kinds: Mapping[str, Kind]) -> Call | None:
    """A message as nearly all of them are written: JSON, and nothing in the query.

    None for whatever is unusual or wrong. The general way reads that again, and it alone refuses;
    what is read here it would read as the same call.
    """
    if raw.method != "POST" or raw.query or not raw.body or not is_json(raw.content_type):
        return None
    if not _fits(_SEND, path, kinds):
        return None
    try:
        body = strict_json.loads(raw.body)
        if not isinstance(body, dict) or not GRAPH_WIDE_PARAMETERS.isdisjoint(body):
            return None
        message = messages.parse_message(body)
    except GraphError:
        return None
    if message.messages == 0:
        return None
    return Call(
        operation=_SEND,
        version=path.version,
        ids=(*_ids_of(_SEND, path), *message.ids),
        permissions=(*message.permissions, *_SEND.permissions),
        params={},
        body=message.body,
        recipients=message.recipients,
        template=message.template,
        contents=message.contents,
        messages=message.messages,
    )


def _parse(
    raw: RawCall,
    path: Path,
    operations: Sequence[Operation],
    kinds: Mapping[str, Kind],
    fields: Mapping[str, str] | None,
    file: UploadedFile | None,
) -> Call:
    candidates = _candidates(raw.method, path, operations, kinds)
    inputs = read_inputs(raw.query, raw.content_type, raw.body, fields)
    operation = _one(candidates, inputs)
    if operation.risk is RiskClass.NEVER:
        raise never_offered("This operation is never offered.")
    call = _call(operation, path, inputs, file)
    _check_file(call)
    if operation.name in _READS_MESSAGE:
        return _with_message(call, messages.parse_message(call.body))
    if operation.name == _READS_MARKETING:
        return _with_message(call, messages.parse_marketing_message(call.body))
    return call


def _check_file(call: Call) -> None:
    if call.file is not None:
        check_file(call.operation, call.file, (call.body or {}).get("type"))
    elif call.operation.payload is Payload.FILE:
        raise malformed("This operation needs a multipart body with a file.")


@lru_cache(maxsize=_REMEMBERED)
def _routed(raw_path: bytes) -> tuple[Path, tuple[Operation, ...]]:
    path = read_path(raw_path)
    return path, ROUTES.matching(path)


def _candidates(
    method: str, path: Path, operations: Sequence[Operation], kinds: Mapping[str, Kind]
) -> list[Operation]:
    """The operations of this method whose ids are of the kinds that the registry says."""
    offered = [o for o in operations if o.method == method]
    if not offered:
        raise never_offered("This method is not offered on this path.")
    if all(operation.risk is RiskClass.NEVER for operation in offered):
        raise never_offered("This operation is never offered.")
    fitting = [o for o in offered if _fits(o, path, kinds)]
    if not fitting:
        raise id_unknown(path.segments[offered[0].slots[0][0]], method=method)
    return fitting


def _fits(operation: Operation, path: Path, kinds: Mapping[str, Kind]) -> bool:
    for position, kind in operation.slots:
        value = path.segments[position]
        if kind not in CHECKED_BY_PARENT and kinds.get(value) is not kind:
            return False
        if not has_shape(kind, value):
            return False
    return True


def _one(candidates: Sequence[Operation], inputs: Inputs) -> Operation:
    """The one candidate that the whole request means."""
    if len(candidates) == 1 and not candidates[0].claims:
        return candidates[0]
    said = _said(candidates, inputs)
    claims = {o.name: [c for c in o.claims if says(said, c)] for o in candidates}
    meant = [o for o in candidates if claims[o.name] and not _outdone(o.name, claims)]
    meant = meant or [o for o in candidates if not o.claims]
    if len(meant) > 1:
        names = " and ".join(operation.name for operation in meant)
        raise malformed(f"The request asks for several things at once: {names}.")
    if not meant:
        known = sorted({claim for o in candidates for claim in o.claims})
        raise malformed(f"The request must say one of: {', '.join(known)}.")
    return meant[0]


def _outdone(name: str, claims: Mapping[str, Sequence[str]]) -> bool:
    """Whether others claim a part inside every part that this operation claims."""
    inner = [claim for other, theirs in claims.items() if other != name for claim in theirs]
    return all(any(i.startswith(f"{claim}.") for i in inner) for claim in claims[name])


def _said(candidates: Iterable[Operation], inputs: Inputs) -> dict[str, object]:
    """The raw values by name, those decoded in which a candidate claims an inner part."""
    inner = {claim.partition(".")[0] for o in candidates for claim in o.claims if "." in claim}
    said: dict[str, object] = {}
    for name in inputs.names:
        given = inputs.of(name)[0]
        decode = given.is_text and name in inner
        said[name] = strict_json.loads(str(given.value).encode()) if decode else given.value
    return said


def _call(operation: Operation, path: Path, inputs: Inputs, file: UploadedFile | None) -> Call:
    found = Found(ids=_ids_of(operation, path))
    tree = _selection(operation, inputs, found)
    params, body = _typed(operation, inputs, found)
    return Call(
        operation=operation,
        version=path.version,
        ids=tuple(found.ids),
        permissions=tuple(dict.fromkeys(_permissions(operation, {**params, **(body or {})}, tree))),
        params=params,
        body=body,
        form=inputs.form,
        fields=tree,
        recipients=tuple(found.recipients),
        template=_template(params if body is None else {**params, **body}, operation),
        file=file,
    )


def _ids_of(operation: Operation, path: Path) -> list[IdRef]:
    return [IdRef(kind, path.segments[position], "path") for position, kind in operation.slots]


def _selection(operation: Operation, inputs: Inputs, found: Found) -> FieldTree | None:
    if operation.node is None:
        return None
    given = [one.read(_FIELDS, "fields", found) for one in inputs.of("fields")]
    if any(copy != given[0] for copy in given):
        raise malformed("Parameter 'fields' is given twice with different values.")
    return parse_fields(str(given[0]), operation.node, found) if given and given[0] else None


def _typed(
    operation: Operation, inputs: Inputs, found: Found
) -> tuple[dict[str, object], dict[str, object] | None]:
    """The typed parameters and the typed body; every input belongs to exactly one of them."""
    params: dict[str, object] = {}
    body: dict[str, object] = {}
    in_query = operation.params.members
    in_body = operation.body.members if operation.body is not None else {}
    for name in inputs.names:
        if name == "fields" and operation.node is not None:
            continue
        if name in in_query:
            params[name] = _value(name, in_query[name], inputs.of(name), "query", found)
        elif name in in_body:
            body[name] = _value(name, in_body[name], inputs.of(name), "body", found)
        else:
            raise malformed(f"Parameter '{name[:64]}' is not offered for {operation.name}.")
    operation.params.check(params, "query")
    if operation.body is None:
        return params, None
    operation.body.check(body, "body")
    return params, body


def _value(name: str, shape: Shape, given: Sequence[Input], place: str, found: Found) -> object:
    value = given[0].read(shape, f"{place}.{name}", found)
    for copy in given[1:]:
        if copy.read(shape, f"{place}.{name}", Found()) != value:
            raise malformed(f"Parameter '{name}' is given twice with different values.")
    return value


def _permissions(
    operation: Operation, said: Mapping[str, object], tree: FieldTree | None
) -> Iterable[str]:
    yield from operation.permissions
    yield from (needed for claim, needed in operation.adds.items() if says(said, claim))
    if tree is not None and operation.node is not None:
        yield from permissions_of(tree, operation.node)


def _template(said: Mapping[str, object], operation: Operation) -> TemplateRef | None:
    name = said.get("name")
    if not operation.names_template or not isinstance(name, str):
        return None
    language, template_id = said.get("language"), said.get("hsm_id")
    return TemplateRef(
        name,
        language if isinstance(language, str) else None,
        template_id if isinstance(template_id, str) else None,
    )


def _with_message(call: Call, message: messages.Message) -> Call:
    return Call(
        operation=call.operation,
        version=call.version,
        ids=call.path_ids + message.ids,
        permissions=tuple(dict.fromkeys((*message.permissions, *call.permissions))),
        params=call.params,
        body=message.body,
        form=call.form,
        fields=call.fields,
        recipients=message.recipients,
        template=message.template,
        contents=message.contents,
        messages=message.messages,
        file=call.file,
    )
