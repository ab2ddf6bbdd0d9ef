"""Errors have Meta's one shape, whoever speaks."""

import pytest

from portero.engine import Reason
from portero.graphapi.errors import CATALOGUE, GraphError, meta_error
from portero.graphapi.refusals import REASONS, id_unknown, malformed, refusal_for


def test_an_error_has_metas_shape() -> None:
    error = meta_error(132001, details="template name (x) does not exist in en_US")

    assert error.http == 404
    assert error.body("A71G") == {
        "error": {
            "message": "(#132001) Template name does not exist in the translation",
            "type": "OAuthException",
            "code": 132001,
            "error_data": {
                "messaging_product": "whatsapp",
                "details": "template name (x) does not exist in en_US",
            },
            "fbtrace_id": "A71G",
        }
    }


def test_optional_members_are_written_only_when_there_is_something_to_say() -> None:
    error = GraphError(
        http=400,
        code=100,
        message="m",
        subcode=2388043,
        user_title="Title",
        user_msg="Text",
        transient=True,
    )

    assert error.body("t")["error"] == {
        "message": "m",
        "type": "OAuthException",
        "code": 100,
        "error_subcode": 2388043,
        "is_transient": True,
        "error_user_title": "Title",
        "error_user_msg": "Text",
        "fbtrace_id": "t",
    }


@pytest.mark.parametrize("code", [104, 190])
def test_a_message_about_the_token_has_no_code_in_front(code: int) -> None:
    assert "#" not in meta_error(code).message


def test_a_code_that_is_not_catalogued_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        meta_error(999999)


def test_every_catalogued_code_is_filed_under_itself_with_an_http_status() -> None:
    assert all(entry.code == code for code, entry in CATALOGUE.items())
    assert {entry.http for entry in CATALOGUE.values()} <= {206, 400, 401, 403, 404, 429, 500, 503}


def test_the_challenge_cannot_carry_another_header() -> None:
    error = GraphError(http=400, code=100, message='a"\r\nset-cookie: x=1\\ñ' + "y" * 500)

    (value,) = error.headers().values()

    assert value.startswith('OAuth "Facebook Platform" "invalid_request" "a')
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 6
    assert len(value) < 300


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ALLOWED])
def test_every_reason_of_the_engine_has_a_refusal(reason: Reason) -> None:
    refusal = refusal_for(reason, "Sentence.")

    assert refusal.reason == reason
    assert refusal.http >= 400
    assert refusal.details == f"{reason.value}: Sentence."


# HTTP, code and subcode of each family, as the design fixes them.
REFUSALS = {
    "key_unknown": (401, 190, None),
    "key_malformed": (401, 190, None),
    "key_revoked": (401, 190, None),
    "key_expired": (401, 190, 463),
    "permission_missing": (403, 200, None),
    "outside_scope": (403, 10, None),
    "outside_reach": (403, 10, None),
    "outside_hours": (403, 10, None),
    "outside_network": (403, 10, None),
    "factor_needed": (403, 10, None),
    "binding_expired": (403, 10, None),
    "id_unknown": (400, 100, 33),
    "malformed": (400, 100, None),
    "rate_limited": (429, 130429, None),
    "day_limit": (429, 80007, None),
    "blocked_by_guardrail": (403, 368, None),
    "requirement_window": (403, 368, None),
    "requirement_consent": (403, 368, None),
    "requirement_second_person": (403, 368, None),
    "never_offered": (400, 100, None),
    "unavailable": (503, 2, None),
}


@pytest.mark.parametrize(("reason", "shape"), REFUSALS.items())
def test_a_refusal_has_the_status_and_codes_that_clients_rely_on(
    reason: str, shape: tuple[int, int, int | None]
) -> None:
    refusal = refusal_for(reason, "x")

    assert (refusal.http, refusal.code, refusal.subcode) == shape


def test_a_reason_nobody_declared_is_a_mistake_of_ours() -> None:
    assert "because_i_said_so" not in REASONS
    with pytest.raises(KeyError):
        refusal_for("because_i_said_so", "x")


def test_an_unknown_object_is_refused_in_metas_own_words() -> None:
    error = id_unknown("1234", method="DELETE")

    assert error.type == "GraphMethodException"
    assert error.message == (
        "Unsupported delete request. Object with ID '1234' does not exist, cannot be loaded due to"
        " missing permissions, or does not support this operation. Please read the Graph API"
        " documentation at https://developers.facebook.com/docs/graph-api"
    )


def test_an_unknown_object_says_nothing_back_that_is_not_plain() -> None:
    assert "'?'" in id_unknown("12\r\n34").message
    assert "'?'" in id_unknown("١٢٣").message


def test_an_error_can_be_raised_through_a_context_manager() -> None:
    with pytest.raises(GraphError) as raised:
        raise malformed("Sentence.") from ValueError("cause")

    assert str(raised.value) == "malformed: Sentence."
    assert isinstance(raised.value.__cause__, ValueError)
