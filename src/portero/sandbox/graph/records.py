"""What an account keeps and shows, and nothing here acts on: opening hours, greetings, forms, groups.

The members are those of Meta's description and its Python library; both say little of their life.
"""

import secrets
from datetime import UTC, datetime

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import (
    Json,
    PaymentSetup,
    Record,
    Schedule,
    Signup,
    TemplateGroup,
    Waba,
    Welcome,
)
from portero.sandbox.reading import required

_SCHEDULE_TYPES = (
    "BUSINESS_HOURS",
    "AUTOMATED_RESPONSE",
    "MESSAGE_CAMPAIGN",
    "MAINTENANCE_WINDOW",
    "CUSTOM",
)
_SCHEDULE_MEMBERS = (
    "name",
    "schedule_type",
    "description",
    "start_time",
    "end_time",
    "timezone",
    "days_of_week",
    "is_active",
    "recurrence_pattern",
)
_SIGNUP_MEMBERS = (
    "status",
    "signup_message",
    "confirmation_message",
    "privacy_policy_url",
    "promo_code",
    "display_name",
    "website_url",
    "policy",
)


def shown(type_name: str, members: tuple[str, ...], defaults: tuple[str, ...]) -> Shown:
    """How a kind of record is shown: its members, by default some of them."""

    def values(_call: Call, record: Record) -> Json:
        return {name: record.info.get(name) for name in members} | {"id": record.id}

    return Shown(type_name=type_name, values=values, defaults=defaults)


def listed(call: Call, kind: type[Record], owner_id: str, how: Shown) -> Json:
    """A page of an owner's records of a kind."""
    fields = call.request.params.get("fields")
    return paged(
        call,
        call.world.records_of(kind, owner_id),
        key=lambda record: record.id,
        show=lambda record: how.render(call, record, fields),
    )


def written(at: float) -> str:
    """A time as these records print it."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _given(call: Call, members: tuple[str, ...]) -> Json:
    return {name: call.request.params[name] for name in members if name in call.request.params}


_SCHEDULE = shown(
    "WhatsAppBusinessSchedule",
    (*_SCHEDULE_MEMBERS, "status", "created_time", "updated_time"),
    ("name", "status", "schedule_type"),
)


def list_schedules(call: Call, waba: Waba) -> Json:
    return listed(call, Schedule, waba.id, _SCHEDULE)


def create_schedule(call: Call, waba: Waba) -> Json:
    for name in ("name", "start_time", "end_time"):
        call.request.needed(name)
    if call.request.needed("schedule_type") not in _SCHEDULE_TYPES:
        details = f"Param schedule_type must be one of {', '.join(_SCHEDULE_TYPES)}"
        raise meta_error(100, details=details)
    active, now = call.request.flag("is_active") is not False, written(call.now)
    info = _given(call, _SCHEDULE_MEMBERS) | {"created_time": now, "updated_time": now}
    info |= {"is_active": active, "status": "ACTIVE" if active else "INACTIVE"}
    return {"id": call.world.keep(Schedule(call.world.new_id(), waba.id, info)).id}


_WELCOME = shown(
    "CTXWelcomeMessage",
    ("name", "welcome_message_sequence", "is_used_in_ad"),
    ("name", "welcome_message_sequence"),
)


def list_welcomes(call: Call, waba: Waba) -> Json:
    """All greetings, or the one that `sequence_id` names."""
    wanted = call.request.text("sequence_id")
    if wanted is not None:
        return {"data": [_WELCOME.render(call, _welcome(call, waba, wanted))]}
    return listed(call, Welcome, waba.id, _WELCOME)


def set_welcome(call: Call, waba: Waba) -> Json:
    """A new greeting, or other words for the one that `sequence_id` names."""
    info, wanted = (
        _given(call, ("name", "welcome_message_sequence")),
        call.request.text("sequence_id"),
    )
    if wanted is not None:
        welcome = _welcome(call, waba, wanted)
        welcome.info |= info
    elif "welcome_message_sequence" not in info:
        raise required("welcome_message_sequence")
    else:
        info = {"name": "Welcome", "is_used_in_ad": False} | info
        welcome = call.world.keep(Welcome(call.world.new_id(), waba.id, info))
    return {"sequence_id": welcome.id} | SUCCESS


def delete_welcome(call: Call, waba: Waba) -> Json:
    del call.world.records[_welcome(call, waba, call.request.needed("sequence_id")).id]
    return SUCCESS


def _welcome(call: Call, waba: Waba, sequence_id: str) -> Welcome:
    found = call.world.records.get(sequence_id)
    if not isinstance(found, Welcome) or found.owner_id != waba.id:
        raise unknown_object(call.request.method, sequence_id)
    return found


SIGNUP = shown(
    "WhatsAppSignup", (*_SIGNUP_MEMBERS, "message", "waba_id", "link"), ("status", "link")
)


def list_signups(call: Call, waba: Waba) -> Json:
    return listed(call, Signup, waba.id, SIGNUP)


def create_signup(call: Call, waba: Waba) -> Json:
    """A form that is open at once; its link is what an advertisement or a QR code leads to."""
    link = f"https://wa.me/signup/{secrets.token_urlsafe(10)}"
    info = {"status": "ACTIVE"} | _given(call, _SIGNUP_MEMBERS)
    info |= {"waba_id": waba.id, "link": link}
    made = call.world.keep(Signup(call.world.new_id(), waba.id, info))
    return {"id": made.id, "link": link} | SUCCESS


def read_signup(call: Call, signup: Signup) -> Json:
    return SIGNUP.render(call, signup, call.request.params.get("fields"))


def edit_signup(call: Call, signup: Signup) -> Json:
    changes = _given(call, _SIGNUP_MEMBERS)
    if not changes:
        raise meta_error(100, details=f"One of {', '.join(_SIGNUP_MEMBERS)} is required")
    signup.info |= changes
    return {"id": signup.id} | SUCCESS


def read_payment_setup(call: Call, waba: Waba) -> Json:
    """The set-up that `configuration_name` names, or all of them."""
    wanted = call.request.text("configuration_name")
    setups = call.world.records_of(PaymentSetup, waba.id)
    named = [one for one in setups if wanted in (None, one.info["configuration_name"])]
    return {"data": [one.info for one in named]}


def list_payment_setups(call: Call, waba: Waba) -> Json:
    setups = call.world.records_of(PaymentSetup, waba.id)
    return {"data": [{"payment_configurations": [one.info for one in setups]}]}


def create_payment_setup(call: Call, waba: Waba) -> Json:
    """A set-up that still waits for the provider's consent."""
    name, now = call.request.needed("configuration_name"), int(call.now)
    if _payment_setup(call, waba, name) is not None:
        raise meta_error(100, details=f"There is a configuration {name} already")
    info = _given(call, ("provider_name", "merchant_vpa")) | {"configuration_name": name}
    for member in ("merchant_category_code", "purpose_code"):
        if (code := call.request.text(member)) is not None:
            info[member] = {"code": code, "description": ""}
    info |= {"status": "Needs_Connecting", "created_timestamp": now, "updated_timestamp": now}
    call.world.keep(PaymentSetup(call.world.new_id(), waba.id, info))
    return SUCCESS


