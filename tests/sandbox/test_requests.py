"""How a request may come: wherever the token, whichever the version, however the body."""

import hashlib
import hmac
import json
import socket
import time

import httpx
import pytest

from portero.graphapi.errors import GraphError
from portero.sandbox import World, endpoint
from portero.sandbox.calls import Call
from portero.sandbox.courier import Courier
from portero.sandbox.graph import dispatch
from portero.sandbox.reading import GraphRequest
from sandbox.harness import (
    APP,
    BUSINESS,
    CUSTOMER,
    FOREIGN_WABA,
    NUMBER,
    SECRET,
    TOKEN,
    WABA,
    WORLD,
    Running,
    Start,
)

BODY = {"messaging_product": "whatsapp", "to": CUSTOMER, "type": "text", "text": {"body": "hola"}}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "OAuth"])
def test_the_token_may_come_in_the_header_under_either_scheme(
    sandbox: Running, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}

    response = sandbox.http.post(f"/{NUMBER}/messages", json=BODY, headers=headers)

    assert response.status_code == 200


def test_the_token_may_come_in_the_query(sandbox: Running) -> None:
    response = sandbox.http.post(f"/{NUMBER}/messages?access_token={TOKEN}", json=BODY)

    assert response.status_code == 200


def test_the_token_may_come_in_a_form_whose_values_are_json(sandbox: Running) -> None:
    form = BODY | {"text": json.dumps(BODY["text"]), "access_token": TOKEN}

    response = sandbox.http.post(f"/{NUMBER}/messages", data=form)

    assert response.status_code == 200


@pytest.mark.parametrize("prefix", ["", "/v13.0", "/v26.0", "/v99.9"])
@pytest.mark.parametrize("end", ["", "/"])
def test_any_version_or_none_and_a_trailing_slash_lead_to_the_same_place(
    sandbox: Running, prefix: str, end: str
) -> None:
    response = sandbox.call("GET", f"{prefix}/{NUMBER}{end}")

    assert response.status_code == 200
    assert response.headers["facebook-api-version"] == (prefix.strip("/") or "v26.0")


def test_a_chunked_body_is_read(sandbox: Running) -> None:
    chunks = iter([json.dumps(BODY).encode()[:20], json.dumps(BODY).encode()[20:]])
    headers = {"Content-Type": "application/json"}

    response = sandbox.call("POST", f"/{NUMBER}/messages", content=chunks, headers=headers)

    assert response.status_code == 200


def test_a_request_that_is_broken_off_never_arrived(
    sandbox: Running, caplog: pytest.LogCaptureFixture
) -> None:
    url = httpx.URL(sandbox.url)
    head = f"POST /{NUMBER}/media HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nhalf"
    with socket.create_connection((url.host, url.port)) as client:
        client.sendall(head.encode())
        time.sleep(0.1)
    time.sleep(0.1)

    assert sandbox.get("/_sandbox/ledger") == {"requests": []}
    assert caplog.text == ""


def test_the_last_of_two_equal_keys_wins_as_at_meta(sandbox: Running) -> None:
    raw = json.dumps(BODY).replace('"to":', '"to": "34600131026", "to":')

    response = sandbox.call("POST", f"/{NUMBER}/messages", content=raw)

    assert response.json()["contacts"][0]["input"] == CUSTOMER


def test_a_method_parameter_overrides_the_verb(sandbox: Running) -> None:
    response = sandbox.call("POST", f"/{WABA}/subscribed_apps?method=delete")

    assert response.json() == {"success": True}
    assert sandbox.get(f"/{WABA}/subscribed_apps") == {"data": []}


def test_no_token_is_104(sandbox: Running) -> None:
    error = sandbox.http.get(f"/{NUMBER}").json()["error"]

    assert (error["code"], error["type"]) == (104, "OAuthException")
    assert error["message"] == "An access token is required to request this resource."


@pytest.mark.parametrize(
    ("token", "code", "subcode"), [("garbage", 190, None), ("expired", 190, 463)]
)
def test_a_bad_token_is_190_with_its_subcode(
    sandbox: Running, token: str, code: int, subcode: int | None
) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    response = sandbox.call("GET", f"/{NUMBER}", headers=headers)

    error = response.json()["error"]
    assert response.status_code == 401
    assert (error["code"], error.get("error_subcode")) == (code, subcode)
    assert response.headers["www-authenticate"].startswith('OAuth "Facebook Platform"')


def test_an_unknown_id_is_100_33_in_metas_words(sandbox: Running) -> None:
    error = sandbox.refusal("GET", "/v23.0/999999")

    assert (error["http"], error["code"], error["error_subcode"]) == (400, 100, 33)
    assert error["type"] == "GraphMethodException"
    assert error["message"].startswith(
        "Unsupported get request. Object with ID '999999' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation."
    )


