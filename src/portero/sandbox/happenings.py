"""What happens without a call: customers ring and join groups, Meta judges, limits and restricts.

Each takes the body of a control request, changes the world as Meta would, and tells the subscriber.
"""

from collections.abc import Iterable
from typing import Any

from portero.sandbox import call_events, wamid
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.graph import group_events
from portero.sandbox.graph.flows import STATUSES as FLOW_STATUSES
from portero.sandbox.graph.flows import tell_status as tell_flow_status
from portero.sandbox.graph.groups import PARTICIPANTS_MAX
from portero.sandbox.graph.templates import tell_status as tell_template_status
from portero.sandbox.objects import CATEGORIES, Json, Number, PhoneCall, Template, Waba
from portero.sandbox.rates import PER_SECOND, TIERS
from portero.sandbox.world import World
from portero.sandbox.worldfile import TEMPLATE_STATUSES, Part, customer_from, fields

_QUALITIES = ("GREEN", "YELLOW", "RED", "UNKNOWN")
_OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


class CannotHappen(ValueError):
    """The world has not what this needs; the text says what is missing."""


async def call(body: Json, world: World, courier: Courier) -> Json:
    """A customer rings (`from`), or takes, refuses or ends a call (`call_id`, `event`)."""
    if "call_id" not in body:
        return await _ring(body, world, courier)
    part = fields(body, "call", needed=("call_id", "event"), known=("session",))
    found = world.calls.get(part.text("call_id"))
    event = part.one_of(("accept", "reject", "terminate"), "event")
    if found is None or found.state == "ended":
        raise CannotHappen("call_id is not of a call under way")
    if event == "terminate":
        return _told([await _end(found, world, courier)])
    if not found.by_business or found.state != "ringing":
        raise CannotHappen(f"the customer cannot {event} this call")
    if event == "reject":
        rejected = await call_events.tell_status(found, "REJECTED", world=world, courier=courier)
        return _told([rejected, await _end(found, world, courier)])
    found.state, found.accepted_at = "accepted", world.clock()
    session = part.values.get("session", {"sdp_type": "answer", "sdp": _OFFER})
    return _told(
        [
            await call_events.tell_connect(found, session, world=world, courier=courier),
            await call_events.tell_status(found, "ACCEPTED", world=world, courier=courier),
        ]
    )


async def _ring(body: Json, world: World, courier: Courier) -> Json:
    part = fields(body, "call", needed=("phone_number_id", "from"), known=("session",))
    number, customer = _number(part, world), customer_from(part.values["from"])
    if number.settings.get("calling", {}).get("status") != "ENABLED":
        raise CannotHappen("the number has calling switched off")
    rung = PhoneCall(wamid.call_id(customer), number.id, customer, False, world.clock())
    world.remember_call(rung)
    world.open_window(number.id, customer)  # as a message of the customer does
    session = part.values.get("session", {"sdp_type": "offer", "sdp": _OFFER})
    delivery = await call_events.tell_connect(rung, session, world=world, courier=courier)
    return {"call_id": rung.id} | _told([delivery])


async def _end(found: PhoneCall, world: World, courier: Courier) -> Delivery:
    found.state, found.ended_at = "ended", world.clock()
    return await call_events.tell_terminate(found, world=world, courier=courier)


async def group(body: Json, world: World, courier: Courier) -> Json:
    """A customer joins by the link, or leaves; Meta suspends a group, or lets it go on."""
    part = fields(body, "group", needed=("group_id", "event"), known=("from",))
    found = world.groups.get(part.text("group_id"))
    if found is None:
        raise CannotHappen("group_id is not a group of this sandbox")
    event = part.one_of(("join", "leave", "suspend", "resume"), "event")
    if event in ("suspend", "resume"):
        found.suspended = event == "suspend"
        kind = group_events.SUSPENDED if found.suspended else group_events.RESUMED
        return _told([await group_events.tell(found, kind, {}, world=world, courier=courier)])
    customer = customer_from(part.text("from"))
    if event == "leave":
        if customer not in found.participants:
            raise CannotHappen("from is not in the group")
        found.participants.remove(customer)
        kind, more = group_events.REMOVED, {"removed_participants": group_events.people([customer])}
        return _told([await group_events.tell(found, kind, more, world=world, courier=courier)])
    if not found.invite:
        raise CannotHappen("the group has no invite link")
    if customer in found.participants or len(found.participants) >= PARTICIPANTS_MAX:
        raise CannotHappen("the customer is in the group, or the group is full")
    if not found.needs_approval:
        found.participants.append(customer)
        kind, more = group_events.ADDED, {"added_participants": group_events.people([customer])}
        return _told([await group_events.tell(found, kind, more, world=world, courier=courier)])
    request_id = f"{found.id}:{world.new_id()}".replace(":", "-")
    found.requests[request_id] = (customer, int(world.clock()))
    asked: Json = {"join_request_id": request_id, "wa_id": customer}
    delivery = await group_events.tell(
        found, group_events.JOIN_REQUESTED, asked, world=world, courier=courier
    )
    return {"join_request_id": request_id} | _told([delivery])


