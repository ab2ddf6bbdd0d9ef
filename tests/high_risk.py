"""What takes something over, and what is offered to nobody: written by hand, beside the table.

A test that asks the table which operations to try would not see one that lost its risk class.
"""

from collections.abc import Mapping

HIGH_RISK: Mapping[str, tuple[str, ...]] = {
    "G10": (
        "subscribe_app",
        "unsubscribe_app",
        "redirect_number_webhook",
        "subscribe_webhook",
        "unsubscribe_webhook",
    ),
    "G11": (
        "register_number",
        "deregister_number",
        "request_code",
        "verify_code",
        "set_pin",
        "add_number",
        "rename_number",
        "set_username",
        "delete_username",
        "delete_requested_username",
        "request_official_status",
        "add_preverified_number",
        "delete_preverified_number",
        "request_preverified_code",
        "verify_preverified_code",
        "create_mobility_intent",
        "set_mobility_intent",
        "set_solution_migration",
    ),
    "G12": (
        "assign_meta_user",
        "remove_meta_user",
        "share_preverified_number",
        "create_solution",
        "accept_solution",
        "reject_solution",
        "request_deactivation",
        "accept_deactivation",
        "reject_deactivation",
        "onboard_marketing",
        "enable_insights",
        "disable_marketing_on_cloud_api",
        "sync_app_data",
        "read_credit_lines",
        "create_payment_setup",
        "delete_payment_setup",
    ),
    "G13": (
        "set_encryption",
        "set_payload_encryption",
        "set_storage",
        "set_sip",
        "create_flow_with_endpoint",
        "set_flow_endpoint",
    ),
}
"""The operations that no key may do alone, by their case in docs/security/cases.md."""

HIGH = tuple(name for names in HIGH_RISK.values() for name in names)

NEVER_BY_A_WORD = ("set_connection_status", "read_sip_password")
"""Never offered, on a path that means something else without the word."""

NEVER = (
    *NEVER_BY_A_WORD,
    "read_solution_token",
    "create_token",
    "create_system_user_token",
    "create_system_user",
    "inspect_token",
    "exchange_token",
    "exchange_token_by_post",
    "generate_payment_link",
    "send_encrypted_message",
    "read_me",
    "write_me",
    "multi_read",
    "batch",
)
