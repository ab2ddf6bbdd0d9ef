"""A workspace's policy in Cedar's words, for whoever wants to check or analyse it with Cedar's tools.

Written so that evaluation cannot fail: in Cedar a policy that fails is skipped, and a `forbid` that
is skipped allows. Every attribute that may be absent is asked for with `has` first.

What only the recording transaction can know (limits, windows, consent, a second person) has no
counterpart in Cedar and is left out; `docs/how-to/cedar.md` says what becomes what.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from portero.engine import (
    ENTER_CONSOLE,
    ENTER_GATEWAY,
    ENTRIES,
    PERMISSIONS,
    Binding,
    Conditions,
    Credential,
    Guardrail,
    GuardrailKind,
    Hours,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
    Scope,
)
from portero.engine.networks import Network, parse_network

Entity = dict[str, Any]
"""One entity in Cedar's JSON form."""

_FIXED = """\
@id("known")
forbid (principal, action, resource)
unless { principal has active && principal.active };

@id("owner")
permit (principal, action, resource)
when { principal has owner && principal.owner && principal.kind == "person" }
unless { action in [Action::"console:enter", Action::"gateway:enter"] };

@id("member/person")
permit (principal, action == Action::"console:enter", resource)
when { principal has kind && principal.kind == "person" };

@id("member/service_account")
permit (principal, action == Action::"gateway:enter", resource)
when { principal has kind && principal.kind == "service_account" };

@id("key")
forbid (principal, action, resource)
when { context has key }
unless { principal has keys && principal.keys.contains(context.key) };
"""

_SCHEMA = """\
entity Team;
entity Key;
entity Principal in [Team] = {
  kind: String,
  active: Bool,
  owner: Bool,
  teams: Set<Team>,
  roles: Set<String>,
  keys: Set<Key>,
};
entity Resource = {
  waba?: String,
  number?: String,
  team?: Team,
  country?: String,
  integration?: String,
  bot?: String,
  labels?: Set<String>,
  template_sets?: Set<String>,
  participants: Set<Principal>,
  owner?: Principal,
  contents?: String,
};
type Circumstances = {
  now: datetime,
  weekday: Long,
  minute: Long,
  address?: ipaddr,
  factor_at?: datetime,
  passkey_at?: datetime,
  key?: Key,
};
"""

_SINGLE = {
    "wabas": "waba",
    "numbers": "number",
    "teams": "team",
    "countries": "country",
    "integrations": "integration",
    "bots": "bot",
}
_MANY = {"labels": "labels", "template_sets": "template_sets"}
"""Field of `Scope` → attribute of the resource, of which it has one value or several."""

_NEVER = "false"


@dataclass(frozen=True, slots=True)
class Export:
    """Three documents that belong together."""

    policies: str
    schema: str
    """In Cedar's own syntax."""
    entities: tuple[Entity, ...]
    """The principals. A request brings the resource it is about."""


def export(policy: Policy) -> Export:
    """Translate a policy. A request of several checks becomes several, all of which must allow."""
    statements = [_heading(policy), _FIXED, *_bindings(policy)]
    statements += [text for rule in _sorted(policy.guardrails) for text in _guardrail(rule)]
    roles = {role.id: role for role in policy.roles}
    statements += [text for key in _sorted(policy.credentials) for text in _key(key, roles)]
    return Export("\n".join(statements), schema(), tuple(_entities(policy)))


@cache
def schema() -> str:
    """Write the types, and one action for each permission, grouped as `resource:*`."""
    known = [*PERMISSIONS, *ENTRIES]
    groups = sorted({_group(permission) for permission in known})
    declared = [f"action {text(group)};" for group in groups]
    declared += [
        f"action {text(permission)} in [{text(_group(permission))}]"
        " appliesTo { principal: Principal, resource: Resource, context: Circumstances };"
        for permission in known
    ]
    return "\n".join([_SCHEMA, *declared, ""])


def text(value: str) -> str:
    """Write a string literal; what does not print is escaped."""
    return f'"{"".join(map(_escaped, value))}"'


def entity_id(kind: str, id_: str) -> dict[str, str]:
    """Name an entity as Cedar's JSON does."""
    return {"type": kind, "id": id_}


