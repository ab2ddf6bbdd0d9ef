"""A service account whose person has left goes on for two weeks, and the owners hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from django.core import mail
from django.test import override_settings
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from cast import Cast, playing
from databases import Database
from domain.working import work
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import BeyondOwnRights, NobodyAnswers, NotFound, OwnAccess
from portero.domain.access.models import Principal
from portero.domain.access.services import GRACE
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Record, in_workspace
from portero.engine import Reach
from portero.store.ids import uuid7

_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture(autouse=True)
def _mails_are_kept(cast: Cast) -> Iterator[None]:
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        DEFAULT_FROM_EMAIL="Portero <portero@example.com>",
    ):
        work()
        mail.outbox = []
        yield


@pytest.fixture
def eva(cast: Cast) -> Actor:
    n = next(_numbers)
    member = accounts.add_person(actor=cast.ana, email=f"eva{n}@alone.example", name=f"Eva {n}")
    return Actor(cast.workspace, member, cast.ana.at)


@pytest.fixture
def bot(cast: Cast, eva: Actor) -> UUID:
    """What Eva answers for; it sends."""
    made = accounts.create_service_account(
        actor=cast.ana, name=f"Orders {next(_numbers)}", accountable=eva.principal
    )
    role = access.create_role(actor=cast.ana, name=f"Sends {made}", cells={"send:text": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=made, role=role)
    return made


def of(cast: Cast, account: UUID) -> Principal:
    with in_workspace(cast.workspace):
        return Principal.objects.get(id=account)


def left(cast: Cast, eva: Actor, *, days_ago: float) -> None:
    """Eva is removed, so many days before now."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    access.remove_person(actor=replace(cast.ana, at=at), principal=eva.principal)


def test_it_goes_on_at_first_and_the_owners_hear_of_it(cast: Cast, eva: Actor, bot: UUID) -> None:
    left(cast, eva, days_ago=0)

    work()

    assert of(cast, bot).active
    [told] = [one for one in mail.outbox if "Nobody answers" in one.subject]
    assert told.to == ["ana@example.com"]
    assert of(cast, bot).name in told.body
    assert "within 14 days" in told.body
    assert f"/people/{bot}/" in told.body


def test_after_two_weeks_it_stops_by_itself_and_that_is_on_record(
    cast: Cast, eva: Actor, bot: UUID
) -> None:
    left(cast, eva, days_ago=14.01)

    work()

    assert not of(cast, bot).active
    with in_workspace(cast.workspace):
        record = Record.objects.filter(operation="stop_left_alone").latest("at")
    assert (record.actor, record.event) == ("portero", "principal.disabled")
    assert any("was stopped" in one.subject for one in mail.outbox)


def test_a_day_before_it_still_works(cast: Cast, eva: Actor, bot: UUID) -> None:
    left(cast, eva, days_ago=13)

    work()
    access.stop_left_alone(workspace=cast.workspace, accounts=[bot])

    assert of(cast, bot).active
    job = ProcrastinateJob.objects.get(
        task_name="access.stop_left_alone", args__accounts__contains=str(bot)
    )
    assert job.scheduled_at == of(cast, bot).alone_since + GRACE  # type: ignore[operator]


def test_one_for_which_somebody_answers_by_then_goes_on(cast: Cast, eva: Actor, bot: UUID) -> None:
    left(cast, eva, days_ago=15)
    access.name_accountable(actor=cast.ana, account=bot, person=cast.beto.principal)

    work()

    assert of(cast, bot).active
    assert of(cast, bot).accountable_id == cast.beto.principal
    assert mail.outbox == []


def test_stopping_twice_is_stopping_once(cast: Cast, eva: Actor, bot: UUID) -> None:
    left(cast, eva, days_ago=15)
    work()
    with in_workspace(cast.workspace):
        before = Record.objects.filter(operation="stop_left_alone").count()

    access.stop_left_alone(workspace=cast.workspace, accounts=[bot])

    with in_workspace(cast.workspace):
        assert Record.objects.filter(operation="stop_left_alone").count() == before


def test_it_is_let_go_on_only_with_somebody_who_answers(cast: Cast, eva: Actor, bot: UUID) -> None:
    left(cast, eva, days_ago=15)
    work()

    with pytest.raises(NobodyAnswers):
        access.enable_principal(actor=cast.ana, principal=bot)
    access.name_accountable(actor=cast.ana, account=bot, person=cast.beto.principal)
    access.enable_principal(actor=cast.ana, principal=bot)

    assert of(cast, bot).active


def test_one_that_was_stopped_before_its_person_left_stays_stopped(
    cast: Cast, eva: Actor, bot: UUID
) -> None:
    access.disable_principal(actor=cast.ana, principal=bot)
    left(cast, eva, days_ago=0)

    with pytest.raises(NobodyAnswers):
        access.enable_principal(actor=cast.ana, principal=bot)


def test_b3_3_nobody_hands_on_what_is_their_own(cast: Cast, eva: Actor, bot: UUID) -> None:
    """It would be somebody else's at once, and their own requests for it theirs to approve."""
    access.name_accountable(actor=cast.ana, account=bot, person=cast.beto.principal)

    with pytest.raises(OwnAccess):
        access.name_accountable(actor=cast.beto, account=bot, person=cast.dora.principal)

    assert of(cast, bot).accountable_id == cast.beto.principal


def test_b3_3_nobody_makes_their_own_what_holds_more_than_they_do(cast: Cast, bot: UUID) -> None:
    role = access.create_role(
        actor=cast.ana,
        name=f"Makes accounts {next(_numbers)}",
        cells={"service_account:create": Reach.ALL},
    )
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=role)
    more = access.create_role(actor=cast.ana, name=f"Most {bot}", cells={"audit:read": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=bot, role=more)

    with pytest.raises(BeyondOwnRights):
        access.name_accountable(actor=cast.dora, account=bot, person=cast.dora.principal)


def test_only_a_person_who_is_here_can_answer(cast: Cast, eva: Actor, bot: UUID) -> None:
    guest = accounts.add_person(
        actor=cast.ana, email=f"guest{next(_numbers)}@alone.example", name="Guest", invited=True
    )
    access.disable_principal(actor=cast.ana, principal=eva.principal)
    team = access.create_team(actor=cast.ana, name=f"Team {next(_numbers)}")

    for nobody in (guest, eva.principal, team, bot, cast.carla.principal, uuid7()):
        with pytest.raises(NotFound):
            access.name_accountable(actor=cast.ana, account=bot, person=nobody)
    for no_account in (team, cast.dora.principal, uuid7()):
        with pytest.raises(NotFound):
            access.name_accountable(actor=cast.ana, account=no_account, person=cast.beto.principal)


def test_t01_a_job_stops_nothing_of_another_workspace(cast: Cast, eva: Actor, bot: UUID) -> None:
    access.remove_person(actor=cast.ana, principal=eva.principal)
    with in_workspace(cast.workspace):
        Principal.objects.filter(id=bot).update(alone_since=datetime.now(UTC) - 2 * GRACE)

    access.stop_left_alone(workspace=cast.carla.workspace, accounts=[bot])

    assert of(cast, bot).active


def test_the_job_is_one_the_worker_knows() -> None:
    app.perform_import_paths()

    assert "access.stop_left_alone" in app.tasks
