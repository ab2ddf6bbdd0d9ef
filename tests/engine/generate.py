"""Random policies and requests, from tiny alphabets so that rules really match.

Uniform values never meet an edge: times, minutes, addresses and attributes are therefore drawn
from the policy that is about to judge them, a step to either side of where its answer turns.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields, replace
from random import Random

from portero.engine import (
    Binding,
    Check,
    Conditions,
    Context,
    Credential,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Per,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
)

NOON = 1_770_000_000.0
OWNABLE = ["send:text", "send:template", "call:place"]
PERMISSIONS = [*OWNABLE, "template:read", "role:assign"]
ENTRIES = ["console:enter", "gateway:enter"]
PATTERNS = [*PERMISSIONS, "send:*", "template:*", "call:*", "send:nonsense"]
PEOPLE = ["ana", "beto", "carla"]
BOTS = ["bot", "crm"]
TEAMS = ["ventas", "soporte"]
ROLES = ["agent", "lead", "reader"]
KEYS = ["k1", "k2"]
VALUES = ["a", "b", "c"]
DIMENSIONS = [field.name for field in fields(Scope)]
NETWORKS = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "192.0.2.7/32",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
    "::/0",
    "0.0.0.0/0",
    "10.1.2.3/8",
    "nonsense",
]
ADDRESSES = ["203.0.113.9", "::ffff:10.1.0.1", "::ffff:192.0.2.7", "::1", "2001:db8::1", "10.1", ""]


@dataclass(frozen=True)
class Request:
    principal: str
    checks: tuple[Check, ...]
    context: Context
    credential: str | None


def policy(random: Random, version: int) -> Policy:
    bindings = [binding(random, f"b{n}") for n in range(random.choice([0, 3, 6, 9, 9]))]
    holders = [(HolderKind.WORKSPACE, ""), *((HolderKind.BINDING, b.id) for b in bindings)]
    holders += [(HolderKind.PRINCIPAL, name) for name in PEOPLE + BOTS + TEAMS]
    holders += [(HolderKind.KEY, name) for name in KEYS * 6]
    return Policy(
        workspace="w",
        version=version,
        principals=tuple(principal(random, name) for name in PEOPLE + BOTS + TEAMS),
        roles=tuple(role(random, name) for name in ROLES),
        bindings=tuple(bindings),
        guardrails=tuple(guardrail(random, f"g{n}") for n in range(random.choice([0, 1, 2, 3, 4]))),
        limits=tuple(
            limit(random, f"l{n}", *random.choice(holders)) for n in range(random.choice([0, 2, 5]))
        ),
        credentials=tuple(credential(random, name) for name in KEYS),
    )


def often(random: Random, share: float) -> bool:
    return random.random() < share


def some(random: Random, values: list[str], most: int = 2) -> frozenset[str]:
    return frozenset(random.sample(values, random.randint(0, min(most, len(values)))))


def principal(random: Random, name: str) -> Principal:
    kind = PrincipalKind.PERSON
    if name in BOTS:
        kind = PrincipalKind.SERVICE_ACCOUNT
    elif name in TEAMS:
        kind = PrincipalKind.TEAM
    # "carla" as a team is a mistake in the data that must not give Carla's rights away.
    teams = some(random, [*TEAMS, "nobody", "carla"]) if often(random, 0.7) else frozenset()
    owner = often(random, 0.08)
    return Principal(name, kind, name.title(), teams, owner, active=often(random, 0.96))


def role(random: Random, name: str) -> Role:
    cells = {
        permission: Reach.ALL if often(random, 0.5) else random.choice(reaches_of(permission))
        for permission in random.sample(PERMISSIONS, random.randint(2, 5))
    }
    if often(random, 0.1):
        cells[random.choice(["send:nonsense", *ENTRIES])] = Reach.ALL
    return Role(name, name.title(), cells)


def reaches_of(permission: str) -> list[Reach]:
    """Mostly those that mean something."""
    return (
        [*Reach, Reach.QUEUE]
        if permission in OWNABLE
        else [Reach.ALL, Reach.ALL, Reach.ALL, Reach.TEAM]
    )


def binding(random: Random, name: str) -> Binding:
    since = NOON + random.choice([-60, 0, 60]) if often(random, 0.15) else None
    until = NOON + random.choice([-60, 0, 60, 3600]) if often(random, 0.25) else None
    return Binding(
        name,
        principal="nobody"
        if often(random, 0.03)
        else random.choice([*PEOPLE, *BOTS, *BOTS, *TEAMS]),
        role="unheard_of" if often(random, 0.03) else random.choice(ROLES),
        scope=scope(random),
        conditions=conditions(random),
        since=since,
        until=until,
    )


def credential(random: Random, name: str) -> Credential:
    return Credential(
        name,
        principal=random.choice(BOTS),
        role=random.choice([*[None] * 6, *ROLES, *ROLES, "unheard_of"]),
        scope=Scope(labels=places(random, "labels")) if often(random, 0.2) else scope(random),
        conditions=conditions(random),
        until=NOON + random.choice([-60, 0, 0, 3600]) if often(random, 0.35) else None,
        active=often(random, 0.85),
        permissions=kept(random) if often(random, 0.12) else None,
        counts_as=random.choice([None, *KEYS, *KEYS]),
    )


def kept(random: Random) -> frozenset[str]:
    """Most of them, so that something is left to be decided; seldom none."""
    return frozenset(random.sample(PERMISSIONS, random.choice([0, 2, 3, 4, 4])))


def scope(random: Random) -> Scope:
    """Mostly over the same two dimensions, so that rules meet in them."""
    dimensions = {
        random.choice(["numbers", "labels"]) if often(random, 0.7) else random.choice(DIMENSIONS)
        for _ in range(random.choice([0, 0, 1, 1, 2]))
    }
    return Scope(**{d: places(random, d) for d in sorted(dimensions)})


def places(random: Random, dimension: str) -> frozenset[str]:
    """One or two of three, seldom none: sets that overlap without lying in one another."""
    values = TEAMS if dimension == "teams" else VALUES
    return frozenset(random.sample(values, 0 if often(random, 0.15) else random.choice([1, 2])))


def conditions(random: Random) -> Conditions:
    return Conditions(
        hours=windows(random) if often(random, 0.2) else None,
        networks=networks(random) if often(random, 0.2) else None,
        fresh_factor_s=random.choice([0, 300]) if often(random, 0.12) else None,
    )


def windows(random: Random) -> tuple[Hours, ...]:
    return tuple(
        Hours(
            days=frozenset(random.sample(range(7), random.choice([0, 1, 3, 6, 7]))),
            start=random.choice([0, 540, 1320, 1439]),
            end=random.choice([0, 1, 360, 540, 1080, 1440]),
        )
        for _ in range(random.choice([0, 1, 1, 1, 2]))
    )


def networks(random: Random) -> tuple[str, ...]:
    return tuple(random.sample(NETWORKS, random.choice([0, 1, 1, 2])))


REQUIREMENTS = [kind for kind in GuardrailKind if kind.startswith("require")]
ABOUT = [*PATTERNS, *ENTRIES, "console:*"]
GUARDRAILS = [*GuardrailKind, *GuardrailKind, *REQUIREMENTS]


def guardrail(random: Random, name: str) -> Guardrail:
    return Guardrail(
        name,
        name.upper(),
        kind=random.choice(GUARDRAILS),
        permissions=frozenset(random.sample(ABOUT, random.choice([1, 2, 3]))),
        scope=Scope(labels=frozenset()) if often(random, 0.08) else scope(random),
        principals=some(random, PEOPLE + BOTS + TEAMS * 2 + ROLES, most=4)
        if often(random, 0.4)
        else None,
        fresh_factor_s=random.choice([None, 0, 300]),
        networks=networks(random) if often(random, 0.7) else None,
        hours=windows(random) if often(random, 0.7) else None,
        threshold=random.choice([None, 0, 1000, 1000]),
    )


def limit(random: Random, name: str, kind: HolderKind, holder: str) -> Limit:
    permissions = some(random, PATTERNS) if often(random, 0.5) else None
    return Limit(
        name, kind, holder, random.choice(list(Metric)), random.choice(list(Per)), 5, permissions
    )


def request(random: Random, policy: Policy) -> Request:
    """Ask mostly as somebody who holds something, for something that it gives."""
    who, permissions = random.choice([*PEOPLE, *BOTS, *TEAMS, "stranger"]), PERMISSIONS
    place = Scope()
    if policy.bindings and often(random, 0.95):
        held = random.choice(policy.bindings)
        members = [p.id for p in policy.principals if held.principal in p.teams]
        who, place = random.choice([held.principal, *members]), held.scope
        cells = [cell for r in policy.roles if r.id == held.role for cell in r.cells.items()]
        permissions = [p for p, reach in cells if reach > Reach.NONE or often(random, 0.2)]
    checks = [
        check(
            random, who, permissions if permissions and often(random, 0.95) else PERMISSIONS, place
        )
        for _ in range(random.choice([1, 1, 1, 1, 1, 2, 3]))
    ]
    if often(random, 0.05):
        checks.append(checks[0])
    if often(random, 0.01):
        checks.clear()
    return Request(who, tuple(checks), context(random, policy), credential_for(random, policy, who))


def credential_for(random: Random, policy: Policy, who: str) -> str | None:
    if often(random, 0.03):
        return random.choice([*KEYS, "unheard_of"])
    own = [credential.id for credential in policy.credentials if credential.principal == who]
    return random.choice(own) if own and often(random, 0.85) else None


def check(random: Random, who: str, permissions: list[str], place: Scope) -> Check:
    permission = random.choice(permissions)
    if often(random, 0.06):
        permission = random.choice(["send:nonsense", *ENTRIES])
    asked = resource(random, who)
    return Check(permission, inside(random, asked, place) if often(random, 0.4) else asked)


SINGLE = {
    "wabas": "waba",
    "numbers": "number",
    "teams": "team",
    "countries": "country",
    "integrations": "integration",
    "bots": "bot",
}


def inside(random: Random, asked: Resource, place: Scope) -> Resource:
    """Move a resource to where a scope is, if that is anywhere."""
    chosen = {d: sorted(getattr(place, d)) for d in DIMENSIONS if getattr(place, d)}
    single = {SINGLE[d]: random.choice(values) for d, values in chosen.items() if d in SINGLE}
    many = {d: frozenset(values[:1]) for d, values in chosen.items() if d not in SINGLE}
    return replace(asked, **single, **many)


def resource(random: Random, who: str) -> Resource:
    return Resource(
        kind="conversation",
        id="c",
        waba=maybe(random, VALUES),
        number=maybe(random, VALUES),
        team=maybe(random, TEAMS),
        country=maybe(random, VALUES),
        integration=maybe(random, VALUES),
        bot=maybe(random, VALUES),
        labels=some(random, VALUES) if often(random, 0.8) else None,
        template_sets=some(random, VALUES) if often(random, 0.9) else None,
        participants=some(random, [who, *PEOPLE]) if often(random, 0.4) else frozenset(),
        owner=random.choice([who, *PEOPLE, None, None]),
        contents=random.choice(["template", "free_form", None]),
        audience=random.choice([None, 0, 1000, 1000, 1001]),
    )


def maybe(random: Random, values: list[str]) -> str | None:
    return random.choice(values) if often(random, 0.85) else None


def context(random: Random, policy: Policy) -> Context:
    now = NOON
    if often(random, 0.5):
        now += random.choice([-61, -60, -59, -1, 0, 1, 59, 60, 61, 3599, 3600])
    weekday, minute = moment_of_the_week(random, policy)
    return Context(
        now=now,
        weekday=weekday,
        minute=minute,
        address=address(random, policy) if often(random, 0.9) else None,
        factor_at=now - random.choice([0, 1, 299, 300, 301]) if often(random, 0.6) else None,
        passkey_at=now - 60 if often(random, 0.4) else None,
    )


def moment_of_the_week(random: Random, policy: Policy) -> tuple[int, int]:
    bearers = [*policy.bindings, *policy.credentials]
    windows = [w for b in bearers for w in b.conditions.hours or ()]
    windows += [w for g in policy.guardrails for w in g.hours or ()]
    if not windows or often(random, 0.3):
        return random.randrange(7), random.randrange(1440)
    window = random.choice(windows)
    day = random.choice([*window.days, random.randrange(7), 6])
    lasts = (
        window.end - window.start if window.end > window.start else 1440 - window.start + window.end
    )
    midnight = 1440 - window.start if window.end <= window.start else 0
    edge = window.start + random.choice([0, lasts, midnight, random.randrange(lasts)])
    return divmod((day * 1440 + edge + random.choice([-1, 0, 1])) % 10080, 1440)


def address(random: Random, policy: Policy) -> str:
    bearers = [*policy.bindings, *policy.credentials]
    texts = [n for b in bearers for n in b.conditions.networks or ()]
    texts += [n for g in policy.guardrails for n in g.networks or ()]
    networks = [text for text in texts if text not in ("nonsense", "10.1.2.3/8")]
    if not networks or often(random, 0.3):
        return random.choice(ADDRESSES)
    return near(random, ipaddress.ip_network(random.choice(networks)))


def near(random: Random, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """The first or last address of a network, or the one beyond, sometimes as an IPv6 twin."""
    first, last = int(network.network_address), int(network.broadcast_address)
    number = random.choice(
        [first, last, max(first - 1, 0), min(last + 1, 2**network.max_prefixlen - 1)]
    )
    if network.version == 6:
        return str(ipaddress.IPv6Address(number))
    text = str(ipaddress.IPv4Address(number))
    return f"::ffff:{text}" if often(random, 0.3) else text
