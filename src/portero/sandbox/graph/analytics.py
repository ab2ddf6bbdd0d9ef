"""Analytics and cost in Meta's shapes, counted from what happened here.

Statuses count when they were told, so an emulator that tells none has only zeros. Money is what the
world file says a category costs; without `prices` there are no amounts, as we know none of Meta's.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import Call
from portero.sandbox.objects import Json, Message, Number, PhoneCall, TemplateGroup, Waba
from portero.sandbox.phones import country_of
from portero.sandbox.statuses import is_billable
from portero.sandbox.world import World

_STEP_S = {
    "HALF_HOUR": 1_800,
    "DAY": 86_400,
    "DAILY": 86_400,
    "MONTH": 30 * 86_400,
    "MONTHLY": 30 * 86_400,
}
_POINTS_MAX = 1_000
_CONVERSATION_S = 24 * 3600
_TEMPLATES_MAX = 10
_PRODUCTS = {"0": "template", "2": "service"}


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A message that reached its customer, as the figures of cost know it."""

    at: int
    number: Number
    message: Message
    price: float

    @property
    def country(self) -> str:
        return country_of(self.message.recipient.wa_id)

    @property
    def pricing_type(self) -> str:
        return "REGULAR" if is_billable(self.message) else "FREE_CUSTOMER_SERVICE"

    @property
    def category(self) -> str:
        return self.message.category.upper()


def read_analytics(call: Call, waba: Waba) -> Json:
    """Messages sent and delivered."""
    request = call.request
    messages = list(_messages(call, waba))
    products = {_PRODUCTS.get(str(item), "") for item in request.listed("product_types")}
    if products:
        messages = [one for one in messages if _product_of(one) in products]
    points = [
        {
            "start": start,
            "end": end,
            "sent": _told(messages, "sent", start, end),
            "delivered": _told(messages, "delivered", start, end),
        }
        for start, end in _spans(call)
    ]
    return {
        "phone_numbers": request.listed("phone_numbers"),
        "country_codes": request.listed("country_codes"),
        "granularity": request.text("granularity"),
        "data_points": points,
    }


def _product_of(message: Message) -> str:
    return "template" if message.kind == "template" else "service"


def _told(messages: Iterable[Message], status: str, start: int, end: int) -> int:
    return sum(_had(message, status, start, end) for message in messages)


def _had(message: Message, status: str, start: int, end: int) -> bool:
    """Whether the message first had the status within the span."""
    at = next((event.at for event in message.events if event.status == status), None)
    return at is not None and start <= at < end


def _messages(call: Call, waba: Waba) -> Iterator[Message]:
    """The account's messages that pass the filters on number and country."""
    request, world = call.request, call.world
    wanted = {_digits(item) for item in request.listed("phone_numbers")}
    countries = {str(item) for item in request.listed("country_codes")}
    for message in world.messages.values():
        number = world.numbers[message.number_id]
        if number.waba_id != waba.id or (wanted and number.display_digits not in wanted):
            continue
        if not countries or country_of(message.recipient.wa_id) in countries:
            yield message


def _digits(text: object) -> str:
    return "".join(c for c in str(text) if c.isdigit())


def read_conversations(call: Call, waba: Waba) -> Json:
    """Conversations of 24 hours, and their cost where it is asked for."""
    wanted = {str(item).upper() for item in call.request.listed("conversation_categories")}
    begun: list[_Delivered] = []
    last: dict[tuple[str, str, str], int] = {}
    for one in _delivered(call, waba):
        key = (one.number.id, one.message.recipient.key, one.category)
        if one.at - last.get(key, -_CONVERSATION_S) >= _CONVERSATION_S:
            last[key] = one.at
            if not wanted or one.category in wanted:
                begun.append(one)
    dimensions: dict[str, tuple[str, Callable[[_Delivered], Any]]] = {
        "PHONE": ("phone_number", lambda one: one.number.display_digits),
        "COUNTRY": ("country", lambda one: one.country),
        "CONVERSATION_CATEGORY": ("conversation_category", lambda one: one.category),
        "CONVERSATION_TYPE": ("conversation_type", lambda one: one.pricing_type),
        "CONVERSATION_DIRECTION": ("conversation_direction", lambda _: "BUSINESS_INITIATED"),
    }
    return _series(call, begun, dimensions, {"CONVERSATION": ("conversation", len)})


