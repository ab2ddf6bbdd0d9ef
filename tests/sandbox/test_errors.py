"""Every code of Meta's catalogue can be had on demand, in the answer or by webhook."""

import pytest

from portero.graphapi.errors import CATALOGUE
from sandbox.harness import NUMBER, WABA, Running

FREE = {"type": "text", "text": {"body": "a"}}
ASYNCHRONOUS = sorted(code for code, entry in CATALOGUE.items() if entry.asynchronous)


def test_every_code_comes_in_the_answer_with_its_status_and_title(sandbox: Running) -> None:
    for code, entry in CATALOGUE.items():
        sandbox.control("faults", {"error": {"code": code, "by": "answer", "details": "why"}})

        response = sandbox.call("GET", f"/{WABA}")
        error = response.json()["error"]

        assert response.status_code == entry.http
        assert error["code"] == code
        assert error["type"] == "OAuthException"
        assert error["error_data"]["details"] == "why"
        assert error["fbtrace_id"]
        assert "OAuth" in response.headers["www-authenticate"]
        if code not in (190, 200):
            assert error["message"].endswith(entry.title)
    assert sandbox.call("GET", f"/{WABA}").status_code == 200


def test_codes_that_arrive_later_come_by_webhook_of_themselves(sandbox: Running) -> None:
    for code in ASYNCHRONOUS:
        sandbox.control("faults", {"error": {"code": code}, "match": {"path": "/messages$"}})
        assert sandbox.send(FREE).status_code == 200

    statuses = sandbox.hooks.statuses(len(ASYNCHRONOUS))

    assert {one["status"] for one in statuses} == {"failed"}
    told = {one["errors"][0]["code"]: one["errors"][0] for one in statuses}
    assert sorted(told) == ASYNCHRONOUS
    assert all(CATALOGUE[code].title == error["title"] for code, error in told.items())


def test_a_code_of_whatsapps_is_explained_by_its_title(sandbox: Running) -> None:
    sandbox.control("faults", {"error": {"code": 132015}})

    error = sandbox.refusal("GET", f"/{WABA}")

    assert error["error_data"]["details"] == "Template is paused"


def test_any_code_may_come_by_webhook(sandbox: Running) -> None:
    error = {"code": 131000, "by": "webhook", "details": "later"}
    sandbox.control("faults", {"error": error})
    sandbox.send(FREE)

    [status] = sandbox.hooks.statuses(1)
    assert status["errors"][0]["error_data"]["details"] == "later"


@pytest.mark.parametrize(
    ("asked", "http", "expected"),
    [
        ({"code": 190, "subcode": 463}, 401, {"error_subcode": 463}),
        ({"code": 190, "subcode": 460}, 401, {"error_subcode": 460}),
        (
            {"code": 100, "subcode": 33},
            400,
            {"type": "GraphMethodException", "error_subcode": 33},
        ),
        ({"code": 131016}, 500, {"is_transient": True}),
        (
            {"code": 100, "subcode": 2388299, "user_title": "T", "user_msg": "M"},
            400,
            {"error_user_title": "T", "error_user_msg": "M", "error_subcode": 2388299},
        ),
        ({"code": 130429, "status": 429}, 429, {"code": 130429}),
        ({"code": 2, "message": "Service temporarily unavailable"}, 503, {"code": 2}),
    ],
)
def test_what_meta_varies_can_be_varied(
    sandbox: Running, asked: dict[str, object], http: int, expected: dict[str, object]
) -> None:
    sandbox.control("faults", {"error": asked})

    response = sandbox.call("GET", f"/{NUMBER}")

    assert response.status_code == http
    assert response.json()["error"].items() >= expected.items()


@pytest.mark.parametrize(
    "fault",
    [
        {"error": {"code": 99}},
        {"error": {"code": "190"}},
        {"error": {}},
        {"error": {"code": 190, "subcode": "463"}},
        {"error": {"code": 190, "by": "pigeon"}},
        {"error": {"code": 190, "status": 42}},
        {"error": {"code": 190}, "status": 500},
        {"error": {"code": 190}, "reset": "before"},
    ],
)
def test_an_error_nobody_could_give_is_refused(sandbox: Running, fault: dict[str, object]) -> None:
    assert sandbox.http.post("/_sandbox/faults", json=fault).status_code == 400
