"""A WhatsApp Business Account: reading and changing it, its people, its catalogs."""

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph.health import health_of
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Json, Waba

TASKS = frozenset(
    [
        "DEVELOP",
        "MANAGE",
        "MANAGE_EXTENSIONS",
        "MANAGE_PHONE",
        "MANAGE_PHONE_ASSETS",
        "MANAGE_TEMPLATES",
        "MESSAGING",
        "VIEW_COST",
        "VIEW_PHONE_ASSETS",
        "VIEW_TEMPLATES",
        "VIEW_INSIGHTS",
        "RECEIVE_INCOMING_MESSAGES",
        "MANAGE_BILLING",
        "MANAGE_USERS",
        "FULL_CONTROL",
    ]
)
_CHANGEABLE = (
    "name",
    "timezone_id",
    "is_enabled_for_insights",
    "disable_marketing_messages_on_cloud_api",
    "template_auto_archival_enabled",
)
_UNSET = (  # what Meta's node has, and an account without the feature has not
    "marketing_messages_ad_account",
    "whatsapp_manager_marketing_messages_max_price_enroll_status",
    "linked_commerce_account",
    "service_pricing_policy",
    "audiences",
    "assignment_date",
    "permissions",
    "business_id",
)


def _values(call: Call, waba: Waba) -> Json:
    business, ours = waba.owner or call.world.business, call.world.business
    numbers = call.world.numbers_of(waba.id)
    limit = numbers[0].info["messaging_limit"] if numbers else "UNTIERED"
    return {
        "id": waba.id,
        "name": waba.name,
        "timezone_id": waba.info["timezone_id"],
        "currency": waba.info["currency"],
        "country": waba.info["country"],
        "status": "DISABLED" if waba.locked else "ACTIVE",
        "account_review_status": "APPROVED",
        "business_verification_status": "verified",
        "ownership_type": "SELF" if business is ours else "CLIENT_OWNED",
        "owner_business": business.named,
        "owner_business_info": business.named,
        "on_behalf_of_business_info": None,
        "primary_funding_id": "0",
        "purchase_order_number": "",
        "message_template_namespace": f"sandbox_{waba.id}",
        "health_status": health_of(call.world, waba.id),
        "is_enabled_for_insights": bool(waba.info.get("is_enabled_for_insights", False)),
        "is_shared_with_partners": business is not ours,
        "marketing_messages_lite_api_status": "ONBOARDED",
        "marketing_messages_onboarding_status": "ONBOARDED",
        "disable_marketing_messages_on_cloud_api": bool(
            waba.info.get("disable_marketing_messages_on_cloud_api", False)
        ),
        "template_auto_archival_enabled": bool(
            waba.info.get("template_auto_archival_enabled", False)
        ),
        "whatsapp_business_manager_messaging_limit": limit,
        "auth_international_rate_eligibility": None,
        "primary_business_location": waba.info["country"],
        "creation_time": 1767225600,
    } | dict.fromkeys(_UNSET)


SHOWN = Shown(
    type_name="WhatsAppBusinessAccount",
    values=_values,
    defaults=("name", "timezone_id", "currency", "message_template_namespace"),
)


def read_waba(call: Call, waba: Waba) -> Json:
    return SHOWN.render(call, waba, call.request.params.get("fields"))


def edit_waba(call: Call, waba: Waba) -> Json:
    """Change what the body names; insights cannot be switched off again."""
    params = call.request.params
    changes = {key: params[key] for key in _CHANGEABLE if key in params}
    if not changes:
        raise meta_error(100, details=f"One of {', '.join(_CHANGEABLE)} is required")
    for key in changes.keys() - {"name", "timezone_id"}:
        changes[key] = call.request.flag(key)
    if waba.info.get("is_enabled_for_insights") and changes.get("is_enabled_for_insights") is False:
        raise meta_error(200006)
    waba.name = str(changes.pop("name", waba.name))
    waba.info |= changes
    return {"id": waba.id}


def list_people(call: Call, waba: Waba) -> Json:
    call.request.needed("business")
    return paged(call, list(waba.people.values()), key=lambda person: str(person["id"]), show=dict)


def assign_person(call: Call, waba: Waba) -> Json:
    tasks = [str(task) for task in call.request.listed("tasks")]
    if not tasks or not TASKS.issuperset(tasks):
        raise meta_error(100, details=f"Param tasks must be of {', '.join(sorted(TASKS))}")
    user = call.request.needed("user")
    person = call.world.people.get(user)
    waba.people[user] = {
        "id": user,
        "name": person.name if person else f"User {user[-4:]}",
        "tasks": tasks,
        "user_type": "BUSINESS_USER" if person and not person.is_system else "SYSTEM_USER",
    }
    return SUCCESS


def remove_person(call: Call, waba: Waba) -> Json:
    user = call.request.needed("user")
    if waba.people.pop(user, None) is None:
        raise meta_error(100, details=f"User {user} is not assigned")
    return SUCCESS


def list_catalogs(call: Call, waba: Waba) -> Json:
    return paged(call, waba.catalogs, key=str, show=lambda item: {"id": item})


def add_catalog(call: Call, waba: Waba) -> Json:
    catalog_id = call.request.needed("catalog_id")
    if catalog_id not in waba.catalogs:
        waba.catalogs.append(catalog_id)
    return SUCCESS


def remove_catalog(call: Call, waba: Waba) -> Json:
    catalog_id = call.request.needed("catalog_id")
    if catalog_id not in waba.catalogs:
        raise meta_error(100, details=f"Catalog {catalog_id} is not connected")
    waba.catalogs.remove(catalog_id)
    return SUCCESS
