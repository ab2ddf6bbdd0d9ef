"""A request as Graph reads it: leniently, from wherever a client puts its parameters.

This reading shares nothing with the gateway's on purpose. Where the two differ, a differential
test has something to find.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.objects import Json

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
_PARAMETERS_MAX = 1_000
_OVERRIDABLE = ("GET", "POST", "DELETE")
_TRUE, _FALSE = ("true", "1"), ("false", "0", "")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file part of a multipart body."""

    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class GraphRequest:
    """One call: where it goes and what it says, body before query where both name a parameter."""

    method: str
    version: str | None
    segments: tuple[str, ...]
    params: Json
    headers: dict[str, str]
    base_url: str
    body: bytes = b""
    files: dict[str, UploadedFile] = field(default_factory=dict)

    @property
    def token(self) -> str | None:
        """The token, from the header or from a parameter."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("bearer", "oauth") and value.strip():
            return value.strip()
        parameter = self.params.get("access_token")
        return parameter if isinstance(parameter, str) and parameter else None

    def text(self, name: str) -> str | None:
        """A parameter as text; numbers are printed, anything else is a bad parameter."""
        value = self.params.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise meta_error(100, details=f"Param {name} must be a string.")

    def needed(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.text(name)
        if not value:
            raise required(name)
        return value

    def need_whatsapp(self) -> None:
        """`messaging_product` names the one product there is."""
        if self.params.get("messaging_product") != "whatsapp":
            raise required("messaging_product")

    def number(self, name: str, default: int) -> int:
        """A parameter as a whole number, which may travel as text."""
        value = self.params.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise meta_error(100, details=f"Param {name} must be an integer.") from error

    def flag(self, name: str) -> bool | None:
        """A parameter as a boolean, which may travel as text; None when absent."""
        value = self.params.get(name)
        if value is None or isinstance(value, bool):
            return value
        if str(value).lower() in _TRUE + _FALSE:
            return str(value).lower() in _TRUE
        raise meta_error(100, details=f"Param {name} must be a boolean.")

    def listed(self, name: str) -> list[Any]:
        """A parameter as a list: a JSON array, an array written as text, or text with commas."""
        value = self.params.get(name)
        value = _loosened(value) if isinstance(value, str) else value
        if value is None or isinstance(value, list):
            return value or []
        return [part.strip(" '\"") for part in str(value).strip("[]").split(",") if part.strip()]


def required(name: str) -> GraphError:
    """Graph's complaint about an absent parameter."""
    return meta_error(100, message=f"(#100) The parameter {name} is required.")


def read_request(
    *, method: str, path: str, query: str, headers: dict[str, str], body: bytes, base_url: str
) -> GraphRequest:
    """Read a call. Raises `GraphError` when the body is not what its content type says."""
    version, segments = split_path(path)
    params = _pairs(query)
    files: dict[str, UploadedFile] = {}
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        form, files = _multipart(headers, body)
        params |= form
    elif body and not _is_upload_session(segments):
        params |= _body_params(content_type, body)
    override = str(params.pop("method", params.pop("_method", ""))).upper()
    return GraphRequest(
        method=override if override in _OVERRIDABLE else method,
        version=version,
        segments=segments,
        params=params,
        headers=headers,
        base_url=base_url,
        body=body,
        files=files,
    )


def split_path(path: str) -> tuple[str | None, tuple[str, ...]]:
    """Version, or None, and the segments; doubled and trailing slashes do not count."""
    segments = tuple(part for part in path.split("/") if part)
    if segments and _VERSION.fullmatch(segments[0]):
        return segments[0], segments[1:]
    return None, segments


def _is_upload_session(segments: tuple[str, ...]) -> bool:
    return len(segments) == 1 and segments[0].startswith("upload:")  # its body is the file itself


def _body_params(content_type: str, body: bytes) -> Json:
    if content_type.startswith("application/x-www-form-urlencoded"):
        return _pairs(body.decode("utf-8", "replace"))
    try:
        value = read_json(body)
    except ValueError as error:
        if content_type.startswith("application/json"):
            raise meta_error(100, details="The request body is not valid JSON.") from error
        return {}
    if not isinstance(value, dict):
        raise meta_error(100, details="The request body must be a JSON object.")
    return value


def _pairs(encoded: str) -> Json:
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX)
    except ValueError as error:
        details = f"A request has at most {_PARAMETERS_MAX} parameters."
        raise meta_error(100, details=details) from error
    return {name: _loosened(value) for name, value in pairs}


def _loosened(value: str) -> Any:
    """Form and query values may be JSON objects or arrays written as text."""
    if not value.startswith(("{", "[")):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value


def read_json(text: str | bytes) -> Any:
    """What a JSON text says, without the numbers that only Python takes for JSON.

    Raises:
        ValueError: it is no JSON, or nested beyond any use.
    """
    try:
        return json.loads(text, parse_constant=_not_a_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _multipart(headers: dict[str, str], body: bytes) -> tuple[Json, dict[str, UploadedFile]]:
    params: Json = {}
    files: dict[str, UploadedFile] = {}

    def on_field(part: Field) -> None:
        params[_decoded(part.field_name)] = _loosened(_decoded(part.value))

    def on_file(part: File) -> None:
        part.file_object.seek(0)
        files[_decoded(part.field_name)] = UploadedFile(
            name=_decoded(part.file_name),
            content_type=part.content_type or "application/octet-stream",
            content=part.file_object.read(),
        )
        part.close()

    try:
        kind = {"Content-Type": headers["content-type"].encode("latin-1")}
        parser = create_form_parser(kind, on_field, on_file, {"MAX_MEMORY_FILE_SIZE": len(body)})
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise meta_error(100, details="The multipart body cannot be read.") from error
    return params, files


def _decoded(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
