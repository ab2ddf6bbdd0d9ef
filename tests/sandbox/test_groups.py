"""Groups: asked for by a call, made known by a webhook, joined by a link."""

from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, OTHER_NUMBER, Running

PATH = f"/{OTHER_NUMBER}/groups"
BODY = {"messaging_product": "whatsapp", "subject": "Vecinos", "description": "Avisos"}
FRIEND = "34600111333"


def made(sandbox: Running, **more: Any) -> dict[str, Any]:
    """The event that tells of a new group."""
    asked = sandbox.post(PATH, BODY | more)
    value = sandbox.hooks.values(1)[0]
    sandbox.hooks.clear()
    (event,) = value["groups"]
    assert event["request_id"] == asked["request_id"]
    return dict(event)


def join(sandbox: Running, group_id: str, customer: str = CUSTOMER) -> dict[str, Any]:
    """A customer follows the link; what the control surface says of it."""
    answer: dict[str, Any] = sandbox.control(
        "group", {"group_id": group_id, "event": "join", "from": customer}
    )
    sandbox.hooks.wait(1)
    sandbox.hooks.clear()
    return answer


def test_a_group_is_made_by_request_and_told_by_webhook(sandbox: Running) -> None:
    event = made(sandbox)

    assert event["type"] == "group_create"
    assert event["subject"] == "Vecinos"
    assert event["invite_link"].startswith("https://chat.whatsapp.com/")
    listed = sandbox.get(PATH)["data"]["groups"]
    assert [(one["id"], one["subject"]) for one in listed] == [(event["group_id"], "Vecinos")]


def test_only_official_numbers_have_groups(sandbox: Running) -> None:
    assert sandbox.refusal("POST", f"/{NUMBER}/groups", json=BODY)["code"] == 131215


