"""The table of operations as an OpenAPI description, for people's tools and for tests."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from portero.graphapi.kinds import spelling_of
from portero.graphapi.operation import Operation, Payload, RiskClass
from portero.graphapi.shapes import (
    Boolean,
    Choice,
    Id,
    Integer,
    Items,
    Members,
    Named,
    Number,
    Pattern,
    Phone,
    Shape,
    Text,
    UserId,
)
from portero.graphapi.written import NOTATION, load

Schema = dict[str, Any]

_NAMED: Final[Mapping[int, str]] = {
    id(NOTATION.read(f"${name}").resolve()): name  # type: ignore[attr-defined]  # is Named
    for name in load("shapes.json")
}
_ERROR: Final[Schema] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "fbtrace_id"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "integer"},
                "error_subcode": {"type": "integer"},
                "error_data": {"type": "object"},
                "fbtrace_id": {"type": "string"},
            },
        }
    },
}
_FIELDS: Final[Schema] = {
    "name": "fields",
    "in": "query",
    "schema": {"type": "string"},
    "description": "What to show, with commas: id,name{inner}.limit(5)",
}


def openapi(operations: Iterable[Operation], *, title: str) -> Schema:
    """An OpenAPI 3.1 document of what is offered; what never is has no place in it.

    Operations that share a method and a path are one there, with a body that is any of theirs.
    `x-portero-permissions` names what each needs, `x-portero-risk` how it is treated.
    """
    paths: dict[str, dict[str, Any]] = {}
    groups: dict[tuple[str, str], list[Operation]] = {}
    for one in operations:
        if one.risk is not RiskClass.NEVER:
            groups.setdefault((one.template, one.method.lower()), []).append(one)
    for (template, method), group in groups.items():
        paths.setdefault(template, {})[method] = _described(group)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "v23.0"},
        "servers": [{"url": "/v23.0"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "error": _ERROR,
                **{name: _schema(NOTATION.read(written)) for name, written in _shared().items()},
            },
        },
    }


def _shared() -> Mapping[str, object]:
    return load("shapes.json")


def _described(group: list[Operation]) -> Schema:
    made: Schema = {
        "operationId": "-or-".join(one.name for one in group),
        "parameters": [*_in_path(group[0]), *_in_query(group)],
        "responses": {
            "200": {"description": "as Meta answers, known members only"},
            "default": {
                "description": "a refusal, or Meta's error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}},
            },
        },
        "x-portero-permissions": sorted({p for one in group for p in one.permissions}),
        "x-portero-risk": sorted({one.risk.value for one in group}),
    }
    if body := _body(group):
        made["requestBody"] = {"content": body}
    return made


def _in_path(operation: Operation) -> list[Schema]:
    return [
        {
            "name": kind.value,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{spelling_of(kind)}$"},
        }
        for _, kind in operation.slots
    ]


def _in_query(group: list[Operation]) -> list[Schema]:
    shapes = {name: shape for one in group for name, shape in one.params.members.items()}
    everywhere = frozenset.intersection(*(one.params.required for one in group))
    found = [_parameter(name, shape, name in everywhere) for name, shape in shapes.items()]
    return [*found, _FIELDS] if any(one.node is not None for one in group) else found


def _parameter(name: str, shape: Shape, required: bool) -> Schema:
    schema = _schema(shape)
    is_text = "$ref" not in schema and schema.get("type") not in {"array", "object", None}
    placed = (
        {"schema": schema} if is_text else {"content": {"application/json": {"schema": schema}}}
    )
    return {"name": name, "in": "query", "required": required, **placed}


def _body(group: list[Operation]) -> Schema:
    content: Schema = {}
    bodies = [_schema(one.body) for one in group if one.body is not None and one.body.members]
    if bodies:
        content["application/json"] = {"schema": {"anyOf": bodies} if bodies[1:] else bodies[0]}
    if any(one.payload is Payload.BYTES for one in group):
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    if any(one.payload is Payload.FILE for one in group):
        fields = {name: {"type": "string"} for one in group for name in _members_of(one)}
        file = {"file": {"type": "string", "format": "binary"}}
        form = {"type": "object", "required": ["file"], "properties": {**fields, **file}}
        content = {"multipart/form-data": {"schema": form}}
    return content


def _members_of(operation: Operation) -> Iterable[str]:
    return operation.body.members if operation.body is not None else ()


def _schema(shape: Shape) -> Schema:
    """The JSON schema of a shape; what is declared once is referred to."""
    if isinstance(shape, Named):
        return {"$ref": f"#/components/schemas/{_NAMED[id(shape.resolve())]}"}
    if isinstance(shape, Members):
        return _object(shape)
    if isinstance(shape, Items):
        return {"type": "array", "items": _schema(shape.of), "maxItems": shape.max_items}
    return _scalar(shape)


def _object(shape: Members) -> Schema:
    made: Schema = {
        "type": "object",
        "properties": {name: _schema(part) for name, part in shape.members.items()},
        "additionalProperties": False,
    }
    if shape.required:
        made["required"] = sorted(shape.required)
    if shape.either:
        made["oneOf"] = [{"required": [name]} for name in sorted(shape.either)]
    return made


def _scalar(shape: Shape) -> Schema:
    if isinstance(shape, Choice):
        return {"type": "string", "enum": list(shape.words)}
    if isinstance(shape, Pattern):
        return {"type": "string", "pattern": f"^(?:{shape.pattern.pattern})$"}
    if isinstance(shape, Integer):
        return {"type": "integer", "minimum": shape.low, "maximum": shape.high}
    if isinstance(shape, Text):
        return {"type": "string", "maxLength": shape.max_chars}
    if isinstance(shape, Id):
        return {"type": "string", "pattern": f"^{spelling_of(shape.kind)}$"}
    if isinstance(shape, Phone):
        return {"type": "string", "description": "a phone number, with or without its plus"}
    if isinstance(shape, UserId):
        return {"type": "string", "description": "a business-scoped user id"}
    return {"type": "number"} if isinstance(shape, Number) else _flag_or_anything(shape)


def _flag_or_anything(shape: Shape) -> Schema:
    return {"type": "boolean"} if isinstance(shape, Boolean) else {}
