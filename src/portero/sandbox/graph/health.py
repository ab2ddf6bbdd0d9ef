"""`health_status`: whether a number, template or account can send, and which part says no."""

from portero.sandbox.objects import Json, Number, Template
from portero.sandbox.world import World


def health_of(world: World, waba_id: str, *, subject: Number | Template | None = None) -> Json:
    """The worst of the entities a message would go through."""
    entities: list[Json] = []
    if isinstance(subject, Number):
        entities.append(_entity("PHONE_NUMBER", subject.id, subject.registered))
    elif isinstance(subject, Template):
        usable = subject.status == "APPROVED"
        entities.append(_entity("MESSAGE_TEMPLATE", subject.id, usable))
    entities.append(_entity("WABA", waba_id, True))
    entities.append(_entity("BUSINESS", world.business.id, True))
    entities.append(_entity("APP", world.app.id, True))
    blocked = any(entity["can_send_message"] == "BLOCKED" for entity in entities)
    return {"can_send_message": "BLOCKED" if blocked else "AVAILABLE", "entities": entities}


def _entity(kind: str, entity_id: str, usable: bool) -> Json:
    answer = "AVAILABLE" if usable else "BLOCKED"
    return {"entity_type": kind, "id": entity_id, "can_send_message": answer}
