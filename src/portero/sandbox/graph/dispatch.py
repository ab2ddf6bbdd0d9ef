"""From a request to its handler: who calls, which node, which edge."""

import inspect
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import authentication
from portero.sandbox.graph.batch import perform_batch, read_many
from portero.sandbox.graph.errors import unknown_field, unknown_object, unknown_path
from portero.sandbox.graph.records import note
from portero.sandbox.graph.routes import (
    NODE_ROUTES,
    ROOT_ROUTES,
    UPLOAD_ROUTES,
    Answer,
    RootRoute,
    Route,
)
from portero.sandbox.objects import Json, Signup
from portero.sandbox.world import Node

_SIGNUPS = "signups"  # the one kind of node that is not bare


async def perform(call: Call) -> Reply:
    """Do what the request says. Raises `GraphError`."""
    call.expand = _expand
    request = call.request
    root = _root_route(request.method, request.segments)
    if root is None or not root.is_public:
        call.token = authentication.authenticate(call.world, request)
    if root is not None:
        return await _settled(root.handler(call))
    if not request.segments:
        return await _perform_root(call)
    return await _perform_on_node(call)


async def _perform_root(call: Call) -> Reply:
    request = call.request
    if request.method == "POST" and "batch" in request.params:
        return await perform_batch(call, perform)
    if request.method == "GET" and "ids" in request.params:
        return await read_many(call, perform)
    raise unknown_object(request.method, "")


async def _perform_on_node(call: Call) -> Reply:
    request, world = call.request, call.world
    is_signup = request.segments[0] == _SIGNUPS and len(request.segments) > 1
    node_id, edge = request.segments[is_signup], request.segments[is_signup + 1 :]
    node = world.node(node_id)
    if node is None or call.token is None or isinstance(node, Signup) is not is_signup:
        raise unknown_object(request.method, node_id)
    call.waba = world.waba_of(node)
    if not authentication.reaches(call.token, call.waba):
        raise unknown_object(request.method, node_id)
    route = _route(call, node, edge)
    authentication.authorize(call.token, route.scopes)
    reply = await _settled(route.handler(call, node))
    if route.activity is not None:
        note(call, route.activity)
    return reply


def _root_route(method: str, segments: tuple[str, ...]) -> RootRoute | None:
    if len(segments) == 1 and segments[0].startswith("upload:"):
        return UPLOAD_ROUTES.get(method)
    return ROOT_ROUTES.get((method, "/".join(segments)))


def _route(call: Call, node: Node, edge: tuple[str, ...]) -> Route:
    routes = NODE_ROUTES.get(type(node), {})
    method = call.request.method
    wildcard = routes.get((method, edge[0] + "/*")) if len(edge) == 2 else None
    exact = routes.get((method, "/".join(edge)))
    if exact is not None and exact is not wildcard:  # "*" itself is a name like any other
        return exact
    if wildcard is not None:
        call.rest = edge[1:]
        return wildcard
    if not edge:
        raise unknown_object(method, call.request.segments[0])
    if method == "GET":
        raise unknown_field("/".join(edge), type(node).__name__)
    raise unknown_path(edge)


def _expand(call: Call, node: Any, edge: str, parameters: Json) -> Json | None:
    """Read an edge that `fields` names, with its modifiers as parameters."""
    route = NODE_ROUTES.get(type(node), {}).get(("GET", edge))
    if route is None or call.token is None:
        return None
    if not authentication.reaches(call.token, call.world.waba_of(node)):
        raise unknown_object("GET", node.id)
    authentication.authorize(call.token, route.scopes)
    request = replace(call.request, segments=(node.id, edge), params=parameters)
    answer = route.handler(replace(call, request=request), node)
    return answer if isinstance(answer, dict) else None


async def _settled(answer: Answer | Awaitable[Answer]) -> Reply:
    result = await answer if inspect.isawaitable(answer) else answer
    return result if isinstance(result, Reply) else Reply(result)
