"""Teams and their members; people and service accounts come, and are put out of action."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connections

from cast import NOW, Cast
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import (
    AccessDenied,
    BeyondOwnRights,
    InvalidRule,
    LastOwner,
    NotFound,
    OwnAccess,
    OwnerNeeded,
)
from portero.domain.access.models import Principal, TeamMember
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import AlreadyMember, InvalidEmail
from portero.domain.accounts.models import Person
from portero.domain.audit.models import in_workspace
from portero.engine import GuardrailKind, HolderKind, Metric, Per, Reach
from portero.store.ids import uuid7


def members_of(cast: Cast, team: UUID) -> set[UUID]:
    with in_workspace(cast.workspace):
        return set(TeamMember.objects.filter(team_id=team).values_list("principal_id", flat=True))


@pytest.fixture
def team(cast: Cast) -> UUID:
    """A team that holds something."""
    team = access.create_team(actor=cast.ana, name="Support")
    role = access.create_role(actor=cast.ana, name="Sender", cells={"send:text": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=team, role=role)
    return team


@pytest.fixture
def manager(cast: Cast) -> Actor:
    """Manages members and holds nothing else."""
    role = access.create_role(
        actor=cast.ana, name="Manager", cells={"team:manage_members": Reach.ALL}
    )
    principal = accounts.add_person(actor=cast.ana, email="mia@example.com", name="Mia")
    access.create_binding(actor=cast.ana, principal=principal, role=role)
    return Actor(cast.workspace, principal, NOW)


def test_members_are_replaced_as_a_whole(cast: Cast, team: UUID) -> None:
    access.set_team_members(
        actor=cast.ana, team=team, members=[cast.beto.principal, cast.dora.principal]
    )
    access.set_team_members(actor=cast.ana, team=team, members=[cast.dora.principal])

    assert members_of(cast, team) == {cast.dora.principal}


def test_b3_3_who_joins_a_team_gets_what_it_has_so_the_manager_must_hold_it(
    cast: Cast, team: UUID, manager: Actor
) -> None:
    with pytest.raises(BeyondOwnRights) as refusal:
        access.set_team_members(actor=manager, team=team, members=[cast.dora.principal])

    assert refusal.value.permissions == ("send:text",)
    assert members_of(cast, team) == set()


def test_a_manager_may_always_take_members_out(cast: Cast, team: UUID, manager: Actor) -> None:
    access.set_team_members(actor=cast.ana, team=team, members=[cast.dora.principal])

    access.set_team_members(actor=manager, team=team, members=[])

    assert members_of(cast, team) == set()


def test_a_manager_takes_nobody_out_of_a_teams_guardrails_and_limits(
    cast: Cast, team: UUID, manager: Actor
) -> None:
    access.set_team_members(actor=cast.ana, team=team, members=[cast.dora.principal])
    guardrail = access.create_guardrail(
        actor=cast.ana,
        name="No images",
        kind=GuardrailKind.DENY,
        permissions=["send:image"],
        principals=[team],
    )
    with pytest.raises(AccessDenied) as refusal:
        access.set_team_members(actor=manager, team=team, members=[])
    assert refusal.value.checks == ("guardrail:update",)

    access.retire_guardrail(actor=cast.ana, guardrail=guardrail)
    access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.PRINCIPAL,
        holder=team,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=5,
    )
    with pytest.raises(AccessDenied) as refusal:
        access.set_team_members(actor=manager, team=team, members=[])
    assert refusal.value.checks == ("limit:update",)
    assert members_of(cast, team) == {cast.dora.principal}


def test_a_team_that_a_guardrail_names_is_not_put_out_of_action_by_a_role_manager(
    cast: Cast, team: UUID
) -> None:
    role = access.create_role(actor=cast.ana, name="Assigns", cells={"role:assign": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=role)
    access.create_guardrail(
        actor=cast.ana,
        name="No images",
        kind=GuardrailKind.DENY,
        permissions=["send:image"],
        principals=[team],
    )

    with pytest.raises(AccessDenied) as refusal:
        access.disable_principal(actor=cast.dora, principal=team)
    assert refusal.value.checks == ("guardrail:update",)


def test_r02_a_manager_does_not_join_a_team_by_their_own_hand(cast: Cast, manager: Actor) -> None:
    team = access.create_team(actor=cast.ana, name="Empty-handed")

    with pytest.raises(OwnAccess):
        access.set_team_members(actor=manager, team=team, members=[manager.principal])


def test_a_team_has_no_teams_strangers_or_ghosts(cast: Cast, team: UUID) -> None:
    other = access.create_team(actor=cast.ana, name="Other")

    with pytest.raises(InvalidRule):
        access.set_team_members(actor=cast.ana, team=team, members=[other])
    for nobody in (cast.carla.principal, uuid7()):
        with pytest.raises(NotFound):
            access.set_team_members(actor=cast.ana, team=team, members=[nobody])
    with pytest.raises(NotFound):
        access.set_team_members(actor=cast.ana, team=cast.dora.principal, members=[])


def test_t01_a_team_of_another_workspace_is_not_there(cast: Cast, team: UUID) -> None:
    for foreign in (team, uuid7()):
        with pytest.raises(NotFound):
            access.set_team_members(actor=cast.carla, team=foreign, members=[])


def test_a_disabled_principal_may_nothing_any_more(cast: Cast) -> None:
    access.create_team(actor=cast.beto, name="While it lasts")

    access.disable_principal(actor=cast.ana, principal=cast.beto.principal, reason="left")

    with pytest.raises(AccessDenied) as refusal:
        access.create_team(actor=cast.beto, name="Too late")
    assert refusal.value.reason == "principal_inactive"


def test_b3_5_the_last_owner_stays(cast: Cast) -> None:
    with pytest.raises(LastOwner):
        access.disable_principal(actor=cast.ana, principal=cast.ana.principal)


def test_an_owner_is_put_out_of_action_by_an_owner_only(cast: Cast) -> None:
    with pytest.raises(OwnerNeeded):
        access.disable_principal(actor=cast.beto, principal=cast.ana.principal)


def test_b3_5_two_owners_who_disable_each_other_at_once_leave_one(cast: Cast) -> None:
    olga_herself = accounts.register_person(email="olga@example.com", name="Olga")
    with in_workspace(cast.workspace):
        Principal.objects.filter(id=cast.ana.principal).update(owner=True)
        second = Principal.objects.create(
            id=uuid7(), kind="person", name="Olga", owner=True, person_id=olga_herself
        )
    olga = Actor(cast.workspace, second.id, NOW)
    access.create_team(actor=cast.ana, name="Moves the head")

    def disable(actor: Actor, other: Actor) -> str:
        try:
            access.disable_principal(actor=actor, principal=other.principal)
        except (AccessDenied, LastOwner) as error:
            return error.code
        else:
            return "done"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(disable, (cast.ana, olga), (olga, cast.ana)))

    assert sorted(outcomes) == ["access_denied", "done"]
    with in_workspace(cast.workspace):
        assert Principal.objects.filter(owner=True, active=True).count() == 1


def test_a_service_account_is_disabled_with_its_own_permission(cast: Cast) -> None:
    account = accounts.create_service_account(
        actor=cast.ana, name="bot", accountable=cast.ana.principal
    )
    role = access.create_role(
        actor=cast.ana, name="Off switch", cells={"service_account:disable": Reach.ALL}
    )
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=role)

    access.disable_principal(actor=cast.dora, principal=account)

    with pytest.raises(AccessDenied):
        access.disable_principal(actor=cast.dora, principal=cast.beto.principal)


def test_t01_nobody_of_another_workspace_can_be_disabled(cast: Cast) -> None:
    for foreign in (cast.dora.principal, uuid7()):
        with pytest.raises(NotFound):
            access.disable_principal(actor=cast.carla, principal=foreign)


def test_a_person_is_one_person_however_the_address_is_written(cast: Cast) -> None:
    first = accounts.register_person(email="Pia@Example.com", name="Pia")

    assert accounts.register_person(email=" pia@example.COM ", name="Somebody") == first
    assert Person.objects.filter(email__iexact="pia@example.com").count() == 1


@pytest.mark.parametrize("email", ["", "pia", "pia@", "pia@example", "a b@example.com"])
def test_what_is_no_address_is_refused(cast: Cast, email: str) -> None:
    with pytest.raises(InvalidEmail):
        accounts.register_person(email=email, name="Pia")


def test_a_person_is_a_member_once_and_of_several_workspaces(cast: Cast) -> None:
    with pytest.raises(AlreadyMember):
        accounts.add_person(actor=cast.ana, email="DORA@example.com", name="Dora")

    accounts.add_person(actor=cast.carla, email="dora@example.com", name="Dora")


def test_a_service_account_needs_a_person_who_answers_for_it(cast: Cast) -> None:
    team = access.create_team(actor=cast.ana, name="Nobody in particular")
    [guest] = accounts.invite(
        actor=cast.ana, guests=[accounts.Guest("guest@example.com", "Guest", cast.role("Agent"))]
    )

    for nobody in (team, guest, cast.carla.principal, uuid7()):
        with pytest.raises(NotFound):
            accounts.create_service_account(actor=cast.ana, name="bot", accountable=nobody)


def test_a_new_member_and_a_new_service_account_hold_nothing(cast: Cast) -> None:
    principal = accounts.add_person(actor=cast.ana, email="neu@example.com", name="Neu")

    with pytest.raises(AccessDenied) as refusal:
        access.create_team(actor=Actor(cast.workspace, principal, NOW), name="T")
    assert refusal.value.reason == "permission_missing"


def test_a_stranger_to_the_workspace_is_refused(cast: Cast) -> None:
    posing = Actor(cast.workspace, cast.carla.principal, NOW)

    with pytest.raises(AccessDenied) as refusal:
        access.create_team(actor=posing, name="T")
    assert refusal.value.reason == "unknown_principal"
