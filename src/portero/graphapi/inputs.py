"""What a request says, by name, wherever it says it: query, form, JSON or multipart."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from portero.graphapi import forms, strict_json
from portero.graphapi.refusals import malformed
from portero.graphapi.shapes import Found, Shape

TOKEN_PARAMETERS: Final = ("access_token", "appsecret_proof")
"""Where clients put a credential, read by the gateway before parsing; never part of a call."""

GRAPH_WIDE_PARAMETERS: Final = frozenset(
    {
        "_method",
        "batch",
        "callback",
        "debug",
        "fb_api_caller_class",
        "format",
        "id",
        "ids",
        "include_headers",
        "locale",
        "metadata",
        "method",
        "pretty",
        "relative_url",
        "return_ssl_resources",
        "suppress_http_code",
        "suppress_http_warning",
        "transport",
    }
)
"""Parameters that Graph takes on every path and that change what a request means: refused."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Input:
    """One value: text from a query or a form, or a JSON value."""

    value: object
    is_text: bool

    def read(self, shape: Shape, place: str, found: Found) -> object:
        """The typed value.

        Raises:
            GraphError: malformed: it does not fit the shape.
        """
        if self.is_text:
            return shape.read_text(str(self.value), place, found)
        return shape.read(self.value, place, found)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a request says, the query apart from the body."""

    query: Mapping[str, Input]
    body: Mapping[str, Input]
    form: bool

    def of(self, name: str) -> list[Input]:
        """The values of a name, one per place that has it."""
        if name not in self.query:
            return [self.body[name]] if name in self.body else []
        return [self.query[name], self.body[name]] if name in self.body else [self.query[name]]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, once, in the order of the request."""
        return tuple(dict.fromkeys((*self.query, *self.body)))


def read_inputs(
    query: bytes, content_type: str | None, body: bytes | None, fields: Mapping[str, str] | None
) -> Inputs:
    """The inputs of a request; `fields` are the text fields of a multipart body.

    Raises:
        GraphError: malformed: a place cannot be read, or says something that Graph takes on every
            path and that no operation has.
    """
    in_query = _texts(forms.parse(query))
    in_body, form = _body(content_type, body, fields)
    for name in (*in_query, *in_body):
        if name in GRAPH_WIDE_PARAMETERS:
            raise malformed(f"Parameter '{name}' is not offered.")
    return Inputs(in_query, in_body, form)


def _texts(given: Mapping[str, str]) -> dict[str, Input]:
    return {
        name: Input(text, is_text=True)
        for name, text in given.items()
        if name not in TOKEN_PARAMETERS
    }


def _body(
    content_type: str | None, body: bytes | None, fields: Mapping[str, str] | None
) -> tuple[dict[str, Input], bool]:
    if fields is not None:
        return _texts(fields), True
    if not body:
        return {}, False
    if is_json(content_type):
        return _json(body), False
    if media_type(content_type) == _FORM:
        return _texts(forms.parse(body)), True
    raise malformed(f"The body must be {_JSON} or {_FORM}.")


def is_json(content_type: str | None) -> bool:
    """Whether a body of this type is read as JSON."""
    return media_type(content_type) == _JSON


@lru_cache(maxsize=64)
def media_type(content_type: str | None) -> str:
    """The type without its parameters, in lower case; empty where there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _json(body: bytes) -> dict[str, Input]:
    value = strict_json.loads(body)
    if not isinstance(value, dict):
        raise malformed("The body must be a JSON object.")
    return {name: Input(part, is_text=False) for name, part in value.items() if part is not None}
