"""The decision a second time: slow, plain, written to be obviously right.

It takes nothing from the engine but data types and the catalogue, so that a fault in the engine's
reading of a scope, a window or an address cannot hide in both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from portero.engine import (
    PERMISSIONS,
    Binding,
    Check,
    Conditions,
    Context,
    Credential,
    Decision,
    Effect,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Obligation,
    ObligationKind,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Requirement,
    Resource,
    Role,
    Scope,
)

ORDER = [
    "outside_scope",
    "outside_reach",
    "outside_hours",
    "outside_network",
    "factor_needed",
    "binding_expired",
]


class Refused(Exception):
    def __init__(self, reason: str, because: Sequence[str] = ()) -> None:
        self.reason = reason
        self.because = tuple(sorted(because))


def decide(
    policy: Policy,
    principal_id: str,
    checks: Sequence[Check],
    context: Context,
    credential_id: str | None = None,
) -> Decision:
    try:
        principal = find_principal(policy, principal_id)
        credential = find_credential(policy, principal, credential_id, context)
        if not checks:
            raise Refused("unknown_permission")
        because: set[str] = set()
        for check in checks:
            because |= judge(policy, principal, credential, check, context)
    except Refused as refused:
        return Decision(Effect.DENY, refused.reason, refused.because, (), policy.version)
    obligations = takes(policy, principal, credential, checks, because)
    for check in checks:
        obligations |= requirements(policy, principal, check)
    ordered = sorted(obligations, key=lambda o: (o.kind, o.name, o.guardrail))
    return Decision(Effect.ALLOW, "allowed", tuple(sorted(because)), tuple(ordered), policy.version)


def find_principal(policy: Policy, principal_id: str) -> Principal:
    for principal in policy.principals:
        if principal.id == principal_id:
            if not principal.active:
                raise Refused("principal_inactive")
            return principal
    raise Refused("unknown_principal")


def find_credential(
    policy: Policy, principal: Principal, credential_id: str | None, context: Context
) -> Credential | None:
    if credential_id is None:
        return None
    for credential in policy.credentials:
        if credential.id == credential_id and credential.principal == principal.id:
            if not credential.active:
                raise Refused("credential_inactive")
            if credential.until is not None and context.now >= credential.until:
                raise Refused("credential_expired")
            return credential
    raise Refused("credential_inactive")


def judge(
    policy: Policy,
    principal: Principal,
    credential: Credential | None,
    check: Check,
    context: Context,
) -> set[str]:
    """The ids of the bindings that allow a check; raises Refused when it is not allowed."""
    entries = {"person": "console:enter", "service_account": "gateway:enter"}
    is_entry = check.permission in entries.values()
    if check.permission not in PERMISSIONS and not is_entry:
        raise Refused("unknown_permission")
    if not is_entry:
        allowing = bindings_that_allow(policy, principal, check, context)
    elif entries.get(principal.kind) == check.permission:
        allowing = {"member"}
    else:
        raise Refused("permission_missing")
    if credential is not None and not is_entry:
        failing = credential_failures(policy, principal, credential, check, context)
        if failing:
            raise Refused(failing[0])
    biting = [
        guardrail.id
        for guardrail in policy.guardrails
        if guardrail_concerns(policy, guardrail, principal, check)
        and guardrail_denies(guardrail, check.resource, context)
    ]
    if biting:
        raise Refused("blocked_by_guardrail", biting)
    return allowing


def bindings_that_allow(
    policy: Policy, principal: Principal, check: Check, context: Context
) -> set[str]:
    if principal.owner and principal.kind == PrincipalKind.PERSON:
        return {"owner"}
    allowing = set()
    near: list[list[str]] = []
    for binding in policy.bindings:
        if not binding_concerns(policy, binding, principal):
            continue
        reach = reach_of(policy, binding.role, check.permission)
        if reach == Reach.NONE:
            continue
        failing = (
            scope_failures(binding.scope, check.resource)
            + reach_failures(reach, principal, check.resource)
            + condition_failures(binding.conditions, context)
            + date_failures(binding, context)
        )
        if failing:
            near.append(failing)
        else:
            allowing.add(binding.id)
    if not allowing and not near:
        raise Refused("permission_missing")
    if not allowing:
        fewest = min(len(failing) for failing in near)
        firsts = [failing[0] for failing in near if len(failing) == fewest]
        raise Refused(min(firsts, key=ORDER.index))
    return allowing


def binding_concerns(policy: Policy, binding: Binding, principal: Principal) -> bool:
    if binding.principal == principal.id:
        return True
    for team in policy.principals:
        if team.id == binding.principal and team.id in principal.teams:
            return team.kind == PrincipalKind.TEAM and team.active
    return False


def reach_of(policy: Policy, role_id: str, permission: str) -> Reach:
    role: Role | None = None
    for candidate in policy.roles:
        if candidate.id == role_id:
            role = candidate
    if role is None or permission not in role.cells:
        return Reach.NONE
    reach = role.cells[permission]
    if not PERMISSIONS[permission].ownable and reach != Reach.ALL:
        return Reach.NONE
    return reach


def credential_failures(
    policy: Policy,
    principal: Principal,
    credential: Credential,
    check: Check,
    context: Context,
) -> list[str]:
    if credential.permissions is not None and check.permission not in credential.permissions:
        return ["permission_missing"]
    reach = Reach.ALL
    if credential.role is not None:
        reach = reach_of(policy, credential.role, check.permission)
    if reach == Reach.NONE:
        return ["permission_missing"]
    return (
        scope_failures(credential.scope, check.resource)
        + reach_failures(reach, principal, check.resource)
        + condition_failures(credential.conditions, context)
    )


def single_values(
    scope: Scope, resource: Resource
) -> list[tuple[frozenset[str] | None, str | None]]:
    return [
        (scope.wabas, resource.waba),
        (scope.numbers, resource.number),
        (scope.teams, resource.team),
        (scope.countries, resource.country),
        (scope.integrations, resource.integration),
        (scope.bots, resource.bot),
    ]


def many_values(
    scope: Scope, resource: Resource
) -> list[tuple[frozenset[str] | None, frozenset[str] | None]]:
    return [
        (scope.labels, resource.labels),
        (scope.template_sets, resource.template_sets),
    ]


def scope_failures(scope: Scope, resource: Resource) -> list[str]:
    failures = []
    for allowed, value in single_values(scope, resource):
        if allowed is not None and (value is None or value not in allowed):
            failures.append("outside_scope")
    for allowed, values in many_values(scope, resource):
        if allowed is not None and not [value for value in values or () if value in allowed]:
            failures.append("outside_scope")
    return failures


def reach_failures(reach: Reach, principal: Principal, resource: Resource) -> list[str]:
    mine = resource.owner == principal.id or principal.id in resource.participants
    of_my_teams = resource.team is not None and resource.team in principal.teams
    unassigned = resource.owner is None
    if reach == Reach.OWN:
        within = mine
    elif reach == Reach.QUEUE:
        within = mine or (of_my_teams and unassigned)
    elif reach == Reach.TEAM:
        within = mine or of_my_teams
    else:
        within = True
    return [] if within else ["outside_reach"]


def condition_failures(conditions: Conditions, context: Context) -> list[str]:
    failures = []
    if conditions.hours is not None and not inside_hours(conditions.hours, context):
        failures.append("outside_hours")
    if conditions.networks is not None and not inside_networks(conditions.networks, context):
        failures.append("outside_network")
    if conditions.fresh_factor_s is not None and not fresh(conditions.fresh_factor_s, context):
        failures.append("factor_needed")
    return failures


def date_failures(binding: Binding, context: Context) -> list[str]:
    failures = []
    if binding.since is not None and context.now < binding.since:
        failures.append("binding_expired")
    if binding.until is not None and context.now >= binding.until:
        failures.append("binding_expired")
    return failures


def inside_hours(windows: Sequence[Hours], context: Context) -> bool:
    """Walk the windows along a week of minutes, each from its start for as long as it lasts."""
    minute_of_week = context.weekday * 1440 + context.minute
    for window in windows:
        lasts = window.end - window.start
        if lasts <= 0:
            lasts += 1440
        for day in window.days:
            since_it_opened = (minute_of_week - (day * 1440 + window.start)) % 10080
            if since_it_opened < lasts:
                return True
    return False


def inside_networks(networks: Sequence[str], context: Context) -> bool:
    """Compare addresses as strings of bits, one prefix after the other."""
    if context.address is None:
        return False
    address = bits_of_address(context.address)
    if address is None:
        return False
    for network in networks:
        prefix = bits_of_network(network)
        if prefix is not None and address.startswith(prefix):
            return True
    return False


MAPPED = "0" * 80 + "1" * 16


def bits_of_address(text: str) -> str | None:
    """`4:` or `6:` and the bits."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 4:
        return "4:" + format(int(address), "032b")
    bits = format(int(address), "0128b")
    return "4:" + bits[96:] if bits.startswith(MAPPED) else "6:" + bits


