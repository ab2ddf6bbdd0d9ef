"""What a number's subscriber is told of its calls, in the field `calls`."""

from portero.sandbox.contacts import contact
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.objects import Json, PhoneCall
from portero.sandbox.world import World


async def tell_status(call: PhoneCall, status: str, *, world: World, courier: Courier) -> Delivery:
    """RINGING, ACCEPTED or REJECTED: how the customer takes a call of the business."""
    told: Json = {"id": call.id, "type": "call", "status": status}
    told |= {"timestamp": str(int(world.clock())), "recipient_id": call.customer}
    return await _tell(call, {"statuses": [told | _echo(call)]}, world, courier)


async def tell_connect(
    call: PhoneCall, session: Json | None, *, world: World, courier: Courier
) -> Delivery:
    """A session: the customer's offer, or the customer's answer to the business's."""
    told = _event(call, "connect", world) | ({"session": session} if session else {})
    return await _tell(call, {"calls": [told]}, world, courier)


async def tell_terminate(call: PhoneCall, *, world: World, courier: Courier) -> Delivery:
    """The end, however it came."""
    told = _event(call, "terminate", world)
    told["status"] = "COMPLETED" if call.accepted_at is not None else "FAILED"
    if call.accepted_at is not None and call.ended_at is not None:
        told |= {"start_time": str(int(call.accepted_at)), "end_time": str(int(call.ended_at))}
        told["duration"] = call.duration_s
    return await _tell(call, {"calls": [told | _echo(call)]}, world, courier)


def _event(call: PhoneCall, event: str, world: World) -> Json:
    ours = world.numbers[call.number_id].display_digits
    caller, callee = (ours, call.customer) if call.by_business else (call.customer, ours)
    return {
        "id": call.id,
        "from": caller,
        "to": callee,
        "event": event,
        "timestamp": str(int(world.clock())),
        "direction": "BUSINESS_INITIATED" if call.by_business else "USER_INITIATED",
    }


def _echo(call: PhoneCall) -> Json:
    return {"biz_opaque_callback_data": call.callback_data} if call.callback_data else {}


async def _tell(call: PhoneCall, told: Json, world: World, courier: Courier) -> Delivery:
    number = world.numbers[call.number_id]
    value: Json = {"messaging_product": "whatsapp", "metadata": number.metadata}
    value |= {"contacts": [contact(world, call.customer, "")]} | told
    waba = world.wabas[number.waba_id]
    return await courier.deliver("calls", value, waba=waba, number=number)
