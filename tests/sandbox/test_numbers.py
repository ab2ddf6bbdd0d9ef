"""A business phone number and what hangs on it."""

from typing import Any

import pytest

from sandbox.harness import CUSTOMER, NUMBER, OTHER_NUMBER, WABA, Running

USUAL = {"messaging_product": "whatsapp"}


def test_a_number_shows_its_default_fields(sandbox: Running) -> None:
    number = sandbox.get(f"/{NUMBER}")

    assert number == {
        "verified_name": "Ventas",
        "code_verification_status": "VERIFIED",
        "display_phone_number": "+52 55 5010 0101",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"application": sandbox.hooks.url},
        "id": NUMBER,
    }


def test_a_number_shows_the_fields_asked_for_and_its_id(sandbox: Running) -> None:
    number = sandbox.get(f"/{NUMBER}", fields="status,throughput{level},health_status")

    assert number["id"] == NUMBER
    assert (number["status"], number["throughput"]) == ("CONNECTED", {"level": "STANDARD"})
    assert number["health_status"]["can_send_message"] == "AVAILABLE"


def test_a_field_that_does_not_exist_is_refused(sandbox: Running) -> None:
    error = sandbox.refusal("GET", f"/{NUMBER}?fields=shoe_size")

    assert error["message"] == (
        "(#100) Tried accessing nonexisting field (shoe_size) on node type "
        "(WhatsAppBusinessPhoneNumber)"
    )


@pytest.mark.parametrize("fields", ["name{", "a.b", "a}", "{a}", "limit(5"])
def test_a_field_list_with_bad_grammar_is_refused(sandbox: Running, fields: str) -> None:
    assert sandbox.refusal("GET", f"/{WABA}", params={"fields": fields})["code"] == 2500


def test_numbers_are_listed_page_by_page_with_the_callers_token(sandbox: Running) -> None:
    first = sandbox.get(f"/v23.0/{WABA}/phone_numbers", limit=1, fields="id")

    link = first["paging"]["next"]
    second = sandbox.http.get(link).json()

    assert link.startswith(f"{sandbox.url}/v23.0/{WABA}/phone_numbers?")
    assert "access_token=test-token" in link
    assert [item["id"] for item in first["data"] + second["data"]] == [NUMBER, OTHER_NUMBER]
    assert "next" not in second["paging"]
    assert sandbox.http.get(second["paging"]["previous"]).json()["data"] == first["data"]


def test_a_cursor_that_is_none_is_131059(sandbox: Running) -> None:
    assert sandbox.refusal("GET", f"/{WABA}/phone_numbers?after=x")["code"] == 131059


def test_a_number_is_added_verified_and_registered(sandbox: Running) -> None:
    body = {"cc": "52", "phone_number": "5550100103", "verified_name": "Tres"}
    number_id = sandbox.post(f"/{WABA}/phone_numbers", body)["id"]
    register = USUAL | {"pin": "654321"}

    early = sandbox.refusal("POST", f"/{number_id}/register", json=register)
    sandbox.post(f"/{number_id}/request_code", code_method="SMS", language="es")
    wrong = sandbox.refusal("POST", f"/{number_id}/verify_code", params={"code": "000000"})
    sandbox.post(f"/{number_id}/verify_code", {"code": "123456"})
    sandbox.post(f"/{number_id}/register", register)

    assert (early["code"], wrong["code"]) == (133006, 136025)
    fields = "status,code_verification_status,is_pin_enabled"
    number = sandbox.get(f"/{number_id}", fields=fields)
    assert (number["status"], number["is_pin_enabled"]) == ("CONNECTED", True)


def test_a_wrong_pin_does_not_register(sandbox: Running) -> None:
    path = f"/{OTHER_NUMBER}/register"

    assert sandbox.refusal("POST", path, json=USUAL | {"pin": "999999"})["code"] == 133005
    assert sandbox.refusal("POST", path, json=USUAL | {"pin": "12"})["code"] == 100
    assert sandbox.post(path, USUAL | {"pin": "123456"}) == {"success": True}


