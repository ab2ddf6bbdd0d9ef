"""The business username of a number."""

import re

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.objects import Json, Number

_USERNAME = re.compile(r"(?=.*[a-z])(?!www)(?!\.)(?!.*\.\.)[a-z0-9._]{3,35}(?<!\.)")


_RESERVED = "reserved"


def read_username(_call: Call, number: Number) -> Json:
    """The username and the one that waits for review; an empty object while there is neither."""
    shown = {"username": number.username, "status": "ACTIVE"} if number.username else {}
    asked = {"requested_username": number.requested_username} if number.requested_username else {}
    return shown | asked


def take_username(call: Call, number: Number) -> Json:
    """Approved at once, unless another number has it, or it contains "reserved": that one waits."""
    wanted = call.request.needed("username")
    if not _USERNAME.fullmatch(wanted):
        raise meta_error(100, details="Param username is not a valid username")
    holders = [other for other in call.world.numbers.values() if other.username == wanted]
    if any(holder is not number for holder in holders):
        raise meta_error(147001, details=f"{wanted} is taken")
    if number.requested_username is not None:
        return {"status": "REJECTED", "rejection_reasons": ["EXISTING_PENDING_REQUEST"]}
    if _RESERVED in wanted:
        number.requested_username = wanted
        return {"status": "PENDING"}
    number.username = wanted
    return {"status": "APPROVED"}


def give_up_username(_call: Call, number: Number) -> Json:
    number.username = None
    return SUCCESS


def withdraw_request(_call: Call, number: Number) -> Json:
    if number.requested_username is None:
        raise meta_error(100, details="No username has been requested")
    number.requested_username = None
    return SUCCESS


def suggest_usernames(_call: Call, number: Number) -> Json:
    base = "".join(c for c in number.info["verified_name"].lower() if c.isalnum()) or "shop"
    return {"data": [{"username_suggestions": [f"{base}.{end}" for end in ("oficial", "mx", "1")]}]}