def read_pricing(call: Call, waba: Waba) -> Json:
    """Volume of delivered messages, and cost where it is asked for."""
    request = call.request
    kinds = {str(item).upper() for item in request.listed("pricing_types")}
    categories = {str(item).upper() for item in request.listed("pricing_categories")}
    chosen = [
        one
        for one in _delivered(call, waba)
        if (not kinds or one.pricing_type in kinds)
        and (not categories or one.category in categories)
    ]
    dimensions: dict[str, tuple[str, Callable[[_Delivered], Any]]] = {
        "PHONE": ("phone_number", lambda one: one.number.display_digits),
        "COUNTRY": ("country", lambda one: one.country),
        "PRICING_CATEGORY": ("pricing_category", lambda one: one.category),
        "PRICING_TYPE": ("pricing_type", lambda one: one.pricing_type),
        "TIER": ("tier", lambda _: "0:unlimited"),
    }
    return _series(call, chosen, dimensions, {"VOLUME": ("volume", len)})


def _delivered(call: Call, waba: Waba) -> list[_Delivered]:
    """What was delivered, in order; a message that was read was delivered."""
    world, found = call.world, []
    for message in _messages(call, waba):
        at = next((one.at for one in message.events if one.status in ("delivered", "read")), None)
        if at is not None:
            price = world.prices.get(message.category, 0.0) if is_billable(message) else 0.0
            found.append(_Delivered(at, world.numbers[message.number_id], message, price))
    return sorted(found, key=lambda one: one.at)


def read_calls(call: Call, waba: Waba) -> Json:
    """Calls that have ended, by when they began; Meta charges for them, we know no price."""
    request, world = call.request, call.world
    wanted = {_digits(item) for item in request.listed("phone_numbers")}
    directions = {str(item).upper() for item in request.listed("directions")}
    ended = [
        one
        for one in world.calls.values()
        if one.state == "ended"
        and world.numbers[one.number_id].waba_id == waba.id
        and (not wanted or world.numbers[one.number_id].display_digits in wanted)
        and (not directions or _direction(one) in directions)
    ]
    dimensions: dict[str, tuple[str, Callable[[PhoneCall], Any]]] = {
        "PHONE": ("phone_number", lambda one: world.numbers[one.number_id].display_digits),
        "COUNTRY": ("country", lambda one: country_of(one.customer)),
        "DIRECTION": ("direction", _direction),
    }
    measures: dict[str, tuple[str, Callable[[list[PhoneCall]], Any]]] = {
        "COUNT": ("count", len),
        "AVERAGE_DURATION": ("average_duration", _average_s),
    }
    return _series(call, ended, dimensions, measures)


def _direction(one: PhoneCall) -> str:
    return "BUSINESS_INITIATED" if one.by_business else "USER_INITIATED"


def _average_s(calls: list[PhoneCall]) -> int:
    spoken = [one.duration_s for one in calls if one.accepted_at is not None]
    return sum(spoken) // len(spoken) if spoken else 0


def _series(
    call: Call,
    things: list[Any],
    dimensions: dict[str, tuple[str, Callable[[Any], Any]]],
    measures: dict[str, tuple[str, Callable[[list[Any]], Any]]],
) -> Json:
    """Points per span and, where dimensions are asked for, per combination that occurs."""
    wanted = {str(item).upper() for item in call.request.listed("metric_types")}
    split = [dimensions[name] for name in _named(call, "dimensions") if name in dimensions]
    points: list[Json] = []
    for start, end in _spans(call):
        groups: dict[tuple[Hashable, ...], list[Any]] = {} if split else {(): []}
        for thing in things:
            if start <= _when(thing) < end:
                key = tuple(read(thing) for _, read in split)
                groups.setdefault(key, []).append(thing)
        for key, members in groups.items():
            point: Json = {"start": start, "end": end}
            point |= {name: value for (name, _), value in zip(split, key, strict=True)}
            for metric, (name, measure) in measures.items():
                if not wanted or metric in wanted or len(measures) == 1:
                    point[name] = measure(members)
            if not wanted or "COST" in wanted:
                point["cost"] = round(sum(getattr(one, "price", 0.0) for one in members), 6)
            points.append(point)
    return {"data": [{"data_points": points}]}


def _named(call: Call, name: str) -> list[str]:
    return [str(item).upper() for item in call.request.listed(name)]


def _when(thing: _Delivered | PhoneCall) -> float:
    return thing.began_at if isinstance(thing, PhoneCall) else thing.at


def read_template_analytics(call: Call, waba: Waba) -> Json:
    """Per template and day: sent, delivered, read, clicked, cost."""
    _need_insights(waba)
    ids = [str(item) for item in call.request.listed("template_ids")]
    if len(ids) > _TEMPLATES_MAX:
        raise meta_error(100, details=f"Param template_ids has at most {_TEMPLATES_MAX} ids")
    points = [
        {"template_id": template_id} | _template_point(call, {template_id}, start, end)
        for template_id in ids
        for start, end in _spans(call)
    ]
    return _product(points)