def test_who_follows_the_link_is_in_the_group(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    sandbox.control("group", {"group_id": group, "event": "join", "from": CUSTOMER})

    (event,) = sandbox.hooks.values(1)[0]["groups"]
    assert event["added_participants"] == [{"input": CUSTOMER, "wa_id": CUSTOMER}]
    shown = sandbox.get(f"/{group}", fields="subject,participants,total_participant_count")
    assert shown["total_participant_count"] == 1
    assert shown["participants"][0]["wa_id"] == CUSTOMER


def test_requests_to_join_are_approved_or_rejected_one_by_one(sandbox: Running) -> None:
    group = made(sandbox, join_approval_mode="approval_required")["group_id"]
    first = join(sandbox, group)["join_request_id"]
    second = join(sandbox, group, FRIEND)["join_request_id"]
    path, body = f"/{group}/join_requests", {"messaging_product": "whatsapp"}

    waiting = sandbox.get(path)["data"]
    approved = sandbox.post(path, body | {"join_requests": [first, "nobody"]})
    rejected = sandbox.call("DELETE", path, json=body | {"join_requests": [second]}).json()

    assert [one["wa_id"] for one in waiting] == [CUSTOMER, FRIEND]
    assert approved["approved_join_requests"] == [first]
    assert approved["failed_join_requests"][0]["errors"][0]["code"] == 131213
    assert rejected["rejected_join_requests"] == [second]
    assert sandbox.get(f"/{group}", fields="participants")["participants"][0]["wa_id"] == CUSTOMER
    assert sandbox.get(path)["data"] == []


def test_a_group_holds_eight(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    for last in range(8):
        join(sandbox, group, f"3460011100{last}")

    refused = sandbox.http.post(
        "/_sandbox/group", json={"group_id": group, "event": "join", "from": "34600111009"}
    )

    assert refused.status_code == 400


def test_a_message_to_a_group_has_a_status_for_each_member(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    join(sandbox, group)
    join(sandbox, group, FRIEND)
    sandbox.control(
        "inbound",
        {
            "phone_number_id": OTHER_NUMBER,
            "from": FRIEND,
            "group_id": group,
            "type": "text",
            "text": {"body": "hola"},
        },
    )
    message = sandbox.hooks.values(1)[0]["messages"][0]
    sandbox.hooks.clear()

    body = {"recipient_type": "group", "to": group, "type": "text", "text": {"body": "a todos"}}
    sent = sandbox.send(body, OTHER_NUMBER).json()

    assert message["group_id"] == group
    assert sent["messages"][0]["group_id"] == group
    delivered = sandbox.hooks.values(2)[1]["statuses"]
    assert [one["status"] for one in delivered] == ["delivered", "delivered"]
    assert [one["recipient_participant_id"] for one in delivered] == [CUSTOMER, FRIEND]
    assert {one["recipient_id"] for one in delivered} == {group}


def test_nothing_is_said_to_an_unknown_an_empty_or_a_suspended_group(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    body = {"recipient_type": "group", "to": group, "type": "text", "text": {"body": "a"}}
    path = f"/{OTHER_NUMBER}/messages"
    body |= {"messaging_product": "whatsapp"}

    unknown = sandbox.refusal("POST", path, json=body | {"to": "Y2FwaV9ncm91cDox"})
    foreign = sandbox.refusal("POST", f"/{NUMBER}/messages", json=body)
    empty = sandbox.refusal("POST", path, json=body)
    join(sandbox, group)
    sandbox.control("group", {"group_id": group, "event": "suspend"})
    suspended = sandbox.refusal("POST", path, json=body)

    codes = [one["code"] for one in (unknown, foreign, empty, suspended)]
    assert codes == [131020, 131020, 131041, 131207]


@pytest.mark.parametrize("kind", ["location", "interactive", "reaction"])
def test_what_groups_do_not_take_is_refused(sandbox: Running, kind: str) -> None:
    group = made(sandbox)["group_id"]
    join(sandbox, group)

    body = {"recipient_type": "group", "to": group, "type": kind, kind: {}}

    assert sandbox.send(body, OTHER_NUMBER).json()["error"]["code"] == 130501


def test_a_message_is_pinned_in_a_group_and_nowhere_else(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    join(sandbox, group)
    pin = {"type": "pin", "pin": {"type": "pin", "message_id": "wamid.x", "expiration_days": 7}}

    pinned = sandbox.send(pin | {"recipient_type": "group", "to": group}, OTHER_NUMBER)
    alone = sandbox.send(pin)

    assert pinned.status_code == 200
    assert alone.json()["error"]["code"] == 100


def test_settings_link_and_members_change_and_the_group_ends(sandbox: Running) -> None:
    event = made(sandbox)
    group, product = event["group_id"], {"messaging_product": "whatsapp"}
    join(sandbox, group)

    sandbox.post(f"/{group}", product | {"subject": "Barrio"})
    sandbox.hooks.wait(1)
    link = sandbox.post(f"/{group}/invite_link", product)["invite_link"]
    removed = sandbox.call(
        "DELETE",
        f"/{group}/participants",
        json=product | {"participants": [{"user": CUSTOMER}, {"user": FRIEND}]},
    ).json()
    sandbox.hooks.wait(2)
    deleted = sandbox.call("DELETE", f"/{group}").json()

    assert link != event["invite_link"]
    assert removed["removed_participants"] == [{"input": CUSTOMER, "wa_id": CUSTOMER}]
    assert removed["failed_participants"][0]["errors"][0]["code"] == 131203
    assert deleted["success"]
    events = [value["groups"][0]["type"] for value in sandbox.hooks.values(3)]
    assert events == ["group_settings_update", "group_remove_participants", "group_delete"]
    assert sandbox.refusal("GET", f"/{group}")["code"] == 100


def test_without_a_link_nobody_joins(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    sandbox.call("DELETE", f"/{group}/invite_link", json={"messaging_product": "whatsapp"})

    body = {"group_id": group, "event": "join", "from": CUSTOMER}

    assert sandbox.get(f"/{group}/invite_link")["invite_link"] == ""
    assert sandbox.http.post("/_sandbox/group", json=body).status_code == 400


def test_customers_are_not_added_by_a_call(sandbox: Running) -> None:
    group = made(sandbox)["group_id"]
    body = {"messaging_product": "whatsapp", "participants": [{"user": CUSTOMER}]}

    assert sandbox.refusal("POST", f"/{group}/participants", json=body)["code"] == 131203
