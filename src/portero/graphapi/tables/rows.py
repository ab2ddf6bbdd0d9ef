"""Short ways to write the rows of the table: one per risk class."""

from collections.abc import Mapping
from typing import Final, TypedDict, Unpack

from portero.graphapi.operation import Host, Operation, Payload, RiskClass

COST: Final = "report:read_cost"
COST_METRICS: Final = {"metric_types=cost": COST, "!metric_types": COST}
"""Without `metric_types` Graph returns every metric, cost among them."""


class Rest(TypedDict, total=False):
    """The columns of a row that most rows leave at their default."""

    claims: tuple[str, ...]
    adds: Mapping[str, str]
    node: str
    listed: bool
    names_template: bool
    payload: Payload
    host: Host


def read(name: str, path: str, permission: str, event: str, **rest: Unpack[Rest]) -> Operation:
    """An operation that only reads."""
    return Operation(name, "GET", path, RiskClass.READ, event, (permission,), **rest)


def list_of(
    node: str, name: str, path: str, permission: str, event: str, *, inside: str | None = None
) -> Operation:
    """An operation that reads a list of nodes, page by page."""
    risk, needed = RiskClass.READ, (permission,)
    return Operation(name, "GET", path, risk, event, needed, node=node, listed=True, inside=inside)


def change(
    name: str, method: str, path: str, permission: str, event: str, **rest: Unpack[Rest]
) -> Operation:
    """An operation that changes something without being high-risk."""
    return Operation(name, method, path, RiskClass.CONFIGURE, event, (permission,), **rest)


def high(
    name: str, method: str, path: str, permission: str, event: str, **rest: Unpack[Rest]
) -> Operation:
    """An operation that needs an owner, a fresh factor and a second person."""
    return Operation(name, method, path, RiskClass.HIGH_RISK, event, (permission,), **rest)


def send(
    name: str, method: str, path: str, permission: str, event: str, **rest: Unpack[Rest]
) -> Operation:
    """An operation that reaches a customer, or prepares what will."""
    return Operation(name, method, path, RiskClass.SEND, event, (permission,), **rest)


def never(name: str, method: str, path: str, **rest: Unpack[Rest]) -> Operation:
    """An operation that is recognised in order to be refused."""
    return Operation(name, method, path, RiskClass.NEVER, "operation.refused", **rest)