def test_a_token_of_one_account_does_not_see_the_other(sandbox: Running) -> None:
    headers = {"Authorization": "Bearer one-account"}

    error = sandbox.refusal("GET", "/100000000000301", headers=headers)

    assert (error["code"], error["error_subcode"]) == (100, 33)
    assert sandbox.call("GET", f"/{NUMBER}", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/{}/owned_whatsapp_business_accounts", "/{}"])
def test_a_token_of_one_account_is_listed_that_one_only(sandbox: Running, path: str) -> None:
    headers = {"Authorization": "Bearer one-account"}
    inner = "id,phone_numbers{id}"
    nested = f"owned_whatsapp_business_accounts{{{inner}}}"
    fields = inner if "owned" in path else nested

    answer = sandbox.call("GET", path.format(BUSINESS), params={"fields": fields}, headers=headers)

    listed = answer.json().get("owned_whatsapp_business_accounts", answer.json())["data"]
    assert [account["id"] for account in listed] == [WABA]
    assert "100000000000301" not in answer.text


def test_an_edge_of_an_account_out_of_reach_is_not_read_through_fields() -> None:
    world = World.from_dict(WORLD)
    request = GraphRequest("GET", None, (), params={}, headers={}, base_url="")
    call = Call(world, Courier(world), request, token=world.token("one-account"))

    with pytest.raises(GraphError) as refusal:
        dispatch._expand(call, world.wabas[FOREIGN_WABA], "phone_numbers", {})

    assert refusal.value.subcode == 33
    assert dispatch._expand(call, world.wabas[WABA], "phone_numbers", {})


@pytest.mark.parametrize(
    ("token", "method", "path"),
    [("manager", "POST", f"/{NUMBER}/messages"), ("sender", "GET", f"/{WABA}/message_templates")],
)
def test_a_token_without_the_scope_is_refused_with_200(
    sandbox: Running, token: str, method: str, path: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    error = sandbox.refusal(method, path, json=BODY, headers=headers)

    assert (error["http"], error["code"]) == (403, 200)


def test_a_scope_is_asked_for_each_edge_that_fields_names(sandbox: Running) -> None:
    headers = {"Authorization": "Bearer sender"}

    error = sandbox.refusal("GET", f"/{WABA}?fields=message_templates", headers=headers)

    assert error["code"] == 200


def test_a_right_proof_of_the_secret_passes_and_a_wrong_one_does_not(sandbox: Running) -> None:
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()

    assert sandbox.get(f"/{NUMBER}", appsecret_proof=proof)["id"] == NUMBER
    error = sandbox.refusal("GET", f"/{NUMBER}", params={"appsecret_proof": "0" * 64})
    assert error["message"] == "Invalid appsecret_proof provided in the API argument"


def test_a_world_may_ask_for_the_proof_of_every_token_but_the_apps(other_world: Start) -> None:
    sandbox = other_world(require_app_secret=True)
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    of_the_app = {"Authorization": f"Bearer {APP}|{SECRET}"}

    error = sandbox.refusal("GET", f"/{NUMBER}")

    assert "require an appsecret_proof" in error["message"]
    assert sandbox.get(f"/{NUMBER}", appsecret_proof=proof)["id"] == NUMBER
    assert sandbox.call("GET", f"/{APP}/subscriptions", headers=of_the_app).status_code == 200


def test_links_in_answers_name_the_public_address_of_a_world(other_world: Start) -> None:
    sandbox = other_world(public_url="https://meta.example/")

    page = sandbox.get(f"/{WABA}/phone_numbers", limit=1)

    assert page["paging"]["next"].startswith(f"https://meta.example/{WABA}/phone_numbers?")


def test_a_body_beyond_the_bound_is_refused_and_written_down(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_MAX_BODY", 1_000)

    error = sandbox.refusal("POST", f"/{NUMBER}/messages", json=BODY | {"x": "a" * 1_000})

    assert (error["http"], error["code"]) == (400, 100)
    assert error["error_data"]["details"] == "The request body is too large."
    assert sandbox.ledger()[-1]["status"] == 400
    assert sandbox.call("POST", f"/{NUMBER}/messages", json=BODY).status_code == 200


def test_several_ids_are_read_at_once(sandbox: Running) -> None:
    nodes = sandbox.get("/", ids=f"{NUMBER},{WABA}", fields="id")

    assert nodes == {NUMBER: {"id": NUMBER}, WABA: {"id": WABA}}


def test_every_answer_carries_metas_headers(sandbox: Running) -> None:
    response = sandbox.call("GET", f"/v24.0/{NUMBER}")

    usage = json.loads(response.headers["x-business-use-case-usage"])
    assert usage[WABA][0]["estimated_time_to_regain_access"] == 0
    assert {"x-fb-trace-id", "x-fb-request-id", "x-app-usage"} <= set(response.headers)


def test_an_error_names_the_trace_that_its_header_names(sandbox: Running) -> None:
    response = sandbox.call("GET", "/999999")

    assert response.json()["error"]["fbtrace_id"] == response.headers["x-fb-trace-id"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("POST", f"/{NUMBER}/nothing", 2500), ("GET", f"/{NUMBER}/nothing", 100)],
)
def test_an_edge_that_does_not_exist_is_refused(
    sandbox: Running, method: str, path: str, code: int
) -> None:
    assert sandbox.refusal(method, path)["code"] == code
