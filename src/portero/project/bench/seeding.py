"""Makes a large workspace in an installation: `python -m portero.project.bench.seeding FILE PEOPLE ROLES`.

A process of its own, because it needs Django, which nothing that measures should load. People, roles and
bindings are copied in at once, as nobody could make them; everything else is made by the services.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TypedDict
from uuid import UUID

import django
import psycopg

from portero.engine import Policy, Principal, PrincipalKind
from portero.project.bench.crowd import NUMBERS, crowd
from portero.project.bench.database import Copying, copy_rules
from portero.project.configuration import Configuration
from portero.project.installing import install
from portero.store.ids import uuid7

PEOPLE, ROLES = 100_000, 1_000
OWNER = "Owner of the crowd"
EVERYBODY = "Everybody"
"""A role that every team has, and so nearly every person."""

_FIRST = (
    "Ana", "Beto", "Carla", "Diego", "Elena", "Fabio", "Gabriela", "Hugo", "Inés", "Joaquín", "Karina",
    "Luis", "María", "Nicolás", "Olga", "Pablo", "Quetzal", "Rosa", "Sergio", "Teresa",
)  # fmt: skip
_LAST = (
    "Álvarez", "Benítez", "Castro", "Díaz", "Espinoza", "Fernández", "García", "Herrera", "Ibáñez",
    "Juárez", "López", "Mendoza", "Núñez", "Ortega", "Pérez", "Quispe", "Rojas", "Salas", "Torres", "Vargas",
)  # fmt: skip


class Seeded(TypedDict):
    """What was made, for who measures it."""

    workspace: str
    owner: str
    email: str
    session: str
    person: str
    role: str
    everybody: str
    team: str
    people: int
    bindings: int
    seconds: float


def main() -> None:
    """Bring the database to this release and fill a new workspace."""
    install()
    django.setup()
    file, people, roles = sys.argv[1:]
    dsn = Configuration.from_environment().dsn("superuser")
    Path(file).write_text(json.dumps(seed(dsn, people=int(people), roles=int(roles))))


def seed(dsn: str, *, people: int, roles: int) -> Seeded:
    """Found a workspace and copy a crowd into it; `dsn` is the superuser's."""
    from portero.domain.access import services as access
    from portero.domain.access.authorize import Actor
    from portero.domain.accounts import services as accounts
    from portero.domain.workspaces import services as workspaces
    from portero.engine import GuardrailKind, Reach

    began = time.perf_counter()
    email = f"owner-{uuid7().hex[-8:]}@crowd.example"
    owner = accounts.register_person(email=email, name=OWNER)
    new = workspaces.found_workspace(
        name=f"Crowd of {people:,}", timezone="America/Bogota", owner=owner, owner_name=OWNER
    )
    actor = Actor(new.id, new.owner, datetime.now(UTC))
    meta_id = str(uuid7().int)[-15:]
    waba = workspaces.add_waba(actor=actor, meta_id=meta_id, name="Crowd")
    for n, number in enumerate(NUMBERS):
        workspaces.add_number(
            actor=actor, waba=waba, meta_id=meta_id[:-5] + number[-5:], display=f"+52 55 {n:04}",
            name=f"Branch {n}", country="MX",
        )  # fmt: skip
    made = crowd(people, roles=roles)
    policy = replace(made, workspace=str(new.id), principals=tuple(_named(made.principals)))
    _copy(dsn, policy)
    everybody = access.create_role(
        actor=actor, name=EVERYBODY, cells={"send:text": Reach.QUEUE, "template:read": Reach.ALL}
    )
    teams = [one for one in policy.principals if one.kind is PrincipalKind.TEAM]
    with access.changes_together(actor=actor, operation="seed", event="binding.created"):
        for team in teams:
            access.create_binding(actor=actor, principal=UUID(team.id), role=everybody)
    access.create_guardrail(
        actor=actor,
        name="Roles change only with a fresh second factor",
        kind=GuardrailKind.REQUIRE_FRESH_FACTOR,
        permissions=["api_key:create"],
        fresh_factor_s=300,
    )
    return {
        "workspace": str(new.id),
        "owner": str(new.owner),
        "email": email,
        "session": _sign_in(owner),
        "person": policy.principals[people // 2].id,
        "role": policy.roles[roles // 2].id,
        "everybody": str(everybody),
        "team": teams[0].id,
        "people": people,
        "bindings": len(policy.bindings) + len(teams),
        "seconds": time.perf_counter() - began,
    }


def _named(principals: tuple[Principal, ...]) -> Iterator[Principal]:
    random = Random(5)
    for n, one in enumerate(principals):
        if one.kind is PrincipalKind.PERSON:
            yield replace(one, name=f"{random.choice(_FIRST)} {random.choice(_LAST)} {n}")
        else:
            yield replace(one, name=one.name.replace("Team", "Shift"))


def _copy(dsn: str, policy: Policy) -> None:
    """By the superuser's login: nobody else may copy into tables with row-level security."""
    workspace = UUID(policy.workspace)
    persons = {p.id: uuid7() for p in policy.principals if p.kind is PrincipalKind.PERSON}
    with psycopg.connect(dsn) as connection:
        version = _next_version(connection, workspace)
        copy = Copying(connection, workspace)
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY person (id, email, name) FROM STDIN") as rows,
        ):
            for one in policy.principals:
                if one.id in persons:
                    rows.write_row(
                        (persons[one.id], f"{one.id}@{workspace.hex[-12:]}.example", one.name)
                    )
        copy.rows(
            "principal",
            ("id", "kind", "name", "person_id"),
            ((p.id, str(p.kind), p.name, persons.get(p.id)) for p in policy.principals),
        )
        copy_rules(copy, policy, version=version)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")


def _next_version(connection: psycopg.Connection, workspace: UUID) -> int:
    row = connection.execute(
        "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
        " WHERE workspace_id = %s RETURNING version",
        [workspace],
    ).fetchone()
    assert row is not None  # noqa: S101 - the workspace was founded
    return int(row[0])


def _sign_in(owner: UUID) -> str:
    """A session of the owner's, as if they had shown a second factor a moment ago; its cookie."""
    from allauth.account.internal.flows.login import (
        _AUTHENTICATION_METHODS_USER_SESSION_KEY,
        AUTHENTICATION_METHODS_SESSION_KEY,
    )
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from portero.domain.accounts.models import Person
    from portero.domain.accounts.sessions import SessionStore

    person = Person.objects.get(id=owner)
    TOTP.activate(person, generate_totp_secret())
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": "mfa", "type": "totp", "at": time.time()}
    ]
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(person.pk)
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    main()