async def number(body: Json, world: World, courier: Courier) -> Json:
    """Meta changes a number's quality, messaging limit or throughput, or decides on its name."""
    known = ("quality_rating", "messaging_limit", "throughput", "name_decision")
    part = fields(body, "number", needed=("phone_number_id",), known=known)
    found = _number(part, world)
    deliveries = [
        await courier.deliver(field, value, waba=world.wabas[found.waba_id], number=found)
        for field, value in _judged(part, found)
    ]
    return _told(deliveries)


def _judged(part: Part, number: Number) -> Iterable[tuple[str, Json]]:
    """Each wanted change made, and how it is told; everything is checked before the first."""
    given, info = part.values, number.info
    if len(given) == 1:
        raise CannotHappen("nothing is said to change")
    rating = part.one_of(_QUALITIES, "quality_rating", info["quality_rating"])
    tier = part.one_of(TIERS, "messaging_limit", info["messaging_limit"])
    level = part.one_of(PER_SECOND, "throughput", info["throughput"]["level"])
    decision = part.one_of(("APPROVED", "REJECTED", ""), "name_decision", "")
    changes: list[tuple[str, Json]] = []
    if (rating == "RED") is not (info["quality_rating"] == "RED"):
        event = "FLAGGED" if rating == "RED" else "UNFLAGGED"
        changes.append(("phone_number_quality_update", _limit_event(number, event, tier)))
    if tier != info["messaging_limit"]:
        event = "UPGRADE" if _rank(tier) > _rank(info["messaging_limit"]) else "DOWNGRADE"
        told = _limit_event(number, event, tier) | {"old_limit": info["messaging_limit"]}
        changes.append(("phone_number_quality_update", told))
        told = {"max_daily_conversations_per_business": tier, "max_phone_numbers_per_business": 20}
        changes.append(("business_capability_update", told))
    if level == "HIGH" and info["throughput"]["level"] != "HIGH":
        told = _limit_event(number, "THROUGHPUT_UPGRADE", tier)
        changes.append(("phone_number_quality_update", told))
    if decision:
        changes.append(("phone_number_name_update", _name_event(number, decision)))
    info |= {"quality_rating": rating, "messaging_limit": tier, "throughput": {"level": level}}
    return changes


def _rank(tier: str) -> int:
    return list(TIERS).index(tier)


def _limit_event(number: Number, event: str, tier: str) -> Json:
    return {
        "display_phone_number": number.display_digits,
        "event": event,
        "current_limit": tier,
        "max_daily_conversations_per_business": tier,
    }


def _name_event(number: Number, decision: str) -> Json:
    """Decide on the display name that waits for it."""
    wanted = number.info.get("new_display_name") or number.info["verified_name"]
    if decision == "APPROVED":
        number.info |= {"verified_name": wanted, "name_status": "APPROVED"}
    number.info |= {"new_display_name": None, "new_name_status": "NONE"}
    if decision == "REJECTED":
        number.info["new_name_status"] = "DECLINED"
    return {
        "display_phone_number": number.display_digits,
        "decision": decision,
        "requested_verified_name": wanted,
        "rejection_reason": "NAME_EMPLOYEE_ISSUE" if decision == "REJECTED" else None,
    }


