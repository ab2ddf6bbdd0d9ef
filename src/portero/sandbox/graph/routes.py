"""Which call does what. A bare id says nothing of its kind, so paths are bound per kind of node."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from portero.sandbox.calls import Call, Reply
from portero.sandbox.graph import (
    analytics,
    blocks,
    callbacks,
    flows,
    media,
    messages,
    numbers,
    people,
    profiles,
    qr_codes,
    templates,
    usernames,
    wabas,
)
from portero.sandbox.objects import (
    App,
    Business,
    Flow,
    Json,
    Media,
    Number,
    Scope,
    Template,
    Waba,
)

Answer: TypeAlias = Json | Reply
NodeHandler: TypeAlias = Callable[[Call, Any], Answer | Awaitable[Answer]]
RootHandler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the scopes its token needs."""

    handler: NodeHandler
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class RootRoute:
    """A path that starts with no id. `is_public` ones read no token, or judge it themselves."""

    handler: RootHandler
    is_public: bool = False


_SEND, _MANAGE = (Scope.MESSAGING,), (Scope.MANAGEMENT,)
_BOTH = (*_SEND, *_MANAGE)

_NUMBER = {
    ("GET", ""): Route(numbers.read_number, _MANAGE),
    ("POST", ""): Route(numbers.edit_number, _MANAGE),
    ("POST", "messages"): Route(messages.post_message, _SEND),
    ("POST", "marketing_messages"): Route(messages.post_marketing_message, _SEND),
    ("POST", "media"): Route(media.upload, _SEND),
    ("POST", "register"): Route(numbers.register, _BOTH),
    ("POST", "deregister"): Route(numbers.deregister, _BOTH),
    ("POST", "request_code"): Route(numbers.request_code, _MANAGE),
    ("POST", "verify_code"): Route(numbers.verify_code, _MANAGE),
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
    ("GET", "message_qrdls"): Route(qr_codes.list_codes, _MANAGE),
    ("POST", "message_qrdls"): Route(qr_codes.save_code, _MANAGE),
    ("GET", "message_qrdls/*"): Route(qr_codes.read_code, _MANAGE),
    ("DELETE", "message_qrdls/*"): Route(qr_codes.delete_code, _MANAGE),
    ("GET", "username"): Route(usernames.read_username, _MANAGE),
    ("POST", "username"): Route(usernames.take_username, _MANAGE),
    ("DELETE", "username"): Route(usernames.give_up_username, _MANAGE),
    ("GET", "username_suggestions"): Route(usernames.suggest_usernames, _MANAGE),
}

_WABA = {
    ("GET", ""): Route(wabas.read_waba, _MANAGE),
    ("POST", ""): Route(wabas.edit_waba, _MANAGE),
    ("GET", "phone_numbers"): Route(numbers.list_numbers, _MANAGE),
    ("POST", "phone_numbers"): Route(numbers.add_number, _MANAGE),
    ("GET", "message_templates"): Route(templates.list_templates, _MANAGE),
    ("POST", "message_templates"): Route(templates.create_template, _MANAGE),
    ("DELETE", "message_templates"): Route(templates.delete_templates, _MANAGE),
    ("POST", "message_templates/archive"): Route(templates.archive_templates, _MANAGE),
    ("POST", "message_templates/unarchive"): Route(templates.unarchive_templates, _MANAGE),
    ("POST", "upsert_message_templates"): Route(templates.upsert_templates, _MANAGE),
    ("GET", "subscribed_apps"): Route(callbacks.list_subscribed, _MANAGE),
    ("POST", "subscribed_apps"): Route(callbacks.subscribe, _MANAGE),
    ("DELETE", "subscribed_apps"): Route(callbacks.unsubscribe, _MANAGE),
    ("GET", "assigned_users"): Route(wabas.list_people, _MANAGE),
    ("POST", "assigned_users"): Route(wabas.assign_person, _MANAGE),
    ("DELETE", "assigned_users"): Route(wabas.remove_person, _MANAGE),
    ("GET", "system_users"): Route(people.list_system_users, _MANAGE),
    ("GET", "product_catalogs"): Route(wabas.list_catalogs, _MANAGE),
    ("POST", "product_catalogs"): Route(wabas.add_catalog, _MANAGE),
    ("DELETE", "product_catalogs"): Route(wabas.remove_catalog, _MANAGE),
    ("GET", "flows"): Route(flows.list_flows, _MANAGE),
    ("POST", "flows"): Route(flows.create_flow, _MANAGE),
    ("GET", "analytics"): Route(analytics.read_analytics, _MANAGE),
    ("GET", "conversation_analytics"): Route(analytics.read_conversations, _MANAGE),
    ("GET", "pricing_analytics"): Route(analytics.read_pricing, _MANAGE),
    ("GET", "call_analytics"): Route(analytics.read_calls, _MANAGE),
    ("GET", "template_analytics"): Route(analytics.read_template_analytics, _MANAGE),
}

_TEMPLATE = {
    ("GET", ""): Route(templates.read_template, _MANAGE),
    ("POST", ""): Route(templates.edit_template, _MANAGE),
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
    ("POST", "publish"): Route(flows.publish_flow, _MANAGE),
    ("POST", "deprecate"): Route(flows.deprecate_flow, _MANAGE),
}

_APP = {
    ("GET", ""): Route(people.read_app),
    ("GET", "subscriptions"): Route(callbacks.list_app_subscriptions),
    ("POST", "subscriptions"): Route(callbacks.subscribe_app),
    ("DELETE", "subscriptions"): Route(callbacks.unsubscribe_app),
    ("POST", "uploads"): Route(media.start_upload),
}

_BUSINESS = {
    ("GET", ""): Route(people.read_business),
    ("GET", "owned_whatsapp_business_accounts"): Route(people.list_owned_wabas, _MANAGE),
    ("GET", "client_whatsapp_business_accounts"): Route(people.list_client_wabas, _MANAGE),
    ("GET", "system_users"): Route(people.list_system_users, (Scope.BUSINESS,)),
}

# By kind of node; then by verb and edge. "" is the node itself, "/*" one more segment.
NODE_ROUTES: Mapping[type, Mapping[tuple[str, str], Route]] = {
    Number: _NUMBER,
    Waba: _WABA,
    Template: _TEMPLATE,
    Media: _MEDIA,
    Flow: _FLOW,
    App: _APP,
    Business: _BUSINESS,
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
