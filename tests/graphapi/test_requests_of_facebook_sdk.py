"""What Meta's own SDK sends: tokens in the query, forms whose values are JSON, `summary=true`."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from facebook_business.adobjects.whatsappbusinessaccount import WhatsAppBusinessAccount
from facebook_business.api import FacebookAdsApi, FacebookRequest

from graphapi.client_requests import CATALOG, NUMBER, TEMPLATE, USER, WABA, again, by_facebook_sdk

Act = Callable[[FacebookAdsApi], object]


def waba(api: FacebookAdsApi) -> WhatsAppBusinessAccount:
    return WhatsAppBusinessAccount(WABA, api=api)


def first(cursor: Any) -> object:
    """The SDK's lists ask for their first page when they are made."""
    return list(cursor)


REQUESTS: tuple[tuple[str, Act], ...] = (
    ("read_waba", lambda a: waba(a).api_get(fields=["id", "name", "currency"])),
    ("read_waba", lambda a: waba(a).api_get(fields=list(_readable_fields()))),
    ("update_waba", lambda a: waba(a).api_update(params={"name": "Tienda"})),
    (
        "list_templates",
        lambda a: first(waba(a).get_message_templates(params={"fields": "id,name"})),
    ),
    (
        "list_templates",
        lambda a: first(
            waba(a).get_message_templates(
                params={"status": ["APPROVED", "PAUSED"], "category": ["UTILITY"], "limit": 5}
            )
        ),
    ),
    (
        "create_template",
        lambda a: waba(a).create_message_template(
            params={
                "name": "order_update",
                "language": "es_MX",
                "category": "UTILITY",
                "allow_category_change": True,
                "components": [{"type": "BODY", "text": "Hola"}],
            }
        ),
    ),
    ("delete_template", lambda a: waba(a).delete_message_templates(params={"name": "x"})),
    (
        "delete_templates",
        lambda a: waba(a).delete_message_templates(params={"hsm_ids": [TEMPLATE]}),
    ),
    (
        "list_numbers",
        lambda a: first(waba(a).get_phone_numbers(params={"fields": "id,verified_name"})),
    ),
    (
        "add_number",
        lambda a: waba(a).create_phone_number(
            params={"cc": "52", "phone_number": "5512345678", "migrate_phone_number": True}
        ),
    ),
    ("list_meta_users", lambda a: first(waba(a).get_assigned_users(params={"business": "7001"}))),
    (
        "assign_meta_user",
        lambda a: waba(a).create_assigned_user(params={"user": USER, "tasks": ["MANAGE"]}),
    ),
    ("remove_meta_user", lambda a: waba(a).delete_assigned_users(params={"user": USER})),
    ("list_subscriptions", lambda a: first(waba(a).get_subscribed_apps())),
    ("subscribe_app", lambda a: waba(a).create_subscribed_app()),
    ("unsubscribe_app", lambda a: waba(a).delete_subscribed_apps()),
    ("list_flows", lambda a: first(waba(a).get_flows(params={"fields": "id,name"}))),
    ("create_flow", lambda a: waba(a).create_flow(params={"name": "f", "categories": ["OTHER"]})),
    ("list_catalogs", lambda a: first(waba(a).get_product_catalogs())),
    ("connect_catalog", lambda a: waba(a).create_product_catalog(params={"catalog_id": CATALOG})),
    (
        "disconnect_catalog",
        lambda a: waba(a).delete_product_catalogs(params={"catalog_id": CATALOG}),
    ),
    (
        "read_pricing_analytics",
        lambda a: first(
            waba(a).get_pricing_analytics(
                params={
                    "start": 1,
                    "end": 2,
                    "granularity": "DAILY",
                    "metric_types": ["COST", "VOLUME"],
                    "dimensions": ["COUNTRY"],
                    "country_codes": ["MX"],
                    "phone_numbers": [],
                }
            )
        ),
    ),
    (
        "read_template_analytics",
        lambda a: first(
            waba(a).get_template_analytics(
                params={
                    "start": 1,
                    "end": 2,
                    "granularity": "DAILY",
                    "metric_types": ["SENT", "READ"],
                    "template_ids": [TEMPLATE],
                }
            )
        ),
    ),
    ("list_template_groups", lambda a: first(waba(a).get_template_groups())),
    (
        "preview_templates",
        lambda a: first(
            waba(a).get_message_template_previews(
                params={
                    "category": "AUTHENTICATION",
                    "languages": ["es", "en_US"],
                    "button_types": ["OTP"],
                }
            )
        ),
    ),
    (
        "read_payment_setup",
        lambda a: waba(a).get_payment_configuration(params={"configuration_name": "x"}),
    ),
    ("list_payment_setups", lambda a: first(waba(a).get_payment_configurations())),
    ("list_schedules", lambda a: first(waba(a).get_schedules())),
    ("list_waba_solutions", lambda a: first(waba(a).get_solutions())),
    ("list_welcomes", lambda a: first(waba(a).get_welcome_message_sequences())),
    (
        "migrate_flows",
        lambda a: waba(a).create_migrate_flow(
            params={"source_waba_id": "2002", "source_flow_names": ["a"]}
        ),
    ),
    (
        "migrate_templates",
        lambda a: waba(a).create_migrate_message_template(
            params={"source_waba_id": "2002", "page_number": 0, "template_ids": [TEMPLATE]}
        ),
    ),
    (
        "upsert_templates",
        lambda a: waba(a).create_upsert_message_template(
            params={
                "name": "code",
                "languages": ["es"],
                "category": "AUTHENTICATION",
                "components": [{"type": "BODY", "add_security_recommendation": True}],
            }
        ),
    ),
    ("send_message", lambda a: send(a, text={"body": "Hola", "preview_url": False})),
)


def send(api: FacebookAdsApi, **content: object) -> object:
    """The SDK has no method for messages: programs use its request object, which writes a form."""
    request = FacebookRequest(node_id=NUMBER, method="POST", endpoint="/messages", api=api)
    request.add_params({"messaging_product": "whatsapp", "to": "525512345678", "type": "text"})
    request.add_params(content)
    return request.execute()


def _readable_fields() -> Mapping[str, str]:
    return {
        name: value
        for name, value in vars(WhatsAppBusinessAccount.Field).items()
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("operation", "act"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_a_request_of_metas_sdk_is_the_operation_it_means(operation: str, act: Act) -> None:
    assert by_facebook_sdk(act).operation.name == operation


def test_json_inside_the_form_of_metas_sdk_becomes_the_typed_body() -> None:
    call = by_facebook_sdk(lambda api: send(api, text={"body": "Hola", "preview_url": False}))

    assert call.form
    assert call.body is not None
    assert call.body["text"] == {"body": "Hola", "preview_url": False}


def test_the_token_and_the_proof_of_metas_sdk_are_no_part_of_the_call() -> None:
    call = by_facebook_sdk(lambda api: first(waba(api).get_flows()))

    assert set(call.params) == {"summary"}


@pytest.mark.parametrize(("operation", "act"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_what_leaves_is_read_as_what_came(operation: str, act: Act) -> None:
    came = by_facebook_sdk(act)

    left = again(came)

    assert (left.operation, left.permissions) == (came.operation, came.permissions)
    assert (left.ids, left.params, left.body) == (came.ids, came.params, came.body)
    assert (left.fields, left.template) == (came.fields, came.template)
    assert [r.identity for r in left.recipients] == [r.identity for r in came.recipients]
