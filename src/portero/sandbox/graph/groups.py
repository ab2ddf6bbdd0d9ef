"""Groups of a number: made by request, joined by link, told of by webhook."""

import base64
import secrets

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks, group_events
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Group, Json, Number
from portero.sandbox.phones import digits_of, is_bsuid, wa_id_of
from portero.sandbox.statuses import failure
from portero.sandbox.world import World

PARTICIPANTS_MAX = 8

_GROUPS_MAX = 10_000
_SUBJECT_MAX, _DESCRIPTION_MAX = 128, 2048
_APPROVAL = {"auto_approve": False, "approval_required": True}
_ELIGIBLE_TIERS = ("TIER_100K", "TIER_UNLIMITED")


def _values(call: Call, group: Group) -> Json:
    return {
        "id": group.id,
        "messaging_product": "whatsapp",
        "subject": group.subject,
        "description": group.description,
        "suspended": group.suspended,
        "creation_timestamp": group.created_at,
        "created_at": group.created_at,
        "participants": [
            {"wa_id": customer, "user_id": call.world.user_id_of(customer)}
            for customer in group.participants
        ],
        "total_participant_count": len(group.participants),
        "join_approval_mode": next(
            mode for mode, needed in _APPROVAL.items() if needed is group.needs_approval
        ),
    }


SHOWN = Shown(type_name="WhatsAppGroup", values=_values, defaults=("messaging_product",))


def create_group(call: Call, number: Number) -> Json:
    """A request; the group's id and its invite link come by webhook."""
    call.request.need_whatsapp()
    _check_eligible(call.world, number)
    params = call.request.params
    mode = str(params.get("join_approval_mode", "auto_approve"))
    if mode not in _APPROVAL:
        raise meta_error(100, details=f"Param join_approval_mode must be one of {{{_MODES}}}")
    group = Group(
        id=_group_id(call, number),
        number_id=number.id,
        subject=checks.a_text(params, "subject", "group", high=_SUBJECT_MAX),
        description=checks.an_optional_text(params, "description", "group", high=_DESCRIPTION_MAX)
        or "",
        needs_approval=_APPROVAL[mode],
        created_at=int(call.now),
        invite=_invite(),
    )
    call.world.groups[group.id] = group
    more = {
        "subject": group.subject,
        "description": group.description,
        "invite_link": group.invite,
    }
    return _asked(call, group, group_events.CREATED, more)


_MODES = ", ".join(_APPROVAL)


def _check_eligible(world: World, number: Number) -> None:
    info = number.info
    official = info["is_official_business_account"]
    if not official or info["messaging_limit"] not in _ELIGIBLE_TIERS:
        details = "Groups need an official business account and a messaging limit of 100K"
        raise meta_error(131215, details=details)
    if len(world.groups_of(number.id)) >= _GROUPS_MAX:
        raise meta_error(131211, details=f"A number has at most {_GROUPS_MAX} groups")


def _group_id(call: Call, number: Number) -> str:
    """In Meta's form: base64 of a word, the number and a serial."""
    plain = f"capi_group:{number.display_digits}:{call.world.new_id()}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _invite() -> str:
    return f"https://chat.whatsapp.com/{secrets.token_hex(11)}"


def _asked(call: Call, group: Group, kind: str, more: Json) -> Json:
    """The answer to a request whose result comes by webhook, and that webhook."""
    request_id = _request_id()
    group_events.tell_afterwards(call, group, kind, {"request_id": request_id} | more)
    return {"messaging_product": "whatsapp", "request_id": request_id}


def _request_id() -> str:
    return secrets.token_hex(16).upper()


def list_groups(call: Call, number: Number) -> Json:
    """Newest last; here alone Graph nests the list once more."""
    page = paged(
        call,
        call.world.groups_of(number.id),
        key=lambda group: group.id,
        show=lambda group: {
            "id": group.id,
            "subject": group.subject,
            "created_at": group.created_at,
        },
    )
    return page | {"data": {"groups": page["data"]}}


def read_group(call: Call, group: Group) -> Json:
    return SHOWN.render(call, group, call.request.params.get("fields"))


def edit_group(call: Call, group: Group) -> Json:
    """Subject, description, picture: whichever the body names."""
    call.request.need_whatsapp()
    _check_active(group)
    params, more = call.request.params, dict[str, object]()
    sizes = {"subject": _SUBJECT_MAX, "description": _DESCRIPTION_MAX}
    for key, high in sizes.items():
        if (text := checks.an_optional_text(params, key, "group", high=high)) is not None:
            more[key] = text
    group.subject = str(more.get("subject", group.subject))
    group.description = str(more.get("description", group.description))
    if (picture := call.request.files.get("file")) is not None:
        if picture.content_type != "image/jpeg":
            raise meta_error(131209, details="A group's picture is a JPEG file")
        more["profile_picture"] = {"mime_type": picture.content_type}
    if not more:
        raise meta_error(131214, details="One of subject, description, file is required")
    return _asked(call, group, group_events.SETTINGS, more)


