"""Which attributes requests can carry, found by going through every operation and every message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from graphapi.message_bodies import CASES
from portero import engine
from portero.gateway.listing import Listing
from portero.gateway.resources import target_of
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi import phone
from portero.graphapi.kinds import IdRef, Kind, TemplateRef
from portero.graphapi.messages import parse_marketing_message, parse_message
from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Call, Operation
from portero.graphapi.operations import BY_NAME, OPERATIONS
from portero.graphapi.shapes import Id, Items, Members, Named, Phone, Shape, UserId
from portero.store.registry import Resource

WORKSPACE, WABA, NUMBER, TEMPLATE = UUID(int=1), "1", "2", "order_update"
_ATTRIBUTES = {
    "wabas": "waba",
    "numbers": "number",
    "teams": "team",
    "labels": "labels",
    "template_sets": "template_sets",
    "countries": "country",
    "integrations": "integration",
    "bots": "bot",
}
# What hangs on no account, or on something else than one.
_OF_NO_ACCOUNT = {Kind.BUSINESS, Kind.APP, Kind.UPLOAD}
_ON_A_NUMBER = {Kind.NUMBER, Kind.MEDIA, Kind.MESSAGE, Kind.CALL, Kind.GROUP, Kind.HISTORY}
STATE = cast(
    WorkspaceState,
    SimpleNamespace(
        numbers={NUMBER: WABA}, tokens={WABA: None}, template_sets={TEMPLATE: frozenset({"a set"})}
    ),
)
_MARKETING = {
    "messaging_product": "whatsapp",
    "to": "525512345678",
    "type": "template",
    "template": {"name": TEMPLATE, "language": {"code": "es_MX"}},
}
Asked = tuple[str, frozenset[str]]
"""A permission, and the dimensions of a scope that one request for it has something in."""


def carried() -> Mapping[str, set[frozenset[str]]]:
    """By permission, the most that single requests carry; none of a permission's contains another."""
    found: dict[str, set[frozenset[str]]] = defaultdict(set)
    for operation in OPERATIONS:
        if operation.risk != "never":
            for permission, dimensions in _asked(operation):
                found[permission].add(dimensions)
    return {
        key: {one for one in some if not any(one < other for other in some)}
        for key, some in found.items()
    }


def _asked(operation: Operation) -> Iterator[Asked]:
    match operation.name:
        case "send_message" | "mark_message_read":
            for case in CASES:
                yield from _of_message(operation, parse_message(case.copy()))
        case "send_marketing_message":
            yield from _of_message(operation, parse_marketing_message(dict(_MARKETING)))
        case _:
            own = (*operation.permissions, *operation.adds.values())
            yield from _of_call(operation, own, _shapes(operation))
            for permission, shapes in _selected(operation.node, depth=4):
                yield from _of_call(operation, (permission,), shapes)


def _of_message(operation: Operation, message: Any) -> Iterator[Asked]:
    call = Call(
        operation,
        None,
        (*_in_path(operation), *message.ids),
        (*message.permissions, *operation.permissions),
        {},
        message.body,
        recipients=message.recipients,
        template=message.template,
        contents=message.contents,
        messages=message.messages,
    )
    templates = [_resource(Kind.TEMPLATE, "9")] if message.template is not None else []
    yield from _checked(call, templates)


def _of_call(
    operation: Operation, permissions: Collection[str], shapes: Iterable[Shape]
) -> Iterator[Asked]:
    kinds = {kind for shape in shapes for kind in _kinds(shape, set())}
    names = operation.names_template
    call = Call(
        operation,
        None,
        (*_in_path(operation), *(IdRef(one, str(one), "body") for one in kinds if one is not None)),
        tuple(permissions),
        {},
        None,
        recipients=(phone.canonical("525512345678"),) if None in kinds else (),
        template=TemplateRef(TEMPLATE) if names else None,
    )
    yield from _checked(call, [_resource(Kind.TEMPLATE, "9")] if names else [])


def _checked(call: Call, templates: Sequence[Resource]) -> Iterator[Asked]:
    known = {ref.value: _resource(ref.kind, ref.value) for ref in call.ids}
    target = target_of(call, known, templates, STATE)
    checks = list(target.checks(call.permissions))
    listing = Listing(call, target)
    checks += listing.checks(STATE, lambda some: all(one not in checks for one in some))
    for check in checks:
        yield check.permission, dimensions_of(check.resource)


def dimensions_of(resource: engine.Resource) -> frozenset[str]:
    """The fields of a scope that look at something which a resource has."""
    return frozenset(
        name
        for name, attribute in _ATTRIBUTES.items()
        if getattr(resource, attribute) is not None and (name != "wabas" or resource.waba == WABA)
    )


def _in_path(operation: Operation) -> list[IdRef]:
    return [
        IdRef(
            kind,
            NUMBER if kind is Kind.NUMBER else WABA if kind is Kind.WABA else str(kind),
            "path",
        )
        for _position, kind in operation.slots
    ]


def _resource(kind: Kind, value: str) -> Resource:
    return Resource(
        WORKSPACE,
        kind,
        value,
        None if kind is Kind.WABA else "of no account" if kind in _OF_NO_ACCOUNT else WABA,
        NUMBER if kind in _ON_A_NUMBER else None,
        {"name": TEMPLATE} if kind is Kind.TEMPLATE else {},
    )


def _shapes(operation: Operation) -> list[Shape]:
    body = operation.body.members if operation.body is not None else {}
    return [*operation.params.members.values(), *body.values()]


def _selected(node: str | None, depth: int) -> Iterator[tuple[str, list[Shape]]]:
    """What `fields=` adds: the permission, and the modifiers that stand beside it."""
    if node is None or not depth:
        return
    for field in NODES[node].fields.values():
        if field.permission is not None:
            yield field.permission, []
    for name in NODES[node].edges.values():
        edge = BY_NAME[name]
        for permission in (*edge.permissions, *edge.adds.values()):
            yield permission, list(edge.params.members.values())
        yield from _selected(edge.node, depth - 1)


def _kinds(shape: Shape, seen: set[int]) -> Iterator[Kind | None]:
    """The kinds of ids in a shape; None for a customer."""
    if isinstance(shape, Named):
        if id(shape) in seen:
            return
        seen.add(id(shape))
        shape = shape.resolve()
    match shape:
        case Id():
            yield shape.kind
        case Phone() | UserId():
            yield None
        case Items():
            yield from _kinds(shape.of, seen)
        case Members():
            for member in shape.members.values():
                yield from _kinds(member, seen)
