"""Business numbers: the node, its life, its settings, and the tools that hang on it."""

from typing import Final

from portero.graphapi.operation import Operation
from portero.graphapi.tables.rows import change, high, list_of, never, read

_SETTINGS: Final = "/{number}/settings"
_QR: Final = "/{number}/message_qrdls"
_PROFILE: Final = "/{number}/whatsapp_business_profile"
_USERNAME: Final = "/{number}/username"

ROWS: Final[tuple[Operation, ...]] = (
    read("read_number", "/{number}", "number:read", "number.read", node="number"),
    high("set_pin", "POST", "/{number}", "number:set_pin", "number.pin_set", claims=("pin",)),
    high(
        "redirect_number_webhook",
        "POST",
        "/{number}",
        "webhook:redirect",
        "webhook.redirected",
        claims=("webhook_configuration",),
    ),
    high(
        "rename_number",
        "POST",
        "/{number}",
        "number:update_name",
        "number.renamed",
        claims=("new_display_name",),
    ),
    change(
        "set_search_visibility",
        "POST",
        "/{number}",
        "number:update_settings",
        "number.settings_changed",
        claims=("search_visibility",),
    ),
    # Meta's file lists these, its pages and clients do not: nobody can say what they would do.
    never(
        "set_connection_status",
        "POST",
        "/{number}",
        claims=("connection_status", "webhook_url", "whatsapp_business_api_data", "username"),
    ),
    high("register_number", "POST", "/{number}/register", "number:register", "number.registered"),
    high(
        "deregister_number",
        "POST",
        "/{number}/deregister",
        "number:deregister",
        "number.deregistered",
    ),
    high(
        "request_code", "POST", "/{number}/request_code", "number:verify", "number.code_requested"
    ),
    high("verify_code", "POST", "/{number}/verify_code", "number:verify", "number.verified"),
    list_of("profile", "read_profile", _PROFILE, "number:read_profile", "profile.read"),
    change("update_profile", "POST", _PROFILE, "number:update_profile", "profile.updated"),
    read("read_profile_by_id", "/{profile}", "number:read_profile", "profile.read", node="profile"),
    change(
        "update_profile_by_id", "POST", "/{profile}", "number:update_profile", "profile.updated"
    ),
    read(
        "read_settings", _SETTINGS, "number:read_settings", "number.settings_read", node="settings"
    ),
    never("read_sip_password", "GET", _SETTINGS, claims=("include_sip_credentials=true",)),
    change(
        "set_calling",
        "POST",
        _SETTINGS,
        "number:update_settings",
        "number.settings_changed",
        claims=("calling",),
    ),
    high(
        "set_sip",
        "POST",
        _SETTINGS,
        "number:update_settings",
        "number.sip_changed",
        claims=("calling.sip",),
    ),
    change(
        "set_identity_check",
        "POST",
        _SETTINGS,
        "number:update_settings",
        "number.settings_changed",
        claims=("user_identity_change",),
    ),
    high(
        "set_payload_encryption",
        "POST",
        _SETTINGS,
        "encryption:update",
        "number.encryption_changed",
        claims=("payload_encryption",),
    ),
    high(
        "set_storage",
        "POST",
        _SETTINGS,
        "number:update_settings",
        "number.storage_changed",
        claims=("storage_configuration",),
    ),
    list_of("qr_code", "list_qr_codes", _QR, "qr_code:read", "qr_code.listed"),
    list_of("qr_code", "read_qr_code", f"{_QR}/{{qr_code}}", "qr_code:read", "qr_code.read"),
    change("create_qr_code", "POST", _QR, "qr_code:manage", "qr_code.created"),
    change("update_qr_code", "POST", _QR, "qr_code:manage", "qr_code.updated", claims=("code",)),
    change("delete_qr_code", "DELETE", f"{_QR}/{{qr_code}}", "qr_code:manage", "qr_code.deleted"),
    list_of(
        "commerce",
        "read_commerce_settings",
        "/{number}/whatsapp_commerce_settings",
        "catalog:read",
        "catalog.settings_read",
    ),
    change(
        "update_commerce_settings",
        "POST",
        "/{number}/whatsapp_commerce_settings",
        "catalog:manage",
        "catalog.settings_changed",
    ),
    change(
        "update_automation",
        "POST",
        "/{number}/conversational_automation",
        "automation:update",
        "automation.updated",
    ),
    read("read_bot", "/{bot}", "automation:read", "automation.read", node="bot"),
    list_of(
        "encryption",
        "read_encryption",
        "/{number}/whatsapp_business_encryption",
        "encryption:read",
        "encryption.read",
    ),
    high(
        "set_encryption",
        "POST",
        "/{number}/whatsapp_business_encryption",
        "encryption:update",
        "encryption.updated",
    ),
    read("read_username", _USERNAME, "number:read_username", "username.read"),
    high("set_username", "POST", _USERNAME, "number:manage_username", "username.set"),
    high("delete_username", "DELETE", _USERNAME, "number:manage_username", "username.deleted"),
    read(
        "list_username_suggestions",
        "/{number}/username_suggestions",
        "number:read_username",
        "username.suggested",
    ),
    high(
        "delete_requested_username",
        "DELETE",
        "/{number}/requested_username",
        "number:manage_username",
        "username.request_withdrawn",
    ),
    read(
        "read_official_status",
        "/{number}/official_business_account",
        "number:read_official",
        "official_account.read",
        node="official",
    ),
    high(
        "request_official_status",
        "POST",
        "/{number}/official_business_account",
        "number:request_official",
        "official_account.requested",
    ),
    list_of(
        "compliance",
        "read_compliance",
        "/{number}/business_compliance_info",
        "number:read_compliance",
        "compliance.read",
    ),
    change(
        "update_compliance",
        "POST",
        "/{number}/business_compliance_info",
        "number:update_compliance",
        "compliance.updated",
    ),
    high(
        "sync_app_data",
        "POST",
        "/{number}/smb_app_data",
        "number:sync_app_data",
        "number.app_data_requested",
    ),
)
