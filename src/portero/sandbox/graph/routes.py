"""Which call does what. A bare id says nothing of its kind, so paths are bound per kind of node."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import (
    analytics,
    blocks,
    callbacks,
    calling,
    flows,
    groups,
    histories,
    identity,
    media,
    messages,
    numbers,
    people,
    portfolio,
    profiles,
    qr_codes,
    records,
    templates,
    usernames,
    wabas,
)
from portero.sandbox.objects import (
    App,
    Bot,
    Business,
    Flow,
    Group,
    Json,
    Media,
    Message,
    Number,
    Person,
    PreverifiedNumber,
    Profile,
    Scope,
    Signup,
    Template,
    Waba,
)

Answer: TypeAlias = Json | Reply
NodeHandler: TypeAlias = Callable[[Call, Any], Answer | Awaitable[Answer]]
RootHandler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler, the scopes its token needs, and what the account's log calls the change."""

    handler: NodeHandler
    scopes: tuple[Scope, ...] = ()
    activity: str | None = None


@dataclass(frozen=True, slots=True)
class RootRoute:
    """A path that starts with no id. `is_public` ones read no token, or judge it themselves."""

    handler: RootHandler
    is_public: bool = False


_SEND, _MANAGE = (Scope.MESSAGING,), (Scope.MANAGEMENT,)
_BOTH = (*_SEND, *_MANAGE)
_PORTFOLIO = (Scope.BUSINESS,)

_NUMBER = {
    ("GET", ""): Route(numbers.read_number, _MANAGE),
    ("POST", ""): Route(numbers.edit_number, _MANAGE),
    ("POST", "messages"): Route(messages.post_message, _SEND),
    ("POST", "marketing_messages"): Route(messages.post_marketing_message, _SEND),
    ("POST", "media"): Route(media.upload, _SEND),
    ("POST", "register"): Route(numbers.register, _BOTH),
    ("POST", "deregister"): Route(numbers.deregister, _BOTH),
    ("POST", "request_code"): Route(numbers.request_code, _MANAGE),
    ("POST", "verify_code"): Route(numbers.verify_code, _MANAGE, "PHONE_NUMBER_VERIFIED"),
    ("GET", "whatsapp_business_profile"): Route(profiles.read_profile),
    ("POST", "whatsapp_business_profile"): Route(profiles.edit_profile),
    ("GET", "settings"): Route(profiles.read_settings, _MANAGE),
    ("POST", "settings"): Route(profiles.edit_settings, _MANAGE),
    ("GET", "whatsapp_commerce_settings"): Route(profiles.read_commerce, _MANAGE),
    ("POST", "whatsapp_commerce_settings"): Route(profiles.edit_commerce, _MANAGE),
    ("POST", "conversational_automation"): Route(profiles.edit_automation, _MANAGE),
    ("GET", "whatsapp_business_encryption"): Route(profiles.read_public_key),
    ("POST", "whatsapp_business_encryption"): Route(profiles.edit_public_key),
    ("GET", "block_users"): Route(blocks.list_blocked, _SEND),
    ("POST", "block_users"): Route(blocks.block, _SEND),
    ("DELETE", "block_users"): Route(blocks.unblock, _SEND),
    ("POST", "calls"): Route(calling.handle_call, _SEND),
    ("GET", "call_permissions"): Route(calling.read_permission, _SEND),
    ("GET", "groups"): Route(groups.list_groups, _SEND),
    ("POST", "groups"): Route(groups.create_group, _SEND),
    ("GET", "message_qrdls"): Route(qr_codes.list_codes, _MANAGE),
    ("POST", "message_qrdls"): Route(qr_codes.save_code, _MANAGE),
    ("GET", "message_qrdls/*"): Route(qr_codes.read_code, _MANAGE),
    ("DELETE", "message_qrdls/*"): Route(qr_codes.delete_code, _MANAGE),
    ("GET", "username"): Route(usernames.read_username, _MANAGE),
    ("POST", "username"): Route(usernames.take_username, _MANAGE),
    ("DELETE", "username"): Route(usernames.give_up_username, _MANAGE),
    ("DELETE", "requested_username"): Route(usernames.withdraw_request, _MANAGE),
    ("GET", "official_business_account"): Route(identity.read_official, _MANAGE),
    ("POST", "official_business_account"): Route(identity.ask_official, _MANAGE),
    ("GET", "business_compliance_info"): Route(identity.read_compliance, _MANAGE),
    ("POST", "business_compliance_info"): Route(identity.edit_compliance, _MANAGE),
    ("POST", "smb_app_data"): Route(identity.sync_app, _MANAGE),
    ("GET", "message_history"): Route(histories.list_histories, _MANAGE),
    ("GET", "username_suggestions"): Route(usernames.suggest_usernames, _MANAGE),
}

