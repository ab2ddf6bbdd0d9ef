"""The decision a third time: by Cedar, from an exported policy and a request in Cedar's words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import cedarpy

from engine.generate import Request
from portero.engine import (
    ENTRIES,
    MEMBERSHIP,
    OWNERSHIP,
    PERMISSIONS,
    Check,
    Context,
    Policy,
    Resource,
)
from portero.project import cedar

KNOWN = {*PERMISSIONS, *ENTRIES}
SETS = ("labels", "template_sets")
BINDING, GUARDRAIL, MEMBER = "binding/", "guardrail/", "member/"


class EvaluationFailed(AssertionError):
    """Cedar skips a policy that fails: whatever it then answers proves nothing."""


@dataclass(frozen=True)
class Answer:
    """What Cedar says to all checks of a request."""

    allowed: bool
    because: frozenset[str]
    """Ids of the bindings that allow, or of the guardrails that deny the first refused check."""


@cache
def schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(cedar.schema())


def answers(policy: Policy, requests: Sequence[Request]) -> list[Answer]:
    """Ask Cedar all requests about one policy, in one batch."""
    export = cedar.export(policy)
    checks = [(asked, check) for asked in requests for check in asked.checks]
    resources = [resource(f"r{n}", check.resource) for n, (_, check) in enumerate(checks)]
    entities = cedarpy.Entities.from_json_str(json.dumps([*export.entities, *resources]), schema())
    known = [n for n, (_, check) in enumerate(checks) if check.permission in KNOWN]
    results = cedarpy.is_authorized_batch(
        [request(f"r{n}", *checks[n]) for n in known],
        cedarpy.PolicySet.from_str(export.policies),
        entities,
        schema(),
    )
    given = dict(zip(known, results, strict=True))
    each = iter([read(given[n]) if n in given else REFUSED for n in range(len(checks))])
    return [together([next(each) for _ in asked.checks]) for asked in requests]


REFUSED = Answer(allowed=False, because=frozenset())
"""Of a permission that the schema does not know, and of a request for nothing."""


def read(result: cedarpy.AuthzResult) -> Answer:
    if result.decision is cedarpy.Decision.NoDecision or result.diagnostics.errors:
        raise EvaluationFailed(result.diagnostics.errors)
    settled = frozenset(rules(result.diagnostics.id_annotations_by_reason.values()))
    # An owner needs no binding: the engine then names none, Cedar all.
    return Answer(result.allowed, settled & {OWNERSHIP} or settled)


def rules(settled: Iterable[str]) -> Iterator[str]:
    for name in settled:
        if name.startswith(BINDING):
            yield name.removeprefix(BINDING).rpartition("/")[0]
        elif name.startswith(MEMBER):
            yield MEMBERSHIP
        else:
            yield name.removeprefix(GUARDRAIL)


def together(each: Sequence[Answer]) -> Answer:
    refused = next((answer for answer in each if not answer.allowed), None)
    if refused is not None or not each:
        return refused or REFUSED
    return Answer(allowed=True, because=frozenset().union(*(answer.because for answer in each)))


def request(resource_id: str, asked: Request, check: Check) -> dict[str, Any]:
    return {
        "principal": cedar.entity_id("Principal", asked.principal),
        "action": cedar.entity_id("Action", check.permission),
        "resource": cedar.entity_id("Resource", resource_id),
        "context": context(asked.context, asked.credential),
    }


def context(measured: Context, credential: str | None) -> dict[str, Any]:
    written: dict[str, Any] = {
        "now": cedar.moment(measured.now),
        "weekday": measured.weekday,
        "minute": measured.minute,
    }
    address = normal(measured.address) if measured.address is not None else None
    if address is not None:
        written["address"] = address
    if measured.factor_at is not None:
        written["factor_at"] = cedar.moment(measured.factor_at)
    if measured.passkey_at is not None:
        written["passkey_at"] = cedar.moment(measured.passkey_at)
    if credential is not None:
        written["key"] = cedar.entity_id("Key", credential)
    return written


def normal(address: str) -> str | None:
    """Read an address as whoever asks Cedar must: it takes a mapped one for another machine."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def resource(id_: str, asked: Resource) -> cedar.Entity:
    values = {field.name: getattr(asked, field.name) for field in fields(asked)}
    attributes = {
        name: sorted(value) if name in SETS else value
        for name, value in values.items()
        if value is not None and name not in ("kind", "id", "audience")
    }
    attributes["participants"] = [cedar.entity_id("Principal", p) for p in asked.participants]
    for name, kind in (("owner", "Principal"), ("team", "Team")):
        if name in attributes:
            attributes[name] = cedar.entity_id(kind, attributes[name])
    return {"uid": cedar.entity_id("Resource", id_), "attrs": attributes, "parents": []}
