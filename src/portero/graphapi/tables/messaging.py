"""Messages, media, calls, blocked customers, groups."""

from typing import Final

from portero.graphapi.operation import Operation, Payload, RiskClass
from portero.graphapi.tables.rows import change, list_of, never, read, send

_MESSAGES: Final = "/{number}/messages"
_BLOCKED: Final = "/{number}/block_users"
_REQUESTS: Final = "/{group}/join_requests"
_INVITE: Final = "/{group}/invite_link"

ROWS: Final[tuple[Operation, ...]] = (
    # The permissions of a message follow from its body: portero.graphapi.messages.
    Operation("send_message", "POST", _MESSAGES, RiskClass.SEND, "message.sent"),
    Operation(
        "mark_message_read",
        "POST",
        _MESSAGES,
        RiskClass.SEND,
        "message.marked_read",
        claims=("status", "message_id", "typing_indicator"),
    ),
    send(
        "send_marketing_message",
        "POST",
        "/{number}/marketing_messages",
        "template:use_marketing",
        "message.sent",
    ),
    # Its content is encrypted to Meta: nobody in between can judge it.
    never("send_encrypted_message", "POST", "/{number}/messages_encrypted"),
    list_of(
        "history",
        "read_message_history",
        "/{number}/message_history",
        "message:read_history",
        "message_history.read",
    ),
    list_of(
        "history_event",
        "read_message_events",
        "/{history}/events",
        "message:read_history",
        "message_history.read",
    ),
    send(
        "upload_media",
        "POST",
        "/{number}/media",
        "media:upload",
        "media.uploaded",
        payload=Payload.FILE,
    ),
    read("read_media", "/{media}", "media:read", "media.read", node="media"),
    change("delete_media", "DELETE", "/{media}", "media:delete", "media.deleted"),
    send("create_upload", "POST", "/{app}/uploads", "media:upload", "upload.created"),
    send(
        "upload_bytes",
        "POST",
        "/{upload}",
        "media:upload",
        "upload.filled",
        payload=Payload.BYTES,
    ),
    read("read_upload", "/{upload}", "media:upload", "upload.read"),
    send(
        "place_call",
        "POST",
        "/{number}/calls",
        "call:place",
        "call.placed",
        claims=("action=connect",),
    ),
    send(
        "answer_call",
        "POST",
        "/{number}/calls",
        "call:answer",
        "call.answered",
        claims=("action=pre_accept", "action=accept", "action=reject", "action=terminate"),
    ),
    read(
        "read_call_permission",
        "/{number}/call_permissions",
        "call:read_permission",
        "call_permission.read",
    ),
    read("list_blocked", _BLOCKED, "block_list:read", "block_list.read", listed=True),
    change("block_customers", "POST", _BLOCKED, "block_list:manage", "customer.blocked"),
    change("unblock_customers", "DELETE", _BLOCKED, "block_list:manage", "customer.unblocked"),
    list_of(
        "group", "list_groups", "/{number}/groups", "group:read", "group.listed", inside="groups"
    ),
    change("create_group", "POST", "/{number}/groups", "group:create", "group.created"),
    read("read_group", "/{group}", "group:read", "group.read", node="group"),
    # A new picture comes as a file; without one the body is JSON.
    change("update_group", "POST", "/{group}", "group:update", "group.updated"),
    change("delete_group", "DELETE", "/{group}", "group:delete", "group.deleted"),
    read("read_invite", _INVITE, "group:read", "group_invite.read"),
    change("reset_invite", "POST", _INVITE, "group:manage_participants", "group_invite.reset"),
    change("delete_invite", "DELETE", _INVITE, "group:manage_participants", "group_invite.deleted"),
    read("list_join_requests", _REQUESTS, "group:read", "join_request.listed", listed=True),
    change(
        "approve_join_requests",
        "POST",
        _REQUESTS,
        "group:manage_participants",
        "join_request.approved",
    ),
    change(
        "reject_join_requests",
        "DELETE",
        _REQUESTS,
        "group:manage_participants",
        "join_request.rejected",
    ),
    change(
        "add_participants",
        "POST",
        "/{group}/participants",
        "group:manage_participants",
        "group_participant.added",
    ),
    change(
        "remove_participants",
        "DELETE",
        "/{group}/participants",
        "group:manage_participants",
        "group_participant.removed",
    ),
)
