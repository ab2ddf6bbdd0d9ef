"""Puts the emulator together: the Graph surface, and the control surface beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from portero.sandbox.control import Control
from portero.sandbox.courier import Courier
from portero.sandbox.endpoint import GraphEndpoint
from portero.sandbox.faults import Faults
from portero.sandbox.ledger import Ledger
from portero.sandbox.world import Clock, World


def create_app(world: World, *, clock: Clock | None = None) -> Starlette:
    """The emulator of `world` as an ASGI application.

    Args:
        world: what exists at the start; the application changes it.
        clock: Unix seconds, in place of the world's own clock.
    """
    if clock is not None:
        world.clock = clock
    courier, ledger, faults = Courier(world), Ledger(), Faults()
    control = Control(world, courier, ledger, faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        courier.close()

    graph = Route("/{path:path}", GraphEndpoint(world, courier, ledger, faults))
    return Starlette(routes=[control.mount(), graph], lifespan=lifespan)
