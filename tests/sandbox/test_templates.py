"""Templates: definitions that pass and fail, review, edits, deletion, lists."""

import json
from typing import Any

import pytest

from sandbox.harness import NUMBER, WABA, Running, Start

BODY = {"type": "BODY", "text": "Hola, tu pedido va en camino."}
GOOD = {"name": "nueva", "language": "es_MX", "category": "UTILITY", "components": [BODY]}
PATH = f"/{WABA}/message_templates"


def body_with(text: str, examples: list[str]) -> list[dict[str, Any]]:
    return [{"type": "BODY", "text": text, "example": {"body_text": [examples]}}]


def buttons(*kinds: dict[str, Any]) -> list[dict[str, Any]]:
    return [BODY, {"type": "BUTTONS", "buttons": list(kinds)}]


QUICK = {"type": "QUICK_REPLY", "text": "Sí"}
URL = {"type": "URL", "text": "Ver", "url": "https://x.test"}

BAD: dict[str, tuple[dict[str, Any], int | None]] = {
    "a name with capitals": ({"name": "Nueva"}, None),
    "no language": ({"language": ""}, None),
    "an unknown category": ({"category": "SPAM"}, None),
    "no body": ({"components": [{"type": "FOOTER", "text": "a"}]}, 2388072),
    "an empty body": ({"components": [{"type": "BODY", "text": " "}]}, 2388072),
    "a body of 1025": ({"components": [{"type": "BODY", "text": "x" * 1025}]}, 2388040),
    "a variable at the start": (
        {"components": body_with("{{1}} va en camino hoy", ["a"])},
        2388299,
    ),
    "a variable at the end": ({"components": body_with("Tu pedido es el {{1}}", ["a"])}, 2388299),
    "a gap in the numbers": (
        {"components": body_with("Hola {{1}}, tu {{3}} va en camino hoy.", ["a", "b"])},
        2388072,
    ),
    "too many variables": (
        {"components": body_with("A {{1}} b {{2}} c {{3}} d.", ["a", "b", "c"])},
        2388293,
    ),
    "no example": ({"components": [{"type": "BODY", "text": "Hola {{1}}, ya va."}]}, 2388043),
    "a header of 61": (
        {"components": [{"type": "HEADER", "format": "TEXT", "text": "x" * 61}, BODY]},
        2388047,
    ),
    "a media header without example": (
        {"components": [{"type": "HEADER", "format": "IMAGE"}, BODY]},
        2388043,
    ),
    "a footer with a variable": (
        {"components": [BODY, {"type": "FOOTER", "text": "Hola {{1}}"}]},
        2388073,
    ),
    "three links": ({"components": buttons(URL, URL, URL)}, None),
    "quick replies apart": ({"components": buttons(QUICK, URL, QUICK)}, None),
    "a label of 26": ({"components": buttons(QUICK | {"text": "x" * 26})}, None),
    "a content that exists": ({"name": "plain"}, 2388024),
}


@pytest.mark.parametrize(("change", "subcode"), BAD.values(), ids=BAD.keys())
def test_a_bad_definition_is_refused(
    sandbox: Running, change: dict[str, Any], subcode: int | None
) -> None:
    error = sandbox.refusal("POST", PATH, json=GOOD | change)

    assert error["http"] == 400
    assert error.get("error_subcode") == subcode, error
    assert ("error_user_msg" in error) == (subcode is not None)


def test_a_new_template_is_pending_then_approved_and_told(sandbox: Running) -> None:
    created = sandbox.post(PATH, GOOD)

    [value] = sandbox.hooks.values(1)
    payload = sandbox.hooks.wait(1)[0]
    assert (created["status"], created["category"]) == ("PENDING", "UTILITY")
    assert payload["entry"][0]["changes"][0]["field"] == "message_template_status_update"
    assert isinstance(payload["entry"][0]["time"], int)
    assert value == {
        "event": "APPROVED",
        "message_template_id": int(created["id"]),
        "message_template_name": "nueva",
        "message_template_language": "es_MX",
        "message_template_category": "UTILITY",
        "reason": "NONE",
    }
    assert sandbox.get(f"/{created['id']}")["status"] == "APPROVED"