_WABA = {
    ("GET", ""): Route(wabas.read_waba, _MANAGE),
    ("POST", ""): Route(wabas.edit_waba, _MANAGE, "ACCOUNT_UPDATED"),
    ("GET", "phone_numbers"): Route(numbers.list_numbers, _MANAGE),
    ("POST", "phone_numbers"): Route(numbers.add_number, _MANAGE, "PHONE_NUMBER_ADDED"),
    ("GET", "message_templates"): Route(templates.list_templates, _MANAGE),
    ("POST", "message_templates"): Route(templates.create_template, _MANAGE, "TEMPLATE_CREATED"),
    ("DELETE", "message_templates"): Route(templates.delete_templates, _MANAGE, "TEMPLATE_DELETED"),
    ("POST", "message_templates/archive"): Route(templates.archive_templates, _MANAGE),
    ("POST", "message_templates/unarchive"): Route(templates.unarchive_templates, _MANAGE),
    ("POST", "upsert_message_templates"): Route(templates.upsert_templates, _MANAGE),
    ("GET", "subscribed_apps"): Route(callbacks.list_subscribed, _MANAGE),
    ("POST", "subscribed_apps"): Route(callbacks.subscribe, _MANAGE, "WEBHOOK_CONFIGURED"),
    ("DELETE", "subscribed_apps"): Route(callbacks.unsubscribe, _MANAGE, "WEBHOOK_CONFIGURED"),
    ("GET", "assigned_users"): Route(wabas.list_people, _MANAGE),
    ("POST", "assigned_users"): Route(wabas.assign_person, _MANAGE, "USER_ADDED"),
    ("DELETE", "assigned_users"): Route(wabas.remove_person, _MANAGE, "USER_REMOVED"),
    ("GET", "system_users"): Route(people.list_system_users, _MANAGE),
    ("GET", "product_catalogs"): Route(wabas.list_catalogs, _MANAGE),
    ("POST", "product_catalogs"): Route(wabas.add_catalog, _MANAGE),
    ("DELETE", "product_catalogs"): Route(wabas.remove_catalog, _MANAGE),
    ("GET", "flows"): Route(flows.list_flows, _MANAGE),
    ("POST", "flows"): Route(flows.create_flow, _MANAGE),
    ("POST", "migrate_flows"): Route(flows.migrate_flows, _MANAGE),
    ("GET", "analytics"): Route(analytics.read_analytics, _MANAGE),
    ("GET", "conversation_analytics"): Route(analytics.read_conversations, _MANAGE),
    ("GET", "pricing_analytics"): Route(analytics.read_pricing, _MANAGE),
    ("GET", "call_analytics"): Route(analytics.read_calls, _MANAGE),
    ("GET", "template_analytics"): Route(analytics.read_template_analytics, _MANAGE),
    ("GET", "template_group_analytics"): Route(analytics.read_template_group_analytics, _MANAGE),
    ("GET", "group_analytics"): Route(analytics.read_group_analytics, _MANAGE),
    ("POST", "migrate_message_templates"): Route(templates.migrate_templates, _MANAGE),
    ("GET", "message_template_previews"): Route(records.preview_templates, _MANAGE),
    ("GET", "template_groups"): Route(records.list_template_groups, _MANAGE),
    ("POST", "template_groups"): Route(records.create_template_group, _MANAGE),
    ("GET", "activities"): Route(records.list_activities, _MANAGE),
    ("GET", "schedules"): Route(records.list_schedules, _MANAGE),
    ("POST", "schedules"): Route(records.create_schedule, _MANAGE),
    ("GET", "welcome_message_sequences"): Route(records.list_welcomes, _MANAGE),
    ("POST", "welcome_message_sequences"): Route(records.set_welcome, _MANAGE),
    ("DELETE", "welcome_message_sequences"): Route(records.delete_welcome, _MANAGE),
    ("GET", "signups"): Route(records.list_signups, _MANAGE),
    ("POST", "signups"): Route(records.create_signup, _MANAGE),
    ("GET", "payment_configuration"): Route(records.read_payment_setup, _MANAGE),
    ("POST", "payment_configuration"): Route(
        records.create_payment_setup, _MANAGE, "BILLING_UPDATED"
    ),
    ("DELETE", "payment_configuration"): Route(
        records.delete_payment_setup, _MANAGE, "BILLING_UPDATED"
    ),
    ("GET", "payment_configurations"): Route(records.list_payment_setups, _MANAGE),
}

_TEMPLATE = {
    ("GET", ""): Route(templates.read_template, _MANAGE),
    ("POST", ""): Route(templates.edit_template, _MANAGE, "TEMPLATE_UPDATED"),
    ("POST", "unpause"): Route(templates.unpause_template, _MANAGE),
    ("GET", "compare"): Route(templates.compare_templates, _MANAGE),
}

_MEDIA = {
    ("GET", ""): Route(media.read_media, _SEND),
    ("DELETE", ""): Route(media.delete_media, _SEND),
}

_FLOW = {
    ("GET", ""): Route(flows.read_flow, _MANAGE),
    ("POST", ""): Route(flows.edit_flow, _MANAGE),
    ("DELETE", ""): Route(flows.delete_flow, _MANAGE),
    ("GET", "assets"): Route(flows.list_assets, _MANAGE),
    ("POST", "assets"): Route(flows.upload_asset, _MANAGE),
    ("GET", f"assets/{flows.ASSET}"): Route(flows.read_asset, _MANAGE),
    ("GET", "metric"): Route(flows.read_metric, _MANAGE),
    ("POST", "publish"): Route(flows.publish_flow, _MANAGE),
    ("POST", "deprecate"): Route(flows.deprecate_flow, _MANAGE),
}

