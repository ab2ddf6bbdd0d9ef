"""The few questions Meta asks of every parameter, with its way of complaining."""

from collections.abc import Sized
from typing import Any

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.objects import Json

_TOO_LONG = "{what} length invalid. Min length: {low}, Max length: {high}"


def an_object(value: Any, name: str) -> Json:
    """`value` as a JSON object; absent is a missing parameter."""
    if value is None:
        raise missing_member(name)
    if not isinstance(value, dict):
        raise meta_error(100, message=f"(#100) Param {name} must be a JSON object.")
    return value


def a_list(value: Any, name: str) -> list[Any]:
    """`value` as a JSON array; absent is a missing parameter."""
    if value is None:
        raise missing_member(name)
    if not isinstance(value, list):
        raise meta_error(100, message=f"(#100) Param {name} must be an array.")
    return value


def a_text(source: Json, key: str, name: str, *, high: int, low: int = 1) -> str:
    """The string `source[key]` of `low` to `high` characters."""
    value = source.get(key)
    if value is None or (value == "" and low):
        raise missing_member(f"{name}['{key}']")
    if not isinstance(value, str):
        raise meta_error(100, message=f"(#100) Param {name}['{key}'] must be a string.")
    a_length(value, f"{name}['{key}']", low=low, high=high)
    return value


def an_optional_text(source: Json, key: str, name: str, *, high: int) -> str | None:
    """The string `source[key]` of at most `high` characters, or None when absent."""
    return a_text(source, key, name, high=high, low=0) if source.get(key) is not None else None


def a_length(value: Sized, what: str, *, low: int, high: int) -> None:
    """`value` has `low` to `high` characters or items."""
    if not low <= len(value) <= high:
        raise invalid(_TOO_LONG.format(what=what, low=low, high=high))


def missing_member(name: str) -> GraphError:
    """Meta's complaint about an absent member of an object."""
    details = f"Parameter '{name}' is mandatory"
    return meta_error(131008, details=details)


def invalid(details: str) -> GraphError:
    """Meta's complaint about a value it understands and does not take."""
    return meta_error(131009, details=details)