def test_a_name_that_says_reject_is_rejected(sandbox: Running) -> None:
    created = sandbox.post(PATH, GOOD | {"name": "please_reject"})

    assert sandbox.hooks.values(1)[0]["event"] == "REJECTED"
    template = sandbox.get(f"/{created['id']}", fields="status,rejected_reason")
    assert (template["status"], template["rejected_reason"]) == ("REJECTED", "INVALID_FORMAT")


def test_a_pending_template_cannot_be_sent_or_edited(other_world: Start) -> None:
    sandbox = other_world(speed={"review_ms": None})
    created = sandbox.post(PATH, GOOD)
    message = {"type": "template", "template": {"name": "nueva", "language": {"code": "es_MX"}}}

    assert sandbox.send(message).json()["error"]["code"] == 132001
    assert sandbox.refusal("POST", f"/{created['id']}", json={"components": [BODY]})["code"] == 100


def test_an_authentication_template_gets_metas_wording(sandbox: Running) -> None:
    components = [
        {"type": "body", "add_security_recommendation": True},
        {"type": "footer", "code_expiration_minutes": 5},
        {"type": "buttons", "buttons": [{"type": "otp", "otp_type": "copy_code"}]},
    ]
    definition = {"name": "code", "category": "AUTHENTICATION", "components": components}

    created = sandbox.post(PATH, GOOD | definition)
    sandbox.hooks.wait(1)
    code = [{"type": "text", "text": "123"}]
    sent = {
        "name": "code",
        "language": {"code": "es_MX"},
        "components": [{"type": "body", "parameters": code}],
    }
    without = sandbox.send({"type": "template", "template": sent})
    sent["components"].append({"type": "button", "sub_type": "url", "index": 0, "parameters": code})
    complete = sandbox.send({"type": "template", "template": sent})

    body = sandbox.get(f"/{created['id']}")["components"][0]
    assert body["text"].startswith("*{{1}}* is your verification code.")
    assert without.json()["error"]["code"] == 131008
    assert complete.status_code == 200


def test_an_approved_template_is_edited_once_a_day(sandbox: Running) -> None:
    change = {"components": [BODY | {"text": "Otro texto."}]}

    first = sandbox.post("/201", change)
    sandbox.hooks.wait(1)
    again = sandbox.refusal("POST", "/201", json=change)
    sandbox.clock.ahead_s = 25 * 3600
    tomorrow = sandbox.call("POST", "/201", json=change)

    assert first["success"]
    assert again["error_data"]["details"] == "The template was edited too often"
    assert tomorrow.status_code == 200


def test_a_refused_edit_is_not_the_edit_of_the_day(sandbox: Running) -> None:
    refused = sandbox.refusal("POST", "/201", json={"components": [BODY | {"text": " "}]})

    edited = sandbox.call("POST", "/201", json={"components": [BODY]})

    assert refused["error_subcode"] == 2388072
    assert edited.status_code == 200


def test_the_category_of_an_approved_template_stays(sandbox: Running) -> None:
    assert sandbox.refusal("POST", "/201", json={"category": "MARKETING"})["code"] == 100
    assert sandbox.post("/207", {"category": "MARKETING"})["success"]


def test_a_template_is_deleted_in_all_languages_or_in_one(sandbox: Running) -> None:
    english = sandbox.post(PATH, GOOD | {"language": "en_US"})["id"]
    spanish = sandbox.post(PATH, GOOD)["id"]
    french = sandbox.post(PATH, GOOD | {"language": "fr"})["id"]

    sandbox.call("DELETE", PATH, params={"name": "nueva", "hsm_id": english}).raise_for_status()
    left = [item["id"] for item in sandbox.get(PATH, name="nueva")["data"]]
    sandbox.call("DELETE", PATH, params={"name": "nueva"}).raise_for_status()

    assert left == [spanish, french]
    assert sandbox.get(PATH, name="nueva")["data"] == []
    missing = sandbox.refusal("DELETE", PATH, params={"name": "nueva"})
    assert missing["error_subcode"] == 2593002


