"""Nobody for themselves: at every door, the person behind the actor, with all that acts for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from cast import NOW, Cast
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import OwnAccess
from portero.domain.access.services.changes import Change
from portero.domain.accounts import services as accounts
from portero.engine import GuardrailKind, HolderKind, Metric, Per, Reach


@dataclass(frozen=True)
class Scene:
    """Beto, who administers, and a bot that he or somebody else answers for."""

    cast: Cast
    bot: UUID

    def team(self, *members: UUID) -> UUID:
        team = access.create_team(actor=self.cast.ana, name="Night")
        access.set_team_members(actor=self.cast.ana, team=team, members=members)
        return team

    def role(self) -> UUID:
        """A role that Beto holds too."""
        cells = {"team:manage_members": Reach.ALL}
        return access.create_role(actor=self.cast.ana, name="Members", cells=cells)

    def guardrail(self, principal: UUID) -> UUID:
        return access.create_guardrail(
            actor=self.cast.ana,
            name="No images",
            kind=GuardrailKind.DENY,
            permissions=["send:image"],
            principals=[principal],
        )

    def limit(self, kind: HolderKind, holder: UUID) -> UUID:
        return access.create_limit(
            actor=self.cast.ana,
            holder_kind=kind,
            holder=holder,
            metric=Metric.MESSAGES,
            per=Per.DAY,
            amount=5,
        )


Door = Callable[[], object]


def give(scene: Scene) -> Door:
    role = scene.role()
    return lambda: access.create_binding(actor=scene.cast.beto, principal=scene.bot, role=role)


def give_to_its_team(scene: Scene) -> Door:
    team, role = scene.team(scene.bot), scene.role()
    return lambda: access.create_binding(actor=scene.cast.beto, principal=team, role=role)


def put_into_a_team(scene: Scene) -> Door:
    team = scene.team()
    return lambda: access.set_team_members(actor=scene.cast.beto, team=team, members=[scene.bot])


def retire_its_guardrail(scene: Scene) -> Door:
    guardrail = scene.guardrail(scene.bot)
    return lambda: access.retire_guardrail(actor=scene.cast.beto, guardrail=guardrail)


def retire_its_teams_guardrail(scene: Scene) -> Door:
    guardrail = scene.guardrail(scene.team(scene.bot))
    return lambda: access.retire_guardrail(actor=scene.cast.beto, guardrail=guardrail)


def retire_its_limit(scene: Scene) -> Door:
    limit = scene.limit(HolderKind.PRINCIPAL, scene.bot)
    return lambda: access.retire_limit(actor=scene.cast.beto, limit=limit)


def retire_its_keys_limit(scene: Scene) -> Door:
    key = accounts.create_key(actor=scene.cast.ana, service_account=scene.bot, name="k")
    limit = scene.limit(HolderKind.KEY, key.id)
    return lambda: access.retire_limit(actor=scene.cast.beto, limit=limit)


def retire_its_bindings_limit(scene: Scene) -> Door:
    binding = access.create_binding(actor=scene.cast.ana, principal=scene.bot, role=scene.role())
    limit = scene.limit(HolderKind.BINDING, binding)
    return lambda: access.retire_limit(actor=scene.cast.beto, limit=limit)


def leave_a_team_with_a_guardrail(scene: Scene) -> Door:
    team = scene.team(scene.bot)
    scene.guardrail(team)
    return lambda: access.set_team_members(actor=scene.cast.beto, team=team, members=[])


def leave_a_team_with_a_limit(scene: Scene) -> Door:
    team = scene.team(scene.bot)
    scene.limit(HolderKind.PRINCIPAL, team)
    return lambda: access.set_team_members(actor=scene.cast.beto, team=team, members=[])


def disable_a_team_with_a_guardrail(scene: Scene) -> Door:
    team = scene.team(scene.bot)
    scene.guardrail(team)
    return lambda: access.disable_principal(actor=scene.cast.beto, principal=team)


DOORS = pytest.mark.parametrize(
    "door",
    [
        give,
        give_to_its_team,
        put_into_a_team,
        retire_its_guardrail,
        retire_its_teams_guardrail,
        retire_its_limit,
        retire_its_keys_limit,
        retire_its_bindings_limit,
        leave_a_team_with_a_guardrail,
        leave_a_team_with_a_limit,
        disable_a_team_with_a_guardrail,
    ],
)


def scene_of(cast: Cast, accountable: Actor) -> Scene:
    bot = accounts.create_service_account(
        actor=cast.ana, name="bot", accountable=accountable.principal
    )
    return Scene(cast, bot)


@DOORS
def test_b3_3_nobody_does_it_for_a_service_account_of_theirs(
    cast: Cast, door: Callable[[Scene], Door]
) -> None:
    act = door(scene_of(cast, cast.beto))

    with pytest.raises(OwnAccess):
        act()


@DOORS
def test_the_same_is_done_for_a_service_account_of_somebody_else(
    cast: Cast, door: Callable[[Scene], Door]
) -> None:
    door(scene_of(cast, cast.dora))()


@DOORS
def test_b3_3_control_for_who_looks_at_the_actor_alone_every_door_is_seen_open(
    cast: Cast, door: Callable[[Scene], Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Change, "_person_behind", lambda change: {change.actor.id})

    door(scene_of(cast, cast.beto))()


def test_b3_3_a_binding_of_ones_own_keeps_its_limit(cast: Cast) -> None:
    scene = scene_of(cast, cast.dora)
    mine = access.create_binding(actor=cast.ana, principal=cast.beto.principal, role=scene.role())
    limit = scene.limit(HolderKind.BINDING, mine)

    with pytest.raises(OwnAccess):
        access.retire_limit(actor=cast.beto, limit=limit)


def test_b3_3_one_leaves_no_team_whose_guardrail_holds_one_back(cast: Cast) -> None:
    scene = scene_of(cast, cast.dora)
    team = scene.team(cast.beto.principal)
    scene.guardrail(team)

    with pytest.raises(OwnAccess):
        access.set_team_members(actor=cast.beto, team=team, members=[])
    with pytest.raises(OwnAccess):
        access.disable_principal(actor=cast.beto, principal=team)


def test_b3_3_a_service_account_gives_nothing_to_the_person_behind_it(cast: Cast) -> None:
    scene = scene_of(cast, cast.dora)
    other = accounts.create_service_account(
        actor=cast.ana, name="another", accountable=cast.dora.principal
    )
    access.create_binding(actor=cast.ana, principal=scene.bot, role=cast.role("Administrator"))
    role, bot = scene.role(), Actor(cast.workspace, scene.bot, NOW)

    for principal in (scene.bot, cast.dora.principal, other):
        with pytest.raises(OwnAccess):
            access.create_binding(actor=bot, principal=principal, role=role)


def test_an_owner_rules_over_their_own_service_accounts(cast: Cast) -> None:
    scene = scene_of(cast, cast.ana)
    guardrail = scene.guardrail(scene.bot)

    access.retire_guardrail(actor=cast.ana, guardrail=guardrail)