def bits_of_network(text: str) -> str | None:
    if "%" in text:  # the network of one interface of one machine
        return None
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    first = network.network_address
    if network.version == 4:
        return "4:" + format(int(first), "032b")[: network.prefixlen]
    bits = format(int(first), "0128b")[: network.prefixlen]
    return "4:" + bits[96:] if bits.startswith(MAPPED) else "6:" + bits


def fresh(greatest_age: int, context: Context) -> bool:
    return context.factor_at is not None and context.now - context.factor_at <= greatest_age


def concerns(permissions: frozenset[str], permission: str) -> bool:
    resource, _ = permission.split(":")
    return permission in permissions or f"{resource}:*" in permissions


def guardrail_concerns(
    policy: Policy, guardrail: Guardrail, principal: Principal, check: Check
) -> bool:
    about = concerns(guardrail.permissions, check.permission)
    if principal.kind == PrincipalKind.PERSON:
        about = about or concerns(guardrail.permissions, "console:enter")
    if principal.kind == PrincipalKind.SERVICE_ACCOUNT:
        about = about or concerns(guardrail.permissions, "gateway:enter")
    if not about:
        return False
    if guardrail.principals is not None:
        named = {principal.id, *principal.teams}
        for binding in policy.bindings:
            if binding_concerns(policy, binding, principal):
                named.add(binding.role)
        if not [name for name in named if name in guardrail.principals]:
            return False
    for places, value in single_values(guardrail.scope, check.resource):
        if places is not None and len(places) == 0:
            return False
        if places is not None and value is not None and value not in places:
            return False
    for places, values in many_values(guardrail.scope, check.resource):
        if places is not None and len(places) == 0:
            return False
        if places is None or values is None:
            continue
        if not [value for value in values if value in places]:
            return False
    return True


