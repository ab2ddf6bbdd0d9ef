"""QR codes and short links of a number."""

import secrets
import string

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.graph import checks
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.fields import read_fields
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Json, Number

_CODES_MAX, _CODE_LENGTH = 2_000, 14
_ALPHABET = string.ascii_uppercase + string.digits


def list_codes(call: Call, number: Number) -> Json:
    """All codes, or the one that `code` names."""
    wanted = call.request.text("code")
    codes = [one for one in number.qr_codes.values() if wanted in (None, one["code"])]
    return paged(
        call,
        codes,
        key=lambda code: str(code["code"]),
        show=lambda code: _shown(call, code),
    )


def read_code(call: Call, number: Number) -> Json:
    return {"data": [_shown(call, _existing(call, number, call.rest[0]))]}


def save_code(call: Call, number: Number) -> Json:
    """Create one, or change the one whose `code` is named."""
    text = checks.a_text(call.request.params, "prefilled_message", "message_qrdls", high=140)
    wanted = call.request.text("code")
    if wanted is not None:
        code = _existing(call, number, wanted)
        code["prefilled_message"] = text
        return code
    if len(number.qr_codes) >= _CODES_MAX:
        raise meta_error(100, details=f"A number has at most {_CODES_MAX} QR codes")
    name = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    made = {
        "code": name,
        "prefilled_message": text,
        "deep_link_url": f"https://wa.me/message/{name}",
    }
    number.qr_codes[name] = made
    image = call.request.text("generate_qr_image")
    return made | ({"qr_image_url": _image_url(name, image)} if image else {})


def delete_code(call: Call, number: Number) -> Json:
    del number.qr_codes[_existing(call, number, call.rest[0])["code"]]
    return SUCCESS


def _shown(call: Call, code: Json) -> Json:
    fields = call.request.text("fields")
    if not fields:
        return code
    shown: Json = {}
    for wanted in read_fields(fields):
        if wanted.name == "qr_image_url":
            image = wanted.modifiers.get("format", "PNG")
            shown["qr_image_url"] = _image_url(code["code"], image)
        elif wanted.name in code:
            shown[wanted.name] = code[wanted.name]
    return shown


def _image_url(name: str, image: str) -> str:
    return f"https://scontent.xx.fbcdn.net/qr/{name}.{image.lower()}"


def _existing(call: Call, number: Number, name: str) -> Json:
    if name not in number.qr_codes:
        raise unknown_object(call.request.method, name)
    return number.qr_codes[name]
