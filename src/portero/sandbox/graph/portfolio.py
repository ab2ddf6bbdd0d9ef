"""What belongs to a portfolio and not to one account: its people, its credit, numbers on stock."""

import secrets

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import authentication, numbers, wabas
from portero.sandbox.graph.paging import paged
from portero.sandbox.graph.records import listed, shown, written
from portero.sandbox.objects import App, Business, Json, Person, PreverifiedNumber, Waba
from portero.sandbox.phones import country_of, digits_of

_PREVERIFIED = shown(
    "WhatsAppBusinessPreVerifiedPhoneNumber",
    (
        "display_phone_number",
        "country_prefix",
        "country_code",
        "verification_status",
        "availability_status",
        "created_time",
        "last_updated",
        "supported_features",
        "region",
        "is_input_id_valid",
        "error_msg",
    ),
    ("display_phone_number", "verification_status", "availability_status"),
)


def list_business_users(call: Call, _business: Business) -> Json:
    """The people of the world file."""
    people = [person for person in call.world.people.values() if not person.is_system]
    wanted = call.request.listed("fields") or ["name", "role"]
    return paged(
        call,
        people,
        key=lambda person: person.id,
        show=lambda person: (
            {"id": person.id}
            | {name: _of_person(person)[name] for name in wanted if name in _of_person(person)}
        ),
    )


def _of_person(person: Person) -> Json:
    email = {"email": person.email} if person.email else {}
    return {"name": person.name, "role": person.role, "two_fac_status": "all_required"} | email


def list_assigned_wabas(call: Call, person: Person) -> Json:
    """The accounts somebody was given tasks in, or whose token reaches them."""
    world, fields = call.world, call.request.params.get("fields")
    tokens = [token for token in world.tokens.values() if token.user_id == person.id]

    def has(waba: Waba) -> bool:
        return person.id in waba.people or any(
            authentication.reaches(token, waba) for token in tokens
        )

    return paged(
        call,
        [waba for waba in world.wabas.values() if has(waba) and _seen(call, waba)],
        key=lambda waba: waba.id,
        show=lambda waba: wabas.SHOWN.render(call, waba, fields),
    )


def _seen(call: Call, waba: Waba) -> bool:
    return call.token is not None and authentication.reaches(call.token, waba)


def list_credit_lines(call: Call, business: Business) -> Json:
    """One line for the whole portfolio, under the portfolio's own name."""
    line = {"id": f"9{business.id[1:]}", "legal_entity_name": business.name}
    return paged(call, [line], key=lambda one: one["id"], show=dict)


def list_client_businesses(call: Call, _app: App) -> Json:
    """The portfolios that share an account with ours."""
    owners = {
        waba.owner.id: waba.owner
        for waba in call.world.wabas.values()
        if waba.owner is not None and _seen(call, waba)
    }
    return paged(
        call, list(owners.values()), key=lambda owner: owner.id, show=lambda owner: owner.named
    )


def onboard_marketing(_call: Call, _business: Business) -> Json:
    """Accounts are onboarded from the start; the request is taken and changes nothing."""
    return {"request_id": secrets.token_hex(16)}


def add_preverified(call: Call, business: Business) -> Json:
    """A number on stock; it must be verified before an account can take it."""
    digits = digits_of(call.request.needed("phone_number"))
    if not digits:
        raise meta_error(100, details="Param phone_number must be a phone number")
    now = written(call.now)
    info = {
        "display_phone_number": f"+{digits}",
        "country_code": country_of(digits),
        "country_prefix": numbers.dial_code(country_of(digits)),
        "verification_status": "PENDING",
        "availability_status": "UNAVAILABLE",
        "created_time": now,
        "last_updated": now,
        "supported_features": ["MESSAGING"],
        "is_input_id_valid": True,
        "partners": [],
    }
    return {"id": call.world.keep(PreverifiedNumber(call.world.new_id(), business.id, info)).id}


def list_preverified(call: Call, business: Business) -> Json:
    return listed(call, PreverifiedNumber, business.id, _PREVERIFIED)


def read_preverified(call: Call, number: PreverifiedNumber) -> Json:
    return _PREVERIFIED.render(call, number, call.request.params.get("fields"))


def delete_preverified(call: Call, number: PreverifiedNumber) -> Json:
    del call.world.records[number.id]
    return SUCCESS


def share_preverified(call: Call, business: Business) -> Json:
    """Let a partner take a number."""
    wanted = call.world.records.get(call.request.needed("preverified_id"))
    if not isinstance(wanted, PreverifiedNumber) or wanted.owner_id != business.id:
        raise meta_error(100, details="Param preverified_id is not a number of this business")
    partner = call.request.needed("partner_business_id")
    if partner not in wanted.info["partners"]:
        wanted.info["partners"].append(partner)
    return SUCCESS


def list_partners(call: Call, number: PreverifiedNumber) -> Json:
    partners: list[str] = number.info["partners"]
    return paged(call, partners, key=str, show=lambda one: {"id": one, "name": f"Business {one}"})


def request_code(call: Call, number: PreverifiedNumber) -> Json:
    """As for a number of an account, the code is always the same."""
    numbers.check_code_request(call)
    number.info["code"] = numbers.VERIFICATION_CODE
    return SUCCESS


def verify_code(call: Call, number: PreverifiedNumber) -> Json:
    if call.request.needed("code") != number.info.get("code"):
        raise meta_error(136025, details="The verification code does not match")
    number.info |= {"verification_status": "VERIFIED", "availability_status": "AVAILABLE"}
    number.info["last_updated"] = written(call.now)
    return SUCCESS | {"id": number.id}
