"""What a portfolio and its accounts keep: people, partners, numbers on stock, forms, hours, the log."""

from typing import Any

import pytest

from sandbox.harness import (
    APP,
    BUSINESS,
    CLIENT,
    CLIENT_WABA,
    CUSTOMER,
    FOREIGN_WABA,
    NUMBER,
    OTHER_NUMBER,
    PERSON,
    WABA,
    Running,
    Start,
)

PRODUCT = {"messaging_product": "whatsapp"}


def delete(sandbox: Running, path: str, **params: Any) -> Any:
    response = sandbox.call("DELETE", path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_people_and_their_accounts_are_listed(sandbox: Running) -> None:
    sandbox.post(f"/{WABA}/assigned_users", user=PERSON, tasks="['VIEW_TEMPLATES']")

    [person] = sandbox.get(f"/{BUSINESS}/business_users", fields="name,email,role")["data"]
    given = sandbox.get(f"/{PERSON}/assigned_whatsapp_business_accounts", fields="name")["data"]
    [assigned] = sandbox.get(f"/{WABA}/assigned_users", business=BUSINESS)["data"]

    assert person == {"id": PERSON, "name": "Ana", "email": "ana@tienda.test", "role": "ADMIN"}
    assert given == [{"name": "Test Account", "id": WABA}]
    assert (assigned["name"], assigned["user_type"]) == ("Ana", "BUSINESS_USER")


def test_a_system_user_has_what_its_tokens_reach(sandbox: Running) -> None:
    [person] = [
        one["id"]
        for one in sandbox.get(f"/{BUSINESS}/system_users")["data"]
        if one["id"] == "100000000004"
    ]

    given = sandbox.get(f"/{person}/assigned_whatsapp_business_accounts")["data"]

    assert [one["id"] for one in given] == [WABA]


def test_an_account_of_a_client_names_its_owner(sandbox: Running) -> None:
    fields = "ownership_type,owner_business_info,is_shared_with_partners"

    account = sandbox.get(f"/{CLIENT_WABA}", fields=fields)
    clients = sandbox.get(f"/{APP}/connected_client_businesses")["data"]

    assert account["owner_business_info"] == {"id": CLIENT, "name": "Client SA"}
    assert account["ownership_type"] == "CLIENT_OWNED"
    assert account["is_shared_with_partners"]
    assert clients == [{"id": CLIENT, "name": "Client SA"}]


def test_the_portfolio_has_a_credit_line_and_takes_marketing_requests(sandbox: Running) -> None:
    [line] = sandbox.get(f"/{BUSINESS}/extendedcredits")["data"]

    assert line["legal_entity_name"] == "Test Business"
    assert sandbox.post(f"/{BUSINESS}/onboard_partners_to_mm_lite")["request_id"]


def test_a_number_on_stock_is_verified_shared_and_removed(sandbox: Running) -> None:
    made = sandbox.post(f"/{BUSINESS}/add_phone_numbers", {"phone_number": "+1 555 010 0909"})["id"]
    sandbox.post(f"/{made}/request_code", {"code_method": "SMS", "language": "en_US"})
    wrong = sandbox.refusal("POST", f"/{made}/verify_code", json={"code": "000000"})
    sandbox.post(f"/{made}/verify_code", {"code": "123456"})
    shared = {"preverified_id": made, "partner_business_id": CLIENT}
    sandbox.post(f"/{BUSINESS}/share_preverified_numbers", shared)

    [listed] = sandbox.get(f"/{BUSINESS}/preverified_numbers")["data"]
    partners = sandbox.get(f"/{made}/partners")["data"]

    assert wrong["code"] == 136025
    assert listed["verification_status"] == "VERIFIED"
    assert sandbox.get(f"/{made}", fields="country_code")["country_code"] == "US"
    assert [one["id"] for one in partners] == [CLIENT]
    assert delete(sandbox, f"/{made}") == {"success": True}
    assert sandbox.refusal("GET", f"/{made}")["code"] == 100


def test_hours_are_kept(sandbox: Running) -> None:
    body = {"name": "Tienda", "schedule_type": "BUSINESS_HOURS", "start_time": "09:00"}
    late = sandbox.refusal("POST", f"/{WABA}/schedules", json=body)
    made = sandbox.post(f"/{WABA}/schedules", body | {"end_time": "18:00"})["id"]

    [shown] = sandbox.get(f"/{WABA}/schedules", fields="name,start_time,is_active")["data"]

    assert late["code"] == 100
    assert shown == {"name": "Tienda", "start_time": "09:00", "is_active": True, "id": made}


def test_greetings_are_made_changed_and_removed(sandbox: Running) -> None:
    path = f"/{WABA}/welcome_message_sequences"
    made = sandbox.post(path, {"name": "Uno", "welcome_message_sequence": {"text": "Hola"}})
    sandbox.post(path, {"sequence_id": made["sequence_id"], "name": "Dos"})

    [shown] = sandbox.get(path, sequence_id=made["sequence_id"])["data"]
    delete(sandbox, path, sequence_id=made["sequence_id"])

    assert (shown["name"], shown["welcome_message_sequence"]) == ("Dos", {"text": "Hola"})
    assert sandbox.get(path)["data"] == []
    assert sandbox.refusal("GET", path, params={"sequence_id": "1"})["code"] == 100


def test_a_signup_form_has_a_path_of_its_own(sandbox: Running) -> None:
    made = sandbox.post(f"/{WABA}/signups", {"signup_message": "Ofertas"})
    sandbox.post(f"/signups/{made['id']}", {"promo_code": "HOLA"})

    shown = sandbox.get(f"/signups/{made['id']}", fields="promo_code,link,status")

    assert shown == {
        "promo_code": "HOLA",
        "link": made["link"],
        "status": "ACTIVE",
        "id": made["id"],
    }
    assert sandbox.get(f"/{WABA}/signups")["data"][0]["id"] == made["id"]
    assert sandbox.refusal("GET", f"/{made['id']}")["code"] == 100
    assert sandbox.refusal("GET", f"/signups/{NUMBER}")["code"] == 100


def test_payment_setups_are_named_once(sandbox: Running) -> None:
    path, body = f"/{WABA}/payment_configuration", {"configuration_name": "upi"}
    sandbox.post(path, body | {"purpose_code": "03"})
    twice = sandbox.refusal("POST", path, json=body)

    listed = sandbox.get(f"/{WABA}/payment_configurations")["data"][0]["payment_configurations"]
    [named] = sandbox.get(path, configuration_name="upi")["data"]
    delete(sandbox, path, configuration_name="upi")

    assert twice["code"] == 100
    assert listed == [named]
    assert named["purpose_code"]["code"] == "03"
    assert sandbox.get(path)["data"] == []


def test_a_template_group_has_templates_of_its_account(sandbox: Running) -> None:
    body = {"name": "Pedidos", "whatsapp_business_templates": ["201", "202"]}
    foreign = sandbox.refusal("POST", f"/{FOREIGN_WABA}/template_groups", json=body)
    made = sandbox.post(f"/{WABA}/template_groups", body)["id"]

    [shown] = sandbox.get(f"/{WABA}/template_groups")["data"]

    assert foreign["code"] == 100
    assert shown["id"] == made
    assert [one["id"] for one in shown["whatsapp_business_templates"]] == ["201", "202"]


def test_authentication_texts_are_previewed_per_language(sandbox: Running) -> None:
    wanted = {
        "category": "AUTHENTICATION",
        "languages": "es_MX,en_US",
        "code_expiration_minutes": 5,
        "button_types": "OTP",
    }

    shown = sandbox.get(f"/{WABA}/message_template_previews", **wanted)["data"]

    assert [one["language"] for one in shown] == ["es_MX", "en_US"]
    assert "5 minutes" in shown[0]["footer"]


def test_templates_are_copied_from_another_account(sandbox: Running) -> None:
    path = f"/{FOREIGN_WABA}/migrate_message_templates"

    first = sandbox.post(path, source_waba_id=WABA, template_ids="['201', '205']")
    second = sandbox.post(path, source_waba_id=WABA, template_ids="['201']")

    [copied] = first["migrated_templates"]
    assert sandbox.get(f"/{copied}", fields="name,status")["name"] == "plain"
    assert set(first["failed_templates"]) == {"205"}
    assert set(second["failed_templates"]) == {"201"}


def test_the_log_tells_who_changed_what(sandbox: Running) -> None:
    sandbox.post(f"/{WABA}", {"name": "Otro nombre"})
    sandbox.call("DELETE", f"/{WABA}/subscribed_apps")
    sandbox.get(f"/{WABA}")
    fields = "activity_type,actor_name,description"

    entries = sandbox.get(f"/{WABA}/activities", fields=fields)["data"]
    only = sandbox.get(f"/{WABA}/activities", activity_type="['ACCOUNT_UPDATED']")["data"]

    assert [one["activity_type"] for one in entries] == ["WEBHOOK_CONFIGURED", "ACCOUNT_UPDATED"]
    assert entries[1]["actor_name"] == "Bot"
    assert entries[1]["description"] == f"POST /{WABA}"
    assert len(only) == 1


def test_official_status_is_applied_for_and_withdrawn(sandbox: Running) -> None:
    path = f"/{NUMBER}/official_business_account"

    asked = sandbox.post(path, {"action": "SUBMIT_APPLICATION"})
    twice = sandbox.refusal("POST", path, json={"action": "SUBMIT_APPLICATION"})
    sandbox.post(path, {"action": "WITHDRAW_APPLICATION"})

    assert asked["updated_status"]["oba_status"] == "PENDING"
    assert twice["code"] == 100
    assert sandbox.get(path)["oba_status"] == "CANCELLED"
    assert sandbox.get(f"/{OTHER_NUMBER}/official_business_account")["oba_status"] == "APPROVED"


def test_the_legal_contact_is_kept(sandbox: Running) -> None:
    path, contact = f"/{NUMBER}/business_compliance_info", {"name": "R", "email": "r@x.test"}
    body = PRODUCT | {"entity_name": "Tienda", "entity_type": "PARTNERSHIP"}
    lacking = sandbox.refusal("POST", path, json=body)
    body |= {"grievance_officer_details": contact, "customer_care_details": contact}
    sandbox.post(path, body)

    [shown] = sandbox.get(path)["data"]

    assert lacking["code"] == 131008
    assert (shown["entity_name"], shown["customer_care_details"]) == ("Tienda", contact)


def test_a_username_that_waits_is_withdrawn(sandbox: Running) -> None:
    path = f"/{NUMBER}/username"
    waiting = sandbox.post(path, {"username": "reserved.shop"})
    again = sandbox.post(path, {"username": "shop.mx"})
    shown = sandbox.get(path)
    delete(sandbox, f"/{NUMBER}/requested_username")

    assert waiting == {"status": "PENDING"}
    assert again["rejection_reasons"] == ["EXISTING_PENDING_REQUEST"]
    assert shown == {"requested_username": "reserved.shop"}
    assert sandbox.get(path) == {}


def test_the_bot_and_the_profile_have_ids_of_their_own(sandbox: Running) -> None:
    sandbox.post(f"/{NUMBER}/conversational_automation", {"prompts": ["Hola"]})
    shown = sandbox.get(f"/{NUMBER}", fields="conversational_automation")
    bot = shown["conversational_automation"]["id"]
    profile = sandbox.get(f"/{NUMBER}/whatsapp_business_profile", fields="id,about")["data"][0][
        "id"
    ]
    sandbox.post(f"/{profile}", PRODUCT | {"about": "Abierto"})

    assert sandbox.get(f"/{bot}")["prompts"] == ["Hola"]
    assert sandbox.get(f"/{profile}")["about"] == "Abierto"
    [about] = sandbox.get(f"/{NUMBER}/whatsapp_business_profile", fields="about")["data"]
    assert about["about"] == "Abierto"


@pytest.fixture
def on_the_phone(other_world: Start) -> Running:
    """A number that is in use in the phone app, too."""
    number = {"id": NUMBER, "display_phone_number": "+1 555", "is_on_biz_app": True}
    return other_world(
        wabas=[{"id": WABA, "numbers": [number]}],
        tokens=[{"token": "test-token"}],
        customers=[{"phone": CUSTOMER, "name": "Lucía Paz"}],
    )


def test_the_phone_app_is_read_once_within_a_day(on_the_phone: Running) -> None:
    sandbox, path = on_the_phone, f"/{NUMBER}/smb_app_data"
    sandbox.send({"type": "text", "text": {"body": "a"}})
    sent = sandbox.hooks.wait(2)
    sandbox.hooks.clear()

    sandbox.post(path, PRODUCT | {"sync_type": "smb_app_state_sync"})
    [contact] = sandbox.hooks.values(1)[0]["state_sync"]
    sandbox.post(path, PRODUCT | {"sync_type": "history"})
    [chunk] = sandbox.hooks.values(2)[1]["history"]
    twice = sandbox.refusal("POST", path, json=PRODUCT | {"sync_type": "history"})
    sandbox.clock.ahead_s = 25 * 3600.0
    late = sandbox.refusal("POST", path, json=PRODUCT | {"sync_type": "history"})

    assert len(sent) == 2
    assert contact["contact"]["full_name"] == "Lucía Paz"
    assert chunk["threads"][0]["messages"][0]["history_context"] == {"status": "DELIVERED"}
    assert (twice["code"], late["code"]) == (2593107, 2593108)


def test_a_number_that_is_only_here_has_no_app_to_read(sandbox: Running) -> None:
    body = PRODUCT | {"sync_type": "history"}

    assert sandbox.refusal("POST", f"/{NUMBER}/smb_app_data", json=body)["code"] == 100


def test_what_became_of_a_message_can_be_read(sandbox: Running) -> None:
    message = sandbox.send({"type": "text", "text": {"body": "a"}}).json()["messages"][0]["id"]
    sandbox.hooks.wait(2)
    path = f"/{NUMBER}/message_history"

    [plain] = sandbox.get(path, message_id=message)["data"]
    events = _until_two(sandbox, f"/{plain['id']}/events")
    [full] = sandbox.get(path, fields="id,message_id,events{delivery_status}")["data"]
    only = sandbox.get(f"/{plain['id']}/events", status_filter="SENT")["data"]

    assert plain == {"id": plain["id"], "message_id": message}
    assert [one["node"]["delivery_status"] for one in events] == ["SENT", "DELIVERED"]
    assert full["events"]["data"][0]["webhook_update_state"] == "DELIVERED"
    assert full["events"]["data"][0]["webhook_uri"] == sandbox.hooks.url
    assert len(only) == 1


def _until_two(sandbox: Running, path: str) -> Any:
    """The second status is written down when its webhook was answered."""
    for _ in range(200):
        events = sandbox.get(path)["data"]
        if len(events) == 2:
            return events
    raise AssertionError("the statuses were not written down")