def delete_payment_setup(call: Call, waba: Waba) -> Json:
    name = call.request.needed("configuration_name")
    setup = _payment_setup(call, waba, name)
    if setup is None:
        raise meta_error(100, details=f"There is no configuration {name}")
    del call.world.records[setup.id]
    return SUCCESS


def _payment_setup(call: Call, waba: Waba, name: str) -> PaymentSetup | None:
    setups = call.world.records_of(PaymentSetup, waba.id)
    return next((one for one in setups if one.info["configuration_name"] == name), None)


_TEMPLATE_GROUP = shown(
    "WhatsAppBusinessTemplateGroup",
    ("name", "description", "whatsapp_business_templates"),
    ("name", "description", "whatsapp_business_templates"),
)


def list_template_groups(call: Call, waba: Waba) -> Json:
    return listed(call, TemplateGroup, waba.id, _TEMPLATE_GROUP)


def create_template_group(call: Call, waba: Waba) -> Json:
    """A group of the account's own templates."""
    name, ids = call.request.needed("name"), call.request.listed("whatsapp_business_templates")
    for template_id in map(str, ids):
        template = call.world.templates.get(template_id)
        if template is None or template.waba_id != waba.id:
            raise unknown_object(call.request.method, template_id)
    info = {
        "name": name,
        "description": call.request.text("description"),
        "whatsapp_business_templates": [{"id": str(template_id)} for template_id in ids],
    }
    made = call.world.keep(TemplateGroup(call.world.new_id(), waba.id, info))
    return {"id": made.id} | SUCCESS


def list_activities(call: Call, waba: Waba) -> Json:
    """Who changed what, by which kind of change and since when; the newest first."""
    request = call.request
    kinds = {str(kind) for kind in request.listed("activity_type")}
    since, until = request.number("since", 0), request.number("until", int(call.now) + 1)
    chosen = [
        activity
        for activity in reversed(call.world.activities[waba.id])
        if (not kinds or activity["activity_type"] in kinds) and since <= activity["at"] <= until
    ]
    wanted = request.listed("fields") or ["id", "activity_type", "timestamp", "actor_type"]
    return paged(
        call,
        chosen,
        key=lambda activity: str(activity["id"]),
        show=lambda activity: {
            name: activity[name] for name in dict.fromkeys(["id", *wanted]) if name in activity
        },
    )


def note(call: Call, kind: str) -> None:
    """Write a change of an account into its log."""
    if call.waba is None or call.token is None:
        return
    path = "/".join(call.request.segments)
    call.world.activities[call.waba.id].append(
        {
            "id": call.world.new_id(),
            "activity_type": kind,
            "timestamp": written(call.now),
            "at": call.now,
            "actor_type": "API",
            "actor_id": call.token.user_id,
            "actor_name": call.token.name,
            "description": f"{call.request.method} /{path}",
            "details": {},
        }
    )


def preview_templates(call: Call, _waba: Waba) -> Json:
    """The fixed words of authentication templates, per language; other words than Meta's here."""
    request = call.request
    if request.needed("category") != "AUTHENTICATION":
        raise meta_error(100, details="Param category must be AUTHENTICATION")
    kinds = [str(kind).upper() for kind in request.listed("button_types")]
    warning = " For your security, do not share this code."
    body = "{{1}} is your verification code." + (
        warning if request.flag("add_security_recommendation") else ""
    )
    minutes = request.text("code_expiration_minutes")
    preview: Json = {
        "body": body,
        "buttons": [{"type": kind, "text": "Copy code"} for kind in kinds],
    }
    if minutes is not None:
        preview["footer"] = f"This code expires in {minutes} minutes."
    languages = [str(language) for language in request.listed("languages")] or ["en_US"]
    checks.a_length(languages, "languages", low=1, high=100)
    return {"data": [preview | {"language": language} for language in languages]}
