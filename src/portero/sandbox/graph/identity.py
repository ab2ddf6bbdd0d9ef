"""What a number is to Meta beyond sending: official status, legal contact, the phone app, its bot."""

import secrets
from functools import partial

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.courier import Courier
from portero.sandbox.graph import checks
from portero.sandbox.graph.profiles import edit_profile, read_profile
from portero.sandbox.objects import Bot, Json, Number, Profile
from portero.sandbox.world import World

_APPLY, _WITHDRAW = ("SUBMIT_APPLICATION", "RESUBMIT_APPLICATION"), "WITHDRAW_APPLICATION"
_ENTITY_TYPES = (
    "LIMITED_LIABILITY_PARTNERSHIP",
    "SOLE_PROPRIETORSHIP",
    "PARTNERSHIP",
    "PUBLIC_COMPANY",
    "PRIVATE_COMPANY",
    "OTHER",
)
_COMPLIANCE = (
    "entity_name",
    "entity_type",
    "entity_type_custom",
    "is_registered",
    "grievance_officer_details",
    "customer_care_details",
)
_SYNC_WITHIN_S = 24 * 3600
_SYNCS = ("history", "smb_app_state_sync")


def read_official(_call: Call, number: Number) -> Json:
    """Whether the number is an official business account, or wants to be."""
    status = "APPROVED" if number.info["is_official_business_account"] else number.official
    return {"id": number.id, "oba_status": status or "CANCELLED", "status_message": ""}


def ask_official(call: Call, number: Number) -> Json:
    """Apply, or take the application back; nobody here ever decides on it."""
    action = call.request.needed("action")
    if action not in (*_APPLY, _WITHDRAW):
        raise meta_error(100, details=f"Param action must be one of {(*_APPLY, _WITHDRAW)}")
    waiting = number.official == "PENDING"
    if number.info["is_official_business_account"] or waiting is (action != _WITHDRAW):
        raise meta_error(100, details=f"The application does not allow {action} now")
    number.official = "CANCELLED" if action == _WITHDRAW else "PENDING"
    updated = read_official(call, number)
    return SUCCESS | {"updated_status": updated, "tracking_id": secrets.token_hex(8)}


def read_compliance(_call: Call, number: Number) -> Json:
    if not number.compliance:
        return {"data": []}
    known = {"messaging_product": "whatsapp", "whatsapp_business_account_id": number.waba_id}
    return {"data": [known | number.compliance]}


def edit_compliance(call: Call, number: Number) -> Json:
    """The legal entity and whom customers turn to (asked of businesses in India)."""
    call.request.need_whatsapp()
    params = call.request.params
    checks.a_text(params, "entity_name", "business_compliance_info", high=128)
    if call.request.needed("entity_type") not in _ENTITY_TYPES:
        raise meta_error(100, details=f"Param entity_type must be one of {_ENTITY_TYPES}")
    for key in ("grievance_officer_details", "customer_care_details"):
        checks.a_text(checks.an_object(params.get(key), key), "email", key, high=128)
    number.compliance = {key: params[key] for key in _COMPLIANCE if key in params}
    return SUCCESS


def sync_app(call: Call, number: Number) -> Json:
    """Once each, within a day: the contacts, or the past messages, of the phone app."""
    call.request.need_whatsapp()
    kind = call.request.needed("sync_type")
    if kind not in _SYNCS:
        raise meta_error(100, details=f"Param sync_type must be one of {_SYNCS}")
    if not number.info["is_on_biz_app"]:
        raise meta_error(100, details="The number is not in use in the WhatsApp Business app")
    if call.now - call.world.began_at > _SYNC_WITHIN_S:
        raise meta_error(2593108)
    if kind in number.synced:
        raise meta_error(2593107)
    number.synced.add(kind)
    work = partial(_SENDERS[kind], number, world=call.world, courier=call.courier)
    call.afterwards.append(lambda: call.courier.start(work()))
    return {"messaging_product": "whatsapp", "request_id": secrets.token_hex(16)}


async def _send_contacts(number: Number, *, world: World, courier: Courier) -> None:
    """The customers the world names stand for the phone's address book."""
    entries = [
        {
            "type": "contact",
            "contact": {
                "full_name": name,
                "first_name": name.partition(" ")[0],
                "phone_number": wa_id,
            },
            "action": "add",
            "metadata": {"timestamp": str(int(world.clock()))},
        }
        for wa_id, name in world.names.items()
    ]
    value = {"messaging_product": "whatsapp", "metadata": number.metadata, "state_sync": entries}
    waba = world.wabas[number.waba_id]
    await courier.deliver("smb_app_state_sync", value, waba=waba, number=number)


async def _send_history(number: Number, *, world: World, courier: Courier) -> None:
    """What the number has sent here stands for the phone's past; contents are not kept."""
    threads: dict[str, list[Json]] = {}
    for message in world.messages.values():
        if message.number_id != number.id or not message.recipient.wa_id:
            continue
        status = message.events[-1].status if message.events else "pending"
        told = {
            "from": number.display_digits,
            "to": message.recipient.wa_id,
            "id": message.id,
            "timestamp": str(message.events[0].at if message.events else int(world.clock())),
            "type": message.kind,
            "history_context": {"status": status.upper()},
        }
        threads.setdefault(message.recipient.wa_id, []).append(told)
    chunk = {
        "metadata": {"phase": 0, "chunk_order": 1, "progress": 100},
        "threads": [{"id": wa_id, "messages": sent} for wa_id, sent in threads.items()],
    }
    value = {"messaging_product": "whatsapp", "metadata": number.metadata, "history": [chunk]}
    waba = world.wabas[number.waba_id]
    await courier.deliver("history", value, waba=waba, number=number)


_SENDERS = {"history": _send_history, "smb_app_state_sync": _send_contacts}


def read_bot(call: Call, bot: Bot) -> Json:
    """The automation of a number, by its own id."""
    return dict(call.world.numbers[bot.owner_id].automation)


def read_profile_node(call: Call, profile: Profile) -> Json:
    """The profile of a number, by its own id: without the list around it."""
    shown: Json = read_profile(call, call.world.numbers[profile.owner_id])["data"][0]
    return shown | {"id": profile.id}


def edit_profile_node(call: Call, profile: Profile) -> Json:
    return edit_profile(call, call.world.numbers[profile.owner_id])
