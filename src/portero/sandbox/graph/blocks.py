"""Customers a number has blocked. A partial failure answers 400 with both halves of the truth."""

from collections.abc import Callable
from typing import TypeAlias

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import checks
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Json, Number
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.wire import trace_id
from portero.sandbox.world import World

Act: TypeAlias = Callable[[str, str], GraphError | None]

_BLOCKED_MAX = 64_000


def list_blocked(call: Call, number: Number) -> Json:
    return paged(
        call,
        list(number.blocked.items()),
        key=lambda entry: entry[0],
        show=lambda entry: {
            "messaging_product": "whatsapp",
            "input": entry[1],
            "wa_id": entry[0],
        },
    )


def block(call: Call, number: Number) -> Reply:
    """Only who wrote in the last 24 hours can be blocked."""

    def add(customer: str, typed: str) -> GraphError | None:
        if customer == wa_id_of(number.display_digits):
            return meta_error(131021)
        if not call.world.window_is_open(number.id, customer):
            return meta_error(131047, details="The user has not messaged in the last 24 hours")
        if len(number.blocked) >= _BLOCKED_MAX:
            return meta_error(139101)
        number.blocked[customer] = typed
        return None

    return _answer(call, "added_users", add)


def unblock(call: Call, number: Number) -> Reply:
    def remove(customer: str, typed: str) -> GraphError | None:
        if customer not in number.blocked:
            return meta_error(139103)
        del number.blocked[customer]
        return None

    return _answer(call, "removed_users", remove)


def _answer(call: Call, done_key: str, act: Act) -> Reply:
    done: list[Json] = []
    failed: list[Json] = []
    for entry in checks.a_list(call.request.params.get("block_users"), "block_users"):
        typed, customer = _customer(call.world, checks.an_object(entry, "block_users"))
        shown = {"input": typed, "wa_id": customer}
        error = act(customer, typed) if customer else meta_error(131026)
        if error is None:
            done.append(shown)
        else:
            failed.append(shown | {"errors": [_told(error)]})
    users: Json = {done_key: done} | ({"failed_users": failed} if failed else {})
    body: Json = {"messaging_product": "whatsapp", "block_users": users}
    if not failed:
        return Reply(body)
    return Reply(body | meta_error(139100).body(trace_id()), status=400)


def _customer(world: World, entry: Json) -> tuple[str, str]:
    """What was typed, and the customer it stands for; empty when it stands for nobody."""
    typed = str(entry.get("user") or entry.get("user_id") or "")
    if is_bsuid(typed):
        return typed, world.wa_id_behind(typed) or typed
    digits = digits_of(typed)
    return typed, wa_id_of(digits) if digits else ""


def _told(error: GraphError) -> Json:
    title = error.message.partition(") ")[2]
    details = {"details": error.details or title}
    return {"message": error.message, "code": error.code, "error_data": details}
