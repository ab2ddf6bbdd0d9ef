"""From a request to its handler: who calls, which node, which edge."""

import inspect
from collections.abc import Awaitable

from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import authentication
from portero.sandbox.graph.errors import unknown_field, unknown_object, unknown_path
from portero.sandbox.graph.routes import NODE_ROUTES, Answer, Route
from portero.sandbox.world import Node


async def perform(call: Call) -> Reply:
    """Do what the request says. Raises `GraphError`."""
    request, world = call.request, call.world
    call.token = authentication.authenticate(world, request)
    if not request.segments:
        raise unknown_object(request.method, "")
    node_id, edge = request.segments[0], request.segments[1:]
    node = world.node(node_id)
    if node is None or not authentication.reaches(call.token, world.waba_of(node)):
        raise unknown_object(request.method, node_id)
    call.waba = world.waba_of(node)
    route = _route(call, node, edge)
    authentication.authorize(call.token, route.scopes)
    return await _settled(route.handler(call, node))


def _route(call: Call, node: Node, edge: tuple[str, ...]) -> Route:
    routes = NODE_ROUTES.get(type(node), {})
    method = call.request.method
    exact = routes.get((method, "/".join(edge)))
    if exact is not None:
        return exact
    wildcard = routes.get((method, edge[0] + "/*")) if len(edge) == 2 else None
    if wildcard is not None:
        call.rest = edge[1:]
        return wildcard
    if not edge:
        raise unknown_object(method, call.request.segments[0])
    if method == "GET":
        raise unknown_field("/".join(edge), type(node).__name__)
    raise unknown_path(edge)


async def _settled(answer: Answer | Awaitable[Answer]) -> Reply:
    result = await answer if inspect.isawaitable(answer) else answer
    return result if isinstance(result, Reply) else Reply(result)
