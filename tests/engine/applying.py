"""Carry out the changes that an explanation proposes, on policy and request, as a person would."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from engine.generate import Request
from portero.engine import (
    Binding,
    Change,
    ChangeKind,
    Credential,
    Policy,
    Reach,
    Role,
    RuleKind,
    Scope,
)

Bearer = TypeVar("Bearer", Binding, Credential)
SCOPES = {
    "waba": "wabas",
    "number": "numbers",
    "team": "teams",
    "label": "labels",
    "template_set": "template_sets",
    "country": "countries",
    "integration": "integrations",
    "bot": "bots",
}
CONDITIONS = {"hours": "hours", "network": "networks", "factor": "fresh_factor_s"}


@dataclass(frozen=True)
class Case:
    policy: Policy
    asked: Request


def apply(change: Change, case: Case) -> Case:
    match change.kind:
        case ChangeKind.GIVE_PERMISSION:
            return give(change, case)
        case ChangeKind.WIDEN_REACH:
            return widen_reach(change, case)
        case ChangeKind.WIDEN_SCOPE:
            return rewrite(change, case, lambda rule: widen_scope(change, rule))
        case ChangeKind.RENEW:
            return rewrite(change, case, lambda rule: replace(rule, until=None))
        case ChangeKind.LIFT_RESTRICTION if change.rule is not RuleKind.GUARDRAIL:
            return rewrite(change, case, lambda rule: lift(change, rule))
        case ChangeKind.LIFT_RESTRICTION | ChangeKind.ASK_GUARDRAIL_OWNER:
            return drop_guardrail(change, case)
        case ChangeKind.ACTIVATE_PRINCIPAL:
            return activate(change, case)
        case _:
            return Case(case.policy, ask_otherwise(change, case.asked))


def rewrite(change: Change, case: Case, edit: Callable[[Bearer], Bearer]) -> Case:
    kind = "bindings" if change.rule is RuleKind.BINDING else "credentials"
    rules = [edit(r) if r.id == change.id else r for r in getattr(case.policy, kind)]
    return Case(replace(case.policy, **{kind: tuple(rules)}), case.asked)


def widen_scope(change: Change, rule: Bearer) -> Bearer:
    field = SCOPES[change.dimension]
    wider = getattr(rule.scope, field) | {change.value}
    return replace(rule, scope=replace(rule.scope, **{field: wider}))


def lift(change: Change, rule: Bearer) -> Bearer:
    if change.dimension in SCOPES:
        return replace(rule, scope=replace(rule.scope, **{SCOPES[change.dimension]: None}))
    field = CONDITIONS[change.dimension]
    return replace(rule, conditions=replace(rule.conditions, **{field: None}))


def give(change: Change, case: Case) -> Case:
    policy = case.policy
    number = len(policy.roles)
    role = Role(f"new{number}", "New", {change.permission: Reach.ALL})
    if change.rule is RuleKind.PRINCIPAL:
        binding = Binding(f"new{number}", change.id, role.id, Scope())
        policy = replace(policy, bindings=(*policy.bindings, binding), roles=(*policy.roles, role))
        return Case(policy, case.asked)
    known = {r.id: r.cells for r in policy.roles}
    [credential] = [c for c in policy.credentials if c.id == change.id]
    kept = credential.permissions
    if kept is not None:
        case = rewrite(change, case, lambda c: replace(c, permissions=kept | {change.permission}))
        policy = case.policy
    if credential.role is None:
        return case
    role = replace(role, cells={**known.get(credential.role, {}), **role.cells})
    policy = replace(policy, roles=(*policy.roles, role))
    return rewrite(change, Case(policy, case.asked), lambda c: replace(c, role=role.id))


def widen_reach(change: Change, case: Case) -> Case:
    bearers = [*case.policy.bindings, *case.policy.credentials]
    [role_id] = [rule.role for rule in bearers if rule.id == change.id]
    roles = [
        replace(
            r, cells={**r.cells, change.permission: max(change.value, r.cells[change.permission])}
        )
        if r.id == role_id
        else r
        for r in case.policy.roles
    ]
    return Case(replace(case.policy, roles=tuple(roles)), case.asked)


def drop_guardrail(change: Change, case: Case) -> Case:
    kept = tuple(rule for rule in case.policy.guardrails if rule.id != change.id)
    return Case(replace(case.policy, guardrails=kept), case.asked)


def activate(change: Change, case: Case) -> Case:
    people = [replace(p, active=True) if p.id == change.id else p for p in case.policy.principals]
    return Case(replace(case.policy, principals=tuple(people)), case.asked)


def ask_otherwise(change: Change, asked: Request) -> Request:
    context = asked.context
    match change.kind:
        case ChangeKind.USE_TEMPLATE:
            checks = (
                replace(c, resource=replace(c.resource, contents="template")) for c in asked.checks
            )
            return replace(asked, checks=tuple(checks))
        case ChangeKind.USE_NETWORK:
            context = replace(context, address=address_in(change.value))
        case ChangeKind.CONFIRM_FACTOR:
            context = replace(context, factor_at=context.now)
        case ChangeKind.SHOW_PASSKEY:
            context = replace(context, passkey_at=context.now)
        case ChangeKind.WAIT_UNTIL if change.dimension == "hours":
            minutes = int(change.value - context.now // 60 * 60) // 60
            local = context.weekday * 1440 + context.minute + minutes
            weekday, minute = divmod(local % 10080, 1440)
            context = replace(context, weekday=weekday, minute=minute)
        case ChangeKind.WAIT_UNTIL:
            waited = change.value - context.now
            factor_at = context.factor_at and context.factor_at + waited
            context = replace(context, now=change.value, factor_at=factor_at)
        case _:
            raise AssertionError(change)
    return replace(asked, context=context)


def address_in(networks: Sequence[str]) -> str:
    return str(ipaddress.ip_network(networks[0]).network_address)