_GROUP = {
    ("GET", ""): Route(groups.read_group, _SEND),
    ("POST", ""): Route(groups.edit_group, _SEND),
    ("DELETE", ""): Route(groups.delete_group, _SEND),
    ("GET", "invite_link"): Route(groups.read_invite, _SEND),
    ("POST", "invite_link"): Route(groups.reset_invite, _SEND),
    ("DELETE", "invite_link"): Route(groups.delete_invite, _SEND),
    ("GET", "join_requests"): Route(groups.list_requests, _SEND),
    ("POST", "join_requests"): Route(groups.approve_requests, _SEND),
    ("DELETE", "join_requests"): Route(groups.reject_requests, _SEND),
    ("POST", "participants"): Route(groups.add_participants, _SEND),
    ("DELETE", "participants"): Route(groups.remove_participants, _SEND),
}

_APP = {
    ("GET", ""): Route(people.read_app),
    ("GET", "subscriptions"): Route(callbacks.list_app_subscriptions),
    ("POST", "subscriptions"): Route(callbacks.subscribe_app),
    ("DELETE", "subscriptions"): Route(callbacks.unsubscribe_app),
    ("POST", "uploads"): Route(media.start_upload),
    ("GET", "connected_client_businesses"): Route(portfolio.list_client_businesses, _MANAGE),
}

_BUSINESS = {
    ("GET", ""): Route(people.read_business),
    ("GET", "owned_whatsapp_business_accounts"): Route(people.list_owned_wabas, _MANAGE),
    ("GET", "client_whatsapp_business_accounts"): Route(people.list_client_wabas, _MANAGE),
    ("GET", "system_users"): Route(people.list_system_users, _PORTFOLIO),
    ("GET", "business_users"): Route(portfolio.list_business_users, _PORTFOLIO),
    ("GET", "extendedcredits"): Route(portfolio.list_credit_lines, _PORTFOLIO),
    ("POST", "onboard_partners_to_mm_lite"): Route(portfolio.onboard_marketing, _MANAGE),
    ("POST", "add_phone_numbers"): Route(portfolio.add_preverified, _MANAGE),
    ("GET", "preverified_numbers"): Route(portfolio.list_preverified, _MANAGE),
    ("POST", "share_preverified_numbers"): Route(portfolio.share_preverified, _MANAGE),
}

_PREVERIFIED = {
    ("GET", ""): Route(portfolio.read_preverified, _MANAGE),
    ("DELETE", ""): Route(portfolio.delete_preverified, _MANAGE),
    ("GET", "partners"): Route(portfolio.list_partners, _MANAGE),
    ("POST", "request_code"): Route(portfolio.request_code, _MANAGE),
    ("POST", "verify_code"): Route(portfolio.verify_code, _MANAGE),
}

_PROFILE = {
    ("GET", ""): Route(identity.read_profile_node),
    ("POST", ""): Route(identity.edit_profile_node),
}

_SIGNUP = {
    ("GET", ""): Route(records.read_signup, _MANAGE),
    ("POST", ""): Route(records.edit_signup, _MANAGE),
}

_PERSON = {
    ("GET", "assigned_whatsapp_business_accounts"): Route(portfolio.list_assigned_wabas, _MANAGE)
}

_BOT = {("GET", ""): Route(identity.read_bot, _MANAGE)}

_HISTORY = {("GET", "events"): Route(histories.list_events, _MANAGE)}

# By kind of node; then by verb and edge. "" is the node itself, "/*" one more segment.
NODE_ROUTES: Mapping[type, Mapping[tuple[str, str], Route]] = {
    Number: _NUMBER,
    Waba: _WABA,
    Template: _TEMPLATE,
    Media: _MEDIA,
    Flow: _FLOW,
    Group: _GROUP,
    App: _APP,
    Business: _BUSINESS,
    PreverifiedNumber: _PREVERIFIED,
    Profile: _PROFILE,
    Signup: _SIGNUP,
    Person: _PERSON,
    Bot: _BOT,
    Message: _HISTORY,
}

ROOT_ROUTES: Mapping[tuple[str, str], RootRoute] = {
    ("GET", "me"): RootRoute(people.read_me),
    ("GET", "me/permissions"): RootRoute(people.read_my_permissions),
    ("GET", "debug_token"): RootRoute(people.debug_token),
    ("GET", "oauth/access_token"): RootRoute(people.exchange_token, is_public=True),
    ("POST", "oauth/access_token"): RootRoute(people.exchange_token, is_public=True),
    ("GET", "message_template_library"): RootRoute(people.read_template_library),
    ("GET", "/".join(media.DOWNLOAD_PATH)): RootRoute(media.download, is_public=True),
}

UPLOAD_ROUTES: Mapping[str, RootRoute] = {
    "GET": RootRoute(media.read_upload),
    "POST": RootRoute(media.continue_upload),
}
