"""Two walls between workspaces, each tried with the other one taken down (I4, T01 to T03)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, models, transaction
from psycopg import sql

from cast import Cast
from databases import Database
from django_ready import django_on
from portero.domain.access import services as access
from portero.domain.access.models import Principal, Role
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.audit.models import (
    Record,
    WorkspaceChanged,
    WorkspaceMissing,
    WorkspaceModel,
    in_workspace,
)
from portero.domain.audit.models.workspace import WorkspaceManager
from portero.domain.workspaces.models import Credential, MetaApp, Workspace
from portero.store.ids import uuid7

WRITE_ONLY = {Credential, MetaApp}
READABLE = [
    model
    for model in apps.get_models()
    if issubclass(model, WorkspaceModel) and model not in WRITE_ONLY
]


@pytest.fixture
def both(cast: Cast) -> tuple[UUID, UUID]:
    """Ana's and Carla's workspace, each with things in it."""
    access.create_team(actor=cast.ana, name="canary of Ana")
    access.create_team(actor=cast.carla, name="canary of Carla")
    return cast.workspace, cast.carla.workspace


@pytest.fixture
def no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the application's own filter had been forgotten everywhere."""
    monkeypatch.setattr(WorkspaceManager, "get_queryset", models.Manager.get_queryset)


@pytest.fixture
def no_row_level_security(app: Database, both: tuple[UUID, UUID]) -> Iterator[None]:
    """As if the database's wall were down: Django as a superuser, whom no policy binds."""
    with django_on(app.dsn("superuser")):
        yield


def workspaces_seen(model: type[WorkspaceModel]) -> set[UUID]:
    return set(model.objects.values_list("workspace_id", flat=True))


def test_t02_with_the_filter_forgotten_row_level_security_still_holds(
    both: tuple[UUID, UUID], no_filter: None
) -> None:
    for workspace in both:
        with in_workspace(workspace):
            for model in READABLE:
                assert workspaces_seen(model) <= {workspace}, model
            assert workspaces_seen(Principal) == {workspace}


def test_t02_with_row_level_security_down_the_filter_still_holds(
    both: tuple[UUID, UUID], no_row_level_security: None
) -> None:
    for workspace in both:
        with in_workspace(workspace):
            for model in READABLE:
                assert workspaces_seen(model) <= {workspace}, model
            assert workspaces_seen(Principal) == {workspace}
            assert Workspace.objects.get().id == workspace


def test_t02_control_with_both_walls_down_everything_shows(
    both: tuple[UUID, UUID], no_row_level_security: None, no_filter: None
) -> None:
    with in_workspace(both[0]):
        assert workspaces_seen(Principal) == set(both)


def test_t02_with_row_level_security_down_a_loaded_policy_holds_one_workspace(
    cast: Cast, both: tuple[UUID, UUID], no_row_level_security: None
) -> None:
    with in_workspace(both[1]):
        lock_policy(exclusive=False)
        policy = current_state().policy

    assert [p.id for p in policy.principals if p.owner] == [str(cast.carla.principal)]
    assert str(cast.ana.principal) not in repr(policy)


def test_t02_with_row_level_security_down_a_change_touches_one_workspace(
    cast: Cast, both: tuple[UUID, UUID], no_row_level_security: None, app: Database
) -> None:
    def everything_of(workspace: UUID) -> list[tuple[object, ...]]:
        with psycopg.connect(app.dsn()) as direct:
            return [
                row
                for model in READABLE
                for row in direct.execute(
                    sql.SQL("SELECT * FROM {} WHERE workspace_id = %s ORDER BY 1, 2").format(
                        sql.Identifier(model._meta.db_table)
                    ),
                    (workspace,),
                ).fetchall()
            ]

    before = everything_of(cast.workspace)

    team = access.create_team(actor=cast.carla, name="Night")
    access.set_team_members(actor=cast.carla, team=team, members=[])
    access.disable_principal(actor=cast.carla, principal=team)

    assert everything_of(cast.workspace) == before


@pytest.mark.parametrize("model", READABLE, ids=lambda model: model.__name__)
def test_t08_no_query_is_made_outside_of_a_workspace(
    app: Database, model: type[WorkspaceModel]
) -> None:
    with pytest.raises(WorkspaceMissing):
        model.objects.all()


def test_t03_one_pooled_connection_serves_two_workspaces_in_turn(both: tuple[UUID, UUID]) -> None:
    """Django keeps one connection here, as a pool of one would; a thousand turns."""
    connection.ensure_connection()
    kept = connection.connection

    for workspace in itertools.islice(itertools.cycle(both), 1000):
        with in_workspace(workspace):
            assert workspaces_seen(Role) == {workspace}
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM role")
            assert cursor.fetchone() == (0,)

    assert connection.connection is kept


def test_b7_4_t03_a_transaction_of_one_workspace_becomes_none_of_another(
    both: tuple[UUID, UUID],
) -> None:
    first, second = both

    def nested() -> None:
        with in_workspace(first), in_workspace(second):
            pass

    with pytest.raises(WorkspaceChanged):
        nested()
    with in_workspace(second):
        assert workspaces_seen(Role) == {second}


def test_b7_4_control_a_nested_setting_does_leak_to_the_outer_block(
    both: tuple[UUID, UUID],
) -> None:
    """What a nested block sets outlives it: why changing the workspace is refused at all."""
    with in_workspace(both[0]), connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SELECT set_config('portero.workspace', %s, true)", [str(both[1])])

        cursor.execute("SELECT DISTINCT workspace_id FROM role")
        assert cursor.fetchall() == [(both[1],)]


def test_b7_4_the_same_workspace_may_be_entered_again(both: tuple[UUID, UUID]) -> None:
    with in_workspace(both[0]):
        with in_workspace(both[0]):
            assert workspaces_seen(Role) == {both[0]}
        assert workspaces_seen(Role) == {both[0]}


def test_b7_3_a_workspace_is_not_entered_inside_a_foreign_transaction(
    both: tuple[UUID, UUID],
) -> None:
    """There the setting would last until the foreign transaction ends."""

    def nested() -> None:
        with transaction.atomic(), in_workspace(both[0]):
            pass

    with pytest.raises(RuntimeError, match="durable"):
        nested()


def test_a_workspace_that_failed_is_left_again(both: tuple[UUID, UUID]) -> None:
    def broken() -> None:
        with in_workspace(both[0]):
            raise LookupError

    with pytest.raises(LookupError):
        broken()

    with pytest.raises(WorkspaceMissing):
        Role.objects.all()
    with in_workspace(both[1]):
        assert workspaces_seen(Role) == {both[1]}


def test_t01_a_workspace_nobody_founded_is_empty(both: tuple[UUID, UUID]) -> None:
    with in_workspace(uuid7()):
        assert not any(model.objects.exists() for model in READABLE)
        assert not Workspace.objects.exists()


def test_t01_no_row_can_be_made_in_another_workspace_by_its_field(
    both: tuple[UUID, UUID],
) -> None:
    def plant() -> None:
        with in_workspace(both[0]):
            Principal.objects.create(workspace_id=both[1], id=uuid7(), kind="team", name="planted")

    with pytest.raises(ProgrammingError, match="row-level security"):
        plant()


def test_b8_1_the_app_cannot_change_or_delete_what_was_recorded(both: tuple[UUID, UUID]) -> None:
    def tamper(action: str) -> None:
        with in_workspace(both[0]):
            records = Record.objects.all()
            records.update(effect="allow") if action == "update" else records._raw_delete("default")

    for action in ("update", "delete"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            tamper(action)
