"""The objects of the Graph whose fields a caller may select, and the edges that hang on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from portero.graphapi.shapes import Items, Members, Named, Shape
from portero.graphapi.written import META, NOTATION, load


@dataclass(frozen=True, slots=True)
class NodeField:
    """A field: its shape, the modifiers it takes, and the permission it needs beyond its node's."""

    shape: Shape
    modifiers: Mapping[str, Shape] = field(default_factory=dict)
    permission: str | None = None

    @property
    def members(self) -> Mapping[str, Shape] | None:
        """What can be selected inside it; None for a plain value."""
        return members_of(self.shape)


@dataclass(frozen=True, slots=True)
class Node:
    """A kind of object. `edges` maps an edge to the operation that reads it on its own path."""

    fields: Mapping[str, NodeField]
    edges: Mapping[str, str]


def members_of(shape: Shape) -> Mapping[str, Shape] | None:
    """The members of an object, or of the objects in a list; None for any other shape."""
    if isinstance(shape, Named):
        shape = shape.resolve()
    if isinstance(shape, Items):
        return members_of(shape.of)
    return shape.members if isinstance(shape, Members) else None


def _node(written: Mapping[str, object]) -> Node:
    """A node as written, on top of what Meta's file lists for the answers it is made `from`."""
    modifiers = _mapping(written.get("modifiers"))
    permissions = _mapping(written.get("permissions"))
    fields = {
        name: NodeField(
            NOTATION.read(shape),
            NOTATION.members(_mapping(modifiers.get(name))).members,
            str(permissions[name]) if name in permissions else None,
        )
        for name, shape in (*_listed_by_meta(written), *_mapping(written["fields"]).items())
    }
    edges = {name: str(operation) for name, operation in _mapping(written.get("edges")).items()}
    return Node(MappingProxyType(fields), MappingProxyType(edges))


def _listed_by_meta(written: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    edges = _mapping(written.get("edges"))
    sources = written["from"]
    for source in sources if isinstance(sources, list) else []:
        answer = _mapping(META[source]["answer"])
        rows = answer.get("data")
        node = _mapping(rows[0]) if isinstance(rows, list) else answer
        yield from ((name, shape) for name, shape in node.items() if name not in edges)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


NODES: Mapping[str, Node] = MappingProxyType(
    {name: _node(_mapping(written)) for name, written in load("nodes.json").items()}
)
