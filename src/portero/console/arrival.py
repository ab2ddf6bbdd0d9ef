"""How a request came: through the installation's own proxy by https, or on this machine.

Without a public https address the console is for a browser on this machine, and refuses whatever
passed a proxy. With one it is for who came by that address, and believes about them what the proxies
say that the installation names, and nobody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port

Handler = Callable[[HttpRequest], HttpResponse]

HEALTH = "/-/health"
"""Asked by whoever keeps the console running, by the address it listens on."""
_FOR, _PROTO = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"
_FORWARDED = (_FOR, _PROTO, "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_HOST",
              "HTTP_X_FORWARDED_PORT")  # fmt: skip
_SALT, _ASKED_FOR_S = "portero.arrival", 60
_ONLY_HERE = "The console is for a browser on this machine.\n"


class Arrivals:
    """From here on a request's address, scheme and host are those its sender used."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refusal = _by_proxy(request) if settings.PORTERO_IS_PUBLIC else _by_hand(request)
        return refusal or self._get_response(request)


def question(secret_key: str) -> str:
    """For `seen`; only who holds this installation's secrets can make one."""
    return signing.dumps("", key=secret_key, salt=_SALT)


def seen(request: HttpRequest, asked: str) -> HttpResponse:
    """How this request came, told to the doctor, who looks from outside."""
    try:
        signing.loads(asked, salt=_SALT, max_age=_ASKED_FOR_S)
    except signing.BadSignature:
        raise Http404 from None
    said = {
        "address": request.META["REMOTE_ADDR"],
        "scheme": request.scheme,
        "host": request.get_host(),
    }
    return JsonResponse(said)


def _by_hand(request: HttpRequest) -> HttpResponse | None:
    """Only this machine, as long as cookies go without TLS."""
    address = ipaddress.ip_address(request.META["REMOTE_ADDR"])
    if not address.is_loopback or any(header in request.META for header in _FORWARDED):
        return _told(_ONLY_HERE)
    return None


def _by_proxy(request: HttpRequest) -> HttpResponse | None:
    meta, origin = request.META, urlsplit(settings.PORTERO_CONSOLE_URL)
    peer, chain = meta["REMOTE_ADDR"], meta.pop(_FOR, None)
    scheme = meta.pop(_PROTO, None)
    for header in _FORWARDED:
        meta.pop(header, None)
    if request.path == HEALTH:  # through the proxy it is the gateway's
        return None if chain is None and scheme is None else _told("not found\n", status=404)
    if not settings.PORTERO_PROXIES.is_one(peer):
        return _told(f"The console answers at {settings.PORTERO_CONSOLE_URL}\n")
    if chain is None or scheme != "https":
        return _told(
            "The proxy before the console must say X-Forwarded-Proto: https, and the client's"
            " address in X-Forwarded-For.\n"
        )
    if split_domain_port(meta.get("HTTP_HOST", ""))[0] != origin.hostname:
        return _told(f"The console answers at {settings.PORTERO_CONSOLE_URL}\n", status=421)
    meta["REMOTE_ADDR"] = str(settings.PORTERO_PROXIES.client(peer, [chain.encode("latin-1")]))
    meta["wsgi.url_scheme"] = origin.scheme
    meta["HTTP_HOST"] = origin.netloc
    return None


def _told(sentence: str, status: int = 403) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain")
