"""Webhooks: only Meta's signature counts, every known id is learned, nothing strange breaks it."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphapi.message_bodies import GROUP_ID, WAMID
from portero.graphapi import webhooks
from portero.graphapi.kinds import Kind
from portero.graphapi.learned import Learned
from portero.graphapi.webhooks import Signer

WABA = "102290129340398"
NUMBER = "106540352242922"
SECRET = b"app-secret"
SIGNER = Signer(SECRET)
RAW = b'{"object":"whatsapp_business_account","entry":[{"id":"1"}],"text":"\\u00f1 \\/"}'
METADATA = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}


def envelope(field: str, value: object, **more: object) -> dict[str, Any]:
    """A payload with one change."""
    change = {"field": field, "value": value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": WABA, "changes": [change], **more}],
    }


def learned(field: str, value: object) -> set[tuple[str, str]]:
    """Kind and id of all that one change teaches, the number it came to left out."""
    (entry,) = webhooks.entries(envelope(field, value))
    assert all(one.parent == WABA for one in entry.learned)
    return {(one.kind.value, one.id) for one in entry.learned} - {("number", NUMBER)}


def test_a_signature_is_the_hmac_of_the_raw_bytes() -> None:
    expected = hmac.new(SECRET, RAW, hashlib.sha256).hexdigest()

    assert [SIGNER.signature(RAW) for _ in range(2)] == [f"sha256={expected}"] * 2


def test_a_signed_body_is_accepted_under_any_of_the_secrets() -> None:
    header = SIGNER.signature(RAW)

    assert webhooks.verify(header, RAW, [SIGNER])
    assert webhooks.verify(header, RAW, [Signer(b"old"), SIGNER])
    assert webhooks.verify(header, RAW, [SIGNER, Signer(b"new")])


def test_reserialised_bytes_are_not_what_was_signed() -> None:
    header = SIGNER.signature(RAW)

    assert not webhooks.verify(header, json.dumps(json.loads(RAW)).encode(), [SIGNER])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + hmac.new(SECRET, RAW, hashlib.sha1).hexdigest(),
        hmac.new(SECRET, RAW, hashlib.sha256).hexdigest(),
        SIGNER.signature(RAW).upper(),
        SIGNER.signature(RAW) + " ",
        SIGNER.signature(RAW) + "\n",
        SIGNER.signature(RAW)[:-1],
        Signer(b"other").signature(RAW),
        "sha256=" + "\u0661" * 64,
        "sha256=" + "é" * 64,
    ],
)
def test_another_signature_is_refused(header: str | None) -> None:
    assert not webhooks.verify(header, RAW, [SIGNER])


def test_without_a_secret_nothing_is_accepted() -> None:
    assert not webhooks.verify(Signer(b"").signature(RAW), RAW, [])


def test_an_entry_names_its_account_and_teaches_its_numbers() -> None:
    payload = envelope("messages", {"messaging_product": "whatsapp", "metadata": METADATA})
    payload["entry"][0]["changes"].append({"field": "account_update", "value": {"event": "X"}})

    (entry,) = webhooks.entries(payload)

    assert entry.waba == WABA
    assert entry.learned == (Learned(Kind.NUMBER, NUMBER, parent=WABA),)


def test_what_is_learned_hangs_under_its_account_and_number() -> None:
    message = {"id": WAMID, "type": "image", "image": {"id": "9", "mime_type": "image/jpeg"}}

    (entry,) = webhooks.entries(envelope("messages", {"metadata": METADATA, "messages": [message]}))

    assert entry.learned[1:] == (
        Learned(Kind.MESSAGE, WAMID, WABA, NUMBER),
        Learned(Kind.MEDIA, "9", WABA, NUMBER, {"mime_type": "image/jpeg"}),
    )


@pytest.mark.parametrize("media", ["image", "video", "audio", "document", "sticker"])
def test_media_of_every_type_are_learned(media: str) -> None:
    value = {"messages": [{"id": WAMID, "type": media, media: {"id": "77"}}]}

    assert learned("messages", value) == {("message", WAMID), ("media", "77")}


def test_statuses_edits_and_groups_are_learned() -> None:
    value = {
        "messages": [
            {
                "id": WAMID,
                "group_id": GROUP_ID,
                "type": "edit",
                "edit": {
                    "original_message_id": f"{WAMID}x",
                    "message": {"type": "image", "image": {"id": "78"}},
                },
            }
        ],
        "statuses": [{"id": f"{WAMID}s", "status": "sent", "recipient_id": "525512345678"}],
    }

    assert learned("messages", value) == {
        ("message", WAMID),
        ("group", GROUP_ID),
        ("media", "78"),
        ("message", f"{WAMID}s"),
    }


def test_echoes_history_and_calls_are_learned() -> None:
    image = {"id": WAMID, "type": "image", "image": {"id": "79"}}
    history = [{"threads": [{"id": "525512345678", "messages": [image]}]}]
    calls = {"calls": [{"id": "wacid.ABCD"}], "statuses": [{"id": "wacid.EFGH", "type": "call"}]}

    known = {("message", WAMID), ("media", "79")}
    assert learned("smb_message_echoes", {"message_echoes": [image]}) == known
    assert learned("history", {"history": history}) == known
    assert learned("calls", calls) == {("call", "wacid.ABCD"), ("call", "wacid.EFGH")}


def test_a_template_is_learned_with_its_name_language_and_status() -> None:
    value = {
        "event": "APPROVED",
        "message_template_id": 1689556908129832,
        "message_template_name": "order_update",
        "message_template_language": "es_MX",
        "message_template_category": "UTILITY",
        "reason": "NONE",
    }

    (entry,) = webhooks.entries(envelope("message_template_status_update", value))

    assert entry.learned == (
        Learned(
            Kind.TEMPLATE,
            "1689556908129832",
            parent=WABA,
            attributes={
                "name": "order_update",
                "language": "es_MX",
                "status": "APPROVED",
                "category": "UTILITY",
            },
        ),
    )


def test_several_changes_of_one_template_are_put_together_newest_last() -> None:
    name = {"message_template_id": 5, "message_template_name": "a"}
    payload = envelope("message_template_status_update", {**name, "event": "APPROVED"})
    payload["entry"][0]["changes"] += [
        {"field": "template_category_update", "value": {**name, "new_category": "MARKETING"}},
        {"field": "message_template_status_update", "value": {**name, "event": "PAUSED"}},
    ]

    (entry,) = webhooks.entries(payload)

    (template,) = entry.learned
    assert template.attributes == {"name": "a", "status": "PAUSED", "category": "MARKETING"}


def test_flows_and_new_groups_are_learned() -> None:
    groups = {"groups": [{"group_id": GROUP_ID, "type": "group_create", "subject": "Suppliers"}]}

    assert learned("flows", {"flow_id": "6627390910605886", "new_status": "PUBLISHED"}) == {
        ("flow", "6627390910605886")
    }
    assert learned("group_lifecycle_update", groups) == {("group", GROUP_ID)}


def test_who_is_named_by_number_and_by_scoped_id_is_told_once() -> None:
    contacts = [
        {"wa_id": "525512345678", "user_id": "MX.1"},
        {"wa_id": "525512345678", "user_id": "MX.1"},
        {"wa_id": "", "user_id": "MX.2"},
        {"wa_id": "34600111222"},
        {"user_id": ["MX.3"], "wa_id": "1"},
        None,
    ]

    (entry,) = webhooks.entries(envelope("messages", {"contacts": contacts}))

    assert entry.people == (("525512345678", "MX.1"),)


@pytest.mark.parametrize("identifier", ["../1", "1 2", "\u0661", "", None, True, 1.5, -1, [], {}])
def test_what_is_not_spelled_as_an_id_is_not_learned(identifier: object) -> None:
    assert learned("flows", {"flow_id": identifier}) == set()
    assert webhooks.entries({"entry": [{"id": identifier, "changes": []}]}) == ()


def test_an_integer_too_long_to_print_is_passed_over() -> None:
    assert learned("flows", {"flow_id": 10**5000}) == set()


def test_an_unknown_field_teaches_nothing() -> None:
    (entry,) = webhooks.entries(envelope("brand_new", {"id": "123", "media": {"id": "4"}}))

    assert entry.learned == ()


def _arrivals(change: int, count: int) -> dict[str, Any]:
    messages = [{"id": f"{WAMID}{change}x{i}"} for i in range(count)]
    return {"field": "messages", "value": {"messages": messages}}


def test_the_updates_read_from_one_list_are_bounded() -> None:
    (entry,) = webhooks.entries({"entry": [{"id": WABA, "changes": [_arrivals(0, 1_200)]}]})

    assert len(entry.learned) == 1_000


def test_what_one_entry_can_teach_is_bounded() -> None:
    changes = [_arrivals(change, 1_000) for change in range(12)]

    (entry,) = webhooks.entries({"entry": [{"id": WABA, "changes": changes}]})

    assert len(entry.learned) == 10_000


_names = st.sampled_from(
    [
        "object",
        "entry",
        "id",
        "changes",
        "field",
        "value",
        "metadata",
        "phone_number_id",
        "messages",
        "statuses",
        "image",
        "edit",
        "message",
        "history",
        "threads",
        "calls",
        "message_echoes",
        "groups",
        "group_id",
        "flow_id",
        "message_template_id",
        "event",
    ]
)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_fields = st.sampled_from(["messages", "history", "calls", "flows", "template_category_update"])
_anything = st.recursive(
    _scalars | st.sampled_from([WABA, WAMID]) | _fields,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=40,
)


@settings(deadline=None)  # slow machines are not wrong
@given(payload=_anything)
def test_no_payload_is_too_strange(payload: object) -> None:
    assert isinstance(webhooks.entries(payload), tuple)


@settings(deadline=None)  # slow machines are not wrong
@given(value=_anything, field=_fields)
def test_no_change_is_too_strange(value: object, field: str) -> None:
    payload = envelope(field, value)

    (entry,) = webhooks.entries(payload)

    assert entry.waba == WABA
    assert isinstance(entry.people, tuple)
