"""The cast: Ana owns a workspace, Beto administers it, Dora only answers in it, Carla is a stranger.

Carla owns a workspace of her own; nothing of either may ever show in the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from databases import Database
from django_ready import django_on  # before any model
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.models import Role
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces import services as workspaces
from portero.store.sealing import KeyRing

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Cast:
    workspace: UUID
    ana: Actor
    beto: Actor
    dora: Actor
    carla: Actor

    def role(self, name: str) -> UUID:
        with in_workspace(self.workspace):
            found: UUID = Role.objects.get(name=name).id
        return found


@contextmanager
def playing(database: Database, *, kek: KeyRing | None = None) -> Iterator[Cast]:
    """Django on this database, as the app's login, and the cast in it."""
    settings.PORTERO_KEK, settings.PORTERO_PEPPER = kek or KeyRing.generate(), KeyRing.generate()
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = "of tests only", ["localhost"]
    settings.PORTERO_CONSOLE_URL, settings.PORTERO_SENDS_MAIL = "https://console.example", True
    settings.PORTERO_LIVE_ORIGIN = "http://localhost:8003"
    settings.PORTERO_GRAPH_URL = settings.PORTERO_PUBLIC_URL = "https://meta.example"
    settings.PORTERO_GRAPH_VERSION = "v23.0"
    with django_on(database.dsn("app")):
        yield play()


def play() -> Cast:
    ana = found("ana", "Tienda Andina", "America/Bogota")
    carla = found("carla", "Clínica del Sur", "America/Buenos_Aires")
    beto, dora = (
        Actor(ana.workspace, accounts.add_person(actor=ana, email=f"{n}@example.com", name=n), NOW)
        for n in ("beto", "dora")
    )
    cast = Cast(ana.workspace, ana, beto, dora, carla)
    for actor, role in ((beto, "Administrator"), (dora, "Agent")):
        access.create_binding(actor=ana, principal=actor.principal, role=cast.role(role))
    return cast


def found(name: str, workspace: str, timezone: str) -> Actor:
    person = accounts.register_person(email=f"{name}@example.com", name=name)
    new = workspaces.found_workspace(
        name=workspace, timezone=timezone, owner=person, owner_name=name
    )
    return Actor(new.id, new.owner, NOW)
