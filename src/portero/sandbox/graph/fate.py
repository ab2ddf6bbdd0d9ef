"""What becomes of an accepted message: delivered, or a failure that only a webhook tells."""

from portero.graphapi.errors import CATALOGUE, GraphError, meta_error
from portero.sandbox.calls import Call
from portero.sandbox.graph.attachments import is_unreachable
from portero.sandbox.graph.bodies import MEDIA_TYPES
from portero.sandbox.objects import Message, Number

_WINDOW_CLOSED = (
    "Message failed to send because more than 24 hours have passed since the customer last "
    "replied to this number."
)


def fate_of(call: Call, number: Number, message: Message) -> GraphError | None:
    """The failure to tell later, or None for a delivered message."""
    world, customer = call.world, message.recipient.key
    if call.fate is not None:
        return call.fate
    if customer in world.unreachable:
        return meta_error(131026, details="The customer is not on WhatsApp")
    wanted_identity = call.request.params.get("recipient_identity_key_hash")
    if wanted_identity is not None and wanted_identity != world.identity_of(customer):
        return meta_error(137000, details="The recipient's identity key has changed")
    is_marketing = message.category == "marketing"
    magic = magic_code(customer, is_marketing=is_marketing)
    if magic is not None:
        return meta_error(magic)
    window_is_open = world.window_is_open(number.id, customer)
    if message.kind != "template" and not window_is_open:
        return meta_error(131047, details=_WINDOW_CLOSED)
    if is_marketing and customer in world.opted_out:
        return meta_error(131050)
    if message.kind in MEDIA_TYPES and is_unreachable(call.request.params.get(message.kind)):
        return meta_error(131053, details="Unable to fetch the media link")
    if not window_is_open and not _may_begin(call, number, customer):
        return meta_error(131048, details="Messaging limit reached")
    return None


def magic_code(customer: str, *, is_marketing: bool) -> int | None:
    """A customer whose number ends in a webhook error code always fails with that code."""
    tail = customer[-6:]
    code = int(tail) if tail.isdigit() else 0
    entry = CATALOGUE.get(code)
    if entry is None or not entry.asynchronous or (code == 131050 and not is_marketing):
        return None
    return code


def _may_begin(call: Call, number: Number, customer: str) -> bool:
    """Whether the messaging limit leaves room for one more customer today."""
    if not call.world.limits.messaging:
        return True
    tier = number.info["messaging_limit"]
    return call.world.rates.messaging_allows(customer, tier, call.now)