def read_template_group_analytics(call: Call, waba: Waba) -> Json:
    """The same per group, its templates together."""
    _need_insights(waba)
    points: list[Json] = []
    for group_id in map(str, call.request.listed("template_group_ids")):
        group = call.world.records.get(group_id)
        if not isinstance(group, TemplateGroup) or group.owner_id != waba.id:
            raise meta_error(100, details=f"{group_id} is not a template group of this account")
        ids = {one["id"] for one in group.info["whatsapp_business_templates"]}
        points += [
            {"template_group_id": group_id} | _template_point(call, ids, start, end)
            for start, end in _spans(call)
        ]
    return _product(points)


def _need_insights(waba: Waba) -> None:
    if not waba.info.get("is_enabled_for_insights"):
        raise meta_error(200007, details="Template insights are not enabled for this account")


def _product(points: list[Json]) -> Json:
    product = {"granularity": "DAILY", "product_type": "cloud_api", "data_points": points}
    return {"data": [product]}


def _template_point(call: Call, ids: set[str], start: int, end: int) -> Json:
    wanted = {str(item).lower() for item in call.request.listed("metric_types")}
    sends = [one for one in call.world.messages.values() if one.template_id in ids]
    point: Json = {"start": start, "end": end}
    for status in ("sent", "delivered", "read"):
        if not wanted or status in wanted:
            point[status] = _told(sends, status, start, end)
    within = [one for one in sends if _had(one, "sent", start, end)]
    if not wanted or "clicked" in wanted:
        point |= _clicked(within)
    if not wanted or "cost" in wanted:
        point |= _cost(call.world, sends, start, end)
    return point


def _clicked(messages: list[Message]) -> Json:
    """How often each quick reply was pressed; absent where none was."""
    counts: dict[str, int] = {}
    for message in messages:
        for text, count in message.clicks.items():
            counts[text] = counts.get(text, 0) + count
    clicks = [
        {"type": "quick_reply_button", "button_content": text, "count": count}
        for text, count in counts.items()
    ]
    return {"clicked": clicks} if clicks else {}


def _cost(world: World, sends: list[Message], start: int, end: int) -> Json:
    """What the deliveries cost; absent where the world knows no price."""
    if not world.prices:
        return {}
    delivered = [one for one in sends if _had(one, "delivered", start, end)]
    spent = sum(world.prices.get(one.category, 0.0) for one in delivered)
    each = spent / len(delivered) if delivered else 0.0
    return {
        "cost": [
            {"type": "amount_spent", "value": round(spent, 6)},
            {"type": "cost_per_delivered", "value": round(each, 6)},
        ]
    }


def read_group_analytics(call: Call, waba: Waba) -> Json:
    """Per group of customers: sent, delivered, read."""
    world, wanted = call.world, _named(call, "metric_types")
    ids = [str(item) for item in call.request.listed("group_ids")]
    groups = [
        group.id
        for number in world.numbers_of(waba.id)
        for group in world.groups_of(number.id)
        if not ids or group.id in ids
    ]
    points: list[Json] = []
    for start, end in _spans(call):
        for group_id in groups:
            sends = [one for one in world.messages.values() if one.recipient.group_id == group_id]
            point: Json = {"start": start, "end": end, "group_id": group_id}
            for status in ("sent", "delivered", "read"):
                if not wanted or status.upper() in wanted:
                    point[status] = _told(sends, status, start, end)
            if not wanted or "COST" in wanted:
                billed = [
                    one for one in sends if is_billable(one) and _had(one, "sent", start, end)
                ]
                costs = [world.prices.get(one.category, 0.0) for one in billed]
                point["cost"] = round(sum(costs), 6)
            points.append(point)
    return {"data": [{"data_points": points}]}


def _spans(call: Call) -> Iterator[tuple[int, int]]:
    """The time asked for, cut by granularity. Raises `GraphError`."""
    request = call.request
    start, end = request.number("start", 0), request.number("end", 0)
    step = _STEP_S.get((request.text("granularity") or "DAILY").upper())
    if step is None:
        raise meta_error(100, details="Param granularity is not valid")
    if end <= start or end - start > _POINTS_MAX * step:
        raise meta_error(100, details="Params start and end are not a valid time range")
    for at in range(start, end, step):
        yield at, min(at + step, end)
