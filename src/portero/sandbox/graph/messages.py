"""`POST /{number}/messages`: send, mark as read, show typing. One path, told apart by the body."""

from functools import partial

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox import statuses, wamid
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.graph.bodies import CHECKS, MEDIA_TYPES
from portero.sandbox.graph.calling import count_request
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.fate import fate_of
from portero.sandbox.graph.template_send import check_template
from portero.sandbox.objects import Group, Json, Message, Number, Recipient, Template
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.reading import required
from portero.sandbox.world import World

_CALLBACK_DATA_MAX = 512
_GROUP_TYPES = MEDIA_TYPES | {"text", "template", "pin"}


def post_message(call: Call, number: Number) -> Json:
    """Everything that `/messages` does."""
    call.request.need_whatsapp()
    if "status" in call.request.params:
        return _mark_as_read(call, number)
    return _send(call, number)


def post_marketing_message(call: Call, number: Number) -> Json:
    """The Marketing Messages API: a template send that takes marketing templates only."""
    call.request.need_whatsapp()
    if _kind(call) != "template":
        raise meta_error(131055, details="Only template messages are supported")
    return _send(call, number)


def _mark_as_read(call: Call, number: Number) -> Json:
    if call.request.params["status"] != "read":
        raise meta_error(100, details="Param status must be one of {READ}")
    message_id = call.request.needed("message_id")
    if call.world.received.get(message_id) != number.id:
        raise unknown_object("post", message_id)
    return SUCCESS


def _send(call: Call, number: Number) -> Json:
    params = call.request.params
    recipient = read_recipient(call, number)
    kind = _kind(call)
    group = _checked_group(call.world, recipient, kind)
    template = _checked_content(call, number, kind)
    callback_data = checks.an_optional_text(
        params, "biz_opaque_callback_data", "message", high=_CALLBACK_DATA_MAX
    )
    _check_audience(call, recipient, template)
    _check_sender(call, number, recipient)
    if kind == "interactive" and params["interactive"]["type"] == "call_permission_request":
        count_request(call.world, number, recipient.key)
    message = Message(
        id=wamid.sent_id(recipient.key),
        history_id=call.world.new_id(),
        number_id=number.id,
        recipient=recipient,
        kind=kind,
        category=template.category.lower() if template else "service",
        callback_data=callback_data,
        template_id=template.id if template else None,
        group=tuple(group.participants) if group else (),
    )
    _accept(call, message, fate_of(call, number, message))
    return _answer(message, is_template=template is not None)


def _kind(call: Call) -> str:
    return str(call.request.params.get("type", "text")).lower()


def _checked_content(call: Call, number: Number, kind: str) -> Template | None:
    """The template a send names, or None for free-form content. Raises `GraphError`."""
    if kind == "template":
        return check_template(call.world, number.waba_id, call.request.params)
    if kind not in CHECKS:
        raise meta_error(100, message=f"(#100) Param type {kind} is not a valid message type.")
    CHECKS[kind](call.world, call.request.params)
    return None


def read_recipient(call: Call, number: Number) -> Recipient:
    """Whom `to`, or else `recipient`, names. Raises `GraphError`."""
    params = call.request.params
    if str(params.get("recipient_type", "individual")).lower() == "group":
        group = call.world.groups.get(call.request.needed("to"))
        if group is None or group.number_id != number.id:
            raise meta_error(131020, details="The group does not exist, or is not of this number")
        return Recipient(input=group.id, wa_id="", user_id="", group_id=group.id)
    text = call.request.text("to") or call.request.text("recipient")
    if not text:
        raise required("to")
    if is_bsuid(text):
        return Recipient(input=text, wa_id=call.world.wa_id_behind(text), user_id=text)
    digits = digits_of(text)
    if digits is None:
        raise meta_error(100, details="Param to must be a valid WhatsApp phone number")
    wa_id = wa_id_of(digits)
    if wa_id == wa_id_of(number.display_digits):
        raise meta_error(131021, details="Sender and recipient phone number is the same.")
    return Recipient(input=text, wa_id=wa_id, user_id="")