def delete_group(call: Call, group: Group) -> Json:
    del call.world.groups[group.id]
    return _asked(call, group, group_events.DELETED, {}) | SUCCESS


def read_invite(_call: Call, group: Group) -> Json:
    return {"messaging_product": "whatsapp", "invite_link": group.invite}


def reset_invite(call: Call, group: Group) -> Json:
    """A new link; the old one leads nowhere."""
    _check_active(group)
    group.invite = _invite()
    return read_invite(call, group)


def delete_invite(_call: Call, group: Group) -> Json:
    """The link leads nowhere, until a new one is asked for."""
    group.invite = ""
    return {"messaging_product": "whatsapp"} | SUCCESS


def list_requests(call: Call, group: Group) -> Json:
    return paged(
        call,
        list(group.requests.items()),
        key=lambda item: item[0],
        show=lambda item: {
            "join_request_id": item[0],
            "wa_id": item[1][0],
            "user_id": call.world.user_id_of(item[1][0]),
            "creation_timestamp": item[1][1],
        },
    )


def approve_requests(call: Call, group: Group) -> Json:
    return _settle_requests(call, group, approve=True)


def reject_requests(call: Call, group: Group) -> Json:
    return _settle_requests(call, group, approve=False)


def _settle_requests(call: Call, group: Group, *, approve: bool) -> Json:
    call.request.need_whatsapp()
    _check_active(group)
    done: list[str] = []
    failed: list[Json] = []
    joined: list[str] = []
    for request_id in map(str, checks.a_list(call.request.params.get("join_requests"), "join")):
        error = _settle(group, request_id, joined if approve else None)
        if error is None:
            done.append(request_id)
        else:
            failed.append({"join_request_id": request_id, "errors": [error]})
    request_id = _request_id()
    if joined:
        more = {"request_id": request_id, "added_participants": group_events.people(joined)}
        group_events.tell_afterwards(call, group, group_events.ADDED, more)
    settled = "approved_join_requests" if approve else "rejected_join_requests"
    # Meta's description has no request id here; a maintained client fails without one.
    answer: Json = {"messaging_product": "whatsapp", "request_id": request_id, settled: done}
    return answer | ({"failed_join_requests": failed} if failed else {})


def _settle(group: Group, request_id: str, joined: list[str] | None) -> Json | None:
    """Take a request off the list, into the group where `joined` collects; or why not."""
    if request_id not in group.requests:
        return failure(131213, f"There is no join request {request_id}")
    if joined is not None and len(group.participants) >= PARTICIPANTS_MAX:
        return failure(131204, f"A group has at most {PARTICIPANTS_MAX} participants")
    customer, _ = group.requests.pop(request_id)
    if joined is not None:
        group.participants.append(customer)
        joined.append(customer)
    return None


def remove_participants(call: Call, group: Group) -> Json:
    """Who is removed cannot come back by the same link; here they may, by a new one."""
    call.request.need_whatsapp()
    _check_active(group)
    given = checks.a_list(call.request.params.get("participants"), "participants")
    checks.a_length(given, "participants", low=1, high=PARTICIPANTS_MAX)
    removed: list[Json] = []
    failed: list[Json] = []
    for entry in given:
        typed, customer = _named(call.world, checks.an_object(entry, "participants"))
        if customer in group.participants:
            group.participants.remove(customer)
            removed.append({"input": typed, "wa_id": customer})
        else:
            error = failure(131203, "The customer is not in the group")
            failed.append({"input": typed, "errors": [error]})
    answer = _asked(call, group, group_events.REMOVED, {"removed_participants": removed})
    answer |= {"removed_participants": removed}
    return answer | ({"failed_participants": failed} if failed else {})


def add_participants(_call: Call, _group: Group) -> Json:
    """Meta's description has the call; its pages say that customers join by link only."""
    raise _only_by_link()


def _only_by_link() -> GraphError:
    return meta_error(131203, details="Customers join a group by its invite link only")


def _named(world: World, entry: Json) -> tuple[str, str]:
    """What was typed, and the customer it stands for; empty for nobody."""
    typed = str(entry.get("user") or entry.get("user_id") or "")
    if is_bsuid(typed):
        return typed, world.wa_id_behind(typed)
    digits = digits_of(typed)
    return typed, wa_id_of(digits) if digits else ""


def _check_active(group: Group) -> None:
    if group.suspended:
        raise meta_error(131207, details="The group is suspended")
