"""Which ids of an answer belong to the workspace from now on, so that later calls may name them.

Only what hangs on an id the workspace already has is learned. Accounts, portfolios and apps never
are: their lists hold everything a credential can reach, and two workspaces may share a portfolio.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from portero.graphapi.kinds import Kind, has_shape
from portero.graphapi.learned import Learned
from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Call
from portero.graphapi.operations import BY_NAME


@dataclass(frozen=True, slots=True)
class _NodeRule:
    kind: Kind
    attributes: tuple[str, ...] = ()
    id_member: str = "id"


_NODES: Final[Mapping[str, _NodeRule]] = MappingProxyType(
    {
        "number": _NodeRule(Kind.NUMBER, ("display_phone_number", "verified_name")),
        "template": _NodeRule(Kind.TEMPLATE, ("name", "language", "category", "status")),
        "template_group": _NodeRule(Kind.TEMPLATE_GROUP, ("name",)),
        "flow": _NodeRule(Kind.FLOW, ("name", "status")),
        "group": _NodeRule(Kind.GROUP, ("subject",)),
        "qr_code": _NodeRule(Kind.QR_CODE, (), "code"),
        "catalog": _NodeRule(Kind.CATALOG, ("name",)),
        "signup": _NodeRule(Kind.SIGNUP, ("status",)),
        "history": _NodeRule(Kind.HISTORY),
        "preverified_number": _NodeRule(Kind.PREVERIFIED_NUMBER, ("display_phone_number",)),
        "solution": _NodeRule(Kind.SOLUTION, ("name", "status")),
        "assigned_user": _NodeRule(Kind.USER, ("name",)),
        "system_user": _NodeRule(Kind.USER, ("name",)),
        "business_user": _NodeRule(Kind.USER, ("name",)),
    }
)
_CREATES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "upload_media": Kind.MEDIA,
        "create_flow": Kind.FLOW,
        "create_flow_with_endpoint": Kind.FLOW,
        "add_number": Kind.NUMBER,
        "create_signup": Kind.SIGNUP,
        "create_template_group": Kind.TEMPLATE_GROUP,
        "add_preverified_number": Kind.PREVERIFIED_NUMBER,
    }
)


def learned_ids(call: Call, payload: object) -> tuple[Learned, ...]:
    """What an answer to a call teaches, from Meta's payload or from the rebuilt one."""
    if not isinstance(payload, dict):
        return ()
    special = _SPECIAL.get(call.operation.name)
    if special is not None:
        return tuple(special(call, payload))
    if call.operation.name in _CREATES:
        return tuple(_created(call, payload, _CREATES[call.operation.name]))
    if call.operation.node is not None:
        return tuple(_walked(call.operation.node, payload, _Place.of(call)))
    return ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Beneath which ids an answer stands."""

    parent: str | None
    number: str | None

    @classmethod
    def of(cls, call: Call) -> "_Place":
        ids = call.path_ids
        numbers = [ref.value for ref in ids if ref.kind is Kind.NUMBER]
        return cls(ids[0].value if ids else None, numbers[0] if numbers else None)


def _learned(
    kind: Kind, value: object, place: _Place, attributes: Mapping[str, str] | None = None
) -> Iterator[Learned]:
    text = str(value) if isinstance(value, str | int) else ""
    if has_shape(kind, text):
        number = text if kind is Kind.NUMBER else place.number
        parent = place.parent if place.parent != text else None
        yield Learned(kind, text, parent, number, attributes or {})


def _attributes(names: Iterable[str], *sources: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        found |= {name: str(source[name]) for name in names if isinstance(source.get(name), str)}
    return found


def _walked(node: str, payload: Mapping[str, object], place: _Place) -> Iterator[Learned]:
    for row in _rows(payload):
        rule = _NODES.get(node)
        if rule is not None:
            attributes = _attributes(rule.attributes, row)
            yield from _learned(rule.kind, row.get(rule.id_member), place, attributes)
        yield from _edges(node, row, place)


def _edges(node: str, row: Mapping[str, object], place: _Place) -> Iterator[Learned]:
    own = row.get("id")
    below = _Place(own if isinstance(own, str) else place.parent, place.number)
    for edge, name in NODES[node].edges.items():
        inner, operation = row.get(edge), BY_NAME[name]
        if operation.node is not None and isinstance(inner, dict):
            yield from _walked(operation.node, inner, below)


def _rows(payload: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The nodes of an answer: itself, the rows of `data`, or the rows one member deeper."""
    data = payload.get("data", payload)
    if isinstance(data, dict) and "id" not in data:
        data = next((part for part in data.values() if isinstance(part, list)), data)
    rows = data if isinstance(data, list) else [data]
    yield from (row for row in rows if isinstance(row, dict))


def _created(call: Call, payload: Mapping[str, object], kind: Kind) -> Iterator[Learned]:
    said = _attributes(("name", "verified_name"), call.body or {})
    yield from _learned(kind, payload.get("id"), _Place.of(call), said)


def _sent(call: Call, payload: Mapping[str, object]) -> Iterator[Learned]:
    for kind, member in ((Kind.MESSAGE, "messages"), (Kind.CALL, "calls")):
        rows = payload.get(member)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                yield from _learned(kind, row.get("id"), _Place.of(call))


def _template(call: Call, payload: Mapping[str, object]) -> Iterator[Learned]:
    names = _NODES["template"].attributes
    rows = payload.get("data", [payload])
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            attributes = _attributes(names, call.body or {}, row)
            yield from _learned(Kind.TEMPLATE, row.get("id"), _Place.of(call), attributes)


def _upload(call: Call, payload: Mapping[str, object]) -> Iterator[Learned]:
    """The session without its signature, which is a parameter and no part of the id."""
    session = str(payload.get("id", "")).partition("?")[0]
    yield from _learned(Kind.UPLOAD, session, _Place.of(call))


def _migrated_flows(call: Call, payload: Mapping[str, object]) -> Iterator[Learned]:
    rows = payload.get("migrated_flows")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            name = row.get("source_name")
            attributes = {"name": name} if isinstance(name, str) else {}
            yield from _learned(Kind.FLOW, row.get("migrated_id"), _Place.of(call), attributes)


def _qr_code(call: Call, payload: Mapping[str, object]) -> Iterator[Learned]:
    yield from _learned(Kind.QR_CODE, payload.get("code"), _Place.of(call))


_SPECIAL: Final[Mapping[str, Callable[[Call, Mapping[str, object]], Iterable[Learned]]]] = (
    MappingProxyType(
        {
            "send_message": _sent,
            "send_marketing_message": _sent,
            "place_call": _sent,
            "create_template": _template,
            "upsert_templates": _template,
            "create_upload": _upload,
            "migrate_flows": _migrated_flows,
            "create_qr_code": _qr_code,
        }
    )
)
