"""Accounts and portfolios in an answer: whose they are is not for Meta's credential to say.

One portfolio, or one app, may serve several workspaces. Meta lists all that the credential reaches,
and lets `fields=` walk on from there into numbers and templates. Rows of what is not the workspace's
are taken out before an answer is shown or learned from.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Call
from portero.graphapi.operations import BY_NAME

_OWNERS: Final = frozenset({"waba", "business", "client_business"})


def owners_named(call: Call, payload: object) -> frozenset[str]:
    """The ids of all accounts and portfolios that have a row of their own in an answer."""
    node = call.operation.node
    return frozenset() if node is None else frozenset(_named(node, payload))


def without_owners(call: Call, payload: object, strangers: Collection[str]) -> object:
    """The answer without the rows of these accounts and portfolios, and of any without an id."""
    node = call.operation.node
    return payload if node is None else _without(node, payload, strangers)


def _named(node: str, value: object) -> Iterator[str]:
    if isinstance(value, list):
        for row in value:
            if node in _OWNERS and isinstance(row, dict):
                yield _id_of(row)
            yield from _named(node, row)
    elif isinstance(value, dict):
        yield from _named(node, value.get("data"))
        for edge, below in _edges(node, value):
            yield from _named(below, value[edge])


def _without(node: str, value: object, strangers: Collection[str]) -> object:
    if isinstance(value, list):
        kept = (row for row in value if not _is_strange(node, row, strangers))
        return [_without(node, row, strangers) for row in kept]
    if not isinstance(value, dict):
        return value
    changed = {edge: _without(below, value[edge], strangers) for edge, below in _edges(node, value)}
    if "data" in value:
        changed["data"] = _without(node, value["data"], strangers)
    return {**value, **changed}


def _is_strange(node: str, row: object, strangers: Collection[str]) -> bool:
    if node not in _OWNERS or not isinstance(row, dict):
        return False
    owner = _id_of(row)
    return not owner or owner in strangers


def _id_of(row: Mapping[str, object]) -> str:
    value = row.get("id")
    return str(value) if isinstance(value, str | int) else ""


def _edges(node: str, value: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The edges in an object, each with the node its rows are."""
    for edge, name in NODES[node].edges.items():
        below = BY_NAME[name].node
        if edge in value and below is not None:
            yield edge, below
