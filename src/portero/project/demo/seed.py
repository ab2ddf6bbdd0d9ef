"""Tienda Andina, made through the services everybody uses. Import it once Django is set up."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.models import Role
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey, Person
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces import services as workspaces
from portero.engine import ENTER_CONSOLE, GuardrailKind, HolderKind, Scope
from portero.project.demo.keys import KEYS, ORDER_TEMPLATES, ROLES, DemoKey
from portero.project.demo.world import SOPORTE, VENTAS
from portero.store.keys import read
from portero.store.sealing import Secret

NAME = "Tienda Andina"
TIMEZONE = "America/Mexico_City"
TEAMS = ("Ventas", "Soporte", "Marketing")
_DOMAIN = "tienda-andina.example"


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the shop."""

    name: str
    role: str
    team: str | None = None
    scope: Scope = field(default_factory=Scope)

    @property
    def first_name(self) -> str:
        return self.name.split()[0]

    @property
    def email(self) -> str:
        return f"{self.first_name.lower()}@{_DOMAIN}"


OWNER = Member("Ana Quispe", "Administrator", "Ventas")
OTHERS = (
    Member("Beto Salas", "Agent", "Ventas", Scope(numbers=frozenset({VENTAS}))),
    Member("Diego Rojas", "Developer"),
    Member("Gabriela Silva", "Analyst", "Marketing"),
    Member("Carla Mendoza", "Support", "Soporte", Scope(numbers=frozenset({SOPORTE}))),
    Member("Elena Vargas", "Campaign manager", "Marketing", Scope(numbers=frozenset({VENTAS}))),
)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key of the demo, and the ids by which records name it."""

    key: DemoKey
    id: UUID
    account: UUID
    binding: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """The workspace, and the document about it that `portero demo --json` writes."""

    workspace: UUID
    keys: Mapping[str, MadeKey]
    document: Mapping[str, Any]


def make(world: Mapping[str, Any]) -> Made:
    """Found the workspace and everything in it that the world file describes."""
    person = accounts.register_person(email=OWNER.email, name=OWNER.name)
    new = workspaces.found_workspace(
        name=NAME, timezone=TIMEZONE, owner=person, owner_name=OWNER.name
    )
    actor = Actor(new.id, new.owner, datetime.now(UTC))
    _connect(actor, world)
    sets = {ORDER_TEMPLATES: _order_templates(actor)}
    for name, cells in ROLES.items():
        access.create_role(actor=actor, name=name, cells=cells)
    with in_workspace(new.id):
        roles = dict(Role.objects.values_list("name", "id"))
    teams = _employ(actor, roles)
    _guard(actor, teams, roles)
    keys = {key.name: _make_key(actor, key, roles, sets) for key in KEYS}
    people = let_sign_in()
    return Made(new.id, keys, _document(new.id, world, keys, people))


def _connect(actor: Actor, world: Mapping[str, Any]) -> None:
    """Name the account of the world file, its numbers and templates; store its secrets."""
    [account], [token], app = world["wabas"], world["tokens"], world["app"]
    waba = workspaces.add_waba(actor=actor, meta_id=account["id"], name=account["name"])
    for number in account["numbers"]:
        workspaces.add_number(
            actor=actor,
            waba=waba,
            meta_id=number["id"],
            display=number["display_phone_number"],
            name=number["verified_name"],
            country=number["country"],
        )
    for template in account["templates"]:
        workspaces.register_template(
            actor=actor,
            waba=waba,
            meta_id=template["id"],
            name=template["name"],
            language=template["language"],
            category=template["category"],
            status=template["status"],
        )
    workspaces.store_credential(actor=actor, waba=waba, token=_secret(token["token"]))
    workspaces.set_meta_app(
        actor=actor,
        app_id=app["app_id"],
        app_secret=_secret(app["app_secret"]),
        verify_token=_secret(app["verify_token"]),
    )


def _order_templates(actor: Actor) -> UUID:
    return workspaces.create_template_set(
        actor=actor, name=ORDER_TEMPLATES, templates=["order_update"]
    )


def _employ(actor: Actor, roles: Mapping[str, UUID]) -> dict[str, UUID]:
    """Add the members with their roles; returns the teams they work in."""
    members: dict[str | None, list[UUID]] = {OWNER.team: [actor.principal]}
    _give(actor, actor.principal, OWNER, roles)
    for member in OTHERS:
        principal = accounts.add_person(actor=actor, email=member.email, name=member.name)
        _give(actor, principal, member, roles)
        members.setdefault(member.team, []).append(principal)
    teams = {name: access.create_team(actor=actor, name=name) for name in TEAMS}
    for name, team in teams.items():
        access.set_team_members(actor=actor, team=team, members=members[name])
    return teams


def _give(actor: Actor, principal: UUID, member: Member, roles: Mapping[str, UUID]) -> None:
    access.create_binding(
        actor=actor, principal=principal, role=roles[member.role], scope=member.scope
    )


def let_sign_in() -> list[dict[str, str]]:
    """Give everybody a password and an app with codes; returns what the demo tells of people."""
    return [_let_sign_in(member) for member in (OWNER, *OTHERS)]


def _let_sign_in(member: Member) -> dict[str, str]:
    person = Person.objects.get_by_natural_key(member.email)
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    person.set_password(password)
    person.save(update_fields=["password"])
    totp = generate_totp_secret()
    TOTP.activate(person, totp)
    return {
        "name": member.first_name,
        "role": member.role,
        "email": member.email,
        "password": password,
        "totp_secret": totp,
    }


def _guard(actor: Actor, teams: Mapping[str, UUID], roles: Mapping[str, UUID]) -> None:
    access.create_guardrail(
        actor=actor,
        name="Support sends approved content only",
        kind=GuardrailKind.TEMPLATES_ONLY,
        permissions=["send:*"],
        principals=[teams["Soporte"]],
        reason="Answers to customers are written once, by somebody who knows the law.",
    )
    access.create_guardrail(
        actor=actor,
        name="Support comes in from the shop",
        kind=GuardrailKind.NETWORKS,
        permissions=[ENTER_CONSOLE],
        principals=[roles["Support"]],
        networks=["127.0.0.0/8", "::1/128"],
        reason="The shop of this demo is the machine it runs on.",
    )


def _make_key(
    actor: Actor, key: DemoKey, roles: Mapping[str, UUID], sets: Mapping[str, UUID]
) -> MadeKey:
    account = accounts.create_service_account(
        actor=actor, name=key.name, accountable=actor.principal
    )
    template_sets = frozenset(str(sets[name]) for name in key.template_sets) or None
    binding = access.create_binding(
        actor=actor,
        principal=account,
        role=roles[key.role],
        scope=replace(key.scope, template_sets=template_sets),
        reason=f"so that the key {key.name} {key.may}",
    )
    made = accounts.create_key(
        actor=replace(actor, at=actor.at - key.made_ago),
        service_account=account,
        name=key.name,
        lifetime=key.lifetime,
        url_compatible=key.url_compatible,
    )
    for metric, per, amount in key.limits:
        access.create_limit(
            actor=actor,
            holder_kind=HolderKind.KEY,
            holder=made.id,
            metric=metric,
            per=per,
            amount=amount,
        )
    if key.revoked:
        accounts.revoke_key(actor=actor, key=made.id, reason="The laptop it was on is lost.")
    return MadeKey(key, made.id, account, binding, made.text.reveal().decode())


def _document(
    workspace: UUID,
    world: Mapping[str, Any],
    keys: Mapping[str, MadeKey],
    people: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """What the demo tells, but the addresses, which each start has of its own."""
    [account], app = world["wabas"], world["app"]
    return {
        "workspace": {"id": str(workspace), "name": NAME},
        "waba_id": account["id"],
        "app_secret": app["app_secret"],
        "verify_token": app["verify_token"],
        "numbers": [
            {
                "phone_number_id": number["id"],
                "display_phone_number": number["display_phone_number"],
                "name": number["verified_name"],
            }
            for number in account["numbers"]
        ],
        "people": people,
        "keys": [
            {"name": name, "key": made.text, "may": made.key.may} for name, made in keys.items()
        ],
    }


def with_dead_keys_told(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a demo, where the keys that ended since it was written are said to."""
    with in_workspace(UUID(document["workspace"]["id"])):
        living = set(
            ApiKey.objects.filter(revoked_at=None, expires_at__gt=datetime.now(UTC)).values_list(
                "public_id", flat=True
            )
        )

    def now(key: Mapping[str, str]) -> Mapping[str, str]:
        parsed = read(key["key"])
        ended = parsed is None or parsed.public_id not in living
        return {**key, "may": _ENDED} if ended and not key["may"].startswith("nothing") else key

    return {**document, "keys": [now(key) for key in document["keys"]]}


_ENDED = "nothing any more: it was revoked or has expired"


def _secret(text: str) -> Secret:
    return Secret(text.encode())
