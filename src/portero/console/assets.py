"""Styles, icons and scripts, at addresses that change with their content."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

_SCRIPT = "text/javascript; charset=utf-8"
_TYPES: Mapping[str, str] = {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "webauthn-json.js": _SCRIPT,
    "webauthn.js": _SCRIPT,
    "onload.js": _SCRIPT,
    "htmx.js": _SCRIPT,
    "matrix.js": _SCRIPT,
    "palette.js": _SCRIPT,
    "shut.js": _SCRIPT,
    "copy.js": _SCRIPT,
    "live.js": _SCRIPT,
}
_FROM_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "webauthn-json.js": ("allauth.mfa", "static", "mfa", "js", "webauthn-json.js"),
    "webauthn.js": ("allauth.mfa", "static", "mfa", "js", "webauthn.js"),
    "onload.js": ("allauth.account", "static", "account", "js", "onload.js"),
    "htmx.js": ("django_htmx", "static", "django_htmx", "htmx-2.min.js"),
}


@require_safe
def asset(_request: HttpRequest, digest: str, name: str) -> HttpResponse:
    if digest != current() or name not in _TYPES:
        raise Http404
    answer = HttpResponse(_all()[name], content_type=_TYPES[name])
    # The address changes with the content, so a browser may keep it for good.
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


@cache
def current() -> str:
    """The digest that stands in the addresses now."""
    return sha256(b"".join(_all().values())).hexdigest()[:16]


def text(name: str) -> str:
    """An asset as it is written, for a page that cannot ask for it."""
    return _all()[name].decode()


@cache
def _all() -> dict[str, bytes]:
    return {name: _read(name) for name in _TYPES}


def _read(name: str) -> bytes:
    package, *path = _FROM_ELSEWHERE.get(name, ("portero.console", "static", name))
    return files(package).joinpath(*path).read_bytes()