def test_several_templates_are_deleted_by_id(sandbox: Running) -> None:
    sandbox.call("DELETE", PATH, params={"hsm_ids": json.dumps(["201", "204"])}).raise_for_status()

    assert not {"201", "204"} & {item["id"] for item in sandbox.get(PATH)["data"]}


def test_the_name_of_a_deleted_template_is_free_after_thirty_days(sandbox: Running) -> None:
    sandbox.call("DELETE", PATH, params={"name": "plain"}).raise_for_status()

    soon = sandbox.refusal("POST", PATH, json=GOOD | {"name": "plain"})
    sandbox.clock.ahead_s = 31 * 24 * 3600
    later = sandbox.call("POST", PATH, json=GOOD | {"name": "plain"})

    assert soon["error_subcode"] == 2388023
    assert later.status_code == 200


def test_a_disabled_template_cannot_be_deleted(sandbox: Running) -> None:
    assert sandbox.refusal("DELETE", PATH, params={"name": "disabled"})["code"] == 100


def test_a_paused_template_is_unpaused_once(sandbox: Running) -> None:
    assert sandbox.post("/205/unpause") == {"success": True}
    assert not sandbox.post("/205/unpause")["success"]
    assert sandbox.hooks.values(1)[0]["event"] == "APPROVED"


def test_templates_are_archived_and_brought_back(sandbox: Running) -> None:
    archived = sandbox.post(f"{PATH}/archive", {"hsm_ids": "201,999"})
    shelved = sandbox.get("/201")["status"]
    sandbox.post(f"{PATH}/unarchive", {"hsm_ids": "201"})

    assert archived["archived_templates"] == ["201"]
    assert list(archived["failed_templates"]) == ["999"]
    assert (shelved, sandbox.get("/201")["status"]) == ("ARCHIVED", "APPROVED")


@pytest.mark.parametrize("move", ["archive", "unarchive"])
def test_a_template_that_is_neither_approved_nor_archived_stays_what_it_is(
    sandbox: Running, move: str
) -> None:
    before = {item["id"]: item["status"] for item in sandbox.get(PATH)["data"]}
    unusable = {key for key, status in before.items() if status != "APPROVED"}

    moved = sandbox.post(f"{PATH}/{move}", {"hsm_ids": ",".join(unusable)})

    assert moved == {f"{move}d_templates": [], "failed_templates": moved["failed_templates"]}
    assert moved["failed_templates"].keys() == unusable == {"205", "206", "207"}
    assert {item["id"]: item["status"] for item in sandbox.get(PATH)["data"]} == before


def test_a_template_is_not_brought_back_twice(sandbox: Running) -> None:
    again = sandbox.post(f"{PATH}/unarchive", {"hsm_ids": "201"})

    assert list(again["failed_templates"]) == ["201"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"status": "rejected"}, ["rejected"]),
        ({"status": "PAUSED,DISABLED"}, ["paused", "disabled"]),
        ({"status": '["PAUSED"]'}, ["paused"]),
        ({"category": "MARKETING", "status": "APPROVED"}, ["promo"]),
        ({"language": "en_US"}, []),
        ({"name": "ord"}, ["order"]),
        ({"content": "en camino"}, ["order"]),
        ({"name_or_content": "gracias"}, ["named"]),
    ],
)
def test_templates_are_filtered(
    sandbox: Running, filters: dict[str, str], names: list[str]
) -> None:
    assert [item["name"] for item in sandbox.get(PATH, **filters)["data"]] == names


