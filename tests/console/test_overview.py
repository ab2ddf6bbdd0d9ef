"""What needs attention: told to whoever may mend it, with the way to do so, and gone once it is mended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.domain.access import services as access
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import in_workspace
from portero.engine import HolderKind, Metric, Per, Reach


@pytest.fixture
def cast(database: Database) -> Iterator[Cast]:
    with playing(database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


def told(client: Client) -> str:
    page = client.get("/overview/").content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&#x27;", "'")


def key(cast: Cast, name: str, lifetime: timedelta = timedelta(days=90)) -> ApiKey:
    bot = accounts.create_service_account(
        actor=cast.ana, name=f"bot of {name}", accountable=cast.ana.principal
    )
    now = replace(cast.ana, at=timezone.now())
    made = accounts.create_key(actor=now, service_account=bot, name=name, lifetime=lifetime)
    with in_workspace(cast.workspace):
        return ApiKey.objects.get(id=made.id)


def test_who_has_no_factor_is_named_until_they_have_one(cast: Cast, ana: Client) -> None:
    with_an_app(person_of(cast.ana))
    before = told(ana)
    for one in (cast.beto, cast.dora):
        with_an_app(person_of(one))

    assert "2 people have no second factor" in before
    assert "beto" in before
    assert "no second factor" not in told(ana)


def test_a_key_in_use_that_is_about_to_end(cast: Cast, ana: Client, database: Database) -> None:
    ending = key(cast, "soon", timedelta(days=13))
    assert "within two weeks" not in told(ana)
    the_gateway_says(database, ending, last_used_at=timezone.now())

    assert "One key in use ends within two weeks" in told(ana)
    accounts.roll_key(
        actor=replace(cast.ana, at=timezone.now()), key=ending.id, overlap=timedelta()
    )
    assert "within two weeks" not in told(ana)


def test_a_key_that_nobody_uses(cast: Cast, ana: Client, database: Database) -> None:
    idle = key(cast, "idle")
    the_gateway_says(database, idle, last_used_at=timezone.now() - timedelta(days=59))
    assert "not used for two months" not in told(ana)

    the_gateway_says(database, idle, last_used_at=timezone.now() - timedelta(days=61))

    assert "One key was not used for two months" in told(ana)


def test_a_key_without_a_limit_until_its_account_has_one(cast: Cast, ana: Client) -> None:
    free = key(cast, "free")
    assert "One key has no limit of any kind" in told(ana)

    access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.PRINCIPAL,
        holder=free.principal_id,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=500,
    )

    assert "no limit of any kind" not in told(ana)


def test_a_program_for_which_nobody_answers(cast: Cast, ana: Client) -> None:
    bot = accounts.create_service_account(
        actor=cast.ana, name="left behind", accountable=cast.dora.principal
    )
    access.remove_person(actor=cast.ana, principal=cast.dora.principal)
    assert "Nobody answers for one program" in told(ana)
    assert "left behind" in told(ana)

    access.name_accountable(actor=cast.ana, account=bot, person=cast.beto.principal)

    assert "Nobody answers for" not in told(ana)


def test_an_owner_alone_is_told_so(cast: Cast, ana: Client) -> None:
    assert "There is one owner only" in told(ana)

    access.set_owner(actor=cast.ana, principal=cast.beto.principal, owner=True)

    assert "There is one owner only" not in told(ana)


def test_whoever_may_not_mend_it_is_not_told(cast: Cast) -> None:
    key(cast, "free")
    role = access.create_role(actor=cast.ana, name="Sees people", cells={"member:read": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=role)
    with_an_app(person_of(cast.dora))

    seen = told(signed_in(person_of(cast.dora)))

    assert "no limit of any kind" not in seen
    assert "one owner only" not in seen
    assert "2 people have no second factor" in seen


def test_t01_nothing_of_another_workspace_counts(cast: Cast, ana: Client) -> None:
    before = told(ana)

    bot = accounts.create_service_account(
        actor=cast.carla, name="theirs", accountable=cast.carla.principal
    )
    accounts.create_key(actor=cast.carla, service_account=bot, name="theirs")
    accounts.add_person(actor=cast.carla, email="new@clinica.example", name="Theirs")

    assert told(ana) == before


def the_gateway_says(database: Database, one: ApiKey, *, last_used_at: datetime) -> None:
    """It alone writes when a key was used."""
    with psycopg.connect(database.dsn()) as connection:
        connection.execute(
            "UPDATE api_key SET last_used_at = %s WHERE id = %s", (last_used_at, one.id)
        )
