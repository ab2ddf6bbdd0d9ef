"""What a number's subscriber is told of its groups. Everything unverified stands in this module.

Meta's description gives the envelope, `group_create`, `group_delete`, `group_settings_update`,
`group_add_participants` and `group_remove_participants`. How a join request and the invite link
travel is known from no source at hand: `JOIN_REQUESTED`, `invite_link`, `join_request_id`.
"""

from functools import partial

from portero.sandbox.calls import Call
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.objects import Group, Json
from portero.sandbox.world import World

CREATED, DELETED, SETTINGS = "group_create", "group_delete", "group_settings_update"
ADDED, REMOVED = "group_add_participants", "group_remove_participants"
JOIN_REQUESTED = "group_join_request_created"
SUSPENDED, RESUMED = "group_suspend", "group_suspend_cleared"

_FIELDS = {
    CREATED: "group_lifecycle_update",
    DELETED: "group_lifecycle_update",
    SETTINGS: "group_settings_update",
    ADDED: "group_participants_update",
    REMOVED: "group_participants_update",
    JOIN_REQUESTED: "group_participants_update",
    SUSPENDED: "group_status_update",
    RESUMED: "group_status_update",
}


async def tell(group: Group, kind: str, more: Json, *, world: World, courier: Courier) -> Delivery:
    """Send one event of a group; `more` is what the kind adds."""
    number = world.numbers[group.number_id]
    event = {"timestamp": str(int(world.clock())), "group_id": group.id, "type": kind} | more
    value = {"messaging_product": "whatsapp", "metadata": number.metadata, "groups": [event]}
    waba = world.wabas[number.waba_id]
    return await courier.deliver(_FIELDS[kind], value, waba=waba, number=number)


def tell_afterwards(call: Call, group: Group, kind: str, more: Json) -> None:
    """The same once the answer is on the wire."""
    telling = partial(tell, group, kind, more, world=call.world, courier=call.courier)
    call.afterwards.append(lambda: call.courier.start(telling()))


def people(customers: list[str]) -> list[Json]:
    """Customers as the events of a group name them."""
    return [{"input": customer, "wa_id": customer} for customer in customers]