def moment(at: float, *, earliest: bool = False) -> str:
    """Write epoch seconds as Cedar's datetime: the last millisecond that is not after it.

    With `earliest`, the first that is not before it. Rounded so that no rule gives more.
    """
    milliseconds = math.ceil(at * 1000) if earliest else math.floor(at * 1000)
    found = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"


def _group(permission: str) -> str:
    return permission.partition(":")[0] + ":*"


def _sorted(rules: Iterable[Any]) -> list[Any]:
    return sorted(rules, key=lambda rule: rule.id)


def _heading(policy: Policy) -> str:
    demands = sum(rule.kind in _OBLIGATIONS for rule in policy.guardrails)
    return (
        f"// Version {policy.version} of the policy of workspace {text(policy.workspace)}.\n"
        f"// Not here, because Cedar cannot count or wait: {len(policy.limits)} limits,"
        f" {demands} guardrails that demand a window, consent or a second person.\n"
    )


_ENTERING = {
    ENTER_CONSOLE: PrincipalKind.PERSON,
    ENTER_GATEWAY: PrincipalKind.SERVICE_ACCOUNT,
}
_OBLIGATIONS = frozenset(
    {
        GuardrailKind.REQUIRE_WINDOW,
        GuardrailKind.REQUIRE_CONSENT,
        GuardrailKind.REQUIRE_SECOND_PERSON,
    }
)


# Principals


def _entities(policy: Policy) -> Iterator[Entity]:
    teams = {p.id for p in policy.principals if p.kind is PrincipalKind.TEAM}
    giving = {p.id for p in policy.principals if p.id in teams and p.active}
    roles = defaultdict(set)
    for binding in policy.bindings:
        roles[binding.principal].add(binding.role)
    keys = defaultdict(list)
    for credential in policy.credentials:
        if credential.active:
            keys[credential.principal].append(credential.id)
    for principal in _sorted(policy.principals):
        # Who is a member of a team that was retired is still named by rules about that team, but
        # the team gives nothing: the attribute tells the one, the hierarchy the other.
        parents = (principal.teams & giving) | ({principal.id} & teams)
        yield {
            "uid": entity_id("Principal", principal.id),
            "attrs": _attributes(
                principal,
                keys[principal.id],
                {role for holder in (principal.id, *parents) for role in roles[holder]},
            ),
            "parents": _ids("Team", parents),
        }


def _attributes(principal: Principal, keys: Iterable[str], roles: Iterable[str]) -> dict[str, Any]:
    return {
        "kind": str(principal.kind),
        "active": principal.active,
        "owner": principal.owner,
        "teams": _ids("Team", principal.teams),
        "roles": sorted(roles),
        "keys": _ids("Key", keys),
    }


def _ids(kind: str, ids: Iterable[str]) -> list[dict[str, str]]:
    return [entity_id(kind, id_) for id_ in sorted(ids)]


# Rules


def _bindings(policy: Policy) -> Iterator[str]:
    """Write each binding as one `permit` for every reach that its role has."""
    roles = {role.id: role for role in policy.roles}
    principals = {principal.id: principal for principal in policy.principals}
    for binding in _sorted(policy.bindings):
        role, holder = roles.get(binding.role), principals.get(binding.principal)
        if role is None or holder is None:
            continue  # who or what is unknown gives nothing
        for reach, permissions in sorted(_by_reach(role).items()):
            yield _statement(
                "permit",
                {
                    "id": f"binding/{binding.id}/{reach.name.lower()}",
                    "role": role.name,
                    "holder": holder.name,
                    "reason": binding.reason,
                },
                _holder(holder),
                permissions,
                when=[*_inside(binding.scope), *_within(reach), *_binding_moments(binding)],
            )


def _holder(holder: Principal) -> str:
    if holder.kind is PrincipalKind.TEAM:
        return f"principal in {_name('Team', holder.id)}"
    return f"principal == {_name('Principal', holder.id)}"


def _by_reach(role: Role) -> Mapping[Reach, list[str]]:
    """Group what a role gives; where nothing has an owner a reach below `all` gives nothing."""
    found = defaultdict(list)
    for permission, reach in sorted(role.cells.items()):
        spec = PERMISSIONS.get(permission)
        if spec is not None and reach > Reach.NONE and (spec.ownable or reach is Reach.ALL):
            found[reach].append(permission)
    return found


