"""Showing a node: its readable fields, the default ones, and edges asked for through `fields`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portero.sandbox.calls import Call
from portero.sandbox.graph.errors import unknown_field
from portero.sandbox.graph.fields import Field, read_fields
from portero.sandbox.objects import Json


@dataclass(frozen=True, slots=True)
class Shown:
    """How one kind of node is shown. `values` gives every readable field, `defaults` names some."""

    type_name: str
    values: Callable[[Call, Any], Json]
    defaults: tuple[str, ...]

    def render(self, call: Call, node: Any, fields: object = None) -> Json:
        """The node with the `fields` asked for, or its default ones, and always its id."""
        values = self.values(call, node)
        if not fields:
            return {key: values[key] for key in (*self.defaults, "id") if values[key] is not None}
        shown: Json = {}
        for wanted in read_fields(_as_text(fields)):
            value = self._value(call, node, wanted, values)
            if value is not None:
                shown[wanted.name] = value
        return shown | {"id": values["id"]}

    def _value(self, call: Call, node: Any, wanted: Field, values: Json) -> Any:
        if wanted.name in values:
            return _selected(values[wanted.name], wanted.inner)
        parameters: Json = dict(wanted.modifiers)
        if wanted.inner is not None:
            parameters["fields"] = wanted.inner
        edge = call.expand(call, node, wanted.name, parameters) if call.expand else None
        if edge is None:
            raise unknown_field(wanted.name, self.type_name)
        return edge


def _as_text(fields: object) -> str:
    """`fields` may come as a JSON list, as one official client writes it."""
    return ",".join(map(str, fields)) if isinstance(fields, list) else str(fields)


def _selected(value: Any, inner: str | None) -> Any:
    """The inner fields of a plain object or of each in a list."""
    if inner is None or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_selected(item, inner) for item in value]
    names = [wanted.name for wanted in read_fields(inner)]
    return {name: value[name] for name in (*names, "id") if name in value}