def test_the_pin_can_be_changed(sandbox: Running) -> None:
    sandbox.post(f"/{OTHER_NUMBER}", {"pin": "777777"})

    answer = sandbox.post(f"/{OTHER_NUMBER}/register", USUAL | {"pin": "777777"})

    assert answer == {"success": True}


def test_the_eleventh_registration_within_three_days_is_refused(sandbox: Running) -> None:
    register, path = USUAL | {"pin": "123456"}, f"/{OTHER_NUMBER}/register"
    for _ in range(10):
        sandbox.post(path, register)

    assert sandbox.refusal("POST", path, json=register)["code"] == 133016
    sandbox.clock.ahead_s = 73 * 3600
    assert sandbox.post(path, register) == {"success": True}


def test_deregistering_needs_both_scopes(sandbox: Running) -> None:
    for token in ("sender", "manager"):
        headers = {"Authorization": f"Bearer {token}"}
        error = sandbox.refusal("POST", f"/{NUMBER}/deregister", headers=headers)
        assert error["code"] == 200


def test_a_new_display_name_waits_for_review(sandbox: Running) -> None:
    sandbox.post(f"/{NUMBER}", USUAL | {"new_display_name": "Ventas MX"})

    number = sandbox.get(f"/{NUMBER}", fields="verified_name,new_name_status,new_display_name")

    assert number["verified_name"] == "Ventas"
    assert (number["new_display_name"], number["new_name_status"]) == (
        "Ventas MX",
        "PENDING_REVIEW",
    )


def test_a_profile_keeps_what_a_change_does_not_name(sandbox: Running) -> None:
    path = f"/{NUMBER}/whatsapp_business_profile"
    sandbox.post(path, USUAL | {"about": "Zapatos", "vertical": "RETAIL"})
    sandbox.post(path, USUAL | {"email": "a@x.test", "websites": ["https://x.test"]})

    [profile] = sandbox.get(path, fields="about,vertical,email")["data"]

    assert profile == USUAL | {"about": "Zapatos", "vertical": "RETAIL", "email": "a@x.test"}


@pytest.mark.parametrize(
    "change",
    [
        {"about": "x" * 140},
        {"vertical": "SPACESHIPS"},
        {"websites": ["a", "b", "c"]},
        {"profile_picture_handle": "4::none"},
    ],
)
def test_a_profile_has_its_limits(sandbox: Running, change: dict[str, Any]) -> None:
    path = f"/{NUMBER}/whatsapp_business_profile"

    assert sandbox.refusal("POST", path, json=USUAL | change)["code"] == 131009


def test_settings_are_merged_and_passwords_shown_only_when_asked_for(sandbox: Running) -> None:
    path = f"/{NUMBER}/settings"
    sip = {"status": "ENABLED", "servers": [{"hostname": "sip.x.test", "port": 5061}]}
    sandbox.post(path, {"calling": {"status": "ENABLED"}})
    sandbox.post(path, {"calling": {"sip": sip}})

    plain = sandbox.get(path)
    secret = sandbox.get(path, include_sip_credentials="true")

    assert plain == {"calling": {"status": "ENABLED", "sip": sip}}
    assert secret["calling"]["sip"]["servers"][0]["sip_user_password"]
    assert sandbox.refusal("POST", path, json={})["code"] == 100


def test_commerce_settings_come_as_parameters(sandbox: Running) -> None:
    path = f"/{NUMBER}/whatsapp_commerce_settings"

    sandbox.post(path, is_cart_enabled="false", is_catalog_visible="true")

    wanted = {"is_cart_enabled": False, "is_catalog_visible": True, "id": NUMBER}
    assert sandbox.get(path) == {"data": [wanted]}
    assert sandbox.refusal("POST", path + "?is_cart_enabled=perhaps")["code"] == 100