def _binding_moments(binding: Binding) -> Iterator[str]:
    yield from _circumstances(binding.conditions)
    if binding.since is not None:
        yield f'context.now >= datetime("{moment(binding.since, earliest=True)}")'
    if binding.until is not None:
        yield _before(binding.until)


def _guardrail(rule: Guardrail) -> Iterator[str]:
    if rule.kind in _OBLIGATIONS:
        return
    for permissions, whose in _about(rule.permissions):
        yield _statement(
            "forbid",
            {"id": f"guardrail/{rule.id}", "name": rule.name, "kind": str(rule.kind)},
            "principal",
            permissions,
            when=[*whose, *_concerned(rule.principals), *_perhaps_inside(rule.scope)],
            unless=_sparing(rule),
        )


def _about(patterns: Iterable[str]) -> Iterator[tuple[list[str], list[str]]]:
    """What a guardrail forbids, and to whom: an entry stands for all that its kind does."""
    known = [pattern for pattern in patterns if _exists(pattern)]
    if known:
        yield known, []
    for entry, kind in _ENTERING.items():
        if {entry, _group(entry)}.intersection(known):
            yield [], [f'principal has kind && principal.kind == "{kind}"']


def _exists(pattern: str) -> bool:
    return any(pattern in (known, _group(known)) for known in (*PERMISSIONS, *ENTRIES))


def _concerned(principals: frozenset[str] | None) -> Iterator[str]:
    if principals is None:
        return
    if not principals:
        yield _NEVER
        return
    themselves = f"{_set('Principal', principals)}.contains(principal)"
    members = f"principal has teams && principal.teams.containsAny({_set('Team', principals)})"
    given = f"principal has roles && principal.roles.containsAny({_set(None, principals)})"
    yield f"({themselves} || {members} || {given})"


def _sparing(rule: Guardrail) -> list[str]:
    """What spares a request; nothing at all where the parameter is missing."""
    match rule.kind:
        case GuardrailKind.TEMPLATES_ONLY:
            return ['resource has contents && resource.contents == "template"']
        case GuardrailKind.HOURS if rule.hours is not None:
            return [_open(rule.hours)]
        case GuardrailKind.NETWORKS if rule.networks is not None:
            return [_from(rule.networks)]
        case GuardrailKind.REQUIRE_FRESH_FACTOR if rule.fresh_factor_s is not None:
            return [_fresh(rule.fresh_factor_s)]
        case GuardrailKind.REQUIRE_PASSKEY:
            return ["context has passkey_at"]
        case _:
            return []


def _key(key: Credential, roles: Mapping[str, Role]) -> Iterator[str]:
    """Write what a key takes away from what its account may; whose it is stands with the account."""
    narrowed = [
        *([_of_role(roles.get(key.role))] if key.role is not None else []),
        *([_of_these(key.permissions)] if key.permissions is not None else []),
        *_inside(key.scope),
        *_circumstances(key.conditions),
    ]
    unless = [
        *([_any([f"action in {_set('Action', ENTRIES)}", _all(narrowed)])] if narrowed else []),
        *([_before(key.until)] if key.until is not None else []),
    ]
    if unless:
        used = f"context has key && context.key == {_name('Key', key.id)}"
        yield _statement(
            "forbid", {"id": f"key/{key.id}"}, "principal", (), when=[used], unless=unless
        )


def _of_these(permissions: frozenset[str]) -> str:
    return f"action in {_set('Action', permissions)}" if permissions else _NEVER


def _of_role(role: Role | None) -> str:
    cells = _by_reach(role) if role is not None else {}
    return _any(
        _all([f"action in {_set('Action', permissions)}", *_within(reach)])
        for reach, permissions in sorted(cells.items())
    )


# Conditions


def _inside(scope: Scope) -> Iterator[str]:
    """What is absent is not inside, and an empty set is nowhere."""
    for attribute, test in _tests(scope):
        yield _NEVER if test is None else f"resource has {attribute} && {test}"


def _perhaps_inside(scope: Scope) -> Iterator[str]:
    """As `_inside`, but what is absent may be there."""
    for attribute, test in _tests(scope):
        known = f"resource has {attribute}"
        yield _NEVER if test is None else f"(if {known} then {test} else true)"