def test_a_filter_goes_along_with_the_page(sandbox: Running) -> None:
    first = sandbox.get(PATH, category="UTILITY", limit=2, fields="name")

    second = sandbox.http.get(first["paging"]["next"]).json()

    names = [item["name"] for item in first["data"] + second["data"]]
    assert names == ["plain", "order", "named", "disabled"]
    assert all(item.keys() == {"name", "id"} for item in first["data"])


@pytest.mark.parametrize(
    "asked",
    [
        {"content": "plain"},
        {"status": '["APPROVED","PAUSED"]', "summary": "total_count"},
    ],
)
def test_a_page_leads_to_the_next_of_the_same_question(
    sandbox: Running, asked: dict[str, str]
) -> None:
    for n in range(2):
        sandbox.post(PATH, GOOD | {"name": f"plain_{n}", "components": [BODY | {"text": "plain"}]})
    sandbox.hooks.wait(2)
    whole = sandbox.get(PATH, **asked)
    link = sandbox.call("GET", PATH, params=asked | {"limit": 1}).json()["paging"]["next"]

    pages = [sandbox.http.get(link).json()]
    while "next" in pages[-1]["paging"]:
        pages.append(sandbox.http.get(pages[-1]["paging"]["next"]).json())

    assert [item for page in pages for item in page["data"]] == whole["data"][1:]
    assert all(page.get("summary") == whole.get("summary") for page in pages)


@pytest.mark.parametrize("summary", ["true", "total_count,message_template_count"])
def test_a_summary_counts_all_and_those_that_pass(sandbox: Running, summary: str) -> None:
    page = sandbox.get(PATH, summary=summary, status="REJECTED")

    assert page["summary"] == {
        "total_count": 1,
        "message_template_count": 7,
        "message_template_limit": 6000,
        "are_translations_complete": False,
    }


def test_an_account_shows_its_edges_through_fields(sandbox: Running) -> None:
    fields = (
        "name,phone_numbers{id,verified_name},message_templates.limit(2){name},"
        "pricing_analytics.start(0).end(172800).granularity(DAILY).metric_types([VOLUME])"
    )

    account = sandbox.get(f"/{WABA}", fields=fields)

    assert account["phone_numbers"]["data"][0] == {"id": NUMBER, "verified_name": "Ventas"}
    assert [item["name"] for item in account["message_templates"]["data"]] == ["plain", "order"]
    points = account["pricing_analytics"]["data"][0]["data_points"]
    assert points == [
        {"start": 0, "end": 86400, "volume": 0},
        {"start": 86400, "end": 172800, "volume": 0},
    ]


def test_templates_are_compared(sandbox: Running) -> None:
    compared = sandbox.get("/201/compare", template_ids="202", start=0, end=86400)

    assert [item["metric"] for item in compared["data"]] == [
        "BLOCK_RATE",
        "MESSAGE_SENDS",
        "TOP_BLOCK_REASON",
    ]
    assert sandbox.refusal("GET", "/201/compare")["code"] == 100


def test_one_authentication_template_is_made_in_several_languages(sandbox: Running) -> None:
    definition = {
        "name": "code",
        "category": "AUTHENTICATION",
        "languages": ["es_MX", "en_US"],
        "components": [{"type": "BODY"}],
    }

    first = sandbox.post(f"/{WABA}/upsert_message_templates", definition)["data"]
    sandbox.hooks.wait(2)
    second = sandbox.post(f"/{WABA}/upsert_message_templates", definition)["data"]

    assert [item["language"] for item in first] == ["es_MX", "en_US"]
    assert [item["id"] for item in second] == [item["id"] for item in first]


def test_more_than_a_hundred_templates_an_hour_are_too_many(other_world: Start) -> None:
    sandbox = other_world(speed={"review_ms": None})
    for n in range(100):
        sandbox.post(PATH, GOOD | {"name": f"t{n}"})

    assert sandbox.refusal("POST", PATH, json=GOOD)["code"] == 80008
