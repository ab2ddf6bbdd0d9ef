"""What a handler gets and gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from portero.graphapi.errors import GraphError
from portero.sandbox.courier import Courier
from portero.sandbox.objects import Json, Token, Waba
from portero.sandbox.reading import GraphRequest
from portero.sandbox.world import World

Task: TypeAlias = Callable[[], None]
Expand: TypeAlias = Callable[["Call", Any, str, Json], Json | None]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is more than a JSON object with status 200."""

    body: Json | list[Any] | bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass(slots=True)
class Call:
    """One call on its way through a handler.

    Attributes:
        rest: path segments after the edge.
        waba: the account the addressed node belongs to, for the usage header.
        expand: reads an edge of a node for `fields`; None where the node has no such edge.
        fate: what a message will fail with, whatever else would become of it.
        afterwards: what to start once the answer is on the wire, such as status webhooks.
    """

    world: World
    courier: Courier
    request: GraphRequest
    token: Token | None = None
    rest: tuple[str, ...] = ()
    waba: Waba | None = None
    expand: Expand | None = None
    fate: GraphError | None = None
    afterwards: list[Task] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.world.clock()


SUCCESS: Json = {"success": True}
