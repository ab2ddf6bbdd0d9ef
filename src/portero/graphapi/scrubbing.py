"""Taking credentials out of text and free-form values that somebody else wrote."""

import re
from typing import Final

_MAX_DEPTH: Final = 20
_REDACTED: Final = "[redacted]"

# Names whose values are credentials wherever Graph shows them.
_SECRET_NAMES: Final = frozenset(
    {
        "access_token",
        "app_secret",
        "appsecret_proof",
        "client_secret",
        "input_token",
        "password",
        "pin",
        "secret",
        "sip_user_password",
        "token",
        "verify_token",
    }
)
_MARK = re.compile(r"EAA|ptr_|[|=]|%3")  # without one of these nothing below matches
_IN_URL = re.compile(
    r"(?i)((?:access_token|input_token|client_secret|appsecret_proof|verify_token)(?:=|%3D))"
    r"[^&\s\"'<>]*"
)
_META_TOKEN = re.compile(r"\bEAA[A-Za-z0-9]{16,}")
_OUR_KEY = re.compile(r"\bptr_[a-z]{2,8}_[0-9A-Za-z_]{8,}")
_APP_TOKEN = re.compile(r"\b[0-9]{6,20}\|[A-Za-z0-9_-]{16,}")


def clean_text(text: str) -> str:
    """The text without access tokens and keys of ours, bare or inside a link."""
    if _MARK.search(text) is None:
        return text
    text = _OUR_KEY.sub(_REDACTED, _IN_URL.sub(rf"\1{_REDACTED}", text))
    return _APP_TOKEN.sub(_REDACTED, _META_TOKEN.sub(_REDACTED, text))


def clean(value: object, depth: int = 0) -> object:
    """A free-form value without credentials, to 20 levels; deeper levels become None."""
    if isinstance(value, str):
        return clean_text(value)
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            name: clean(part, depth + 1)
            for name, part in value.items()
            if isinstance(name, str) and name.lower() not in _SECRET_NAMES
        }
    return value
