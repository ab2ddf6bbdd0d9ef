"""Accounts, people, tokens, flows and figures: the management side."""

import pytest

from sandbox.harness import (
    APP,
    BUSINESS,
    CLIENT_WABA,
    FOREIGN_WABA,
    NUMBER,
    SECRET,
    TOKEN,
    WABA,
    Running,
    Start,
)

BODY = {"name": "Cita", "categories": ["OTHER"]}
FLOW_JSON = '{"version": "7.0", "screens": [{"id": "A"}]}'


def test_an_account_shows_its_default_fields(sandbox: Running) -> None:
    account = sandbox.get(f"/{WABA}")

    assert account == {
        "name": "Test Account",
        "timezone_id": "1",
        "currency": "MXN",
        "message_template_namespace": f"sandbox_{WABA}",
        "id": WABA,
    }


def test_insights_are_switched_on_for_ever(sandbox: Running) -> None:
    path, wanted = f"/{WABA}/template_analytics", {"start": 0, "end": 86400, "template_ids": "201"}

    before = sandbox.refusal("GET", path, params=wanted)
    sandbox.post(f"/{WABA}", {"is_enabled_for_insights": True})
    points = sandbox.get(path, **wanted)["data"][0]["data_points"]
    off = sandbox.refusal("POST", f"/{WABA}", json={"is_enabled_for_insights": "false"})

    assert (before["code"], off["code"]) == (200007, 200006)
    assert points[0]["template_id"] == "201"


def test_a_change_without_anything_to_change_is_refused(sandbox: Running) -> None:
    assert sandbox.refusal("POST", f"/{WABA}", json={})["code"] == 100
    assert sandbox.refusal("POST", f"/{NUMBER}", json={})["code"] == 100


def test_messages_analytics_come_with_their_filters(sandbox: Running) -> None:
    field = 'analytics.start(0).end(3600).granularity(HALF_HOUR).phone_numbers([]).country_codes(["MX"])'

    analytics = sandbox.get(f"/{WABA}", fields=field)["analytics"]

    assert analytics["country_codes"] == ["MX"]
    assert analytics["data_points"] == [
        {"start": 0, "end": 1800, "sent": 0, "delivered": 0},
        {"start": 1800, "end": 3600, "sent": 0, "delivered": 0},
    ]


@pytest.mark.parametrize(
    "query", ["start=5&end=1", "start=0&end=9999999999&granularity=HALF_HOUR", "granularity=YEAR"]
)
def test_a_time_range_that_makes_no_sense_is_refused(sandbox: Running, query: str) -> None:
    assert sandbox.refusal("GET", f"/{WABA}/conversation_analytics?{query}")["code"] == 100


def test_cost_is_told_only_where_it_is_asked_for(sandbox: Running) -> None:
    span = {"start": 0, "end": 86400}

    volume = sandbox.get(f"/{WABA}/pricing_analytics", metric_types="VOLUME", **span)
    both = sandbox.get(f"/{WABA}/pricing_analytics", metric_types="COST,VOLUME", **span)

    assert volume["data"][0]["data_points"] == [{"start": 0, "end": 86400, "volume": 0}]
    assert both["data"][0]["data_points"][0]["cost"] == 0


def test_people_are_assigned_and_removed(sandbox: Running) -> None:
    path, user = f"/{WABA}/assigned_users", "100000000000555"

    sandbox.post(path, user=user, tasks="['MANAGE','MESSAGING']")
    [person] = sandbox.get(path, business=BUSINESS)["data"]
    sandbox.call("DELETE", path, params={"user": user}).raise_for_status()

    assert (person["id"], person["tasks"]) == (user, ["MANAGE", "MESSAGING"])
    assert sandbox.get(path, business=BUSINESS)["data"] == []
    assert sandbox.refusal("DELETE", path, params={"user": user})["code"] == 100
    assert sandbox.refusal("POST", path, params={"user": user, "tasks": "FLY"})["code"] == 100


def test_a_catalog_is_connected_and_taken_away(sandbox: Running) -> None:
    path = f"/{WABA}/product_catalogs"

    sandbox.post(path, {"catalog_id": "77"})
    connected = sandbox.get(path)["data"]
    sandbox.call("DELETE", path, params={"catalog_id": "77"}).raise_for_status()

    assert connected == [{"id": "77"}]
    assert sandbox.get(path)["data"] == []


def test_the_portfolio_lists_its_accounts_and_system_users(sandbox: Running) -> None:
    accounts = sandbox.get(f"/{BUSINESS}/owned_whatsapp_business_accounts", fields="name")["data"]
    users = sandbox.get(f"/{BUSINESS}/system_users")["data"]

    assert [item["id"] for item in accounts] == [WABA, FOREIGN_WABA]
    assert users[0] == {"id": "100000000000030", "name": "Bot", "role": "EMPLOYEE"}
    clients = sandbox.get(f"/{BUSINESS}/client_whatsapp_business_accounts")["data"]
    assert [item["id"] for item in clients] == [CLIENT_WABA]


def test_people_are_listed_page_by_page_for_the_same_portfolio(sandbox: Running) -> None:
    path = f"/{WABA}/assigned_users"
    for user in ("100000000000555", "100000000000556"):
        sandbox.post(path, user=user, tasks="MANAGE")

    first = sandbox.get(path, business=BUSINESS, limit=1)
    second = sandbox.http.get(first["paging"]["next"]).json()

    assert [item["id"] for item in second["data"]] == ["100000000000556"]


