"""The one table of operations: our judgement, with the shapes of Meta's file and our corrections.

Shapes come from `data/meta.json`, generated from Meta's OpenAPI file, unless `data/operations.json`
writes them down by hand, because Meta's pages or its client libraries say otherwise, or because
Meta's file does not know the operation.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Operation, Payload
from portero.graphapi.paths import Routes
from portero.graphapi.shapes import Integer, Members, Named, Pattern, Shape
from portero.graphapi.tables import accounts, messaging, numbers, portfolio, templates
from portero.graphapi.written import META, NOTATION, load

TEMPLATE_CATEGORY_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MARKETING": "template:use_marketing",
        "UTILITY": "template:use_utility",
        "AUTHENTICATION": "template:use_authentication",
    }
)
"""What sending a template needs beyond `send:template`, by its category.

The category is not in the request: the gateway takes it from the workspace's registry.
"""


def category_permissions(categories: Iterable[str]) -> tuple[str, ...]:
    """What the categories of a template demand; one that nobody knows may be any of them."""
    named = {category.upper() for category in categories}
    known = bool(named) and named <= TEMPLATE_CATEGORY_PERMISSIONS.keys()
    return tuple(
        permission
        for category, permission in TEMPLATE_CATEGORY_PERMISSIONS.items()
        if category in named or not known
    )


_CURSOR = Pattern(re.compile(r"[A-Za-z0-9_+/=.:-]{1,2048}"), "a cursor")
_PAGING: Final[Mapping[str, Shape]] = {
    "limit": Integer(0, 5000),
    "after": _CURSOR,
    "before": _CURSOR,
    "summary": Pattern(re.compile(r"[a-z_,]{1,256}"), "true, or names of summary fields"),
}
SUMMARY: Final = NOTATION.members(
    {
        "total_count": "text",
        "message_template_count": "text",
        "message_template_limit": "text",
        "are_translations_complete": "text",
    }
)
_BY_HAND = load("operations.json")
_SUCCESS = NOTATION.members({"success": "text"})


def _complete(row: Operation) -> Operation:
    """A row of the table with its shapes."""
    by_hand = _BY_HAND.get(row.name, {})
    meta = META.get(f"{row.method} {row.template}", {})
    params = _members(by_hand.get("params", meta.get("params", {})))
    body = by_hand.get("body", meta.get("body"))
    answer = by_hand.get("answer", meta.get("answer"))
    return replace(
        row,
        params=replace(params, members={**params.members, **_PAGING}) if row.listed else params,
        body=_members(body) if row.method != "GET" and body else _no_body(row),
        answer=_members(answer) if answer and row.node is None else _default_answer(row),
    )


def _no_body(row: Operation) -> Members | None:
    takes_fields = row.method == "POST" and row.payload is not Payload.BYTES
    return Members({}) if takes_fields else None


def _default_answer(row: Operation) -> Members | None:
    return None if row.node is not None else _SUCCESS


def _members(written: object) -> Members:
    shape = NOTATION.read(written)
    shape = shape.resolve() if isinstance(shape, Named) else shape
    if not isinstance(shape, Members):
        raise TypeError(f"not an object: {written!r}")
    return shape


OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    _complete(row)
    for table in (messaging, numbers, templates, accounts, portfolio)
    for row in table.ROWS
)
BY_NAME: Final[Mapping[str, Operation]] = MappingProxyType({o.name: o for o in OPERATIONS})
ROUTES: Final = Routes(OPERATIONS)

if len(BY_NAME) != len(OPERATIONS):
    raise ValueError("two operations have one name")
if unknown := [o.name for o in OPERATIONS if o.node is not None and o.node not in NODES]:
    raise ValueError(f"operations of unknown nodes: {unknown}")
