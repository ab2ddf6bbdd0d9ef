"""What a body sent to the messages edge means: permissions, ids, whom it reaches."""

import json
from typing import Any

import pytest

from graphapi.message_bodies import BSUID, BY_NAME, CASES, GROUP_ID, Case, send, template
from portero.engine import PERMISSIONS
from portero.graphapi import strict_json
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import RecipientKind, TemplateRef
from portero.graphapi.messages import Message, parse_marketing_message, parse_message

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def _ids(message: Message) -> tuple[str, ...]:
    return tuple(f"{ref.kind}:{ref.value} at {ref.place}" for ref in message.ids)


@each_case
def test_a_documented_body_needs_exactly_its_permissions(case: Case) -> None:
    assert parse_message(case.copy()).permissions == case.permissions


@each_case
def test_every_id_in_a_documented_body_is_found(case: Case) -> None:
    assert _ids(parse_message(case.copy())) == case.ids


@each_case
def test_reading_the_typed_body_again_changes_nothing(case: Case) -> None:
    once = parse_message(case.copy())

    again = parse_message(strict_json.loads(json.dumps(once.body).encode()))

    assert again.body == once.body
    assert (again.permissions, again.ids, again.template) == (
        once.permissions,
        once.ids,
        once.template,
    )


@each_case
def test_reading_leaves_the_callers_body_alone(case: Case) -> None:
    body = case.copy()

    parse_message(body)

    assert body == case.body


@each_case
def test_permissions_are_in_the_catalogue(case: Case) -> None:
    assert set(case.permissions) <= set(PERMISSIONS)


def test_every_sending_permission_of_the_catalogue_is_reached_by_some_body() -> None:
    reached = {permission for case in CASES for permission in case.permissions}

    assert {key for key in PERMISSIONS if key.startswith("send:")} == {
        permission for permission in reached if permission.startswith("send:")
    }


def _folded(value: Any) -> Any:
    """A body with nulls left out and scalars as lower-case text: all that reading may change."""
    if isinstance(value, dict):
        return {name: _folded(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_folded(inner) for inner in value]
    return str(value).lower()


@each_case
def test_reading_loses_and_adds_nothing(case: Case) -> None:
    typed = parse_message(case.copy()).body
    address = {"to", "recipient", "type"}

    assert _folded({name: typed[name] for name in set(typed) - address}) == _folded(
        {name: case.body[name] for name in set(case.body) - address}
    )


def test_nulls_are_left_out_as_clients_send_them_for_what_is_absent() -> None:
    body = send("document", {"link": "https://a.example/x", "caption": None, "filename": None})

    assert parse_message(body).body["document"] == {"link": "https://a.example/x"}


def test_opaque_data_for_a_flow_passes_unchanged_with_its_nulls() -> None:
    case = BY_NAME["flow"]

    typed: Any = parse_message(case.copy()).body

    data = typed["interactive"]["action"]["parameters"]["flow_action_payload"]["data"]
    assert data == {"any": [1, None, {"id": "5"}]}


def test_words_are_sent_in_the_spelling_of_meta() -> None:
    typed: Any = parse_message(BY_NAME["template in capitals"].copy()).body

    assert [c["type"] for c in typed["template"]["components"]] == ["body", "button"]
    assert typed["template"]["components"][1]["sub_type"] == "catalog"
    assert typed["template"]["components"][0]["parameters"] == [{"type": "text", "text": "true"}]


def test_a_default_type_is_written_out() -> None:
    assert parse_message(BY_NAME["text without a type"].copy()).body["type"] == "text"


def test_a_template_message_names_the_template_and_its_language() -> None:
    message = parse_message(template())

    assert message.template == TemplateRef(name="order_update", language="es_MX")
    assert (message.contents, message.messages) == ("template", 1)


@pytest.mark.parametrize("name", ["text", "image by id", "buttons", "order status", "reaction"])
def test_everything_but_a_template_is_free_form(name: str) -> None:
    message = parse_message(BY_NAME[name].copy())

    assert (message.contents, message.template, message.messages) == ("free_form", None, 1)


@pytest.mark.parametrize("name", ["read", "typing"])
def test_a_receipt_sends_nothing_and_reaches_nobody(name: str) -> None:
    message = parse_message(BY_NAME[name].copy())

    assert (message.type, message.contents, message.messages) == (None, None, 0)
    assert message.recipients == ()


def test_a_business_scoped_id_in_to_is_sent_as_recipient() -> None:
    message = parse_message(send("text", {"body": "a"}, to=BSUID))

    assert message.body["recipient"] == BSUID
    assert "to" not in message.body
    assert message.recipients[0].kind is RecipientKind.BSUID
    assert message.recipients[0].country == "US"


def test_a_group_is_the_recipient_of_a_group_message() -> None:
    message = parse_message(BY_NAME["text to a group"].copy())

    assert message.recipients[0].kind is RecipientKind.GROUP
    assert message.body["to"] == GROUP_ID


def test_parameters_that_the_kapso_client_adds_and_meta_ignores_are_dropped() -> None:
    body = BY_NAME["request to call"].copy()
    body["interactive"]["action"]["parameters"] = {"phone_number": "+16505551234"}

    typed: Any = parse_message(body).body

    assert typed["interactive"]["action"] == {"name": "call_permission_request"}


def test_a_marketing_message_also_needs_the_permission_to_market() -> None:
    body = template(product_policy="strict", message_activity_sharing="true")

    message = parse_marketing_message(body)

    assert message.permissions == ("send:template", "template:use_marketing")
    assert message.body["product_policy"] == "STRICT"
    assert message.body["message_activity_sharing"] is True


def test_a_marketing_message_is_a_template() -> None:
    with pytest.raises(GraphError, match="malformed"):
        parse_marketing_message(send("text", {"body": "Sale"}))


def test_marketing_options_do_not_fit_an_ordinary_message() -> None:
    with pytest.raises(GraphError, match="Unexpected parameter 'product_policy'"):
        parse_message(template(product_policy="STRICT"))
