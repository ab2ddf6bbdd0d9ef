"""Which call does what. A bare id says nothing of its kind, so paths are bound per kind of node."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import messages
from portero.sandbox.objects import Json, Number, Scope

Answer: TypeAlias = Json | Reply
NodeHandler: TypeAlias = Callable[[Call, Any], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the scopes its token needs."""

    handler: NodeHandler
    scopes: tuple[Scope, ...] = ()


_SEND, _MANAGE = (Scope.MESSAGING,), (Scope.MANAGEMENT,)

# By kind of node; then by verb and edge. "" is the node itself, "/*" one more segment.
NODE_ROUTES: Mapping[type, Mapping[tuple[str, str], Route]] = {
    Number: {
        ("POST", "messages"): Route(messages.post_message, _SEND),
        ("POST", "marketing_messages"): Route(messages.post_marketing_message, _SEND),
    },
}