def test_automation_is_read_as_a_field(sandbox: Running) -> None:
    command = {"command_name": "pedido", "command_description": "Dónde está"}
    sandbox.post(f"/{NUMBER}/conversational_automation", {"prompts": ["Hola"]})
    sandbox.post(f"/{NUMBER}/conversational_automation", {"commands": [command]})

    read = sandbox.get(f"/{NUMBER}", fields="conversational_automation")

    assert read["conversational_automation"]["prompts"] == ["Hola"]
    assert read["conversational_automation"]["commands"] == [command]


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": ["a", "b", "c", "d", "e"]},
        {"prompts": ["x" * 81]},
        {"commands": [{"command_name": "x" * 33, "command_description": "a"}]},
    ],
)
def test_automation_has_its_limits(sandbox: Running, change: dict[str, Any]) -> None:
    path = f"/{NUMBER}/conversational_automation"

    assert sandbox.refusal("POST", path, json=change)["code"] == 131009


def test_a_public_key_is_kept(sandbox: Running) -> None:
    path = f"/{NUMBER}/whatsapp_business_encryption"
    pem = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"

    empty = sandbox.get(path)
    sandbox.call("POST", path, data={"business_public_key": pem}).raise_for_status()

    assert empty == {"data": []}
    assert sandbox.get(path)["data"][0]["business_public_key"] == pem
    assert sandbox.refusal("POST", path, data={"business_public_key": "x"})["code"] == 100


def test_a_partial_block_is_400_with_both_halves(sandbox: Running) -> None:
    path, users = f"/{NUMBER}/block_users", [{"user": "+" + CUSTOMER}, {"user": "34600555444"}]

    response = sandbox.call("POST", path, json=USUAL | {"block_users": users})

    body = response.json()
    assert response.status_code == 400
    assert body["error"]["code"] == 139100
    assert body["block_users"]["added_users"] == [{"input": "+" + CUSTOMER, "wa_id": CUSTOMER}]
    [failed] = body["block_users"]["failed_users"]
    assert (failed["input"], failed["errors"][0]["code"]) == ("34600555444", 131047)
    assert [item["wa_id"] for item in sandbox.get(path)["data"]] == [CUSTOMER]


def test_a_block_is_lifted(sandbox: Running) -> None:
    path, users = f"/{NUMBER}/block_users", USUAL | {"block_users": [{"user": CUSTOMER}]}
    sandbox.post(path, users)

    lifted = sandbox.call("DELETE", path, json=users).json()

    assert lifted["block_users"]["removed_users"] == [{"input": CUSTOMER, "wa_id": CUSTOMER}]
    assert sandbox.get(path) == {"data": []}


def test_a_qr_code_is_made_changed_read_and_deleted(sandbox: Running) -> None:
    path = f"/{NUMBER}/message_qrdls"
    made = sandbox.post(path, {"prefilled_message": "Hola", "generate_qr_image": "SVG"})
    code = made["code"]
    sandbox.post(path, {"code": code, "prefilled_message": "Adiós"})

    fields = "code,prefilled_message,qr_image_url.format(SVG)"
    [read] = sandbox.get(f"{path}/{code}", fields=fields)["data"]

    assert made["deep_link_url"] == f"https://wa.me/message/{code}"
    assert read["prefilled_message"] == "Adiós"
    assert read["qr_image_url"].endswith(".svg")
    assert sandbox.call("DELETE", f"{path}/{code}").json() == {"success": True}
    assert sandbox.refusal("GET", f"{path}/{code}")["error_subcode"] == 33
    assert sandbox.get(path)["data"] == []


def test_a_username_belongs_to_one_number(sandbox: Running) -> None:
    path = f"/{NUMBER}/username"

    assert sandbox.post(path, {"username": "tienda.andina"}) == {"status": "APPROVED"}
    assert sandbox.get(path) == {"username": "tienda.andina", "status": "ACTIVE"}
    taken = sandbox.refusal("POST", f"/{OTHER_NUMBER}/username", json={"username": "tienda.andina"})
    assert taken["code"] == 147001
    assert sandbox.call("DELETE", path).json() == {"success": True}
    assert sandbox.get(path) == {}


@pytest.mark.parametrize("username", ["ab", "123", ".ab", "ab.", "a..b", "www.a", "Ana"])
def test_a_username_has_its_form(sandbox: Running, username: str) -> None:
    error = sandbox.refusal("POST", f"/{NUMBER}/username", json={"username": username})

    assert error["code"] == 100
