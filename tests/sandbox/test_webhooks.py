"""Where webhooks go, who proved to want them, and what happens when nobody answers."""

import pytest

from sandbox.harness import (
    APP,
    CUSTOMER,
    FOREIGN_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SECRET,
    WABA,
    Running,
    Start,
)

INBOUND = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "text", "text": {"body": "a"}}
APP_TOKEN = {"Authorization": f"Bearer {APP}|{SECRET}"}


def test_a_webhook_that_is_not_acknowledged_comes_again(sandbox: Running) -> None:
    sandbox.hooks.answers = [500, 503]

    told = sandbox.control("inbound", INBOUND)

    first, second, third = sandbox.hooks.wait(3)
    assert told == {"message_id": told["message_id"], "delivered": False, "status": 500}
    assert [item["answer"] for item in (first, second, third)] == [500, 503, 200]
    assert first["raw"] == second["raw"] == third["raw"]


def test_a_subscriber_that_is_away_is_told_as_not_delivered(
    other_world: Start,
) -> None:
    sandbox = other_world(callback={"url": "http://127.0.0.1:9/"}, speed={"retry_ms": []})

    told = sandbox.control("inbound", INBOUND)

    assert not told["delivered"]
    assert told["status"] is None
    assert "refused" in told["error"]


def test_without_a_callback_nothing_is_delivered(other_world: Start) -> None:
    sandbox = other_world(callback=None)

    assert sandbox.control("inbound", INBOUND)["error"] == "nobody is subscribed"


def test_an_account_without_a_subscription_is_silent(sandbox: Running) -> None:
    sandbox.call("DELETE", f"/{WABA}/subscribed_apps")

    assert not sandbox.control("inbound", INBOUND)["delivered"]
    assert sandbox.control("inbound", INBOUND | {"phone_number_id": FOREIGN_NUMBER})["delivered"]


def test_number_goes_before_account_and_account_before_app(sandbox: Running) -> None:
    override = {"verify_token": "verify-me"}
    account = {"override_callback_uri": sandbox.hooks.url + "/account"} | override
    number = {"override_callback_uri": sandbox.hooks.url + "/number"} | override
    sandbox.post(f"/{WABA}/subscribed_apps", account)
    sandbox.post(f"/{NUMBER}", {"webhook_configuration": number})

    for number_id in (NUMBER, OTHER_NUMBER, FOREIGN_NUMBER):
        sandbox.control("inbound", INBOUND | {"phone_number_id": number_id})

    paths = [item["path"] for item in sandbox.hooks.wait(3)]
    assert paths == ["/webhook/number", "/webhook/account", "/webhook"]
    assert sandbox.get(f"/{NUMBER}", fields="webhook_configuration")["webhook_configuration"] == {
        "phone_number": sandbox.hooks.url + "/number",
        "whatsapp_business_account": sandbox.hooks.url + "/account",
        "application": sandbox.hooks.url,
    }


def test_overrides_are_taken_away_by_empty_ones(sandbox: Running) -> None:
    override = {"override_callback_uri": sandbox.hooks.url + "/x", "verify_token": "verify-me"}
    sandbox.post(f"/{WABA}/subscribed_apps", override)
    sandbox.post(f"/{NUMBER}/", {"webhook_configuration": override})

    sandbox.post(f"/{WABA}/subscribed_apps")
    sandbox.post(f"/{NUMBER}/", {"webhook_configuration": {"override_callback_uri": ""}})

    sandbox.control("inbound", INBOUND)
    assert sandbox.hooks.wait(1)[0]["path"] == "/webhook"


def test_an_override_is_listed_with_the_app(sandbox: Running) -> None:
    override = {"override_callback_uri": sandbox.hooks.url + "/x", "verify_token": "verify-me"}
    sandbox.post(f"/{WABA}/subscribed_apps", override)

    [entry] = sandbox.get(f"/{WABA}/subscribed_apps")["data"]

    assert entry["whatsapp_business_api_data"]["id"] == APP
    assert entry["override_callback_uri"] == sandbox.hooks.url + "/x"


@pytest.mark.parametrize("verify_token", ["verify-me", "wrong"])
def test_an_endpoint_that_fails_the_challenge_is_not_taken(
    sandbox: Running, verify_token: str
) -> None:
    sandbox.hooks.challenges_refused = verify_token == "verify-me"
    override = {"override_callback_uri": sandbox.hooks.url, "verify_token": verify_token}

    error = sandbox.refusal("POST", f"/{WABA}/subscribed_apps", json=override)

    assert error["code"] == 2200
    assert "override_callback_uri" not in sandbox.get(f"/{WABA}/subscribed_apps")["data"][0]


def test_the_apps_callback_is_set_read_and_removed_by_the_app_only(sandbox: Running) -> None:
    wanted = {
        "object": "whatsapp_business_account",
        "callback_url": sandbox.hooks.url + "/new",
        "verify_token": "verify-me",
        "fields": "messages,account_update",
    }
    path = f"/{APP}/subscriptions"

    refused = sandbox.refusal("POST", path, params=wanted)
    sandbox.call("POST", path, params=wanted, headers=APP_TOKEN).raise_for_status()
    [listed] = sandbox.call("GET", path, headers=APP_TOKEN).json()["data"]
    sandbox.control("inbound", INBOUND)
    sandbox.call("DELETE", path, headers=APP_TOKEN).raise_for_status()

    assert refused["code"] == 15
    assert listed["callback_url"] == sandbox.hooks.url + "/new"
    assert [field["name"] for field in listed["fields"]] == ["account_update", "messages"]
    assert sandbox.hooks.wait(1)[0]["path"] == "/webhook/new"
    assert sandbox.call("GET", path, headers=APP_TOKEN).json() == {"data": []}


def test_only_the_subscribed_fields_are_told(other_world: Start) -> None:
    url = "http://127.0.0.1:9/"
    sandbox = other_world(callback={"url": url, "fields": ["account_update"]})

    assert sandbox.control("inbound", INBOUND)["error"] == "nobody is subscribed"


def test_statuses_follow_the_speed_of_the_world(other_world: Start) -> None:
    sandbox = other_world(speed={"sent_ms": 0, "delivered_ms": 60, "read_ms": 60})

    sandbox.send({"text": {"body": "a"}})

    sent, delivered, read = sandbox.hooks.statuses(3)
    assert [item["status"] for item in (sent, delivered, read)] == ["sent", "delivered", "read"]
    assert sent["pricing"] == delivered["pricing"]
    assert "pricing" not in read


def test_statuses_that_never_come_by_themselves_can_be_sent(
    other_world: Start,
) -> None:
    sandbox = other_world(speed={"sent_ms": None})
    message_id = sandbox.send({"text": {"body": "a"}}).json()["messages"][0]["id"]

    sandbox.control("status", {"message_id": message_id, "status": "read"})

    assert [item["status"] for item in sandbox.hooks.statuses(1)] == ["read"]
