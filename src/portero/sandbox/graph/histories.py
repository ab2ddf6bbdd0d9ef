"""What became of messages that were sent: Meta's description alone has it, no client reads it."""

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import Call
from portero.sandbox.graph.fields import read_fields
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import App, Event, Json, Message, Number
from portero.sandbox.world import World


def list_histories(call: Call, number: Number) -> Json:
    """The number's messages, or the one that `message_id` names; events where they are asked for."""
    wanted = call.request.text("message_id")
    messages = [
        message
        for message in call.world.messages.values()
        if message.number_id == number.id and wanted in (None, message.id)
    ]
    fields = str(call.request.params.get("fields") or "id,message_id")
    names = {field.name for field in read_fields(fields)}
    return paged(
        call,
        messages,
        key=lambda message: message.history_id,
        show=lambda message: _shown(call.world, message, with_events="events" in names),
    )


def _shown(world: World, message: Message, *, with_events: bool) -> Json:
    told: Json = {"id": message.history_id, "message_id": message.id}
    if with_events:
        told["events"] = {"data": [_event(world.app, event) for event in message.events]}
    return told


def _event(app: App, event: Event) -> Json:
    told: Json = {
        "id": event.id,
        "delivery_status": event.status.upper(),
        "webhook_update_state": "DELIVERED" if event.told else "FAILED",
        "timestamp": event.at,
        "application": {"id": app.id},
    }
    if event.url:
        told["webhook_uri"] = event.url
    return told | ({"error_description": event.error} if event.error else {})


def list_events(call: Call, message: Message) -> Json:
    """The statuses of one message, each in the `node` of its cursor."""
    wanted = call.request.text("status_filter")
    if wanted not in (None, "SENT", "DELIVERED", "READ", "FAILED", "DELETED"):
        raise meta_error(100, details="Param status_filter is not a delivery status")
    events = [event for event in message.events if wanted in (None, event.status.upper())]
    return paged(call, events, key=lambda event: event.id, show=lambda event: _node(call, event))


def _node(call: Call, event: Event) -> Json:
    app = call.world.app
    node: Json = {
        "id": event.id,
        "delivery_status": event.status.upper(),
        "occurrence_timestamp": event.at,
        "status_timestamp": event.at,
        "application": {"id": app.id, "name": app.name},
    }
    return {"node": node | ({"error_description": event.error} if event.error else {})}
