"""The workload under everything a policy can say: dates, hours, networks, factors, guardrails, limits."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from portero.engine import (
    Binding,
    Conditions,
    Context,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Per,
    Policy,
    Scope,
)

NOW = Context(
    now=1_770_000_000.0, weekday=0, minute=600, address="10.1.2.3", factor_at=1_769_999_900.0
)
"""A Monday at ten, in the office, the second factor just shown."""

_DAY = 86_400.0
_WORKDAYS = frozenset(range(5))
_CONDITIONS = (
    Conditions(hours=(Hours(_WORKDAYS, 540, 1080),)),
    Conditions(hours=(Hours(frozenset(range(7)), 1320, 360), Hours(_WORKDAYS, 480, 720))),
    Conditions(networks=("10.0.0.0/8", "2001:db8::/32")),
    Conditions(networks=("192.0.2.0/24",)),
    Conditions(fresh_factor_s=300),
    Conditions(hours=(Hours(_WORKDAYS, 540, 1080),), networks=("10.0.0.0/8",), fresh_factor_s=300),
)
_ALWAYS = Conditions()
_EVERYTHING = frozenset({"send:*", "conversation:*", "contact:*", "template:*", "campaign:*"})


def full(policy: Policy, *, seed: int = 7) -> Policy:
    """Restrict half of the bindings by conditions, half by dates, and all by guardrails and limits."""
    random = Random(seed)
    return replace(
        policy,
        bindings=tuple(_restricted(random, binding) for binding in policy.bindings),
        guardrails=_GUARDRAILS,
        limits=_LIMITS,
    )


def _restricted(random: Random, binding: Binding) -> Binding:
    conditions = random.choice(_CONDITIONS) if random.random() < 0.5 else _ALWAYS
    since = NOW.now - random.randint(-2, 90) * _DAY if random.random() < 0.2 else None
    until = NOW.now + random.randint(-5, 355) * _DAY if random.random() < 0.5 else None
    return replace(binding, conditions=conditions, since=since, until=until)


_GUARDRAILS = (
    Guardrail("g1", "Office only", GuardrailKind.NETWORKS, _EVERYTHING, networks=("10.0.0.0/8",)),
    Guardrail(
        "g2", "No nights", GuardrailKind.HOURS, _EVERYTHING,
        hours=(Hours(frozenset(range(7)), 360, 1320),),
    ),
    Guardrail(
        "g3", "Fresh factor", GuardrailKind.REQUIRE_FRESH_FACTOR,
        frozenset({"contact:*", "campaign:*"}), fresh_factor_s=600,
    ),
    Guardrail(
        "g4", "Closed number", GuardrailKind.DENY, _EVERYTHING,
        scope=Scope(numbers=frozenset({"n19"})),
    ),
    Guardrail("g5", "Open window", GuardrailKind.REQUIRE_WINDOW, frozenset({"send:*"})),
)  # fmt: skip
_LIMITS = (
    Limit("l1", HolderKind.WORKSPACE, "", Metric.REQUESTS, Per.SECOND, 80),
    Limit("l2", HolderKind.WORKSPACE, "", Metric.MESSAGES, Per.DAY, 10_000, frozenset({"send:*"})),
)
