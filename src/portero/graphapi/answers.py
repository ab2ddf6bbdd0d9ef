"""What is shown of Meta's answers: known members only, without links and credentials (B4.7)."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from portero.graphapi import scrubbing
from portero.graphapi.errors import GraphError
from portero.graphapi.nodes import NODES, members_of
from portero.graphapi.operation import Call, Field, FieldTree, Operation
from portero.graphapi.operations import BY_NAME, OPERATIONS, SUMMARY
from portero.graphapi.refusals import refusal_for
from portero.graphapi.shapes import DROPPED, Anything, Items, Members, Named, Shape
from portero.graphapi.tables.rows import COST
from portero.graphapi.upstream import path_of, query_of

Direction = Literal["after", "before"]


def _may_tell_cost(shape: Shape | None) -> bool:
    """Whether what a shape keeps may have a figure that is called so, at any depth."""
    if isinstance(shape, Members):
        return "cost" in shape.members or any(map(_may_tell_cost, shape.members.values()))
    if isinstance(shape, Items):
        return _may_tell_cost(shape.of)
    return isinstance(shape, Anything | Named)


_LINKS: Final[Mapping[str, Direction]] = {"next": "after", "previous": "before"}
_UNAUTHORIZED: Final = 401
_BROKEN_CREDENTIAL: Final = frozenset({102, 104, 190})
_NOT_ACCEPTED: Final = "Meta does not accept the credential of this workspace."
# "Application 123", "app_id": "123", "the system user with id 123", also within quoted JSON.
_IDENTITY = re.compile(
    r"(?i)\b((?:app|application|(?:system[ _-]?)?user)(?:[ _-]?id)?"
    r"(?:\W{1,8}|\W{1,3}(?:with\W)?(?:the\W)?id\W{1,8}))[0-9]{5,20}"
)
_LINK = re.compile(r"https?://(?!developers\.facebook\.com/)\S+")
_TYPE = re.compile(r"[A-Za-z]{1,64}")
_MAX_TEXT: Final = 1024
# Most answers, that of a message first of all, have no such figures; nodes may walk on to some.
_COSTLESS: Final = frozenset(
    one.name for one in OPERATIONS if one.node is None and not _may_tell_cost(one.answer)
)
_ID: Final = Field("id")
# What Graph adds to every selection: the id, and on WhatsApp's own nodes the one product there is.
_ADDED: Final = (_ID, Field("messaging_product"))
# What Graph may show unasked: never an edge, never what needs a permission of its own.
_UNASKED: Final[Mapping[str, FieldTree]] = {
    name: tuple(Field(key) for key, one in node.fields.items() if one.permission is None)
    for name, node in NODES.items()
}


def rebuild_answer(
    call: Call, status: int, payload: object, *, base_url: str | None = None
) -> dict[str, object]:
    """The members of an answer that the caller may see.

    With `base_url` the `paging` of a list has absolute `next` and `previous` links of ours; without
    it only cursors. An answer of 400 and above may hold a partial effect beside its error: the known
    members come back here, the error itself through `rebuild_error`.
    """
    if not isinstance(payload, dict):
        return {}
    operation = call.operation
    kept = _kept(operation, call.fields, payload)
    if COST not in call.permissions and operation.name not in _COSTLESS:
        kept = _without_cost(kept)
    if operation.listed and status < 400:
        paging = _paging(call, payload.get("paging"), base_url)
        if paging:
            kept["paging"] = paging
    return kept


def paging_link(base_url: str, call: Call, cursor: str, direction: Direction) -> str:
    """The absolute link to the neighbouring page, in the caller's version, without any token."""
    version = "" if call.version is None else f"/{call.version}"
    other = "before" if direction == "after" else "after"
    query = query_of(call, without=other, instead={direction: cursor})
    return f"{base_url.rstrip('/')}{version}{path_of(call)}?{query}"


def _paging(call: Call, paging: object, base_url: str | None) -> dict[str, object]:
    cursors = _cursors(paging)
    kept: dict[str, object] = {"cursors": cursors} if cursors else {}
    if base_url is None or not isinstance(paging, dict):
        return kept
    for link, direction in _LINKS.items():
        if link in paging and direction in cursors:
            kept[link] = paging_link(base_url, call, cursors[direction], direction)
    return kept


def _cursors(paging: object) -> dict[str, str]:
    cursors = paging.get("cursors") if isinstance(paging, dict) else None
    if not isinstance(cursors, dict):
        return {}
    return {
        name: cursors[name] for name in ("before", "after") if isinstance(cursors.get(name), str)
    }


