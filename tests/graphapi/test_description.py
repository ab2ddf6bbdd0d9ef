"""The OpenAPI description says what the table says."""

import json
import re
from typing import Any

from jsonschema_rs import Draft202012Validator

from graphapi.message_bodies import CASES
from portero.graphapi.description import openapi
from portero.graphapi.operation import RiskClass
from portero.graphapi.operations import OPERATIONS

MADE = openapi(OPERATIONS, title="x")


def schema_of(path: str, method: str) -> dict[str, Any]:
    content = MADE["paths"][path][method]["requestBody"]["content"]
    found: dict[str, Any] = content["application/json"]["schema"]
    return {**found, "components": MADE["components"]}


def test_every_operation_that_is_offered_is_described_once() -> None:
    described = [
        name
        for path in MADE["paths"].values()
        for operation in path.values()
        for name in operation["operationId"].split("-or-")
    ]

    assert sorted(described) == sorted(o.name for o in OPERATIONS if o.risk != RiskClass.NEVER)


def test_every_reference_leads_somewhere_and_every_path_names_its_parameters() -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(MADE)))

    assert named <= MADE["components"]["schemas"].keys()
    for template, path in MADE["paths"].items():
        for operation in path.values():
            placed = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert placed == set(re.findall(r"\{(\w+)\}", template))


def test_schemas_are_schemas_and_take_what_clients_send() -> None:
    message = Draft202012Validator(schema_of("/{number}/messages", "post"))
    qr_code = Draft202012Validator(schema_of("/{number}/message_qrdls", "post"))

    undescribed = [case.name for case in CASES if not message.is_valid(case.body)]
    assert undescribed == ["text to a number not quoted"]  # taken as Graph takes it, not advised
    assert qr_code.is_valid({"prefilled_message": "Hola", "generate_qr_image": "SVG"})
    assert not qr_code.is_valid({"prefilled_message": "Hola", "generate_qr_image": "GIF"})
    assert not qr_code.is_valid({"prefilled_message": "Hola", "unknown": 1})
