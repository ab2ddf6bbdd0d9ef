"""Turn Meta's OpenAPI file into the compact data that portero.graphapi reads.

    python tools/import_meta_openapi.py FOLDER

FOLDER holds `business-messaging-api_v23.0.yaml` and `LICENSE` of github.com/facebook/openapi at
commit ecba623b4aba6ae770185b074ed77ed5acef22f7. Written are `data/meta.json` (every operation, with
its parameters, body and answer in the notation of portero.graphapi.notation) and the licence.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SOURCE = "business-messaging-api_v23.0.yaml"
DATA = Path(__file__).parents[1] / "src/portero/graphapi/data"
METHODS = ("get", "post", "put", "delete", "patch")
MAX_DEPTH = 8

PLACEHOLDERS = {
    "Application-ID": "app",
    "Business-ID": "business",
    "Flow-ID": "flow",
    "Media-ID": "media",
    "Media-URL": "media_url",
    "Message-History-ID": "history",
    "Migration-Intent-ID": "intent",
    "OBO-Mobility-Intent-ID": "intent",
    "Phone-Number-ID": "number",
    "Pre-Verified-Phone-Number-ID": "preverified_number",
    "QR-Code-ID": "qr_code",
    "Solution-ID": "solution",
    "TEMPLATE_ID": "template",
    "User-ID": "user",
    "WABA-Bot-ID": "bot",
    "WABA-ID": "waba",
    "WhatsApp-Account-Number-ID": "number",
    "WhatsApp-Business-Account-ID": "waba",
    "WhatsApp-Business-Profile-ID": "profile",
    "group_id": "group",
}
# Meta's file types every id as text. Partners' ids are no ids of a workspace, so they stay digits.
IDS = {
    "app_id": "id:app",
    "business": "id:business",
    "business_id": "id:business",
    "call_id": "id:call",
    "clone_flow_id": "id:flow",
    "code": "text<=32",
    "flow_id": "id:flow",
    "hsm_id": "id:template",
    "join_requests": ["id:join_request", 100],
    "message_id": "id:message",
    "partner_app_id": "digits",
    "partner_business_id": "digits",
    "phone_number_id": "id:number",
    "preverified_id": "id:preverified_number",
    "actor_id": "digits",
    "solution_id": "id:solution",
    "source_waba_id": "id:waba",
    "target_solution_id": "digits",
    "user": "id:user",
    "waba_id": "id:waba",
}
GENERAL = frozenset({"fields", "limit", "after", "before", "first", "last"})


class Importer:
    """Reads one OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def operations(self) -> dict[str, dict[str, Any]]:
        """Every operation by "METHOD /{kind}/edge"; two paths of one meaning become one."""
        found: dict[str, dict[str, Any]] = {}
        for path, item in self.document["paths"].items():
            for method in filter(item.__contains__, METHODS):
                entry = self._operation(item, item[method])
                key = f"{method.upper()} {template(path)}"
                earlier = found.setdefault(key, {"paths": [], **entry})
                earlier["paths"].append(path)
                earlier["answer"] = {**entry["answer"], **earlier["answer"]}
        return dict(sorted(found.items()))

    def _operation(self, item: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
        parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
        parameters = [self._resolved(parameter) for parameter in parameters]
        answer = operation["responses"].get("200", operation["responses"].get(200, {}))
        return {
            "params": {
                p["name"]: self.shape(p.get("schema", {}), name=p["name"])
                for p in parameters
                if p["in"] == "query" and p["name"] not in GENERAL
            },
            "body": self._content(operation.get("requestBody", {}), strict=True),
            "answer": self._content(answer, strict=False),
        }

    def _content(self, holder: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for content in self._resolved(holder).get("content", {}).values():
            shape = self.shape(content.get("schema", {}), strict=strict)
            if isinstance(shape, dict):
                known = {name.rstrip("!") for name in members}
                members |= {k: v for k, v in shape.items() if k.rstrip("!") not in known}
        return members

    def shape(
        self, schema: Mapping[str, Any], *, name: str = "", strict: bool = True, depth: int = 0
    ) -> Any:
        """A schema in our notation; answers (not strict) keep names only, every value is text."""
        schema = self._resolved(schema)
        if strict and name in IDS:
            return IDS[name]
        if depth > MAX_DEPTH:
            return "any"
        parts = [p for key in ("allOf", "oneOf", "anyOf") for p in schema.get(key, [])]
        if parts:
            return self._union(parts, all_required="allOf" in schema, strict=strict, depth=depth)
        if "properties" in schema:
            return self._object(schema, strict=strict, depth=depth)
        return self._plain(schema, name=name, strict=strict, depth=depth)

    def _union(self, parts: list[Any], *, all_required: bool, strict: bool, depth: int) -> Any:
        shapes = [self.shape(part, strict=strict, depth=depth) for part in parts]
        objects = [shape for shape in shapes if isinstance(shape, dict)]
        if not objects:
            return shapes[0]
        if all_required:
            return {name: shape for part in objects for name, shape in part.items()}
        return {name.rstrip("!"): shape for part in objects for name, shape in part.items()}

    def _object(self, schema: Mapping[str, Any], *, strict: bool, depth: int) -> dict[str, Any]:
        required = schema.get("required", []) if strict else []
        return {
            f"{name}!" if name in required else name: self.shape(
                part, name=name, strict=strict, depth=depth + 1
            )
            for name, part in schema["properties"].items()
        }

    def _plain(self, schema: Mapping[str, Any], *, name: str, strict: bool, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "array":
            items = self.shape(schema.get("items", {}), strict=strict, depth=depth + 1)
            return [items, schema["maxItems"]] if "maxItems" in schema and strict else [items]
        if kind in (None, "object"):
            return "any"
        if not strict:
            return "text"
        if "enum" in schema:
            return "one of " + "|".join(str(word) for word in schema["enum"])
        if kind == "string":
            return f"text<={schema['maxLength']}" if "maxLength" in schema else "text"
        return kind

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            target: Any = self.document
            for step in value["$ref"].split("/")[1:]:
                target = target[step]
            value = target
        return value


def template(path: str) -> str:
    """Meta's path without version, its placeholders named by our kinds."""
    return "/" + "/".join(segments(path))


def segments(path: str) -> Iterator[str]:
    """The parts of `template`."""
    for segment in path.strip("/").split("/"):
        if segment == "{Version}":
            continue
        yield f"{{{PLACEHOLDERS[segment[1:-1]]}}}" if segment.startswith("{") else segment


def main() -> None:
    """Write the data."""
    folder = Path(sys.argv[1])
    document = yaml.load((folder / SOURCE).read_text(), Loader=yaml.CSafeLoader)
    operations = Importer(document).operations()
    lines = (
        f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in operations.items()
    )
    (DATA / "meta.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    shutil.copyfile(folder / "LICENSE", DATA / "META-LICENSE.txt")


if __name__ == "__main__":
    main()
