"""What hangs on a number: business profile, settings, commerce, automation, encryption key."""

from typing import Any

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.objects import Bot, Json, Number, Profile
from portero.sandbox.rates import TIERS

_PROFILE_SIZES = {"about": 139, "address": 256, "description": 512, "email": 128}
_VERTICALS = frozenset(
    [
        "OTHER",
        "AUTO",
        "BEAUTY",
        "APPAREL",
        "EDU",
        "ENTERTAIN",
        "EVENT_PLAN",
        "FINANCE",
        "GROCERY",
        "GOVT",
        "HOTEL",
        "HEALTH",
        "NONPROFIT",
        "PROF_SERVICES",
        "RETAIL",
        "TRAVEL",
        "RESTAURANT",
        "ALCOHOL",
        "ONLINE_GAMBLING",
        "PHYSICAL_GAMBLING",
        "OTC_DRUGS",
        "UNDEFINED",
        "NOT_A_BIZ",
    ]
)
_WEBSITES_MAX = 2
_SETTINGS = ("calling", "user_identity_change", "payload_encryption", "storage_configuration")
_SIP_PASSWORD = "sandbox-sip-password"  # noqa: S105  # an invented secret, so that a leak can be seen
_CALLING_CEILING_MIN = 2_000
_PROMPTS_MAX, _PROMPT_MAX, _COMMANDS_MAX = 4, 80, 30


def read_profile(call: Call, number: Number) -> Json:
    profile = {"vertical": "UNDEFINED"} | number.profile | {"messaging_product": "whatsapp"}
    wanted = call.request.listed("fields")
    if "id" in wanted:
        profile["id"] = _profile_id(call, number)
    if wanted:
        kept = (*wanted, "messaging_product")
        profile = {key: value for key, value in profile.items() if key in kept}
    return {"data": [profile]}


def _profile_id(call: Call, number: Number) -> str:
    """The profile's own id, made when it is first asked for."""
    known = call.world.records_of(Profile, number.id)
    return (known or [call.world.keep(Profile(call.world.new_id(), number.id, {}))])[0].id


def edit_profile(call: Call, number: Number) -> Json:
    """Change what the body names; the rest stays."""
    params = call.request.params
    call.request.need_whatsapp()
    changes: Json = {}
    for key, high in _PROFILE_SIZES.items():
        if (value := checks.an_optional_text(params, key, "profile", high=high)) is not None:
            changes[key] = value
    if "websites" in params:
        changes["websites"] = checks.a_list(params["websites"], "websites")
        checks.a_length(changes["websites"], "websites", low=0, high=_WEBSITES_MAX)
    if "vertical" in params:
        vertical = call.request.text("vertical")
        if vertical not in _VERTICALS:
            raise checks.invalid("vertical is not a known industry")
        changes["vertical"] = vertical
    if "profile_picture_handle" in params:
        changes["profile_picture_url"] = _picture_url(call, str(params["profile_picture_handle"]))
    number.profile |= changes
    return SUCCESS


def _picture_url(call: Call, handle: str) -> str:
    if handle not in call.world.handles:
        raise checks.invalid("profile_picture_handle is not a handle of an upload")
    return f"https://pps.whatsapp.net/v/{call.world.handles[handle].removeprefix('upload:')}"


def read_settings(call: Call, number: Number) -> Json:
    """All settings; SIP passwords only when asked for."""
    settings = {key: dict(value) for key, value in number.settings.items()}
    sip = settings.get("calling", {}).get("sip", {})
    if "servers" in sip and call.request.flag("include_sip_credentials"):
        servers = [server | {"sip_user_password": _SIP_PASSWORD} for server in sip["servers"]]
        settings["calling"]["sip"] = sip | {"servers": servers}
    return settings


def edit_settings(call: Call, number: Number) -> Json:
    changes = {key: call.request.params[key] for key in _SETTINGS if key in call.request.params}
    if not changes:
        raise meta_error(100, details=f"One of {', '.join(_SETTINGS)} is required")
    for key, value in changes.items():
        given = checks.an_object(value, key)
        if key == "calling":
            _check_calling(number, given)
        number.settings[key] = number.settings.get(key, {}) | given
    return SUCCESS


def _check_calling(number: Number, given: Json) -> None:
    """Calling needs room for 2,000 customers a day."""
    wants_calls = given.get("status") == "ENABLED"
    ceiling = TIERS.get(number.info["messaging_limit"])
    if wants_calls and ceiling is not None and ceiling < _CALLING_CEILING_MIN:
        details = f"Calling needs a messaging limit of {_CALLING_CEILING_MIN}"
        raise meta_error(138018, details=details)
    if "sip" in given:
        _check_sip(given["sip"])


def _check_sip(sip: Any) -> None:
    for server in checks.a_list(checks.an_object(sip, "sip").get("servers", []), "servers"):
        checks.an_object(server, "servers")


def read_commerce(_call: Call, number: Number) -> Json:
    return {"data": [_commerce(number)]}


def edit_commerce(call: Call, number: Number) -> Json:
    for name in ("is_cart_enabled", "is_catalog_visible"):
        if (wanted := call.request.flag(name)) is not None:
            number.commerce[name] = wanted
    return SUCCESS


def _commerce(number: Number) -> Json:
    defaults = {"is_cart_enabled": True, "is_catalog_visible": False}
    return defaults | number.commerce | {"id": number.id}


def edit_automation(call: Call, number: Number) -> Json:
    """Ice breakers and commands; what the body does not name stays."""
    prompts, commands = call.request.listed("prompts"), call.request.listed("commands")
    checks.a_length(prompts, "prompts", low=0, high=_PROMPTS_MAX)
    checks.a_length(commands, "commands", low=0, high=_COMMANDS_MAX)
    for prompt in prompts:
        checks.a_length(str(prompt), "prompt", low=1, high=_PROMPT_MAX)
    for command in commands:
        checks.a_text(checks.an_object(command, "command"), "command_name", "command", high=32)
        checks.a_text(command, "command_description", "command", high=256)
    given = {"prompts": prompts, "commands": commands}
    changes = {key: value for key, value in given.items() if key in call.request.params}
    known = call.world.records_of(Bot, number.id)
    bot = (known or [call.world.keep(Bot(call.world.new_id(), number.id, {}))])[0]
    number.automation = number.automation | changes | {"id": bot.id}
    return SUCCESS


def read_public_key(_call: Call, number: Number) -> Json:
    if number.public_key is None:
        return {"data": []}
    key = {"business_public_key": number.public_key}
    return {"data": [key | {"business_public_key_signature_status": "VALID"}]}


def edit_public_key(call: Call, number: Number) -> Json:
    key = call.request.needed("business_public_key")
    if "-----BEGIN PUBLIC KEY-----" not in key:
        raise meta_error(100, details="Param business_public_key must be a PEM public key")
    number.public_key = key
    return SUCCESS
