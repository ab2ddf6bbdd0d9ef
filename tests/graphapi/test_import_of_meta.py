"""The importer turns Meta's OpenAPI file into the notation, on a small file of the same make."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from portero.graphapi.notation import Notation
from portero.graphapi.written import META

TOOL = Path(__file__).parents[2] / "tools/import_meta_openapi.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("import_meta_openapi", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def document(**schemas: Any) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        }

    version = {"name": "Version", "in": "path", "schema": {"type": "string"}}
    operation = {
        "parameters": [
            {"name": "limit", "in": "query", "schema": {"type": "integer"}},
            {"name": "User-Agent", "in": "header", "schema": {"type": "string"}},
            {"name": "phone_number_id", "in": "query", "schema": {"type": "string"}},
            {"name": "role", "in": "query", "schema": {"type": "string", "enum": ["A", "B"]}},
        ],
        "requestBody": content("Body"),
        "responses": {"200": content("Answer")},
    }
    path = "/{Version}/{WABA-ID}/flows"
    return {
        "paths": {path: {"parameters": [version], "post": operation}},
        "components": {"schemas": schemas},
    }


def imported(tool: ModuleType, body: Any, answer: Any) -> dict[str, Any]:
    operations = tool.Importer(document(Body=body, Answer=answer)).operations()
    assert list(operations) == ["POST /{waba}/flows"]
    entry: dict[str, Any] = operations["POST /{waba}/flows"]
    return entry


def test_paths_parameters_bodies_and_answers_are_taken_over(tool: ModuleType) -> None:
    body = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "tags": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
            "clone_flow_id": {"type": "string"},
            "extra": {"type": "object", "additionalProperties": True},
        },
    }
    answer = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "ok": {"type": "boolean"},
            "x": {"type": "object"},
        },
    }

    assert imported(tool, body, answer) == {
        "paths": ["/{Version}/{WABA-ID}/flows"],
        "params": {"phone_number_id": "id:number", "role": "one of A|B"},
        "body": {
            "name!": "text<=10",
            "tags": ["text", 3],
            "clone_flow_id": "id:flow",
            "extra": "any",
        },
        "answer": {"id": "text", "ok": "text", "x": "any"},
    }


def test_alternatives_become_one_object_in_which_nothing_is_required(tool: ModuleType) -> None:
    one = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer"}}}

    entry = imported(tool, {"oneOf": [one, other]}, {"allOf": [one, other]})

    assert entry["body"] == {"a": "text", "b": "integer"}
    assert entry["answer"] == {"a": "text", "b": "text"}


def test_a_schema_that_contains_itself_ends(tool: ModuleType) -> None:
    loop = {"type": "object", "properties": {"inner": {"$ref": "#/components/schemas/Body"}}}

    entry = imported(tool, loop, loop)

    assert "any" in str(entry["body"])


def test_everything_that_was_imported_is_in_the_notation() -> None:
    notation = Notation({})

    for entry in META.values():
        for part in ("params", "body", "answer"):
            notation.read(entry[part])
