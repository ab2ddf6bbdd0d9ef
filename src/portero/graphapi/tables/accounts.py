"""WhatsApp Business Accounts: the node, its numbers, people, subscriptions, money and analytics."""

from typing import Final

from portero.graphapi.operation import Operation
from portero.graphapi.tables.rows import COST, COST_METRICS, change, high, list_of, never, read

_USERS: Final = "/{waba}/assigned_users"
_APPS: Final = "/{waba}/subscribed_apps"
_CATALOGS: Final = "/{waba}/product_catalogs"
_PAYMENT: Final = "/{waba}/payment_configuration"
_WELCOME: Final = "/{waba}/welcome_message_sequences"

ROWS: Final[tuple[Operation, ...]] = (
    read("read_waba", "/{waba}", "waba:read", "waba.read", node="waba"),
    change("update_waba", "POST", "/{waba}", "waba:update", "waba.updated"),
    # Cannot be undone.
    high(
        "enable_insights",
        "POST",
        "/{waba}",
        "waba:update",
        "waba.insights_enabled",
        claims=("is_enabled_for_insights",),
    ),
    # Decides by which road marketing may leave.
    high(
        "disable_marketing_on_cloud_api",
        "POST",
        "/{waba}",
        "waba:update",
        "waba.marketing_changed",
        claims=("disable_marketing_messages_on_cloud_api",),
    ),
    list_of("number", "list_numbers", "/{waba}/phone_numbers", "number:read", "number.listed"),
    high("add_number", "POST", "/{waba}/phone_numbers", "number:add", "number.added"),
    list_of("assigned_user", "list_meta_users", _USERS, "waba:read_meta_users", "meta_user.listed"),
    high("assign_meta_user", "POST", _USERS, "waba:manage_meta_users", "meta_user.assigned"),
    high("remove_meta_user", "DELETE", _USERS, "waba:manage_meta_users", "meta_user.removed"),
    list_of(
        "system_user",
        "list_waba_system_users",
        "/{waba}/system_users",
        "waba:read_meta_users",
        "meta_user.listed",
    ),
    list_of(
        "subscribed_app",
        "list_subscriptions",
        _APPS,
        "webhook:read_subscription",
        "webhook.subscriptions_read",
    ),
    high("subscribe_app", "POST", _APPS, "webhook:redirect", "webhook.redirected"),
    high("unsubscribe_app", "DELETE", _APPS, "webhook:redirect", "webhook.unsubscribed"),
    read(
        "read_conversation_analytics",
        "/{waba}/conversation_analytics",
        COST,
        "report.read",
        listed=True,
    ),
    read("read_pricing_analytics", "/{waba}/pricing_analytics", COST, "report.read", listed=True),
    read(
        "read_call_analytics",
        "/{waba}/call_analytics",
        "report:read_delivery",
        "report.read",
        adds=COST_METRICS,
        listed=True,
    ),
    read(
        "read_group_analytics",
        "/{waba}/group_analytics",
        "report:read_delivery",
        "report.read",
        adds=COST_METRICS,
        listed=True,
    ),
    list_of(
        "activity",
        "read_activities",
        "/{waba}/activities",
        "waba:read_activity",
        "waba.activity_read",
    ),
    list_of(
        "schedule",
        "list_schedules",
        "/{waba}/schedules",
        "waba:read_schedules",
        "schedule.listed",
    ),
    change(
        "create_schedule",
        "POST",
        "/{waba}/schedules",
        "waba:manage_schedules",
        "schedule.created",
    ),
    list_of("catalog", "list_catalogs", _CATALOGS, "catalog:read", "catalog.listed"),
    change("connect_catalog", "POST", _CATALOGS, "catalog:manage", "catalog.connected"),
    change("disconnect_catalog", "DELETE", _CATALOGS, "catalog:manage", "catalog.disconnected"),
    read(
        "read_payment_setup",
        _PAYMENT,
        "waba:read_payment_setup",
        "payment_setup.read",
        listed=True,
    ),
    read(
        "list_payment_setups",
        "/{waba}/payment_configurations",
        "waba:read_payment_setup",
        "payment_setup.read",
        listed=True,
    ),
    high("create_payment_setup", "POST", _PAYMENT, "waba:manage_payment_setup", "payment.set_up"),
    high("delete_payment_setup", "DELETE", _PAYMENT, "waba:manage_payment_setup", "payment.ended"),
    # Answers with a link that authorises a payment account in the name of the business.
    never("generate_payment_link", "POST", "/{waba}/generate_payment_configuration_oauth_link"),
    list_of("welcome", "list_welcomes", _WELCOME, "automation:read", "automation.read"),
    change("set_welcome", "POST", _WELCOME, "automation:update", "automation.updated"),
    change("delete_welcome", "DELETE", _WELCOME, "automation:update", "automation.updated"),
    list_of("signup", "list_signups", "/{waba}/signups", "automation:read", "signup.listed"),
    change("create_signup", "POST", "/{waba}/signups", "automation:update", "signup.created"),
    read("read_signup", "/signups/{signup}", "automation:read", "signup.read", node="signup"),
    change("update_signup", "POST", "/signups/{signup}", "automation:update", "signup.updated"),
    list_of(
        "solution",
        "list_waba_solutions",
        "/{waba}/solutions",
        "waba:read_solutions",
        "solution.read",
    ),
    list_of(
        "on_behalf_request",
        "list_on_behalf_requests",
        "/{waba}/in_progress_onbehalf_request",
        "waba:read_solutions",
        "solution.read",
    ),
    high(
        "create_mobility_intent",
        "POST",
        "/{waba}/obo_mobility_intent",
        "waba:manage_solutions",
        "migration.requested",
    ),
    high(
        "set_mobility_intent",
        "POST",
        "/{waba}/set_obo_mobility_intent",
        "waba:manage_solutions",
        "migration.requested",
    ),
    high(
        "set_solution_migration",
        "POST",
        "/{waba}/set_solution_migration_intent",
        "waba:manage_solutions",
        "migration.requested",
    ),
    read("read_intent", "/{intent}", "waba:read_solutions", "migration.read", node="intent"),
)
