"""Giving roles and taking them away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from cast import NOW, Cast
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import (
    AccessDenied,
    BeyondOwnRights,
    InvalidRule,
    NotFound,
    OwnAccess,
)
from portero.domain.access.models import Binding, PolicyHead
from portero.domain.access.services import changes
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Outbox, Record, RecordOpen, in_workspace
from portero.engine import Check, Conditions, Context, Decision, Reach, Resource, Scope
from portero.store.ids import uuid7

SENDER = {"send:text": Reach.ALL}
ON_ONE = Scope(numbers=frozenset({"1"}))
ON_TWO = Scope(numbers=frozenset({"1", "2"}))


def decide(actor: Actor, permission: str, resource: Resource) -> Decision:
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        snapshot = current_state().snapshot
    context = Context(now=actor.at.timestamp(), weekday=2, minute=600)
    return snapshot.decide(actor.id, [Check(permission, resource)], context)


def head(cast: Cast) -> int:
    with in_workspace(cast.workspace):
        return PolicyHead.objects.get().version


def last_record(cast: Cast) -> tuple[Record, RecordOpen]:
    with in_workspace(cast.workspace):
        record = Record.objects.order_by("-at").first()
        assert record is not None
        return record, RecordOpen.objects.get(call_id=record.call_id)


@pytest.fixture
def sender(cast: Cast) -> UUID:
    return access.create_role(actor=cast.ana, name="Sender", cells=SENDER)


def test_a_binding_is_in_force_once_the_service_has_returned(cast: Cast, sender: UUID) -> None:
    assert not decide(cast.dora, "send:text", Resource("number", number="1")).allowed

    binding = access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=sender, scope=ON_ONE
    )

    decision = decide(cast.dora, "send:text", Resource("number", number="1"))
    assert decision.because == (str(binding),)
    assert decision.policy_version == head(cast)
    assert not decide(cast.dora, "send:text", Resource("number", number="2")).allowed


def test_i5_a_revoked_binding_is_out_of_force_once_the_service_has_returned(
    cast: Cast, sender: UUID
) -> None:
    binding = access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)
    before = head(cast)

    access.revoke_binding(actor=cast.ana, binding=binding, reason="season over")

    assert not decide(cast.dora, "send:text", Resource("number", number="1")).allowed
    assert head(cast) == before + 1
    with in_workspace(cast.workspace):
        assert Binding.objects.get(id=binding).valid_to == before + 1


def test_i1_a_change_leaves_a_record_and_an_outbox_row_in_its_transaction(
    cast: Cast, sender: UUID
) -> None:
    binding = access.create_binding(
        actor=cast.ana,
        principal=cast.dora.principal,
        role=sender,
        scope=ON_ONE,
        reason="to answer at night",
    )

    record, readable = last_record(cast)
    assert (record.event, record.operation) == ("binding.created", "create_binding")
    assert (record.effect, record.actor) == ("allow", str(cast.ana.principal))
    assert record.checks == ["role:assign"]
    assert readable.body["reason"] == "to answer at night"
    assert readable.body["scope"] == {"numbers": ["1"]}
    with in_workspace(cast.workspace):
        row = Outbox.objects.get(record_id=record.call_id)
    assert row.subjects == [binding, cast.dora.principal, sender]


def test_b8_6_a_record_holds_no_clear_ids_or_reasons_of_what_was_touched(
    cast: Cast, sender: UUID
) -> None:
    binding = access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=sender, reason="a private matter"
    )

    record, _ = last_record(cast)
    leaf = bytes(record.leaf)
    assert len(record.resources) == 3
    for clear in (str(binding), str(cast.dora.principal), "a private matter"):
        assert clear.encode() not in leaf


def test_r02_who_may_not_assign_roles_is_refused_and_the_refusal_stays_on_record(
    cast: Cast, sender: UUID
) -> None:
    before = head(cast)

    with pytest.raises(AccessDenied) as refusal:
        access.create_binding(actor=cast.dora, principal=cast.beto.principal, role=sender)

    assert refusal.value.reason == "permission_missing"
    record, readable = last_record(cast)
    assert (record.event, record.effect) == ("binding.created", "deny")
    assert (record.actor, record.reason) == (str(cast.dora.principal), "permission_missing")
    assert readable.body == {"sentence": "role:assign: permission_missing"}
    assert head(cast) == before


def test_a_refusal_is_on_record_under_the_version_it_was_decided_under(
    cast: Cast, sender: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = head(cast)
    record = changes.record_refusal

    def after_another_change(refusal: AccessDenied, **of: Any) -> None:
        access.create_team(actor=cast.ana, name="Faster than the record")
        record(refusal, **of)

    monkeypatch.setattr(changes, "record_refusal", after_another_change)

    with pytest.raises(AccessDenied):
        access.create_binding(actor=cast.dora, principal=cast.beto.principal, role=sender)

    assert head(cast) == before + 1
    with in_workspace(cast.workspace):
        assert Record.objects.get(effect="deny").policy_version == before


@pytest.fixture
def regional(cast: Cast) -> Actor:
    """Manages roles and sends, on number 1 only."""
    role = access.create_role(
        actor=cast.ana,
        name="Regional",
        cells={"role:assign": Reach.ALL, "send:text": Reach.ALL, "send:image": Reach.TEAM},
    )
    principal = accounts.add_person(actor=cast.ana, email="rita@example.com", name="Rita")
    access.create_binding(actor=cast.ana, principal=principal, role=role, scope=ON_ONE)
    return Actor(cast.workspace, principal, NOW)


def test_b3_3_a_regional_manager_gives_what_they_hold_where_they_hold_it(
    cast: Cast, sender: UUID, regional: Actor
) -> None:
    access.create_binding(actor=regional, principal=cast.dora.principal, role=sender, scope=ON_ONE)

    assert decide(cast.dora, "send:text", Resource("number", number="1")).allowed


@pytest.mark.parametrize("scope", [None, ON_TWO, Scope(countries=frozenset({"MX"}))])
def test_r01_b3_3_a_regional_manager_gives_nothing_elsewhere(
    cast: Cast, sender: UUID, regional: Actor, scope: Scope | None
) -> None:
    with pytest.raises(AccessDenied):
        access.create_binding(
            actor=regional, principal=cast.dora.principal, role=sender, scope=scope
        )


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        ({"send:video": Reach.OWN}, "send:video"),
        ({"send:image": Reach.ALL}, "send:image"),
        ({"send:text": Reach.ALL, "api_key:create": Reach.ALL}, "api_key:create"),
    ],
)
def test_r01_b3_3_nobody_gives_a_permission_or_a_reach_they_lack(
    cast: Cast, regional: Actor, cells: dict[str, Reach], missing: str
) -> None:
    role = access.create_role(actor=cast.ana, name="More", cells=cells)

    with pytest.raises(BeyondOwnRights) as refusal:
        access.create_binding(
            actor=regional, principal=cast.dora.principal, role=role, scope=ON_ONE
        )

    assert refusal.value.permissions == (missing,)


def test_r01_b3_3_a_temporary_right_is_not_given_for_longer(cast: Cast, sender: UUID) -> None:
    tomorrow = NOW + timedelta(days=1)
    manager = access.create_role(
        actor=cast.ana, name="Manager", cells={**SENDER, "role:assign": Reach.ALL}
    )
    access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=manager, until=tomorrow
    )
    give = {"actor": cast.dora, "principal": cast.beto.principal, "role": sender}

    for until in (None, tomorrow + timedelta(seconds=1)):
        with pytest.raises(BeyondOwnRights):
            access.create_binding(**give, until=until)
    access.create_binding(**give, until=tomorrow)


def test_r02_nobody_gives_to_themselves_their_team_or_their_service_account(
    cast: Cast, sender: UUID
) -> None:
    team = access.create_team(actor=cast.ana, name="Night")
    access.set_team_members(actor=cast.ana, team=team, members=[cast.beto.principal])
    account = accounts.create_service_account(
        actor=cast.ana, name="night-bot", accountable=cast.beto.principal
    )

    for principal in (cast.beto.principal, team, account):
        with pytest.raises(OwnAccess):
            access.create_binding(actor=cast.beto, principal=principal, role=sender)


def test_t01_ids_of_another_workspace_are_answered_like_ids_of_nothing(
    cast: Cast, sender: UUID
) -> None:
    binding = access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)
    for principal, role in (
        (cast.dora.principal, sender),
        (cast.carla.principal, sender),
        (uuid7(), uuid7()),
    ):
        with pytest.raises(NotFound):
            access.create_binding(actor=cast.carla, principal=principal, role=role)
    for foreign in (binding, uuid7()):
        with pytest.raises(NotFound):
            access.revoke_binding(actor=cast.carla, binding=foreign)


def test_a_binding_cannot_be_revoked_twice(cast: Cast, sender: UUID) -> None:
    binding = access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)
    access.revoke_binding(actor=cast.ana, binding=binding)

    with pytest.raises(NotFound):
        access.revoke_binding(actor=cast.ana, binding=binding)


@pytest.mark.parametrize(
    ("scope", "conditions", "until"),
    [
        (Scope(numbers=frozenset()), None, None),
        (Scope(numbers=frozenset({""})), None, None),
        (None, Conditions(networks=("10.0.0.0/33",)), None),
        (None, Conditions(networks=("fe80::1%eth0/128",)), None),
        (None, Conditions(networks=()), None),
        (None, Conditions(hours=()), None),
        (None, Conditions(fresh_factor_s=0), None),
        (None, None, NOW),
        (Scope(numbers=frozenset(map(str, range(2000)))), None, None),
    ],
)
def test_a_binding_that_can_mean_nothing_is_refused(
    cast: Cast, sender: UUID, scope: Scope | None, conditions: Conditions | None, until: object
) -> None:
    before = head(cast)

    with pytest.raises(InvalidRule):
        access.create_binding(
            actor=cast.ana,
            principal=cast.dora.principal,
            role=sender,
            scope=scope,
            conditions=conditions,
            until=until,  # type: ignore[arg-type]  # None or a time, from the table above
        )

    assert head(cast) == before


def test_a_binding_to_someone_put_out_of_action_is_refused(cast: Cast, sender: UUID) -> None:
    access.disable_principal(actor=cast.ana, principal=cast.dora.principal)

    with pytest.raises(NotFound):
        access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)


def test_many_changes_in_one_transaction_are_one_commit(
    cast: Cast, sender: UUID, app: Database
) -> None:
    before = head(cast)

    def interrupted() -> None:
        with in_workspace(cast.workspace):
            access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)
            access.create_team(actor=cast.ana, name="Day")
            raise RuntimeError("and then the lights went out")

    with pytest.raises(RuntimeError):
        interrupted()

    assert head(cast) == before
    assert not decide(cast.dora, "send:text", Resource("number", number="1")).allowed
    with psycopg.connect(app.dsn()) as connection:
        left = connection.execute("SELECT count(*) FROM record WHERE event = 'team.created'")
        assert left.fetchone() == (0,)


def test_a_version_that_was_rolled_back_is_not_remembered(
    cast: Cast, sender: UUID, app: Database
) -> None:
    """Two states may bear one version number; only one of them was ever published."""

    def interrupted() -> None:
        with in_workspace(cast.workspace):
            access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)
            lock_policy(exclusive=True)
            current_state()  # compiled inside the transaction that will not be
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()

    with psycopg.connect(app.dsn()) as another_process:
        another_process.execute(
            "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
            " WHERE workspace_id = %s",
            (cast.workspace,),
        )
    assert not decide(cast.dora, "send:text", Resource("number", number="1")).allowed


def test_the_gateways_are_told_which_version_to_read(
    cast: Cast, sender: UUID, app: Database
) -> None:
    with psycopg.connect(app.dsn("gateway"), autocommit=True) as listener:
        listener.execute("LISTEN portero_policy")

        access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=sender)

        (notice,) = listener.notifies(timeout=5, stop_after=1)
    assert notice.payload == f"{cast.workspace}:{head(cast)}"
