"""A request for every operation of the table, made of its own shapes, with an id of choice anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portero.graphapi.kinds import CHECKED_BY_PARENT, Kind
from portero.graphapi.operation import Operation, Payload
from portero.graphapi.shapes import (
    Anything,
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

Ids = Mapping[Kind, str]
Way = tuple[str | int, ...]
_DEPTH_MAX = 8
# One of these has the spelling of every pattern in the table.
_SPELLED = ("1", "123456", "2026-01-01", "abc", "https://example.com/x", "true", "JSON")


@dataclass(frozen=True)
class Place:
    """Where an id of one kind stands in requests of one operation: `path`, `query` or `body`."""

    operation: Operation
    where: str
    way: Way
    kind: Kind

    def __str__(self) -> str:
        return f"{self.operation.name}:{'.'.join(map(str, (self.where, *self.way)))}"


@dataclass(frozen=True)
class Sample:
    method: str
    target: str
    json: Any
    multipart: bool


def places(operation: Operation) -> Iterator[Place]:
    """Every place of an id that the registry must know."""
    for position, kind in operation.slots:
        if kind not in CHECKED_BY_PARENT:
            yield Place(operation, "path", (position,), kind)
    for where, shape in (("query", operation.params), ("body", operation.body)):
        if shape is not None:
            yield from (Place(operation, where, way, kind) for way, kind in _ways(shape))


def _ways(shape: Shape, way: Way = ()) -> Iterator[tuple[Way, Kind]]:
    if len(way) > _DEPTH_MAX:
        return
    if isinstance(shape, Named):
        yield from _ways(shape.resolve(), way)
    elif isinstance(shape, Members):
        for name, member in shape.members.items():
            yield from _ways(member, (*way, name))
    elif isinstance(shape, Items):
        yield from _ways(shape.of, (*way, 0))
    elif isinstance(shape, Id) and shape.kind not in CHECKED_BY_PARENT:
        yield way, shape.kind


def sample(place: Place, ours: Ids, chosen: Ids) -> Sample:
    """A request of the place's operation, with the chosen id there and our own everywhere else."""
    operation = place.operation
    segments: list[Any] = list(operation.segments)
    for position, kind in operation.slots:
        segments[position] = quote(ours[kind])
    parts = {
        "path": segments,
        "query": _object(operation.params, operation, place, "query", ours),
        "body": _object(operation.body, operation, place, "body", ours),
    }
    put(parts[place.where], place.way, chosen[place.kind])
    target = "/v23.0/" + "/".join(segments)
    query = [
        f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}"
        for name, value in parts["query"].items()
    ]
    return Sample(
        operation.method,
        f"{target}?{'&'.join(query)}" if query else target,
        parts["body"] or None,
        operation.payload is Payload.FILE,
    )


def _object(
    shape: Members | None, operation: Operation, place: Place, where: str, ours: Ids
) -> dict[str, Any]:
    """The parameters or the body: what is required, what is claimed, and what leads to the place."""
    if shape is None:
        return {}
    path, _, word = (operation.claims[0] if operation.claims else "").partition("=")
    claim: Way = tuple(path.split("."))
    ways = [claim] if claim[0] in shape.members else []
    ways += [place.way] if place.where == where else []
    made: dict[str, Any] = _value(shape, ways, ours)
    if place.where != where:
        made.pop(str(place.way[0]), None)  # said once, or the two would differ
    if word and claim in ways:
        put(made, claim, word)
    return made


def put(made: Any, way: Way, value: str) -> None:
    """Write a value where a way through objects and lists ends."""
    for step in way[:-1]:
        made = made[step]
    made[way[-1]] = value


def _value(shape: Shape, ways: list[Way], ours: Ids) -> Any:
    """The least that fits, and what leads to the ways."""
    if isinstance(shape, Named):
        return _value(shape.resolve(), ways, ours)
    if isinstance(shape, Members):
        return _members(shape, ways, ours)
    if isinstance(shape, Items):
        return [_value(shape.of, [way[1:] for way in ways if way], ours)]
    return ours[shape.kind] if isinstance(shape, Id) else _scalar(shape)


def _members(shape: Members, ways: list[Way], ours: Ids) -> dict[str, Any]:
    on_the_way = {str(way[0]) for way in ways if way}
    wanted = shape.required | on_the_way
    if shape.either and not shape.either & on_the_way:
        wanted |= {min(shape.either)}
    return {
        name: _value(shape.members[name], [way[1:] for way in ways if way[:1] == (name,)], ours)
        for name in sorted(wanted)
    }


def _scalar(shape: Shape) -> Any:
    if isinstance(shape, Choice):
        return shape.words[0]
    if isinstance(shape, Pattern):
        return next(text for text in _SPELLED if shape.pattern.fullmatch(text))
    if isinstance(shape, Integer):
        return max(shape.low, min(1, shape.high))
    others: dict[type[Any], Any] = {
        Text: "x",
        Number: 1,
        Boolean: True,
        Anything: {},
        Phone: "+525512345678",
        UserId: "MX.1234567",
    }
    return others[type(shape)]
