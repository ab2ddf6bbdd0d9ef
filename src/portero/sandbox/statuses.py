"""The life of an accepted message, told by webhooks: sent, delivered, read, or failed."""

import asyncio
from dataclasses import replace

from portero.graphapi.errors import CATALOGUE
from portero.sandbox.contacts import contact
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.objects import Event, Json, Message
from portero.sandbox.world import World

KNOWN = ("sent", "delivered", "read", "played", "failed")
_ERRORS_PAGE = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


async def live(message: Message, *, world: World, courier: Courier) -> None:
    """Send the good statuses one after another, each once the one before was attempted."""
    speed = world.speed
    steps = (("sent", speed.sent_s), ("delivered", speed.delivered_s), ("read", speed.read_s))
    for status, delay in steps:
        if delay is None:
            return
        await asyncio.sleep(delay)
        await tell(message, status, world=world, courier=courier)


async def fail(
    message: Message, code: int, details: str | None, *, world: World, courier: Courier
) -> None:
    """Send the one status of a message that was accepted and then refused."""
    if world.speed.sent_s is not None:
        await asyncio.sleep(world.speed.sent_s)
        errors = [failure(code, details)]
        await tell(message, "failed", world=world, courier=courier, errors=errors)


async def tell(
    message: Message,
    status: str,
    *,
    world: World,
    courier: Courier,
    errors: list[Json] | None = None,
) -> Delivery:
    """Send one status of a message, whatever came before, and write it into its history."""
    number, now = world.numbers[message.number_id], int(world.clock())
    value = {
        "messaging_product": "whatsapp",
        "metadata": number.metadata,
        "contacts": _contacts(message, world),
        "statuses": _statuses(message, status, world, errors),
    }
    waba = world.wabas[number.waba_id]
    error = errors[0]["title"] if errors else None
    event = Event(id=world.new_id(), status=status, at=now, told=False, url=None, error=error)
    # Before it is told: whoever hears of it and asks at once finds it.
    message.events.append(event)
    delivery = await courier.deliver("messages", value, waba=waba, number=number)
    message.events[message.events.index(event)] = replace(
        event, told=delivery.delivered, url=delivery.url
    )
    return delivery


def failure(code: int, details: str | None) -> Json:
    """A catalogued error as webhooks carry it: without the `(#code)` that answers have."""
    title = CATALOGUE[code].title
    error: Json = {"code": code, "title": title, "message": title}
    return error | {"error_data": {"details": details or title}, "href": _ERRORS_PAGE}


def _contacts(message: Message, world: World) -> list[Json]:
    """Whom the statuses are about: one maintained client reads them on failed ones too."""
    if message.group:
        return [contact(world, customer, "") for customer in message.group]
    recipient = message.recipient
    return [contact(world, recipient.wa_id, recipient.user_id)]


def _statuses(message: Message, status: str, world: World, errors: list[Json] | None) -> list[Json]:
    """One status; to a group one per member, together."""
    told = _status(message, status, int(world.clock()), errors)
    if not message.recipient.group_id:
        return [told]
    told["recipient_type"] = "group"
    members = [
        {"recipient_participant_id": member, "recipient_participant_user_id": user_id}
        for member in message.group
        for user_id in [world.user_id_of(member)]
    ]
    return [told | member for member in members] or [told]


def _status(message: Message, status: str, now: int, errors: list[Json] | None) -> Json:
    recipient = message.recipient
    told: Json = {"id": message.id, "status": status, "timestamp": str(now)}
    told["recipient_id"] = recipient.group_id or recipient.wa_id
    if recipient.user_id:
        told["recipient_user_id"] = recipient.user_id
    if message.callback_data is not None:
        told["biz_opaque_callback_data"] = message.callback_data
    if status in ("sent", "delivered"):
        told["pricing"] = _pricing(message)
    if errors:
        told["errors"] = errors
    return told


def _pricing(message: Message) -> Json:
    billable = is_billable(message)
    return {
        "billable": billable,
        "pricing_model": "PMP",
        "type": "regular" if billable else "free_customer_service",
        "category": message.category,
    }


def is_billable(message: Message) -> bool:
    """Whether Meta would charge for it: templates; in a window everything else is free."""
    return message.kind == "template"
