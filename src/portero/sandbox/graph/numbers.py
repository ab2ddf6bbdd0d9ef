"""A business phone number: reading it, its PIN, registration and verification."""

import phonenumbers

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.graph.callbacks import chosen_callback
from portero.sandbox.graph.health import health_of
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Json, Number, Waba
from portero.sandbox.reading import required

_VISIBILITIES = ("VISIBLE", "HIDDEN")
VERIFICATION_CODE = "123456"
"""What the emulated SMS or call says."""

_REGISTER_MAX, _REGISTER_PERIOD_S = 10, 72 * 3600
_NEW_NUMBER_INFO = {
    "quality_rating": "UNKNOWN",
    "code_verification_status": "NOT_VERIFIED",
    "name_status": "PENDING_REVIEW",
    "platform_type": "NOT_APPLICABLE",
    "account_mode": "LIVE",
    "country": "US",
    "is_official_business_account": False,
    "is_on_biz_app": False,
    "messaging_limit": "TIER_250",
    "throughput": {"level": "STANDARD"},
}


def _values(call: Call, number: Number) -> Json:
    info = number.info
    return {
        "id": number.id,
        "display_phone_number": info["display_phone_number"],
        "verified_name": info["verified_name"],
        "country_code": info["country"],
        "country_dial_code": dial_code(info["country"]),
        "code_verification_status": info["code_verification_status"],
        "quality_rating": info["quality_rating"],
        "quality_score": {"score": info["quality_rating"]},
        "status": "CONNECTED" if number.registered else "DISCONNECTED",
        "name_status": info["name_status"],
        "new_name_status": info.get("new_name_status", "NONE"),
        "new_display_name": info.get("new_display_name"),
        "platform_type": info["platform_type"],
        "throughput": info["throughput"],
        "account_mode": info["account_mode"],
        "certificate": None,
        "unified_cert_status": None,
        "host_platform": None,
        "new_certificate": None,
        "eligibility_for_api_business_global_search": "NON_ELIGIBLE_UNDEFINED_COUNTRY",
        "is_pin_enabled": number.pin is not None,
        "is_official_business_account": info["is_official_business_account"],
        "is_on_biz_app": info["is_on_biz_app"],
        "is_preverified_number": False,
        "search_visibility": info.get("search_visibility", "HIDDEN"),
        "last_onboarded_time": "2026-01-01T00:00:00+0000",
        "messaging_limit_tier": info["messaging_limit"],
        "whatsapp_business_manager_messaging_limit": info["messaging_limit"],
        "webhook_configuration": _webhooks(call, number),
        "conversational_automation": number.automation or None,
        "health_status": health_of(call.world, number.waba_id, subject=number),
        "username": number.username,
    }


def _webhooks(call: Call, number: Number) -> Json:
    """The callbacks of the three levels that are set."""
    app, waba = call.world.app, call.world.wabas[number.waba_id]
    levels = {
        "phone_number": number.override,
        "whatsapp_business_account": waba.override,
        "application": app.callback,
    }
    return {level: callback.url for level, callback in levels.items() if callback}


SHOWN = Shown(
    type_name="WhatsAppBusinessPhoneNumber",
    values=_values,
    defaults=(
        "verified_name",
        "code_verification_status",
        "display_phone_number",
        "quality_rating",
        "platform_type",
        "throughput",
        "webhook_configuration",
    ),
)


def read_number(call: Call, number: Number) -> Json:
    return SHOWN.render(call, number, call.request.params.get("fields"))


def list_numbers(call: Call, waba: Waba) -> Json:
    fields = call.request.params.get("fields")
    return paged(
        call,
        call.world.numbers_of(waba.id),
        key=lambda number: number.id,
        show=lambda number: SHOWN.render(call, number, fields),
    )


def add_number(call: Call, waba: Waba) -> Json:
    """`cc`, `phone_number`, `verified_name`: a number that must still be verified."""
    request = call.request
    display = f"+{request.needed('cc')} {request.needed('phone_number')}"
    info = _NEW_NUMBER_INFO | {
        "display_phone_number": display,
        "verified_name": request.needed("verified_name"),
    }
    number = Number(call.world.new_id(), waba.id, info, registered=False)
    call.world.numbers[number.id] = number
    return {"id": number.id}


async def edit_number(call: Call, number: Number) -> Json:
    """Two-step PIN, webhook override, or display name: whichever the body names."""
    params = call.request.params
    if "webhook_configuration" in params:
        given = checks.an_object(params["webhook_configuration"], "webhook_configuration")
        number.override = await chosen_callback(call, given)
    elif "pin" in params:
        number.pin = _pin(call)
    elif "new_display_name" in params:
        number.info["new_display_name"] = call.request.needed("new_display_name")
        number.info["new_name_status"] = "PENDING_REVIEW"
    elif "search_visibility" in params:
        wanted = call.request.needed("search_visibility")
        if wanted not in _VISIBILITIES:
            raise meta_error(100, details=f"Param search_visibility must be of {_VISIBILITIES}")
        number.info["search_visibility"] = wanted
    else:
        raise required("pin")
    return SUCCESS


def register(call: Call, number: Number) -> Json:
    """Make the number able to send; sets the PIN where there was none."""
    call.request.need_whatsapp()
    pin = _pin(call)
    _count_registration(call, number)
    if number.info["code_verification_status"] != "VERIFIED":
        raise meta_error(133006, details="The phone number must be verified first")
    if number.pin is not None and number.pin != pin:
        raise meta_error(133005, details="The two-step verification PIN does not match")
    number.pin = pin
    number.registered = True
    number.info["platform_type"] = "CLOUD_API"
    return SUCCESS


def deregister(call: Call, number: Number) -> Json:
    _count_registration(call, number)
    if not number.registered:
        raise meta_error(133010, details="The phone number is not registered on Cloud API")
    number.registered = False
    return SUCCESS


def dial_code(country: str) -> str:
    """The prefix of a country's numbers."""
    return str(phonenumbers.country_code_for_region(country))


def check_code_request(call: Call) -> None:
    """How a verification code is to be told. Raises `GraphError`."""
    if call.request.needed("code_method").upper() not in ("SMS", "VOICE"):
        raise meta_error(100, details="Param code_method must be one of {SMS, VOICE}")
    call.request.needed("language")


def request_code(call: Call, number: Number) -> Json:
    """Send a verification code; the emulated customer service always says the same one."""
    check_code_request(call)
    number.verification_code = VERIFICATION_CODE
    return SUCCESS


def verify_code(call: Call, number: Number) -> Json:
    if call.request.needed("code") != number.verification_code:
        raise meta_error(136025, details="The verification code does not match")
    number.info["code_verification_status"] = "VERIFIED"
    number.verification_code = None
    return SUCCESS


def _pin(call: Call) -> str:
    pin = call.request.needed("pin")
    if not (len(pin) == 6 and pin.isascii() and pin.isdigit()):
        raise meta_error(100, details="Param pin must be a 6-digit number")
    return pin


def _count_registration(call: Call, number: Number) -> None:
    """Ten registrations and deregistrations in 72 hours."""
    recent = [at for at in number.register_times if call.now - at < _REGISTER_PERIOD_S]
    if len(recent) >= _REGISTER_MAX:
        raise meta_error(133016, details="Too many register and deregister calls in 72 hours")
    number.register_times = [*recent, call.now]
