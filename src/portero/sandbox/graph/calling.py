"""Calls of a number: start one, answer one, and who may be called."""

import math
from functools import partial

from portero.graphapi.errors import meta_error
from portero.sandbox import call_events, wamid
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.objects import Json, Number, PhoneCall, Recipient
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.reading import required
from portero.sandbox.world import World

_DAY_S = 24 * 3600
_CONCURRENT_MAX = 1_000
_REQUESTS = (("PT24H", _DAY_S, 1), ("P7D", 7 * _DAY_S, 2))
_CALLS_A_DAY = 100  # Meta's pages name the limit (138012); the figure is unverified
_ANSWERING = ("pre_accept", "accept", "reject", "terminate")


def handle_call(call: Call, number: Number) -> Json:
    """`connect` starts a call; the other actions name the `call_id` of one."""
    call.request.need_whatsapp()
    _check_enabled(number)
    action = call.request.needed("action")
    if action == "connect":
        return _connect(call, number)
    if action not in _ANSWERING:
        raise meta_error(100, details=f"Param action must be one of connect, {_ANSWERING}")
    return _answer(call, number, action)


def _check_enabled(number: Number) -> None:
    calling = number.settings.get("calling", {})
    if calling.get("status") != "ENABLED":
        raise meta_error(138000, details="Calling is not enabled for this phone number")
    if calling.get("sip", {}).get("status") == "ENABLED":
        raise meta_error(138000, details="With SIP enabled, calls go by SIP only")


def _connect(call: Call, number: Number) -> Json:
    world = call.world
    customer = _customer(call, "to").key
    _check_session(call, "offer")
    permission = world.call_permissions.get((number.id, customer), 0.0)
    if permission <= call.now:
        raise meta_error(138006, details="The customer has not allowed calls")
    ours = [one for one in world.calls.values() if one.number_id == number.id]
    if sum(one.state != "ended" for one in ours) >= _CONCURRENT_MAX:
        raise meta_error(138002, details=f"At most {_CONCURRENT_MAX} calls at once")
    theirs = [one for one in ours if one.customer == customer]
    if any(one.state != "ended" for one in theirs):
        raise meta_error(138003, details="There is a call with this customer already")
    if _recent(theirs, call.now) >= _CALLS_A_DAY:
        raise meta_error(138012, details=f"At most {_CALLS_A_DAY} calls a day to one customer")
    made = PhoneCall(
        id=wamid.call_id(customer),
        number_id=number.id,
        customer=customer,
        by_business=True,
        began_at=call.now,
        callback_data=checks.an_optional_text(
            call.request.params, "biz_opaque_callback_data", "call", high=512
        ),
    )
    world.remember_call(made)
    ring = partial(call_events.tell_status, made, "RINGING", world=world, courier=call.courier)
    call.afterwards.append(lambda: call.courier.start(ring()))
    return {"messaging_product": "whatsapp", "calls": [{"id": made.id}]} | SUCCESS


def _recent(calls: list[PhoneCall], now: float) -> int:
    return sum(one.by_business and now - one.began_at < _DAY_S for one in calls)


def _answer(call: Call, number: Number, action: str) -> Json:
    """What the business does with a call: its states allow each action once."""
    answered = call.world.calls.get(call.request.needed("call_id"))
    if answered is None or answered.number_id != number.id:
        raise meta_error(100, details="Param call_id is not of a call of this number")
    if answered.state == "ended":
        raise meta_error(138004, details="The call has ended")
    if action in ("pre_accept", "accept"):
        _check_session(call, "answer")
    if action != "terminate" and (answered.by_business or answered.state != "ringing"):
        raise meta_error(100, details=f"The call cannot be answered by {action}")
    if action == "accept":
        answered.state, answered.accepted_at = "accepted", call.now
    elif action in ("reject", "terminate"):
        answered.state, answered.ended_at = "ended", call.now
        end = partial(call_events.tell_terminate, answered, world=call.world, courier=call.courier)
        call.afterwards.append(lambda: call.courier.start(end()))
    return {"messaging_product": "whatsapp"} | SUCCESS


def _check_session(call: Call, kind: str) -> None:
    session = checks.an_object(call.request.params.get("session"), "session")
    if session.get("sdp_type") != kind:
        raise meta_error(100, details=f"session['sdp_type'] must be {kind}")
    checks.a_text(session, "sdp", "session", high=65_536)


def read_permission(call: Call, number: Number) -> Json:
    """Whether the customer may be called, and may be asked to allow it."""
    customer = _customer(call, "user_wa_id").key
    until = call.world.call_permissions.get((number.id, customer), 0.0)
    permission: Json = {"status": "no_permission"}
    if until == math.inf:
        permission = {"status": "permanent"}
    elif until > call.now:
        permission = {"status": "temporary", "expiration_time": int(until)}
    asked = call.world.permission_requests[number.id, customer]
    placed = _recent(
        [one for one in call.world.calls.values() if one.customer == customer], call.now
    )
    actions = [
        _action("send_call_permission_request", call.now, asked, _REQUESTS, allowed=True),
        {
            "action_name": "start_call",
            "can_perform_action": until > call.now and placed < _CALLS_A_DAY,
            "limits": [
                {"time_period": "PT24H", "max_allowed": _CALLS_A_DAY, "current_usage": placed}
            ],
        },
    ]
    return {"messaging_product": "whatsapp", "permission": permission, "actions": actions}


def _action(
    name: str,
    now: float,
    times: list[float],
    limits: tuple[tuple[str, int, int], ...],
    *,
    allowed: bool,
) -> Json:
    shown: list[Json] = []
    for period, length_s, most in limits:
        used = [at for at in times if now - at < length_s]
        limit: Json = {"time_period": period, "max_allowed": most, "current_usage": len(used)}
        if len(used) >= most:
            allowed = False
            limit["limit_expiration_time"] = int(used[0] + length_s)
        shown.append(limit)
    return {"action_name": name, "can_perform_action": allowed, "limits": shown}


def count_request(world: World, number: Number, customer: str) -> None:
    """Count a request for permission to call. Raises `GraphError` 138009 for one too many."""
    now, times = world.clock(), world.permission_requests[number.id, customer]
    times[:] = [at for at in times if now - at < 7 * _DAY_S]
    for _, length_s, most in _REQUESTS:
        if sum(now - at < length_s for at in times) >= most:
            raise meta_error(138009, details="One request in 24 hours, two in seven days")
    times.append(now)


def _customer(call: Call, name: str) -> Recipient:
    """The customer that `name`, or else `recipient`, names."""
    text = call.request.text(name) or call.request.text("recipient")
    if not text:
        raise required(name)
    if is_bsuid(text):
        return Recipient(text, call.world.wa_id_behind(text), text)
    digits = digits_of(text)
    if not digits:
        raise meta_error(100, details=f"Param {name} must be a valid WhatsApp phone number")
    return Recipient(text, wa_id_of(digits), "")
