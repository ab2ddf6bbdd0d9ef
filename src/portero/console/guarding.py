"""What holds for every answer of the console: what a browser may do."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]

# Nothing inline, nothing from elsewhere, no framing. `data:` is for the picture of a TOTP secret.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' data:;"
    " connect-src 'self'{live}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def content_security_policy(style: str = "") -> str:
    """What a page may do: nothing inline, but the one style that it carries in itself, by its hash."""
    origin = settings.PORTERO_LIVE_ORIGIN
    inline = f" 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" if style else ""
    return _CONTENT_SECURITY_POLICY.format(live=f" {origin}" if origin else "", style=inline)


class StrictHeaders:
    """Headers that Django's own middleware does not set."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._get_response(request)
        answer.headers.setdefault("Content-Security-Policy", content_security_policy())
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        answer.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer
