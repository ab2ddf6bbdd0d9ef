"""How webhooks name a customer."""

from portero.sandbox.objects import Json
from portero.sandbox.world import World


def contact(
    world: World, wa_id: str, user_id: str, *, name: object = None, username: object = None
) -> Json:
    """An entry of `contacts`. One of `wa_id` and `user_id` may be empty."""
    known_as = name or world.names.get(wa_id) or f"Customer {(wa_id or user_id)[-4:]}"
    profile: Json = {"name": known_as} | ({"username": username} if username is not None else {})
    told: Json = {"profile": profile} | ({"wa_id": wa_id} if wa_id else {})
    return told | {"user_id": user_id or world.user_id_of(wa_id)}