def test_a_system_user_with_two_tokens_is_one(other_world: Start) -> None:
    tokens = [{"token": name, "user_id": "7"} for name in ("a", "b")]
    sandbox = other_world(tokens=[*tokens, {"token": TOKEN, "user_id": "8"}])
    path = f"/{BUSINESS}/system_users"

    first = sandbox.get(path, limit=1)
    second = sandbox.http.get(first["paging"]["next"]).json()

    assert [item["id"] for item in sandbox.get(path)["data"]] == ["7", "8"]
    assert [item["id"] for item in second["data"]] == ["8"]


def test_me_is_who_holds_the_token(sandbox: Running) -> None:
    assert sandbox.get("/me") == {"id": "100000000000030", "name": "Bot"}
    granted = {item["permission"] for item in sandbox.get("/me/permissions")["data"]}
    assert "whatsapp_business_messaging" in granted


def test_a_token_is_introspected(sandbox: Running) -> None:
    usual = sandbox.get("/debug_token", input_token=TOKEN)["data"]
    narrow = sandbox.get("/debug_token", input_token="one-account")["data"]
    garbage = sandbox.get("/debug_token", input_token="x")["data"]

    assert (usual["app_id"], usual["type"], usual["expires_at"]) == (APP, "SYSTEM_USER", 0)
    assert usual["is_valid"]
    assert narrow["granular_scopes"][0]["target_ids"] == [WABA]
    assert not garbage["is_valid"]
    assert not sandbox.get("/debug_token", input_token="expired")["data"]["is_valid"]


def test_the_app_gets_its_token_for_its_secret(sandbox: Running) -> None:
    credentials = {"client_id": APP, "client_secret": SECRET}
    path = "/v26.0/oauth/access_token"

    app = sandbox.http.get(path, params=credentials | {"grant_type": "client_credentials"}).json()
    user = sandbox.http.get(path, params=credentials | {"code": "x"}).json()
    wrong = sandbox.http.get(path, params=credentials | {"client_secret": "x", "code": "x"})

    assert app == {"access_token": f"{APP}|{SECRET}", "token_type": "bearer"}
    assert user["access_token"] == TOKEN
    assert wrong.json()["error"]["code"] == 101


def test_a_flow_lives_from_draft_to_deprecated(sandbox: Running) -> None:
    flow_id = sandbox.post(f"/{WABA}/flows", BODY)["id"]
    empty = sandbox.refusal("POST", f"/{flow_id}/publish")
    file = {"file": ("flow.json", FLOW_JSON, "application/json")}
    form = {"name": "flow.json", "asset_type": "FLOW_JSON"}
    uploaded = sandbox.call("POST", f"/{flow_id}/assets", data=form, files=file).json()

    sandbox.post(f"/{flow_id}/publish")
    renamed = sandbox.refusal("POST", f"/{flow_id}", json={"name": "Otra"})
    deleted = sandbox.refusal("DELETE", f"/{flow_id}")
    sandbox.post(f"/{flow_id}/deprecate")

    assert uploaded == {"success": True, "validation_errors": []}
    assert (empty["code"], renamed["code"], deleted["code"]) == (139002, 139001, 139004)
    assert sandbox.get(f"/{flow_id}", fields="status")["status"] == "DEPRECATED"
    assert sandbox.get(f"/{flow_id}/assets")["data"][0]["name"] == "flow.json"


def test_the_link_of_a_flow_leads_to_its_definition_for_the_token(sandbox: Running) -> None:
    flow_id = sandbox.post(f"/{WABA}/flows", BODY | {"flow_json": FLOW_JSON})["id"]
    empty = sandbox.post(f"/{WABA}/flows", BODY | {"name": "Otra"})["id"]

    [asset] = sandbox.get(f"/v23.0/{flow_id}/assets")["data"]
    read = sandbox.call("GET", asset["download_url"])

    assert (read.text, read.headers["content-type"]) == (FLOW_JSON, "application/json")
    assert sandbox.http.get(asset["download_url"]).json()["error"]["code"] == 104
    nothing = sandbox.refusal("GET", asset["download_url"].replace(flow_id, empty))
    assert nothing["error_subcode"] == 33


@pytest.mark.parametrize("flow_json", ["{", '{"version": "7.0"}'])
def test_a_flow_with_faults_stays_a_draft(sandbox: Running, flow_json: str) -> None:
    made = sandbox.post(f"/{WABA}/flows", BODY | {"flow_json": flow_json, "publish": True})

    assert made["validation_errors"]
    assert sandbox.get(f"/{made['id']}", fields="status")["status"] == "DRAFT"


def test_a_published_flow_can_be_sent_by_name_or_id(sandbox: Running) -> None:
    flow = sandbox.post(f"/{WABA}/flows", BODY | {"flow_json": FLOW_JSON, "publish": True})
    for wanted in ({"flow_id": flow["id"]}, {"flow_name": "Cita"}):
        parameters = {"flow_message_version": "3", "flow_cta": "Ver"} | wanted
        content = {
            "type": "flow",
            "body": {"text": "Elige"},
            "action": {"name": "flow", "parameters": parameters},
        }

        assert sandbox.send({"type": "interactive", "interactive": content}).status_code == 200


def test_a_draft_is_changed_and_deleted(sandbox: Running) -> None:
    flow_id = sandbox.post(f"/{WABA}/flows", BODY)["id"]

    sandbox.post(f"/{flow_id}", {"name": "Otra", "categories": ["SURVEY"]})
    read = sandbox.get(f"/{flow_id}", fields="name,categories")
    sandbox.call("DELETE", f"/{flow_id}").raise_for_status()

    assert (read["name"], read["categories"]) == ("Otra", ["SURVEY"])
    assert sandbox.refusal("POST", f"/{WABA}/flows", json={"name": "x"})["code"] == 100
    assert sandbox.get(f"/{WABA}/flows")["data"] == []