async def template(body: Json, world: World, courier: Courier) -> Json:
    """Meta pauses, disables, rejects or approves a template, rates it, or moves its category."""
    known = ("status", "reason", "quality", "category", "announced")
    part = fields(body, "template", needed=("template_id",), known=known)
    found = world.templates.get(str(part.values["template_id"]))
    if found is None:
        raise CannotHappen("template_id is not a template of this sandbox")
    if not part.values.keys() & {"status", "quality", "category"}:
        raise CannotHappen("nothing is said to change")
    status = part.one_of(TEMPLATE_STATUSES, "status", found.status)
    quality = part.one_of(_QUALITIES, "quality", found.quality)
    category = part.one_of(CATEGORIES, "category", found.category)
    announced = part.flag("announced", default=False)
    found.rejected_reason = part.text("reason", found.rejected_reason)
    deliveries: list[Delivery] = []
    if status != found.status:
        found.status = status
        deliveries.append(await tell_template_status(found, status, world=world, courier=courier))
    for field, value in _reviewed(found, quality, category, int(world.clock()), announced):
        waba = world.wabas[found.waba_id]
        deliveries.append(await courier.deliver(field, value, waba=waba))
    found.updated_at = int(world.clock())
    return _told(deliveries)


def _reviewed(
    template: Template, quality: str, category: str, now: int, announced: bool
) -> Iterable[tuple[str, Json]]:
    named: Json = {
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
    }
    if quality != template.quality:
        scores = {"previous_quality_score": template.quality, "new_quality_score": quality}
        template.quality = quality
        yield "message_template_quality_update", named | scores
    if category == template.category:
        return
    if announced:  # it happens a day later; until then the category is the old one
        at = {"category_update_timestamp": now + 24 * 3600}
        template.info["correct_category"] = category
        told = {"new_category": template.category, "correct_category": category} | at
    else:
        told = {"previous_category": template.category, "new_category": category}
        template.info |= {"previous_category": template.category, "correct_category": None}
        template.category = category
    yield "template_category_update", named | told


async def account(body: Json, world: World, courier: Courier) -> Json:
    """`account_update` with any event and members; some events also restrict or lock the account."""
    part = fields(body, "account", needed=("waba_id", "event"), known=("info",))
    waba = _waba(part, world)
    event = part.text("event")
    info = part.values.get("info", {})
    if not isinstance(info, dict):
        raise CannotHappen("info must be an object: what Meta sends beside the event")
    _restrict(waba, event, info)
    value = {"event": event} | info
    return _told([await courier.deliver("account_update", value, waba=waba)])


def _restrict(waba: Waba, event: str, info: Json) -> None:
    """What an event does to sending; what else an event says is only told."""
    if event == "ACCOUNT_RESTRICTION":
        given = info.get("restriction_info")
        kinds = (
            [one.get("restriction_type") for one in given if isinstance(one, dict)]
            if (isinstance(given, list))
            else []
        )
        waba.restrictions = frozenset(str(kind) for kind in kinds)
    elif event == "DISABLED_UPDATE":
        given = info.get("ban_info")
        state = given.get("waba_ban_state") if isinstance(given, dict) else None
        waba.locked = state == "DISABLE" or (waba.locked and state != "REINSTATE")
    elif event == "ACCOUNT_DELETED":
        waba.locked = True


async def flow(body: Json, world: World, courier: Courier) -> Json:
    """Meta throttles or blocks a flow whose endpoint misbehaves, or lets it go on."""
    part = fields(body, "flow", needed=("flow_id", "status"), known=())
    found = world.flows.get(part.text("flow_id"))
    if found is None:
        raise CannotHappen("flow_id is not a flow of this sandbox")
    before, found.status = found.status, part.one_of(FLOW_STATUSES, "status")
    return _told([await tell_flow_status(found, before, world=world, courier=courier)])


async def change(body: Json, world: World, courier: Courier) -> Json:
    """Any change of any field, in Meta's envelope, to whom Meta would tell it."""
    needed = ("waba_id", "field", "value")
    part = fields(body, "change", needed=needed, known=("phone_number_id",))
    number = _number(part, world) if "phone_number_id" in part.values else None
    value: Any = part.values["value"]
    waba = _waba(part, world)
    return _told([await courier.deliver(part.text("field"), value, waba=waba, number=number)])


def _number(part: Part, world: World) -> Number:
    found = world.numbers.get(str(part.values["phone_number_id"]))
    if found is None:
        raise CannotHappen("phone_number_id is not a number of this sandbox")
    return found


def _waba(part: Part, world: World) -> Waba:
    found = world.wabas.get(str(part.values["waba_id"]))
    if found is None:
        raise CannotHappen("waba_id is not an account of this sandbox")
    return found


def _told(deliveries: list[Delivery]) -> Json:
    """How each webhook fared, in the order they were sent."""
    return {"webhooks": [delivery.told() for delivery in deliveries]}
