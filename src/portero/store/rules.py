"""How the parts of a rule are written in jsonb columns, both ways.

Reading is strict: an unknown key or a wrong type raises MalformedRule, and whoever loads a policy
turns that into less, never into more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any

import orjson

from portero.engine import Conditions, Hours, Scope

DIMENSIONS = tuple(field.name for field in fields(Scope))
_CONDITIONS = {"hours", "networks", "fresh_factor_s"}
# A workspace has few different scopes and conditions, however many bindings.
_INTERNED = 4096


class MalformedRule(ValueError):
    """A stored rule that does not read as what it should be."""


@lru_cache(_INTERNED)
def read_scope(text: str | bytes) -> Scope:
    """Read `{"numbers": ["…"], "countries": ["MX"]}`; a dimension that is not there is open."""
    data = read_object(text, DIMENSIONS)
    return Scope(**{name: read_names(names) for name, names in data.items()})


@lru_cache(_INTERNED)
def read_conditions(text: str | bytes) -> Conditions:
    """Read `{"hours": [{"days": [0], "start": 540, "end": 1080}], "networks": […], "fresh_factor_s": 300}`."""
    data = read_object(text, _CONDITIONS)
    return Conditions(
        hours=read_hours(data["hours"]) if "hours" in data else None,
        networks=tuple(sorted(read_names(data["networks"]))) if "networks" in data else None,
        fresh_factor_s=read_integer(data["fresh_factor_s"]) if "fresh_factor_s" in data else None,
    )


def write_scope(scope: Scope) -> dict[str, list[str]]:
    chosen = {name: getattr(scope, name) for name in DIMENSIONS}
    return {name: sorted(values) for name, values in chosen.items() if values is not None}


def write_conditions(conditions: Conditions) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if conditions.hours is not None:
        written["hours"] = write_hours(conditions.hours)
    if conditions.networks is not None:
        written["networks"] = sorted(conditions.networks)
    if conditions.fresh_factor_s is not None:
        written["fresh_factor_s"] = conditions.fresh_factor_s
    return written


def write_hours(hours: Iterable[Hours]) -> list[dict[str, Any]]:
    return [{"days": sorted(one.days), "start": one.start, "end": one.end} for one in hours]


def read_object(text: str | bytes, keys: Iterable[str]) -> Mapping[str, Any]:
    data = orjson.loads(text)
    if not isinstance(data, dict) or not data.keys() <= set(keys):
        raise MalformedRule("not an object with known keys")
    return data


def read_names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise MalformedRule("not a list of texts")
    return frozenset(value)


def read_integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedRule("not a whole number")
    return value


def read_hours(value: object) -> tuple[Hours, ...]:
    if not isinstance(value, list):
        raise MalformedRule("not a list of hours")
    return tuple(_read_window(window) for window in value)


def _read_window(value: object) -> Hours:
    if not isinstance(value, dict) or value.keys() != {"days", "start", "end"}:
        raise MalformedRule("not a window of hours")
    days = value["days"]
    if not isinstance(days, list):
        raise MalformedRule("not a list of days")
    return Hours(
        days=frozenset(read_integer(day) for day in days),
        start=read_integer(value["start"]),
        end=read_integer(value["end"]),
    )
