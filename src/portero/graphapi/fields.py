"""`fields=`: parsed by a grammar, each edge judged as if called on its own path, rebuilt by us.

    selection = item { "," item }
    item      = name { "." modifier "(" argument ")" } [ "{" selection "}" ]

Only listed fields, edges and modifiers exist. The modifiers of an edge are the parameters of the
operation that reads the same edge on its own path, so both spellings mean and need the same.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from portero.graphapi.nodes import NODES, Node, members_of
from portero.graphapi.operation import Field, FieldTree, Modifier, Operation
from portero.graphapi.operations import BY_NAME
from portero.graphapi.refusals import malformed
from portero.graphapi.said import says
from portero.graphapi.shapes import Found, Shape

_MAX_CHARS: Final = 4096
_MAX_FIELDS: Final = 200
_MAX_DEPTH: Final = 4
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*")
_BRACKETS: Final = frozenset("(){}")  # an escape in a quoted argument could still spell one
_MODIFIER = re.compile(r"\.([a-z_]{1,40})\(([^(){}]{0,1024})\)\s*")


def parse_fields(text: str, node: str, found: Found) -> FieldTree:
    """The selection that `text` makes from a node of this name; ids in it go to `found`.

    Raises:
        GraphError: malformed: not the grammar, or a field, edge or modifier that is not listed.
    """
    if len(text) > _MAX_CHARS:
        raise malformed(f"fields is longer than {_MAX_CHARS} characters.")
    reader = _Reader(text, found)
    tree = reader.selection(_Scope.of_node(NODES[node]), depth=1)
    if reader.position < len(text):
        raise malformed(f"fields cannot be read from character {reader.position + 1}.")
    return tree


def permissions_of(tree: FieldTree, node: str) -> Iterable[str]:
    """What a selection needs beyond reading its node."""
    fields, edges = NODES[node].fields, NODES[node].edges
    for item in tree:
        if item.name in fields:
            permission = fields[item.name].permission
            if permission is not None:
                yield permission
        else:
            yield from _permissions_of_edge(item, BY_NAME[edges[item.name]])


def _permissions_of_edge(item: Field, operation: Operation) -> Iterable[str]:
    yield from operation.permissions
    said = {modifier.name: modifier.value for modifier in item.modifiers}
    yield from (needed for claim, needed in operation.adds.items() if says(said, claim))
    if operation.node is not None:
        yield from permissions_of(item.children or (), operation.node)


def write_fields(tree: FieldTree) -> str:
    """The text of a selection, built from its typed parts alone."""
    return ",".join(_write(item) for item in tree)


def _write(item: Field) -> str:
    modifiers = "".join(f".{m.name}({write_argument(m.value)})" for m in item.modifiers)
    children = "" if item.children is None else f"{{{write_fields(item.children)}}}"
    return f"{item.name}{modifiers}{children}"


def write_argument(value: object) -> str:
    """A typed value as text, for a query or a modifier: lists and objects as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What may be named at one place: fields with their modifiers, edges, or members."""

    node: Node | None
    members: Mapping[str, Shape]

    @classmethod
    def of_node(cls, node: Node) -> "_Scope":
        return cls(node, {})

    def modifiers(self, name: str) -> Mapping[str, Shape] | None:
        """The modifiers of a name; None when there is no such name here."""
        if self.node is None:
            return {} if name in self.members else None
        if name in self.node.fields:
            return self.node.fields[name].modifiers
        edge = self.node.edges.get(name)
        return None if edge is None else BY_NAME[edge].params.members

    def inside(self, name: str) -> "_Scope | None":
        """What may be named inside a name; None when nothing can."""
        if self.node is None:
            members = members_of(self.members[name])
        elif name in self.node.fields:
            members = self.node.fields[name].members
        else:
            below = BY_NAME[self.node.edges[name]].node
            return None if below is None else _Scope.of_node(NODES[below])
        return None if members is None else _Scope(None, members)


class _Reader:
    """One pass over the text, from left to right, never back."""

    def __init__(self, text: str, found: Found) -> None:
        self.text = text
        self.found = found
        self.position = 0
        self.count = 0

    def selection(self, scope: _Scope, depth: int) -> FieldTree:
        if depth > _MAX_DEPTH:
            raise malformed(f"fields is nested deeper than {_MAX_DEPTH} levels.")
        items: dict[str, Field] = {}
        while True:
            item = self._item(scope, depth)
            if items.setdefault(item.name, item) != item:
                raise malformed(f"fields names '{item.name}' in two different ways.")
            if not self._accept(","):
                return tuple(items.values())

    def _item(self, scope: _Scope, depth: int) -> Field:
        name = self._name()
        modifiers = scope.modifiers(name)
        if modifiers is None:
            raise malformed(f"fields has an unknown field '{name}'.")
        typed = self._modifiers(name, modifiers)
        if not self._accept("{"):
            return Field(name, typed)
        inside = scope.inside(name)
        if inside is None:
            raise malformed(f"Nothing can be selected inside the field '{name}'.")
        children = self.selection(inside, depth + 1)
        if not self._accept("}"):
            raise malformed(f"The selection inside '{name}' does not end.")
        return Field(name, typed, children)

    def _name(self) -> str:
        match = _NAME.match(self.text, self.position)
        if match is None:
            raise malformed(f"fields has no name at character {self.position + 1}.")
        self.count += 1
        if self.count > _MAX_FIELDS:
            raise malformed(f"fields names more than {_MAX_FIELDS} fields.")
        self.position = match.end()
        return match[1]

    def _modifiers(self, name: str, shapes: Mapping[str, Shape]) -> tuple[Modifier, ...]:
        typed: dict[str, Modifier] = {}
        while match := _MODIFIER.match(self.text, self.position):
            shape = shapes.get(match[1])
            if shape is None or match[1] in typed:
                raise malformed(f"The field '{name}' takes no modifier '{match[1]}' here.")
            value = shape.read_text(match[2], f"fields.{name}.{match[1]}", self.found)
            if not _BRACKETS.isdisjoint(write_argument(value)):
                raise malformed(f"An argument of the field '{name}' has brackets in it.")
            typed[match[1]] = Modifier(match[1], value)
            self.position = match.end()
        return tuple(typed.values())

    def _accept(self, character: str) -> bool:
        if not self.text.startswith(character, self.position):
            return False
        self.position += 1
        return True