def _kept(
    operation: Operation, tree: FieldTree | None, payload: Mapping[str, object]
) -> dict[str, object]:
    """What an operation's answer, or the edge of the same operation, may show."""
    if operation.node is None:
        return operation.answer.keep_members(payload) if operation.answer is not None else {}
    if not operation.listed or "data" not in payload:
        return _node(operation.node, tree, payload)
    kept = {"data": _rows(operation, operation.node, tree, payload["data"])}
    summary = SUMMARY.keep(payload.get("summary"))
    return kept if summary is DROPPED else {**kept, "summary": summary}


def _rows(operation: Operation, node: str, tree: FieldTree | None, data: object) -> object:
    if operation.inside is not None and isinstance(data, dict):
        inner = data.get(operation.inside)
        return {operation.inside: _nodes(node, tree, inner)}
    return _nodes(node, tree, data)


def _nodes(node: str, tree: FieldTree | None, rows: object) -> list[dict[str, object]]:
    if not isinstance(rows, list):
        return []
    return [_node(node, tree, row) for row in rows if isinstance(row, dict)]


def _node(node: str, tree: FieldTree | None, value: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for item in _UNASKED[node] if tree is None else (*_ADDED, *tree):
        if item.name in value:
            part = _of_node(node, item, value[item.name])
            if part is not DROPPED:
                kept[item.name] = part
    return kept


def _of_node(node: str, item: Field, value: object) -> object:
    fields, edges = NODES[node].fields, NODES[node].edges
    if item.name in fields:
        return _part(fields[item.name].shape, item, value)
    return _edge(edges[item.name], item, value) if item.name in edges else DROPPED


def _part(shape: Shape, item: Field, value: object) -> object:
    if item.children is None:
        return shape.keep(value)
    return _selected(members_of(shape) or {}, item.children, value)


def _selected(members: Mapping[str, Shape], tree: FieldTree, value: object) -> object:
    """The selected members of an object, or of every object of a list; Graph adds the id."""
    if isinstance(value, list):
        return [_selected(members, tree, one) for one in value if isinstance(one, dict)]
    if not isinstance(value, dict):
        return DROPPED
    kept: dict[str, object] = {}
    for item in (_ID, *tree):
        if item.name in value and item.name in members:
            part = _part(members[item.name], item, value[item.name])
            if part is not DROPPED:
                kept[item.name] = part
    return kept


def _edge(operation: str, item: Field, value: object) -> object:
    if not isinstance(value, dict):
        return DROPPED
    kept = _kept(BY_NAME[operation], item.children, value)
    cursors = _cursors(value.get("paging"))
    return {**kept, "paging": {"cursors": cursors}} if cursors else kept


def _without_cost(members: Mapping[str, object]) -> dict[str, object]:
    """An answer without the figures that only a permission of their own shows."""
    return {name: _free_of_cost(part) for name, part in members.items() if name != "cost"}


def _free_of_cost(value: object) -> object:
    if isinstance(value, list):
        return [_free_of_cost(one) for one in value]
    return _without_cost(value) if isinstance(value, dict) else value


def rebuild_error(status: int, payload: object) -> GraphError:
    """Meta's error as the caller may see it: known members, without tokens, app ids and links.

    An error about the gateway's own credential is none of the caller's: it becomes `unavailable`,
    or a client would throw its good key away.
    """
    if status == _UNAUTHORIZED:
        return refusal_for("unavailable", _NOT_ACCEPTED)
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return GraphError(
            http=_error_status(status), code=1, message="An unknown error occurred", transient=True
        )
    code: int = error["code"]
    if code in _BROKEN_CREDENTIAL:
        return refusal_for("unavailable", _NOT_ACCEPTED)
    kind = error.get("type")
    return GraphError(
        http=_error_status(status),
        code=code,
        message=_text(error.get("message")) or f"(#{code}) Unknown error",
        type=kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "OAuthException",
        subcode=_integer(error.get("error_subcode")),
        details=_details(error.get("error_data")),
        user_title=_text(error.get("error_user_title")),
        user_msg=_text(error.get("error_user_msg")),
        transient=error.get("is_transient") is True,
    )


def _error_status(status: int) -> int:
    return status if 400 <= status <= 599 else 502


def _details(data: object) -> str | None:
    return _text(data.get("details")) if isinstance(data, dict) else _text(data)


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = _LINK.sub("[link]", scrubbing.clean_text(value))
    return _IDENTITY.sub(r"\1[redacted]", text)[:_MAX_TEXT]


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