def _tests(scope: Scope) -> Iterator[tuple[str, str | None]]:
    """Yield the attributes that a scope restricts, each with its test; None = nothing passes."""
    for field, attribute in (_SINGLE | _MANY).items():
        wanted = getattr(scope, field)
        if wanted is None:
            continue
        values = _set("Team" if field == "teams" else None, wanted)
        if field in _SINGLE:
            test = f"{values}.contains(resource.{attribute})"
        else:
            test = f"resource.{attribute}.containsAny({values})"
        yield attribute, test if wanted else None


_MINE = (
    "resource has owner && resource.owner == principal || resource.participants.contains(principal)"
)
_OF_MY_TEAMS = "resource has team && principal has teams && principal.teams.contains(resource.team)"


def _within(reach: Reach) -> list[str]:
    match reach:
        case Reach.OWN:
            return [f"({_MINE})"]
        case Reach.QUEUE:
            return [f"({_MINE} || {_OF_MY_TEAMS} && !(resource has owner))"]
        case Reach.TEAM:
            return [f"({_MINE} || {_OF_MY_TEAMS})"]
        case _:
            return []


def _circumstances(conditions: Conditions) -> Iterator[str]:
    if conditions.hours is not None:
        yield _open(conditions.hours)
    if conditions.networks is not None:
        yield _from(conditions.networks)
    if conditions.fresh_factor_s is not None:
        yield _fresh(conditions.fresh_factor_s)


def _open(windows: Iterable[Hours]) -> str:
    return _any(part for window in windows for part in _parts(window))


def _parts(window: Hours) -> Iterator[str]:
    """A window that passes midnight is the rest of its days and the beginning of the next ones."""
    if not window.days:
        return
    if window.start < window.end:
        yield _all([_on(window.days), f"context.minute >= {window.start}", _until(window.end)])
        return
    yield _all([_on(window.days), f"context.minute >= {window.start}"])
    yield _all([_on((day + 1) % 7 for day in window.days), _until(window.end)])


def _on(days: Iterable[int]) -> str:
    return f"{sorted(days)}.contains(context.weekday)"


def _until(minute: int) -> str:
    return f"context.minute < {minute}"


def _from(networks: Iterable[str]) -> str:
    """Written anew from what the engine reads, so that no text of a rule gets into a policy."""
    ranges = [_range(n) for n in map(parse_network, networks) if n is not None]
    inside = _any(f'context.address.isInRange(ip("{one}"))' for one in ranges)
    return f"context has address && {inside}"


def _range(network: Network) -> IPv4Network | IPv6Network:
    prefix = network.mask.bit_count()
    return (IPv4Network if network.version == 4 else IPv6Network)((network.base, prefix))


def _fresh(seconds: int) -> str:
    age = "context.now.durationSince(context.factor_at)"
    return f'context has factor_at && {age} <= duration("{seconds}s")'


def _before(until: float) -> str:
    return f'context.now < datetime("{moment(until)}")'


# Syntax


def _statement(
    effect: str,
    annotations: Mapping[str, str],
    principal: str,
    permissions: Sequence[str],
    when: Iterable[str] = (),
    unless: Iterable[str] = (),
) -> str:
    """Write one policy; without permissions it is about all of them."""
    action = f"action in {_set('Action', permissions)}" if permissions else "action"
    lines = [f"@{name}({text(value)})" for name, value in annotations.items() if value]
    lines.append(f"{effect} ({principal}, {action}, resource)")
    for clause, conditions in (("when", when), ("unless", unless)):
        together = _all(conditions)
        if together:
            lines.append(f"{clause} {{ {together} }}")
    return "\n".join(lines) + ";\n"


def _set(kind: str | None, values: Iterable[str]) -> str:
    written = (_name(kind, value) if kind is not None else text(value) for value in sorted(values))
    return f"[{', '.join(written)}]"


def _name(kind: str, id_: str) -> str:
    return f"{kind}::{text(id_)}"


def _all(conditions: Iterable[str]) -> str:
    return " && ".join(conditions)


def _any(conditions: Iterable[str]) -> str:
    """Join alternatives; without any nothing passes."""
    joined = " || ".join(conditions)
    return f"({joined})" if joined else _NEVER