def _checked_group(world: World, recipient: Recipient, kind: str) -> Group | None:
    """The group a message goes to, None for a customer. Raises `GraphError`."""
    if not recipient.group_id:
        if kind == "pin":
            raise meta_error(100, details="Messages can be pinned in groups only")
        return None
    group = world.groups[recipient.group_id]
    if kind not in _GROUP_TYPES:
        raise meta_error(130501, details=f"{kind} cannot be sent to a group")
    if group.suspended:
        raise meta_error(131207, details="The group is suspended")
    if not group.participants:
        raise meta_error(131041, details="Nobody has joined the group")
    return group


def _check_audience(call: Call, recipient: Recipient, template: Template | None) -> None:
    """Templates that may not go this way, or to this kind of recipient."""
    if template is None:
        return
    through_messages = call.request.segments[1:] == ("messages",)
    if not through_messages and template.category != "MARKETING":
        raise meta_error(134100, details=f"template {template.name} is {template.category}")
    if template.category == "AUTHENTICATION" and recipient.user_id:
        raise meta_error(131062, details="Authentication templates need a phone number")
    waba = call.world.wabas[template.waba_id]
    if (
        template.category == "MARKETING"
        and through_messages
        and waba.info.get("disable_marketing_messages_on_cloud_api")
    ):
        raise meta_error(131063, details="Send marketing templates by /marketing_messages")


def _check_sender(call: Call, number: Number, recipient: Recipient) -> None:
    """What is refused at once whatever the message says."""
    world = call.world
    waba = world.wabas[number.waba_id]
    if waba.locked:
        raise meta_error(131031, details="The account has been disabled")
    if recipient.key in number.blocked:
        raise meta_error(130403, details="The business has blocked this user")
    if waba.restrictions and _is_restricted(call, number, recipient):
        raise meta_error(368, details=f"Restricted: {', '.join(sorted(waba.restrictions))}")
    if not number.registered:
        raise meta_error(133010, details="The phone number is not registered on Cloud API")
    allowed = number.allowed_recipients
    if allowed is not None and recipient.wa_id not in allowed:
        raise meta_error(131030, details="Add the recipient to the allowed list and try again")
    level = number.info["throughput"]["level"]
    if world.limits.throughput and not world.rates.throughput_allows(number.id, level, call.now):
        raise meta_error(130429, details="Cloud API message throughput has been reached.")
    if world.limits.pair and not world.rates.pair_allows(number.id, recipient.key, call.now):
        raise meta_error(131056, details="Too many messages to the same phone number")


def _is_restricted(call: Call, number: Number, recipient: Recipient) -> bool:
    """Whether the account lost the right to write to who has not written, or to who has."""
    restrictions = call.world.wabas[number.waba_id].restrictions
    begun_by_customer = call.world.window_is_open(number.id, recipient.key)
    side = "CUSTOMER" if begun_by_customer else "BIZ"
    return f"RESTRICTED_{side}_INITIATED_MESSAGING" in restrictions


def _accept(call: Call, message: Message, failure: GraphError | None) -> None:
    world, courier = call.world, call.courier
    world.remember(message)
    if failure is None:
        life = partial(statuses.live, message, world=world, courier=courier)
    else:
        life = partial(
            statuses.fail, message, failure.code, failure.details, world=world, courier=courier
        )
    call.afterwards.append(lambda: courier.start(life()))


def _answer(message: Message, *, is_template: bool) -> Json:
    recipient = message.recipient
    contact: Json = {"input": recipient.input}
    if recipient.group_id:
        contact["wa_id"] = recipient.group_id
    if recipient.wa_id:
        contact["wa_id"] = recipient.wa_id
    if recipient.user_id:
        contact["user_id"] = recipient.user_id
    sent: Json = {"id": message.id}
    if recipient.group_id:
        sent["group_id"] = recipient.group_id
    if is_template:
        sent["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [sent]}