def guardrail_denies(guardrail: Guardrail, resource: Resource, context: Context) -> bool:
    if guardrail.kind == GuardrailKind.DENY:
        return True
    if guardrail.kind == GuardrailKind.TEMPLATES_ONLY:
        return resource.contents != "template"
    if guardrail.kind == GuardrailKind.REQUIRE_FRESH_FACTOR:
        return guardrail.fresh_factor_s is None or not fresh(guardrail.fresh_factor_s, context)
    if guardrail.kind == GuardrailKind.NETWORKS:
        return guardrail.networks is None or not inside_networks(guardrail.networks, context)
    if guardrail.kind == GuardrailKind.HOURS:
        return guardrail.hours is None or not inside_hours(guardrail.hours, context)
    if guardrail.kind == GuardrailKind.REQUIRE_PASSKEY:
        return context.passkey_at is None
    return False


def requirements(policy: Policy, principal: Principal, check: Check) -> set[Obligation]:
    found = set()
    for guardrail in policy.guardrails:
        if not guardrail_concerns(policy, guardrail, principal, check):
            continue
        name: Requirement | None = None
        if guardrail.kind == GuardrailKind.REQUIRE_WINDOW:
            name = Requirement.WINDOW
        elif guardrail.kind == GuardrailKind.REQUIRE_CONSENT:
            name = Requirement.CONSENT
        elif guardrail.kind == GuardrailKind.REQUIRE_SECOND_PERSON:
            audience, threshold = check.resource.audience, guardrail.threshold
            if audience is None or threshold is None or audience > threshold:
                name = Requirement.SECOND_PERSON
        if name is not None:
            found.add(Obligation(ObligationKind.REQUIRE, name, guardrail.id))
    return found


def takes(
    policy: Policy,
    principal: Principal,
    credential: Credential | None,
    checks: Sequence[Check],
    because: set[str],
) -> set[Obligation]:
    found = set()
    for limit in policy.limits:
        asked = [
            check
            for check in checks
            if check.permission not in ("console:enter", "gateway:enter")
            and (limit.permissions is None or concerns(limit.permissions, check.permission))
        ]
        if asked and limit_holds(limit, principal, credential, because):
            found.add(Obligation(ObligationKind.TAKE, limit.id))
    return found


def limit_holds(
    limit: Limit, principal: Principal, credential: Credential | None, because: set[str]
) -> bool:
    if limit.holder_kind == HolderKind.KEY:
        return credential is not None and limit.holder in (credential.id, credential.counts_as)
    if limit.holder_kind == HolderKind.PRINCIPAL:
        return limit.holder == principal.id or limit.holder in principal.teams
    if limit.holder_kind == HolderKind.BINDING:
        return limit.holder in because
    return limit.holder == ""
