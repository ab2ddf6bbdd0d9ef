"""Browsers at the console, by Django's test client: who signed in, and with what."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from portero.domain.access.authorize import Actor
from portero.domain.access.models import Principal
from portero.domain.accounts.models import Person
from portero.domain.audit.models import in_workspace

_KINDS = 10
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def person_of(actor: Actor) -> Person:
    with in_workspace(actor.workspace):
        found: UUID | None = Principal.objects.get(id=actor.principal).person_id
    return Person.objects.get(id=found)


def at_the_door() -> Client:
    """Nobody signed in."""
    return Client(REMOTE_ADDR="127.0.0.1", headers={"host": "localhost"})


def half_signed_in(person: Person) -> Client:
    """The password was right, and no second factor was shown."""
    client = at_the_door()
    client.force_login(person, backend=BACKEND)
    return client


def signed_in(person: Person) -> Client:
    """With a second factor, a moment ago, as often as there are kinds of acts to show it for."""
    client = half_signed_in(person)
    shown: dict[str, object] = {"method": "mfa", "type": "totp"}
    if app := Authenticator.objects.filter(user_id=person.pk, type="totp").first():
        shown["id"] = app.pk
    has_shown(client, person, *(shown for _ in range(_KINDS)))
    return client


def has_shown(
    client: Client, person: Person, *several: Mapping[str, object], **what: object
) -> None:
    """Let allauth believe that this was shown in the client's session a moment ago."""
    session, now = client.session, time.time()
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {**one, "at": now + n / 1e4} for n, one in enumerate(several or [what])
    ]
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(person.pk)
    session.save()


def with_an_app(person: Person) -> str:
    """Give a person an app with codes; returns its secret."""
    secret: str = generate_totp_secret()
    TOTP.activate(person, secret)
    return secret
